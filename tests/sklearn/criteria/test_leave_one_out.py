"""Leave-one-out in closed form, against scikit-learn's explicit loop and its RidgeCV."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import KFold, LeaveOneOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argrad import SolveError
from argrad.sklearn import GradientSearchCV, Grouped, PerClass, PerFeature, Shared
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.criteria.leave_one_out import LeaveOneOutRidge, left_out_rows
from argrad.sklearn.families import linear_criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds

BOUNDS = 1e-4, 1e6
KINDS = {
    "shared": Shared(*BOUNDS),
    "grouped": Grouped(["a", "b", "a"], *BOUNDS),
    "per feature": PerFeature(*BOUNDS),
    "per target": PerClass(*BOUNDS),
}


def draw(rng, n=17, targets=2):
    X = rng.normal(size=(n, 3)) + 3.0
    return X, X @ rng.normal(size=(3, targets)) + rng.normal(size=(n, targets)) - 5.0


def folds_of(X, y, splits, intercept=True, weight=None):
    model, encoded = model_of(Ridge()).for_target(y)
    return model, stack_folds(None, X, y, encoded.values, list(splits), intercept, weight)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", KINDS)
def test_it_is_what_the_explicit_fits_give(name, intercept, rng):
    X, y = draw(rng)
    weight = rng.uniform(0.3, 2.0, size=len(y))
    model, folds = folds_of(X, y, LeaveOneOut().split(X), intercept, weight)
    closed = linear_criterion(model, folds, KINDS[name])
    assert isinstance(closed, LeaveOneOutRidge)
    explicit = Criterion(model, folds, KINDS[name])
    assert closed.size == explicit.size
    h = rng.normal(size=closed.size)
    one, two = closed(h), explicit(h)
    np.testing.assert_allclose(one.split_losses, two.split_losses, rtol=1e-8)
    scale = np.abs(two.gradient).max()
    np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-7, atol=1e-8 * scale)
    if closed.shared:
        assert one.curvature == pytest.approx(two.curvature, rel=1e-6, abs=1e-8 * scale)


def test_a_search_is_that_of_scikit_learns_loop_and_of_ridge_cv(rng):
    X, y = draw(rng, n=30, targets=1)
    y = y[:, 0]
    search = GradientSearchCV(Ridge(), {"alpha": Shared(*BOUNDS)}, cv=LeaveOneOut()).fit(X, y)
    near = search.best_params_["alpha"] * 10.0 ** np.linspace(-1, 1, 21)
    scores = RidgeCV(near, store_cv_results=True).fit(X, y).cv_results_.mean(axis=0)
    assert -search.best_score_ == pytest.approx(scores[10], rel=1e-9)
    assert scores.min() >= scores[10] * (1 - 2e-5)
    ridge = Ridge(alpha=search.best_params_["alpha"])
    losses = [
        (ridge.fit(X[train], y[train]).predict(X[valid])[0] - y[valid][0]) ** 2
        for train, valid in LeaveOneOut().split(X)
    ]
    found = [search.cv_results_[f"split{i}_test_score"][search.best_index_] for i in range(30)]
    np.testing.assert_allclose(found, -np.array(losses), rtol=1e-8)


def test_which_folds_leave_one_out(rng):
    X, y = draw(rng, n=6)

    def rows(splits):
        return left_out_rows(folds_of(X, y, splits)[1])

    np.testing.assert_array_equal(rows(LeaveOneOut().split(X)), np.arange(6))
    np.testing.assert_array_equal(rows(KFold(6, shuffle=True, random_state=0).split(X)).shape, 6)
    some = [(np.delete(np.arange(6), i), [i]) for i in (4, 1)]
    np.testing.assert_array_equal(rows(some), [4, 1])
    assert rows(KFold(3).split(X)) is None
    assert rows([(np.array([0, 1, 2]), [3])]) is None
    assert rows([(np.array([0, 0, 1, 2, 3, 4]), [5])]) is None


def test_part_of_the_rows_left_out(rng):
    X, y = draw(rng)
    some = [(np.delete(np.arange(17), i), [i]) for i in (4, 1, 9)]
    model, folds = folds_of(X, y, some)
    closed = linear_criterion(model, folds, KINDS["shared"])
    explicit = Criterion(model, folds, KINDS["shared"])
    one, two = closed(np.zeros(1)), explicit(np.zeros(1))
    np.testing.assert_allclose(one.split_losses, two.split_losses, rtol=1e-9)
    assert one.gradient[0] == pytest.approx(two.gradient[0], rel=1e-7)
    assert one.curvature == pytest.approx(two.curvature, rel=1e-6)


def test_preprocessing_is_fitted_without_each_row(rng):
    """Which no closed form knows of: there the fits are explicit."""
    X, y = draw(rng, n=12, targets=1)
    y = y[:, 0]
    pipeline = make_pipeline(StandardScaler(), Ridge())
    search = GradientSearchCV(pipeline, {"ridge__alpha": Shared(*BOUNDS)}, cv=LeaveOneOut())
    search.fit(X, y)
    best = make_pipeline(StandardScaler(), Ridge(alpha=search.best_params_["ridge__alpha"]))
    losses = [
        (best.fit(X[train], y[train]).predict(X[valid])[0] - y[valid][0]) ** 2
        for train, valid in LeaveOneOut().split(X)
    ]
    assert -search.best_score_ == pytest.approx(np.mean(losses), rel=1e-8)


def test_rows_that_are_fitted_whatever_they_are(rng):
    X, y = rng.normal(size=(8, 20)), rng.normal(size=8)
    search = GradientSearchCV(Ridge(), {"alpha": Shared(1e-14, 1e-13)}, cv=LeaveOneOut())
    with pytest.raises(SolveError, match=r"raise the lower bound of alpha|singular"):
        search.fit(X, y)
