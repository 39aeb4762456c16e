"""Sparse logistic regression on one fold: its conditions, and where it begins."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit

from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.sparse_loss_lower import SparseLossProblem
from argrad.sklearn.criteria.sparse_lower import Support
from argrad.sklearn.models.logistic import LogisticModel

D = 90


def problem(rng, n=60, fit_intercept=True, kept_sparse=False):
    X = rng.normal(size=(n, D)) + 0.7 * rng.normal(size=(n, 1)) + 1.0
    X *= rng.uniform(size=X.shape) < 0.7
    y = (rng.uniform(size=n) < expit(X[:, :6] @ rng.normal(size=6))).astype(float)
    y[:2] = 0, 1
    weight = rng.uniform(0.2, 2.0, size=n) * (rng.uniform(size=n) < 0.8)
    weight[:2] = 1.0
    centre = weight @ X / weight.sum() if fit_intercept else np.zeros(D)
    design = Centred(sparse.csr_array(X) if kept_sparse else X, centre, np.ones(n))
    return SparseLossProblem(design, y[:, None], weight, fit_intercept, LogisticModel()), X - centre


@pytest.mark.parametrize("kept_sparse", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("part", [0.5, 0.05, 0.005])
def test_the_conditions_hold_to_rounding(part, fit_intercept, kept_sparse, rng):
    made, X = problem(rng, fit_intercept=fit_intercept, kept_sparse=kept_sparse)
    level = part * made.least
    l1, ridge = level * rng.uniform(0.5, 2.0, size=D), 0.1 * level * np.ones(D)
    found = made.solve(l1, ridge, Support.empty())
    S, w = found.support
    full = np.zeros(D)
    full[S] = w
    errors = made.weight * (expit(X @ full + found.intercept) - made.target[:, 0])
    pulls = X.T @ errors + ridge * full
    assert len(S)
    assert np.all(np.diff(S) > 0)
    np.testing.assert_allclose(pulls[S], -l1[S] * np.sign(w), atol=1e-11 * made.least)
    assert np.all(np.abs(pulls) <= l1 * (1 + 1e-9) + 1e-12)
    if fit_intercept:
        assert errors.sum() == pytest.approx(0, abs=1e-11)
    else:
        assert found.intercept == 0


def test_the_inverse_is_that_of_the_curvature(rng):
    made, X = problem(rng)
    found = made.solve(0.1 * made.least * np.ones(D), 0.01 * np.ones(D), Support.empty())
    S = found.support.columns
    columns = np.column_stack([X[:, S], np.ones(len(X))])
    mean = expit(columns @ found.vector)
    A = columns.T @ ((made.weight * mean * (1 - mean))[:, None] * columns)
    A[: len(S), : len(S)] += 0.01 * np.eye(len(S))
    b = rng.normal(size=len(S) + 1)
    np.testing.assert_allclose(found.inverse_times(b), np.linalg.solve(A, b), rtol=1e-8)


def test_where_it_begins_does_not_matter(rng):
    made, _ = problem(rng)
    wrong = Support(np.arange(20), 5 * rng.normal(size=20))
    for part in (0.3, 0.01):
        penalties = part * made.least * np.ones(D), np.zeros(D)
        cold, warm = made.solve(*penalties, Support.empty()), made.solve(*penalties, wrong)
        np.testing.assert_array_equal(cold.support.columns, warm.support.columns)
        np.testing.assert_allclose(cold.vector, warm.vector, rtol=1e-8, atol=1e-10)


def test_a_penalty_above_all_pulls_leaves_the_intercept(rng):
    made, _ = problem(rng)
    found = made.solve(1.01 * made.least * np.ones(D), np.zeros(D), Support.empty())
    assert not len(found.support.columns)
    share = made.weight @ made.target[:, 0] / made.weight.sum()
    assert found.vector == pytest.approx([np.log(share / (1 - share))], rel=1e-12)


def test_a_repeated_column_is_not_needed(rng):
    made, X = problem(rng)
    X[:, 1] = X[:, 0]
    design = Centred(X, np.zeros(D), np.ones(len(X)))
    twice = SparseLossProblem(design, made.target, made.weight, False, LogisticModel())
    penalties = 0.01 * twice.least * np.ones(D), np.zeros(D)
    S, _ = twice.solve(*penalties, Support(np.arange(2), np.ones(2))).support
    assert not {0, 1} <= set(S)


def test_too_small_a_penalty_is_told(rng):
    made, _ = problem(rng, n=20)
    with pytest.raises(LowerError, match=r"linearly dependent|so small"):
        made.solve(1e-13 * np.ones(D), np.zeros(D), Support.empty())
