"""Weights of rows and classes as hyperparameters, against scikit-learn fitted with them."""

import warnings
from copy import deepcopy

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from sklearn.metrics import log_loss, mean_squared_error, mean_tweedie_deviance
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argrad.sklearn import ClassWeights, GradientSearchCV, PerFeature, SampleWeights, Shared
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.row_weights import row_factors
from argrad.sklearn.rows.folds import stack_folds

from .reference import logistic, ridge, standardised

N, D = 60, 3
POSITIVE = {
    "poisson": PoissonRegressor(solver="newton-cholesky", tol=1e-12, max_iter=1000),
    "gamma": GammaRegressor(solver="newton-cholesky", tol=1e-12, max_iter=1000),
}


def data(rng, kind):
    """(estimator, X, y, folds, its loss on rows)."""
    X = rng.normal(size=(N, D))
    z = X @ rng.normal(size=D)
    if kind in ("binary", "multiclass"):
        classes = 2 if kind == "binary" else 3
        y = np.digitize(z + rng.normal(size=N), np.quantile(z, np.arange(1, classes) / classes))
        y = np.array(["a", "b", "c"])[y]
        splits = list(StratifiedKFold(3).split(X, y))
        return logistic(), X, y, splits, lambda e, X, y: log_loss(y, e.predict_proba(X))
    splits = list(KFold(3).split(X))
    if kind == "ridge":
        return ridge(), X, z + rng.normal(size=N), splits, squared
    y = rng.poisson(np.exp(0.5 * z)) if kind == "poisson" else rng.gamma(2, np.exp(0.5 * z)) + 0.1
    power = 1 if kind == "poisson" else 2
    return POSITIVE[kind], X, y.astype(float), splits, lambda e, X, y: half(e, X, y, power)


def squared(e, X, y):
    return mean_squared_error(y, e.predict(X))


def half(e, X, y, power):
    return 0.5 * mean_tweedie_deviance(y, e.predict(X), power=power)


def criterion(estimator, X, y, splits, penalty, weights, sample_weight=None, preprocess=None):
    model, encoded = model_of(estimator).for_target(y)
    folds = stack_folds(preprocess, X, y, encoded.values, splits, True, sample_weight)
    factors, _ = row_factors({str(i): each for i, each in enumerate(weights)}, y, encoded.classes)
    return Criterion(model, folds, penalty, factors)


def reference(estimator, X, y, splits, loss, penalty, row_weight):
    """CV loss of scikit-learn's estimator fitted with these weights of the training rows."""
    name = "C" if isinstance(estimator, LogisticRegression) else "alpha"
    total = 0.0
    for train, valid in splits:
        fitted = clone(estimator).set_params(**{name: penalty})
        fitted.fit(X[train], y[train], sample_weight=row_weight[train])
        total += loss(fitted, X[valid], y[valid]) / len(splits)
    return total


def geometric(h):
    return np.exp(h - h.mean())


@pytest.mark.parametrize("kind", ["binary", "multiclass", "ridge", "poisson", "gamma"])
def test_value_and_gradient_are_scikit_learns(rng, kind):
    """The criterion and its central differences, by scikit-learn alone."""
    estimator, X, y, splits, loss = data(rng, kind)
    groups = rng.permutation(np.arange(N) % 3)
    h = np.concatenate([[rng.normal()], rng.normal(size=3)])

    def expected(h):
        weight = geometric(h[1:])[groups]
        return reference(estimator, X, y, splits, loss, np.exp(h[0]), weight)

    tuned = [SampleWeights({g: np.flatnonzero(groups == g) for g in range(3)})]
    found = criterion(estimator, X, y, splits, Shared(1e-4, 1e4), tuned)(h)
    assert found.value == pytest.approx(expected(h), rel=1e-9)
    check_gradient(found, expected, h)


