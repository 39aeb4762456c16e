"""Models of one's own, against scikit-learn's where it has the same."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jax.nn import logsumexp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argrad import SolveError
from argrad.sklearn import GradientSearchCV, PerEntry, PerFeature, Shared, from_objective

RANGE = Shared(1e-4, 1e4)


def line(w, X):
    return X @ w["slope"] + w["base"]


def squares(w, X, y, sample_weight, alpha):
    """Ridge regression's objective."""
    loss = jnp.sum(sample_weight * (line(w, X) - y) ** 2)
    return loss + jnp.sum(alpha * w["slope"] ** 2)


def begin(features, outputs):
    return {"slope": jnp.zeros(features), "base": 0.0}


def own_ridge(kind=RANGE, **values):
    return from_objective(squares, line, begin, {"alpha": kind}, **values)


def scores(w, X):
    return X @ w[0] + w[1]


def log_loss(w, X, y, sample_weight, C):
    """Multinomial logistic regression's, whose intercepts have a common shift too many."""
    z = scores(w, X)
    losses = logsumexp(z, axis=1) - jnp.take_along_axis(z, y[:, None], 1)[:, 0]
    return C * jnp.sum(sample_weight * losses) + 0.5 * jnp.sum(w[0] ** 2)


def begin_classes(features, outputs):
    return jnp.zeros((features, outputs)), jnp.zeros(outputs)


@pytest.fixture
def small(rng):
    X = rng.normal(size=(50, 4))
    return X, X @ rng.normal(size=4) + 0.3 * rng.normal(size=50) + 2.0


@pytest.mark.parametrize("kind", [Shared, PerFeature])
def test_a_ridge_of_ones_own_is_scikit_learns(small, kind, rng):
    X, y = small
    weight = rng.uniform(0.3, 2.0, size=50)
    params = {"alpha": kind(1e-2, 1e3)}
    given = {"cv": KFold(3), "tol": 1e-8, "max_fits": 300}
    own = GradientSearchCV(own_ridge(), params, **given).fit(X, y, sample_weight=weight)
    known = GradientSearchCV(Ridge(solver="cholesky"), params, **given)
    known.fit(X, y, sample_weight=weight)
    # Searches that start apart end where little is left to gain, not in the same place.
    assert own.best_score_ == pytest.approx(known.best_score_, rel=1e-3)
    same = own.best_estimator_.get_params()["alpha"]
    own_slope = own.best_estimator_.params_["slope"]
    plain = Ridge(solver="cholesky", alpha=1.0)
    scale = np.broadcast_to(same, 4) ** -0.5
    expected = plain.fit(X * scale, y, sample_weight=weight).coef_ * scale
    np.testing.assert_allclose(own_slope, expected, rtol=1e-8)


