"""Adaptive penalties against two fits of scikit-learn, with derivatives by central differences."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import Lasso
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argrad import SolveError
from argrad.sklearn import Adaptive, GradientSearchCV, Shared
from argrad.sklearn.criteria.adaptive_criterion import AdaptiveCriterion
from argrad.sklearn.families import criterion_of
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds
from argrad.sklearn.space import Space

from ..models.on_a_piece import check_derivatives, near_start

RANGE = Adaptive(1e-6, 1e3)
SPLITS = list(KFold(3, shuffle=True, random_state=0).split(np.zeros(60)))
EXACT = Lasso(tol=1e-13, max_iter=1_000_000)


def draw(rng, n=60, d=40):
    X = rng.normal(size=(n, d)) + 0.5 * rng.normal(size=(n, 1)) + 0.3
    return X, X[:, :8] @ rng.normal(size=8) + 0.5 * rng.normal(size=n) + 1.0


def make(X, y, weight=None, intercept=True):
    model, encoded = model_of(Lasso()).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, SPLITS, intercept, weight)
    criterion = criterion_of(model, folds, Space({"alpha": RANGE}, folds.features))
    assert isinstance(criterion, AdaptiveCriterion)
    return criterion


def two_fits(stages, X, y, weight=None, intercept=True):
    """Coefficients and intercept, on the columns that the first fit has chosen."""
    first = EXACT.set_params(alpha=stages["first"], fit_intercept=intercept)
    size = np.abs(first.fit(X, y, sample_weight=weight).coef_)
    chosen = np.flatnonzero(size)
    scale = size[chosen] / size.max()
    second = EXACT.set_params(alpha=stages["second"]).fit(X[:, chosen] * scale, y, weight)
    w = np.zeros(X.shape[1])
    w[chosen] = scale * second.coef_
    return w, second.intercept_


@pytest.mark.parametrize("intercept", [True, False])
def test_losses_are_those_of_two_fits_on_the_training_rows(intercept, rng):
    X, y = draw(rng)
    weight = rng.uniform(0.3, 2.0, size=60)
    criterion = make(X, y, weight, intercept)
    h = near_start(criterion, rng)
    stages, losses = criterion.space.params(h)["alpha"], []
    for train, valid in SPLITS:
        w, b = two_fits(stages, X[train], y[train], weight[train], intercept)
        losses.append(np.average((X[valid] @ w + b - y[valid]) ** 2, weights=weight[valid]))
    np.testing.assert_allclose(criterion(h).split_losses, losses, rtol=1e-6)
    # From elsewhere, with other supports to begin with, it is the same.
    criterion(h + np.array([0.7, -0.5]))
    criterion(h + np.array([-0.9, -1.5]))
    np.testing.assert_allclose(criterion(h).split_losses, losses, rtol=1e-6)


@pytest.mark.parametrize("kept_sparse", [False, True])
def test_derivatives(kept_sparse, rng):
    X, y = draw(rng)
    if kept_sparse:
        X = X * (rng.uniform(size=X.shape) < 0.6)
    check_derivatives(make(sparse.csr_array(X) if kept_sparse else X, y), rng)


def test_many_columns_where_few_are_known(rng):
    """More columns than are looked at together: those of the first fit are found among all."""
    X = rng.normal(size=(60, 700))
    y = X[:, :4] @ [2.0, -2.0, 1.0, 1.0] + 0.3 * rng.normal(size=60)
    criterion = make(X, y)
    h = near_start(criterion, rng)
    train, valid = SPLITS[0]
    w, b = two_fits(criterion.space.params(h)["alpha"], X[train], y[train])
    loss = np.mean((X[valid] @ w + b - y[valid]) ** 2)
    assert criterion(h).split_losses[0] == pytest.approx(loss, rel=1e-6)
    check_derivatives(criterion, rng)


def test_where_the_first_fit_has_no_column_there_is_no_slope(rng):
    X, y = draw(rng)
    criterion = make(X, y)
    h = criterion.start() + np.array([5.0, 0.0])
    found = criterion(h)
    np.testing.assert_array_equal(found.gradient, 0.0)
    plain = [np.mean((y[valid] - y[train].mean()) ** 2) for train, valid in SPLITS]
    np.testing.assert_allclose(found.split_losses, plain, rtol=1e-12)


def test_towards_no_second_penalty_it_is_least_squares_on_what_was_chosen(rng):
    X, y = draw(rng)
    criterion = make(X, y)
    h = np.array([criterion.start()[0], np.log(1e-12)])
    losses = []
    for train, valid in SPLITS:
        first = EXACT.set_params(alpha=np.exp(h[0]), fit_intercept=True).fit(X[train], y[train])
        chosen = np.column_stack([X[:, first.coef_ != 0], np.ones(60)])
        w = np.linalg.lstsq(chosen[train], y[train], rcond=None)[0]
        losses.append(np.mean((chosen[valid] @ w - y[valid]) ** 2))
    np.testing.assert_allclose(criterion(h).split_losses, losses, rtol=1e-6)


def test_asked_for_it_is_searched_for_in_both(rng):
    """The best estimator is two fits on all rows; units of columns go with those of the penalty."""
    X, y = draw(rng, 120)
    table = pd.DataFrame(X, columns=[f"c{j}" for j in range(40)])
    pipeline = make_pipeline(StandardScaler(), Lasso(tol=1e-12, max_iter=100_000))
    search = GradientSearchCV(pipeline, {"lasso__alpha": Adaptive(1e-5, 10.0)}, cv=3)
    weight = rng.integers(1, 4, size=120).astype(float)
    search.fit(table, y, sample_weight=weight)
    stages = search.best_params_["lasso__alpha"]
    w, _ = two_fits(stages, StandardScaler().fit_transform(X), y, weight)
    np.testing.assert_allclose(search.best_estimator_[-1].coef_, w, atol=1e-6)
    names = ["lasso__alpha[first]", "lasso__alpha[second]"]
    assert search.history_[names].iloc[search.best_index_].tolist() == pytest.approx(
        list(stages.values())
    )
    assert search.best_score_ >= search.cv_results_["mean_test_score"].max()
    assert list(search.bounds_) == names


def test_better_than_one_penalty_where_few_columns_matter():
    """Known truth: 10 of 300 columns, which one penalty must shrink to keep the others out."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1150, 300))
    w = np.zeros(300)
    w[:10] = rng.choice([-1.0, 1.0], size=10)
    y = X @ w + 0.5 * rng.normal(size=1150)
    train, test = slice(0, 150), slice(150, None)
    losses = {}
    for kind in (Shared, Adaptive):
        search = GradientSearchCV(Lasso(), {"alpha": kind(1e-5, 1e2)}).fit(X[train], y[train])
        losses[kind] = np.mean((search.predict(X[test]) - y[test]) ** 2)
    assert losses[Adaptive] - 0.25 < 0.4 * (losses[Shared] - 0.25)
    assert set(np.flatnonzero(search.best_estimator_.coef_)) >= set(range(10))


def test_columns_that_repeat_others_are_refused_by_name_of_the_bound(rng):
    X, y = rng.normal(size=(20, 60)), rng.normal(size=20)
    search = GradientSearchCV(Lasso(), {"alpha": Adaptive(1e-13, 1.1e-13)}, cv=3)
    with pytest.raises(SolveError, match=r"Raise the lower bound of alpha"):
        search.fit(X, y)