def check_gradient(found, expected, h, step=1e-3):
    for i in range(len(h)):
        away = step * (np.arange(len(h)) == i)
        difference = (expected(h + away) - expected(h - away)) / (2 * step)
        # Differences are off by step² F''' and by what scikit-learn's tolerance leaves.
        assert found.gradient[i] == pytest.approx(difference, rel=1e-4, abs=2e-6 * found.value)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_classes_and_rows_at_once(rng, kind):
    estimator, X, y, splits, _ = data(rng, kind)
    classes = np.unique(y)
    given = rng.uniform(0.5, 2.0, size=N)
    h = rng.normal(size=D + len(classes) + N)

    def expected(h):
        by_class = geometric(h[D : D + len(classes)])[np.searchsorted(classes, y)]
        weight = given * by_class * geometric(h[-N:])
        total = 0.0
        scale = np.exp(0.5 * h[:D])  # C a feature is C = 1 on scaled columns
        for train, valid in splits:
            fitted = clone(estimator).set_params(C=1.0)
            fitted.fit(X[train] * scale, y[train], sample_weight=weight[train])
            chances = fitted.predict_proba(X[valid] * scale)
            total += log_loss(y[valid], chances, sample_weight=given[valid]) / len(splits)
        return total

    tuned = [ClassWeights(), SampleWeights()]
    penalty = PerFeature(1e-4, 1e4)
    found = criterion(estimator, X, y, splits, penalty, tuned, sample_weight=given)(h)
    assert found.value == pytest.approx(expected(h), rel=1e-9)
    some = rng.choice(len(h), 8, replace=False)
    for i in some:
        away = 1e-3 * (np.arange(len(h)) == i)
        difference = (expected(h + away) - expected(h - away)) / 2e-3
        assert found.gradient[i] == pytest.approx(difference, rel=1e-4, abs=2e-6 * found.value)


@pytest.mark.parametrize("preprocess", [None, StandardScaler()])
def test_preprocessing_and_sparse_columns_see_the_same_rows(rng, preprocess):
    """Folds with designs of their own order the rows otherwise; the factors go along."""
    _, X, y, splits, _ = data(rng, "ridge")
    groups = rng.permutation(np.arange(N) % 2)
    h = np.array([0.3, 1.0, -1.0])
    tuned = [SampleWeights(groups)]
    numbers = list(dict.fromkeys(groups.tolist()))
    weight = geometric(h[1:])[[numbers.index(g) for g in groups]]
    found = criterion(ridge(), X, y, splits, Shared(1e-4, 1e4), tuned, None, preprocess)(h)
    expected = 0.0
    for train, valid in splits:
        model = ridge().set_params(alpha=np.exp(h[0]))
        scale = preprocess or StandardScaler(with_mean=False, with_std=False)
        A = scale.fit_transform(X[train])
        model.fit(A, y[train], sample_weight=weight[train])
        expected += squared(model, scale.transform(X[valid]), y[valid]) / 3
    assert found.value == pytest.approx(expected, rel=1e-9)
    if preprocess is None:
        columns = sparse.csr_array(np.where(X > 0, X, 0.0))
        penalty = Shared(1e-4, 1e4)
        thin = criterion(ridge(), columns, y, splits, penalty, tuned)(h)
        thick = criterion(ridge(), columns.toarray(), y, splits, penalty, tuned)(h)
        np.testing.assert_allclose(thin.gradient, thick.gradient, rtol=1e-8, atol=1e-12)


def test_huber_has_derivatives_in_its_weights(rng):
    """scikit-learn's HuberRegressor is solved too loosely to difference: the criterion's own."""
    X = rng.normal(size=(N, D))
    y = X @ rng.normal(size=D) + rng.standard_t(2, size=N)
    splits = list(KFold(3).split(X))
    of = criterion(HuberRegressor(), X, y, splits, Shared(1e-4, 1e4), [SampleWeights()])
    h = 0.5 * rng.normal(size=1 + N)
    found = of(h)
    direction = rng.normal(size=1 + N)
    step = 1e-4
    difference = (of(h + step * direction).value - of(h - step * direction).value) / (2 * step)
    assert found.gradient @ direction == pytest.approx(difference, rel=1e-3, abs=1e-6)


def test_a_common_factor_of_all_rows_changes_nothing(rng):
    estimator, X, y, splits, _ = data(rng, "binary")
    of = criterion(estimator, X, y, splits, Shared(1e-4, 1e4), [ClassWeights()])
    one, other = of(np.array([0.0, 0.3, -0.4])), of(np.array([0.0, 1.3, 0.6]))
    assert one.value == pytest.approx(other.value, rel=1e-12)
    assert one.gradient[1:].sum() == pytest.approx(0.0, abs=1e-12)