def test_a_classifier_whose_minimum_is_not_unique(wine):
    """scikit-learn's probabilities, in spite of a direction without curvature."""
    X, y = StandardScaler().fit_transform(wine[0][:, :4]), np.array(["a", "b", "c"])[wine[1]]
    model = from_objective(log_loss, scores, begin_classes, {"C": RANGE}, classifier=True)
    search = GradientSearchCV(model, cv=3, random_state=0).fit(X, y)
    known = LogisticRegression(C=search.best_params_["C"], tol=1e-12, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(search.predict_proba(X), known.predict_proba(X), atol=1e-6)
    np.testing.assert_array_equal(search.predict(X), known.predict(X))
    np.testing.assert_array_equal(search.classes_, ["a", "b", "c"])
    assert search.score(X, y) == known.score(X, y)
    own = GradientSearchCV(
        LogisticRegression(), {"C": RANGE}, cv=3, random_state=0
    ).fit(X, y)  # fmt: skip
    assert search.best_score_ == pytest.approx(own.best_score_, rel=1e-4)


def test_log_odds_of_two_classes(breast):
    X, y = StandardScaler().fit_transform(breast[0][:120, :3]), breast[1][:120]

    def objective(w, X, y, sample_weight, decay):
        z = line(w, X)
        return jnp.sum(sample_weight * (jnp.logaddexp(0.0, z) - y * z)) + decay * jnp.sum(
            w["slope"] ** 2
        )

    model = from_objective(objective, line, begin, {"decay": RANGE}, classifier=True, decay=0.5)
    model.fit(X, y)
    known = LogisticRegression(C=1.0, tol=1e-12, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), known.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(model.decision_function(X), known.decision_function(X), atol=1e-5)


def test_a_vector_and_a_number_that_are_tuned_together(small):
    """Two groups of columns by the model's own doing, and a width of its loss."""
    X, y = small

    def objective(w, X, y, sample_weight, decay, width):
        errors = (line(w, X) - y) / width
        penalty = decay[0] * jnp.sum(w["slope"][:2] ** 2) + decay[1] * jnp.sum(w["slope"][2:] ** 2)
        return jnp.sum(sample_weight * width * (jnp.sqrt(1 + errors**2) - 1)) + penalty

    ranges = {"decay": PerEntry(2, 1e-3, 1e3), "width": Shared(0.1, 10.0)}
    search = GradientSearchCV(from_objective(objective, line, begin, ranges), cv=KFold(3))
    search.fit(X, y)
    assert list(search.bounds_) == ["decay[0]", "decay[1]", "width"]
    assert search.bounds_["width"] == (0.1, 10.0)
    assert search.best_params_["decay"].shape == (2,)
    assert search.best_estimator_.get_params()["width"] == search.best_params_["width"]
    assert search.best_score_ > search.cv_results_["mean_test_score"][0]
    alone = GradientSearchCV(search.estimator, {"width": Shared(0.1, 10.0)}, cv=KFold(3))
    assert list(alone.fit(X, y).best_params_) == ["width"]


def test_what_is_not_tuned_stays_where_it_is(small):
    X, y = small

    def objective(w, X, y, sample_weight, alpha, power):
        return squares(w, X, y, sample_weight, alpha * power)

    ranges = {"alpha": RANGE, "power": Shared(0.5, 2.0)}
    model = from_objective(objective, line, begin, ranges, power=0.7)
    search = GradientSearchCV(model, {"alpha": RANGE}, cv=KFold(3)).fit(X, y)
    first = Ridge(alpha=0.7 * search.history_["alpha"][0])
    scores = cross_val_score(first, X, y, cv=KFold(3), scoring="neg_mean_squared_error")
    assert search.history_["cv_loss"][0] == pytest.approx(-scores.mean(), rel=1e-9)
    assert search.best_estimator_.get_params()["power"] == 0.7


def test_several_targets(small, rng):
    X, y = small
    Y = np.stack([y, rng.normal(size=50)], axis=1)

    def objective(w, X, y, sample_weight, alpha):
        losses = jnp.sum((scores(w, X) - y) ** 2, axis=1)
        return jnp.sum(sample_weight * losses) + alpha * jnp.sum(w[0] ** 2)

    model = from_objective(objective, scores, begin_classes, {"alpha": RANGE}, alpha=3.0)
    known = Ridge(alpha=3.0, solver="cholesky").fit(X, Y)
    np.testing.assert_allclose(clone(model).fit(X, Y).predict(X), known.predict(X), rtol=1e-8)
    assert GradientSearchCV(model, cv=3).fit(X, Y).predict(X).shape == (50, 2)


def test_within_a_pipeline_of_a_table(small):
    frame = pd.DataFrame(small[0], columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), own_ridge())
    params = {"objectiveregressor__alpha": RANGE}
    search = GradientSearchCV(pipeline, params, cv=3).fit(frame, small[1])
    known = GradientSearchCV(
        make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": RANGE}, cv=3
    )
    assert search.best_score_ == pytest.approx(known.fit(*small).best_score_, rel=1e-3)
    np.testing.assert_array_equal(search.feature_names_in_, list("abcd"))


