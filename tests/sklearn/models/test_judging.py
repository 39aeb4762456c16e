"""Criteria by name, against scikit-learn's models and metrics."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from sklearn.metrics import brier_score_loss, mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold

from argrad.sklearn import GradientSearchCV, PerFeature, Shared
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds

N, D = 80, 3
EXACT = {"solver": "newton-cholesky", "tol": 1e-13, "max_iter": 1000}


def data(rng, kind):
    X = rng.normal(size=(N, D))
    z = X @ rng.normal(size=D)
    if kind == "binary":
        return X, np.where(z + rng.normal(size=N) > 0, "yes", "no")
    if kind == "multiclass":
        return X, np.digitize(z + rng.normal(size=N), [-0.5, 0.5])
    if kind == "positive":
        return X, rng.gamma(2.0, np.exp(0.3 * z)) + 0.1
    return X, z + rng.normal(size=N)


def brier(estimator, X, y):
    chances = estimator.predict_proba(X)
    if chances.shape[1] == 2:
        return brier_score_loss(y, chances[:, 1], pos_label=estimator.classes_[1])
    return np.mean(np.sum((chances - (y[:, None] == estimator.classes_)) ** 2, axis=1))


def squared(estimator, X, y):
    return mean_squared_error(y, estimator.predict(X))


CASES = [
    ("binary", LogisticRegression(**EXACT), "brier_score", brier),
    ("multiclass", LogisticRegression(**EXACT), "brier_score", brier),
    ("positive", PoissonRegressor(**EXACT), "mean_squared_error", squared),
    ("positive", GammaRegressor(**EXACT), "mean_squared_error", squared),
    ("positive", TweedieRegressor(power=1.5, **EXACT), "mean_squared_error", squared),
    ("numbers", TweedieRegressor(power=0, **EXACT), "mean_squared_error", squared),
    ("numbers", Ridge(solver="cholesky"), "mean_squared_error", squared),
]


@pytest.mark.parametrize(
    ("kind", "estimator", "name", "loss"),
    CASES,
    ids=[f"{c[0]}-{type(c[1]).__name__}" for c in CASES],
)
def test_value_and_gradient_are_scikit_learns(rng, kind, estimator, name, loss):
    X, y = data(rng, kind)
    classes = kind in ("binary", "multiclass")
    splits = list((StratifiedKFold(3) if classes else KFold(3)).split(X, y))
    model, encoded = model_of(estimator).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, splits, True)
    of = Criterion(model.judged_by(name), folds, PerFeature(1e-4, 1e4))
    h = 0.5 * rng.normal(size=D)

    def expected(h):
        """A penalty a feature is one penalty of scaled columns."""
        scale = np.exp(-0.5 * model.sign * h)
        total = 0.0
        for train, valid in splits:
            fitted = clone(estimator).set_params(**{model.parameter: 1.0})
            fitted.fit(X[train] * scale, y[train])
            total += loss(fitted, X[valid] * scale, y[valid]) / 3
        return total

    found = of(h)
    assert found.value == pytest.approx(expected(h), rel=1e-8)
    for j in range(D):
        away = 1e-3 * (np.arange(D) == j)
        difference = (expected(h + away) - expected(h - away)) / 2e-3
        assert found.gradient[j] == pytest.approx(difference, rel=1e-4, abs=1e-6 * found.value)


def test_huber_by_the_squared_error(rng):
    X, y = data(rng, "numbers")
    estimator = HuberRegressor(tol=1e-9, max_iter=10_000)
    search = GradientSearchCV(
        estimator,
        {"alpha": Shared(1e-3, 1e3)},
        cv=3,
        criterion="mean_squared_error",
        scoring="neg_mean_squared_error",
    ).fit(X, y)
    # scikit-learn's L-BFGS, which has its own fits at every point, is less exact.
    np.testing.assert_allclose(
        search.cv_results_["mean_test_neg_mean_squared_error"],
        search.cv_results_["mean_test_score"],
        rtol=1e-5,
    )


def test_chances_of_any_predictor_have_derivatives(rng):
    """At ±1000 the chances are 0 and 1, not NaN."""
    X, y = data(rng, "binary")
    search = GradientSearchCV(
        LogisticRegression(), {"C": Shared(1e-4, 1e12)}, cv=3, criterion="brier_score"
    ).fit(1e3 * X, y)
    assert np.all(np.isfinite(search.history_["gradient_norm"]))


def test_the_search_lowers_what_it_is_told_to(rng):
    X, y = data(rng, "multiclass")
    searches = {
        name: GradientSearchCV(
            LogisticRegression(**EXACT), {"C": Shared(1e-3, 1e3)}, cv=3, criterion=name
        ).fit(X, y)
        for name in (None, "log_loss", "brier_score")
    }
    own, named = searches[None], searches["log_loss"]
    assert own.best_score_ == named.best_score_
    assert own.best_params_ == named.best_params_
    assert searches["brier_score"].best_score_ != own.best_score_
    model, encoded = model_of(LogisticRegression()).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, list(StratifiedKFold(3).split(X, y)), True)
    of = Criterion(model.judged_by("brier_score"), folds, Shared(1e-3, 1e3))
    lowest, other = (
        of(np.log([searches[name].best_params_["C"]])).value for name in ("brier_score", None)
    )
    assert lowest <= other + 1e-9
    assert lowest == pytest.approx(-searches["brier_score"].best_score_, rel=1e-9)


@pytest.mark.parametrize(
    ("estimator", "name", "said"),
    [
        (LogisticRegression(), "brier", "Do you mean 'brier_score'.*'log_loss' and 'brier_score'"),
        (LogisticRegression(), "mean_squared_error", "none that LogisticRegression can"),
        (Ridge(), "log_loss", "There is 'mean_squared_error'"),
        (PoissonRegressor(), 3, "'half_mean_deviance' and 'mean_squared_error'"),
    ],
)
def test_unknown_criteria(estimator, name, said):
    with pytest.raises(ValueError, match=said):
        GradientSearchCV(estimator, criterion=name).fit(np.eye(12), np.arange(12) % 2)