# The search


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_class_weights_of_a_search_are_the_estimators(rng, kind):
    estimator, X, y, splits, _ = data(rng, kind)
    pipeline = standardised(estimator)
    params = {"model__C": Shared(1e-3, 1e3), "model__class_weight": ClassWeights(0.2, 5.0)}
    search = GradientSearchCV(pipeline, params, cv=splits, scoring="neg_log_loss").fit(X, y)
    weights = search.best_params_["model__class_weight"]
    assert list(weights) == np.unique(y).tolist()
    assert np.prod(list(weights.values())) == pytest.approx(1.0)
    assert search.best_estimator_[-1].class_weight == weights
    by_hand = clone(pipeline).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_allclose(search.predict_proba(X), by_hand.predict_proba(X), rtol=1e-7)
    # scikit-learn's own fits and scorer, point by point, find the criterion.
    np.testing.assert_allclose(
        search.cv_results_["mean_test_neg_log_loss"], search.cv_results_["mean_test_score"], 1e-7
    )
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    # In both at once there may be several minima: one was 2 % above that without weights.
    plain = GradientSearchCV(pipeline, {"model__C": Shared(1e-3, 1e3)}, cv=splits).fit(X, y)
    assert search.best_score_ >= 1.05 * plain.best_score_  # scores are minus losses
    names = [f"model__class_weight[{label}]" for label in np.unique(y)]
    assert list(search.bounds_) == ["model__C", *names]
    for name in names:
        low, high = search.bounds_[name]
        assert search.history_[name].between(low, high).all()


def test_rows_that_mislead_lose_their_weight(rng):
    """A third of the training rows has the wrong sign; the validation rows are clean."""
    n = 300
    X = rng.normal(size=(n, 4))
    w = rng.normal(size=4)
    wrong = np.arange(n) < n // 3
    y = np.where(wrong, -1.0, 1.0) * (X @ w) + 0.1 * rng.normal(size=n)
    splits = [(np.arange(200), np.arange(200, n))]
    groups = np.where(wrong, "wrong", "right")
    params = {"alpha": Shared(1e-3, 1e3), "sample_weight": SampleWeights(groups, 1e-3, 1e3)}
    search = GradientSearchCV(Ridge(), params, cv=splits).fit(X, y)
    found = search.best_params_["sample_weight"]
    assert found["right"] / found["wrong"] > 100
    weight = np.array([found[g] for g in groups])
    by_hand = Ridge(alpha=search.best_params_["alpha"]).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(search.best_estimator_.coef_, by_hand.coef_, rtol=1e-9)
    plain = GradientSearchCV(Ridge(), {"alpha": Shared(1e-3, 1e3)}, cv=splits).fit(X, y)
    assert search.best_score_ > 0.2 * plain.best_score_  # scores are minus losses


def test_weights_alone_leave_the_penalty_as_it_is(rng):
    X = rng.normal(size=(N, D))
    y = X @ rng.normal(size=D) + rng.normal(size=N)
    given = rng.uniform(size=N)
    search = GradientSearchCV(Ridge(alpha=3.0), {"sample_weight": SampleWeights()}, cv=3)
    search.fit(X, y, sample_weight=given)
    factors = search.best_params_["sample_weight"]
    assert factors.shape == (N,)
    assert "alpha" not in search.best_params_
    assert "param_alpha" not in search.cv_results_
    by_hand = Ridge(alpha=3.0).fit(X, y, sample_weight=given * factors)
    np.testing.assert_allclose(search.best_estimator_.coef_, by_hand.coef_, rtol=1e-9)
    assert search.best_score_ > search.cv_results_["mean_test_score"][0]