def test_it_is_an_estimator_like_any_other():
    model = own_ridge(alpha=3.0)
    assert model.get_params()["alpha"] == 3.0
    copy = clone(model).set_params(alpha=0.25)
    assert copy.get_params()["alpha"] == 0.25
    assert model.get_params()["alpha"] == 3.0
    assert own_ridge().get_params()["alpha"] == 1.0  # the middle of its range
    assert "alpha=3.0" in repr(model)


def test_an_own_loss_of_validation_rows(small):
    X, y = small
    model = from_objective(
        squares, line, begin, {"alpha": RANGE}, loss=lambda predicted, y: jnp.abs(predicted - y)
    )
    search = GradientSearchCV(model, cv=KFold(3)).fit(X, y)
    first = search.history_["alpha"][0]
    losses = [
        np.abs(Ridge(alpha=first).fit(X[train], y[train]).predict(X[valid]) - y[valid]).mean()
        for train, valid in KFold(3).split(X)
    ]
    assert search.history_["cv_loss"][0] == pytest.approx(np.mean(losses), rel=1e-6)


def test_an_objective_that_counts_rows_without_weight_is_refused(small):
    def objective(w, X, y, sample_weight, alpha):
        return jnp.sum((line(w, X) - y) ** 2) + alpha * jnp.sum(w["slope"] ** 2)

    model = from_objective(objective, line, begin, {"alpha": RANGE})
    with pytest.raises(ValueError, match="rows whose sample_weight is 0"):
        GradientSearchCV(model, cv=3).fit(*small)


@pytest.mark.parametrize("fall", [lambda base: jnp.exp(-base), lambda base: -base])
def test_an_objective_without_a_minimum(fall, small):
    def objective(w, X, y, sample_weight, alpha):
        falling = jnp.sum(sample_weight) * fall(w["base"])
        return alpha * jnp.sum(w["slope"] ** 2) + falling

    model = from_objective(objective, line, begin, {"alpha": RANGE})
    with pytest.raises(SolveError, match=r"fold 0 at alpha=.*falls for ever"):
        GradientSearchCV(model, cv=3).fit(*small)
    with pytest.raises(SolveError, match="cannot be trained on all rows"):
        model.fit(*small)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"objective": 3}, TypeError, "objective must be a function"),
        ({"hyperparameters": {}}, TypeError, "hyperparameters must be a dictionary"),
        ({"hyperparameters": {"alpha": 1.0}}, TypeError, "must be one of Shared, Grouped"),
        ({"hyperparameters": {"fit": RANGE}}, ValueError, "cannot be called 'fit'"),
        ({"hyperparameters": {"init": RANGE}}, ValueError, "cannot be called 'init'"),
        ({"hyperparameters": {"a b": RANGE}}, ValueError, "cannot be called 'a b'"),
        ({"gamma": 1.0}, TypeError, "'gamma' is no hyperparameter: there are 'alpha'"),
        ({"loss": "mse"}, TypeError, "loss must be a function"),
    ],
)
def test_what_cannot_be_an_estimator(given, error, said):
    usual = {
        "objective": squares,
        "predictor": line,
        "init": begin,
        "hyperparameters": {"alpha": RANGE},
    }
    with pytest.raises(error, match=said):
        from_objective(**{**usual, **given})


def test_names_that_it_lacks_are_refused():
    with pytest.raises(ValueError, match="no parameter 'alhpa': do you mean 'alpha'"):
        GradientSearchCV(own_ridge(), {"alhpa": RANGE}).fit(np.eye(6), np.arange(6.0))


def test_sparse_columns_are_refused(small):
    from scipy import sparse

    with pytest.raises((ValueError, TypeError), match=r"(?i)sparse"):
        GradientSearchCV(own_ridge(), cv=3).fit(sparse.csr_array(small[0]), small[1])
