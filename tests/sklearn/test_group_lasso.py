"""GroupLasso by itself, and tuned."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Lasso
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from argrad import SolveError
from argrad.sklearn import GradientSearchCV, GroupLasso, PerFeature, Shared
from argrad.sklearn.criteria.group_lower import GroupProblem
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.families import criterion_of
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds
from argrad.sklearn.space import Space

from .models.on_a_piece import check_derivatives

GROUPS = [j // 4 for j in range(40)]
SPLITS = list(KFold(3, shuffle=True, random_state=0).split(np.zeros(60)))


def draw(rng):
    X = rng.normal(size=(60, 40)) + 0.5 * rng.normal(size=(60, 1)) + 0.3
    return X, X[:, :8] @ rng.normal(size=8) + 0.5 * rng.normal(size=60) + 1.0


@parametrize_with_checks([GroupLasso()])
def test_passes_every_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kept_sparse", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_derivatives(fit_intercept, kept_sparse, rng):
    X, y = draw(rng)
    if kept_sparse:
        X = sparse.csr_array(X * (rng.uniform(size=X.shape) < 0.6))
    estimator = GroupLasso(GROUPS, fit_intercept=fit_intercept)
    model, encoded = model_of(estimator).for_target(y)
    weight = rng.uniform(0.3, 2.0, size=60)
    folds = stack_folds(None, X, y, encoded.values, SPLITS, fit_intercept, weight)
    space = Space({"alpha": Shared(1e-5, 1e3)}, folds.features)
    check_derivatives(criterion_of(model, folds, space), rng)


def test_without_groups_it_is_the_lasso(rng):
    X, y = draw(rng)
    weight = rng.uniform(0.3, 2.0, size=60)
    ours = GroupLasso(alpha=0.1).fit(X, y, sample_weight=weight)
    known = Lasso(alpha=0.1, tol=1e-12, max_iter=100_000).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, known.coef_, atol=1e-7)
    assert ours.intercept_ == pytest.approx(known.intercept_, abs=1e-6)
    np.testing.assert_allclose(ours.predict(X), known.predict(X), atol=1e-6)


def test_no_neighbour_is_lower(rng):
    """The objective as it is documented, around the solution."""
    X, y = draw(rng)
    model = GroupLasso(GROUPS, 0.2).fit(X, y)

    def objective(w, b):
        norms = np.linalg.norm(w.reshape(-1, 4), axis=1)
        return np.mean((y - X @ w - b) ** 2) / 2 + 0.2 * 2 * norms.sum()

    assert 0 < np.count_nonzero(model.coef_) < 40
    best = objective(model.coef_, model.intercept_)
    for _ in range(50):
        moved = model.coef_ + 1e-3 * rng.normal(size=40) * rng.choice([0, 1], size=40)
        assert objective(moved, model.intercept_ + 1e-3 * rng.normal()) >= best


def test_a_search_reports_what_scikit_learn_finds(rng):
    X, y = draw(rng)
    search = GradientSearchCV(GroupLasso(GROUPS), cv=SPLITS).fit(X, y)
    fitted = GroupLasso(GROUPS, **search.best_params_)
    score = cross_val_score(fitted, X, y, cv=SPLITS, scoring="neg_mean_squared_error").mean()
    assert search.best_score_ == pytest.approx(score, rel=1e-9)
    np.testing.assert_allclose(search.best_estimator_.coef_, fitted.fit(X, y).coef_, atol=1e-12)
    grid = [
        cross_val_score(
            GroupLasso(GROUPS, alpha), X, y, cv=SPLITS, scoring="neg_mean_squared_error"
        ).mean()
        for alpha in np.geomspace(1e-2, 1.0, 15)
    ]
    assert search.best_score_ >= 1.02 * max(grid)  # there may be several minima


def test_groups_of_named_columns_in_a_pipeline(rng):
    X, y = draw(rng)
    table = pd.DataFrame(X, columns=[f"c{j}" for j in range(40)])
    groups = {"first": list(table)[:8], "rest": list(table)[8:]}
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, GroupLasso(groups))
    search = GradientSearchCV(pipeline, cv=3).fit(table, y)
    used = search.best_estimator_[-1].coef_ != 0
    assert used[:8].all()
    assert used[8:].all() or not used[8:].any()


def test_what_cannot_be_fitted(rng):
    X, y = draw(rng)
    for alpha in (0, -1.0, True, "1", np.inf):
        with pytest.raises(ValueError, match=r"alpha must be a positive number, got"):
            GroupLasso(alpha=alpha).fit(X, y)
    with pytest.raises(ValueError, match="labels for 3 columns, but the model sees 40"):
        GroupLasso([0, 0, 1]).fit(X, y)
    with pytest.raises(TypeError, match=r"Shared\(low, high\)"):
        GradientSearchCV(GroupLasso(GROUPS), {"alpha": PerFeature(0.1, 1.0)}).fit(X, y)


def test_a_search_goes_back_from_where_rounding_hides_the_penalty(rng):
    """Without noise less of it is better, until it is too little to be seen."""
    X = rng.normal(size=(40, 120))
    y, groups = X[:, :6] @ rng.normal(size=6), [j // 3 for j in range(120)]
    ranges = {"alpha": Shared(1e-15, 10.0)}
    with pytest.warns(FitFailedWarning, match="Raise the lower bound of alpha"):
        search = GradientSearchCV(GroupLasso(groups), ranges, cv=4, error_score=np.nan).fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).any()
    assert search.best_score_ > -1e-8
    assert set(np.flatnonzero(search.best_estimator_.coef_)) == set(range(6))


def test_what_cannot_be_solved_is_told(rng, monkeypatch):
    def fails(*given):
        raise LowerError("so it goes")

    monkeypatch.setattr(GroupProblem, "solve", fails)
    with pytest.raises(SolveError, match=r"alpha=0\.5: so it goes.*Raise alpha"):
        GroupLasso(alpha=0.5).fit(*draw(rng))