def test_it_can_be_watched_and_exported(rng):
    from argrad.sklearn import to_optuna

    estimator, X, y, splits, _ = data(rng, "binary")
    said = []
    search = GradientSearchCV(
        estimator, {"class_weight": ClassWeights()}, cv=splits, callback=said.append, max_fits=20
    ).fit(X, y)
    assert said[-1]["params"]["class_weight"].keys() == {"a", "b"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = to_optuna(search)
    assert len(study.trials) == len(search.history_)


# What is refused


@pytest.mark.parametrize(
    ("groups", "error", "said"),
    [
        ("abc", TypeError, "got 'abc'"),
        (3, TypeError, "got 3"),
        (["a", "a"], ValueError, "two groups or more, got \\['a'\\]"),
        ({}, ValueError, "two groups or more"),
        ({"a": [0], "b": []}, ValueError, "no rows in the group 'b'"),
        ({"a": [0.5], "b": [1]}, TypeError, r"positions for the group 'a', got \[0.5\]"),
        ({"a": "xy", "b": [1]}, TypeError, "positions for the group 'a', got 'xy'"),
    ],
)
def test_what_is_no_grouping_of_rows(groups, error, said):
    with pytest.raises(error, match=said):
        SampleWeights(groups)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (["a", "b"], "labels for 2 rows, but X has 4"),
        ({"a": [0], "b": [1, 2]}, "leaves row 3 without a group"),
        ({"a": [0], "b": [1]}, "leaves row 2 and 1 more without"),
        ({"a": [0, 1], "b": [1, 2, 3]}, "row 1 in two groups, 'a' and 'b'"),
        ({"a": [0, 1], "b": [2, 4]}, "names row 4 in 'b', but X has 4 rows"),
    ],
)
def test_groups_that_do_not_cover_the_rows(groups, said):
    search = GradientSearchCV(Ridge(), {"sample_weight": SampleWeights(groups)}, cv=2)
    with pytest.raises(ValueError, match=said):
        search.fit(np.eye(4), np.arange(4.0))


@pytest.mark.parametrize("kind", [ClassWeights, lambda *b: SampleWeights(None, *b)])
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (2.0, 1.0)])
def test_bounds_of_weights(kind, low, high):
    with pytest.raises(ValueError, match="bound"):
        kind(low, high)


@pytest.mark.parametrize(
    ("estimator", "params", "said"),
    [
        (Ridge(), {"class_weight": ClassWeights()}, "Ridge takes no class_weight"),
        (Ridge(), {"alpha": ClassWeights()}, "tuned under the name 'class_weight'"),
        (
            make_pipeline(StandardScaler(), Ridge()),
            {"sample_weight": SampleWeights()},
            "under the name 'ridge__sample_weight'",
        ),
        (
            LogisticRegression(class_weight="balanced"),
            {"sample_weight": SampleWeights()},
            "class_weight='balanced' follows",
        ),
        (Ridge(alpha=[1.0, 2.0]), {"sample_weight": SampleWeights()}, "one number is needed"),
    ],
)
def test_weights_that_have_no_place(estimator, params, said):
    with pytest.raises(ValueError, match=said):
        GradientSearchCV(estimator, params).fit(np.eye(12), np.arange(12) % 2)


def test_auto_decides_on_penalties_alone():
    from argrad.sklearn import Auto

    params = {"C": Auto(), "class_weight": ClassWeights()}
    with pytest.raises(ValueError, match="Auto decides on penalties alone"):
        GradientSearchCV(LogisticRegression(), params).fit(np.eye(12), np.arange(12) % 2)


@pytest.mark.parametrize("weight", [[-1.0] * 12, [0.0] * 12, [1.0] * 11, [np.nan] * 12])
def test_given_weights_are_checked_as_ever(weight):
    search = GradientSearchCV(Ridge(), {"sample_weight": SampleWeights()}, cv=2)
    with pytest.raises(ValueError, match="sample_weight"):
        search.fit(np.eye(12), np.arange(12.0), sample_weight=weight)


def test_they_are_values_that_can_be_compared_and_copied():
    weights = SampleWeights({"a": [0], "b": [1, 2]}, 1e-2, 1e2)
    assert deepcopy(weights) == weights
    assert hash(deepcopy(weights)) == hash(weights)
    assert weights != SampleWeights({"a": [0], "b": [1, 2]}, 1e-2, 1e3)
    search = GradientSearchCV(Ridge(), {"sample_weight": weights})
    assert clone(search).params == search.params
