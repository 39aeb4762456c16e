"""Networks against scikit-learn's own objective and training."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argrad.sklearn import GradientSearchCV, Grouped, PerFeature, PerLayer, Shared
from argrad.sklearn.models import model_of
from argrad.sklearn.place import find_place
from argrad.sklearn.refit import refit

RANGE = Shared(1e-2, 1e3)


def network(kind=MLPRegressor, **settings):
    usual = {"hidden_layer_sizes": (3,), "activation": "tanh", "random_state": 2}
    return kind(**{**usual, **settings})


def draw(rng, classes=None):
    X = rng.normal(size=(40, 3))
    z = np.sin(X @ rng.normal(size=(3, 3))) + 0.3 * rng.normal(size=(40, 3))
    if classes is None:
        return X, z[:, 0]
    codes = np.argmax(z[:, :classes], axis=1)
    codes[:6] = np.arange(6) % classes
    return X, np.array(["a", "b", "c"])[codes]


@pytest.mark.parametrize("classes", [None, 2, 3])
def test_scikit_learn_finds_nothing_better(classes, rng):
    """Its own training, from the best estimator's weights, stays there and has the same loss."""
    X, y = draw(rng, classes)
    estimator = network(MLPRegressor if classes is None else MLPClassifier)
    fitted = refit(estimator, find_place(estimator, {"alpha": RANGE}), np.log([1.5]), X, y)
    again = clone(fitted).set_params(warm_start=True, solver="lbfgs", tol=1e-12, max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again.fit(X, y)  # sets all up
        again.coefs_ = [matrix.copy() for matrix in fitted.coefs_]
        again.intercepts_ = [each.copy() for each in fitted.intercepts_]
        again.fit(X, y)
    assert again.loss_ == pytest.approx(fitted.loss_, rel=1e-9)
    for one, two in zip(again.coefs_, fitted.coefs_, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_it_starts_from_scikit_learns_random_numbers(rng):
    X, y = draw(rng)
    start = model_of(network(hidden_layer_sizes=(3, 2), activation="logistic")).init(3, 1)
    theirs = network(
        hidden_layer_sizes=(3, 2), activation="logistic", solver="sgd", learning_rate_init=1e-15,
        max_iter=1,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, y)
    for (matrix, intercepts), W, b in zip(start, theirs.coefs_, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(matrix, W, atol=1e-12)
        np.testing.assert_allclose(intercepts, b, atol=1e-12)


def test_a_decay_a_layer_and_groups_of_layers(rng):
    X, y = draw(rng)
    estimator = network(hidden_layer_sizes=(3, 2))
    each = find_place(estimator, {"alpha": PerLayer(1e-2, 1e3)})
    grouped = find_place(estimator, {"alpha": Grouped(["in", "in", "out"], 1e-2, 1e3)})
    one = refit(estimator, each, np.log([0.5, 0.5, 4.0]), X, y)
    two = refit(estimator, grouped, np.log([0.5, 4.0]), X, y)
    assert one.alpha == pytest.approx(1.0)
    np.testing.assert_allclose(one.predict(X), two.predict(X), rtol=1e-9)
    shared = refit(estimator, find_place(estimator, {"alpha": RANGE}), np.zeros(1), X, y)
    assert np.abs(one.predict(X) - shared.predict(X)).max() > 1e-3


def test_a_search_of_a_table(wine):
    X = pd.DataFrame(StandardScaler().fit_transform(wine[0][:, :4]), columns=list("abcd"))
    search = GradientSearchCV(
        network(MLPClassifier), {"alpha": PerLayer(1e-1, 1e2)}, cv=3, max_fits=25
    ).fit(X, wine[1])  # fmt: skip
    assert list(search.bounds_) == ["alpha[hidden 1]", "alpha[output]"]
    assert search.best_params_["alpha"].shape == (2,)
    np.testing.assert_allclose(search.predict_proba(X).sum(axis=1), 1.0)
    assert search.score(X, wine[1]) > 0.8
    assert search.best_score_ >= search.cv_results_["mean_test_score"][0]
    np.testing.assert_array_equal(search.feature_names_in_, list("abcd"))
    best = search.best_estimator_
    assert best.solver == "adam"
    assert best.max_iter == 200


def test_sizes_by_a_grid_outside(rng):
    X, y = draw(rng)
    params = {"alpha": RANGE, "hidden_layer_sizes": [(1,), (2,)]}
    search = GradientSearchCV(network(), params, cv=3, max_fits=31).fit(X, y)
    assert search.best_params_["hidden_layer_sizes"] in [(1,), (2,)]
    assert search.best_estimator_.coefs_[0].shape[1] == search.best_params_["hidden_layer_sizes"][0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"early_stopping": True}, "early_stopping=True"),
        ({"warm_start": True}, "warm_start=True"),
        ({"random_state": np.random.RandomState(0)}, "Set random_state to an integer"),
        ({"loss": "poisson"}, "loss='poisson'"),
    ],
)
def test_settings_that_cannot_be_honoured(settings, said):
    with pytest.raises(ValueError, match=said):
        model_of(network(**settings))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_the_default_activation_is_refused_with_what_to_write_instead(kind, rng):
    """Before anything is computed; what it says to write is taken."""
    X, y = draw(rng, 3 if kind is MLPClassifier else None)
    for estimator in (kind(), make_pipeline(StandardScaler(), kind())):
        with pytest.raises(ValueError, match=r"activation='relu'.* default.*kinks") as refused:
            GradientSearchCV(estimator).fit(X, y)
        assert f"Write {kind.__name__}(activation='tanh'), or 'logistic'" in str(refused.value)
    for activation in ("tanh", "logistic", "identity"):
        assert model_of(kind(activation=activation)).activation == activation


def test_what_else_is_refused(rng):
    X, y = draw(rng)
    with pytest.raises(TypeError, match="PerLayer"):
        GradientSearchCV(network(), {"alpha": PerFeature(0.1, 1.0)}).fit(X, y)
    with pytest.raises(ValueError, match="X is sparse"):
        GradientSearchCV(network()).fit(sparse.csr_array(X), y)
    with pytest.raises(ValueError, match="criterion='brier_score' is none"):
        GradientSearchCV(network(), criterion="brier_score").fit(X, y)
