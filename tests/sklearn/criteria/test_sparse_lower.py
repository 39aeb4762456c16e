"""The lasso on one fold: its conditions, scikit-learn's solution, and what cannot be solved."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import ElasticNet

from argrad.sklearn.criteria import signs, training_rows
from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.criteria.sparse_lower import SparseProblem, Support


def problem(rng, n=60, d=90, fit_intercept=True, kept_sparse=False):
    X = rng.normal(size=(n, d)) + 0.7 * rng.normal(size=(n, 1)) + 1.0
    X *= rng.uniform(size=X.shape) < 0.7
    y = X[:, :6] @ rng.normal(size=6) + 0.3 * rng.normal(size=n) + 2.0
    weight = rng.uniform(0.2, 2.0, size=n) * (rng.uniform(size=n) < 0.8)
    centre = weight @ X / weight.sum() if fit_intercept else np.zeros(d)
    columns = sparse.csr_array(X) if kept_sparse else X
    made = SparseProblem(Centred(columns, centre, np.ones(n)), y, weight, fit_intercept)
    return made, X, y, weight


@pytest.fixture(params=["all columns known", "columns learnt"])
def _learning(request, monkeypatch):
    if request.param == "columns learnt":
        monkeypatch.setattr(training_rows, "_FEW", 0)


@pytest.mark.usefixtures("_learning")
@pytest.mark.parametrize("kept_sparse", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("part", [0.5, 0.05, 0.01])
def test_the_conditions_hold_to_rounding(part, fit_intercept, kept_sparse, rng):
    made, X, y, weight = problem(rng, fit_intercept=fit_intercept, kept_sparse=kept_sparse)
    level = part * np.abs(made.pull).max()
    l1, ridge = level * rng.uniform(0.5, 2.0, size=90), 0.1 * level * np.ones(90)
    S, w = made.solve(l1, ridge, Support.empty()).support
    full = np.zeros(90)
    full[S] = w
    errors = made.mean + (X - made.design.centre) @ full - y
    pulls = (X - made.design.centre).T @ (weight * errors) / weight.sum() + ridge * full
    assert len(S)
    assert np.all(np.diff(S) > 0)
    np.testing.assert_allclose(pulls[S], -l1[S] * np.sign(w), atol=1e-12 * np.abs(made.pull).max())
    assert np.all(np.abs(pulls) <= l1 * (1 + 1e-9) + 1e-12)


@pytest.mark.parametrize("ratio", [1.0, 0.6])
def test_it_is_scikit_learn_s(ratio, rng):
    made, X, y, weight = problem(rng)
    alpha = 0.05 * np.abs(made.pull).max()
    ones = np.ones(90)
    S, w = made.solve(alpha * ratio * ones, alpha * (1 - ratio) * ones, Support.empty()).support
    known = ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-12, max_iter=100_000)
    known.fit(X, y, sample_weight=weight)
    full = np.zeros(90)
    full[S] = w
    np.testing.assert_allclose(full, known.coef_, atol=1e-6)
    assert made.mean - made.design.centre[S] @ w == pytest.approx(known.intercept_, abs=1e-6)


@pytest.mark.usefixtures("_learning")
def test_where_it_begins_does_not_matter(rng):
    made, *_ = problem(rng)
    level = np.abs(made.pull).max() * np.ones(90)
    wrong = Support(np.arange(20), rng.normal(size=20))
    for part in (0.3, 0.02):
        cold = made.solve(part * level, 0 * level, Support.empty())
        warm = made.solve(part * level, 0 * level, wrong)
        np.testing.assert_array_equal(cold.support.columns, warm.support.columns)
        np.testing.assert_allclose(
            cold.support.coefficients, warm.support.coefficients, rtol=1e-9, atol=1e-12
        )


def test_many_columns_that_enter_are_swept_first(rng, monkeypatch):
    made, *_ = problem(rng)
    level = 0.01 * np.abs(made.pull).max() * np.ones(90)
    monkeypatch.setattr(signs, "_MANY", 10_000)
    alone = made.solve(level, 0 * level, Support.empty()).support
    monkeypatch.setattr(signs, "_MANY", 0)
    swept = made.solve(level, 0 * level, Support.empty()).support
    np.testing.assert_array_equal(alone.columns, swept.columns)
    np.testing.assert_allclose(alone.coefficients, swept.coefficients, rtol=1e-8)


def test_a_penalty_above_all_pulls_leaves_nothing(rng):
    made, *_ = problem(rng)
    level = 1.01 * np.abs(made.pull).max() * np.ones(90)
    solution = made.solve(level, 0 * level, Support(np.arange(3), np.ones(3)))
    assert not len(solution.support.columns)
    assert solution.inverse_times(np.zeros((0, 2))).shape == (0, 2)


def test_a_repeated_column_is_not_needed(rng):
    X = rng.normal(size=(30, 4))
    X[:, 1] = X[:, 0]
    made = SparseProblem(Centred(X, np.zeros(4), np.ones(30)), X[:, 0], np.ones(30), False)
    for start in (Support.empty(), Support(np.array([0, 1]), np.ones(2))):
        S, _ = made.solve(0.1 * np.ones(4), np.zeros(4), start).support
        assert len(S) == 1
        assert S[0] in (0, 1)
