"""The group lasso on one fold: its conditions, closed forms, and another solver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse

import argrad as ag
from argrad.sklearn.criteria import training_rows
from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.criteria.group_lower import GroupProblem
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.sparse_lower import SparseProblem, Support

N, D = 60, 72


def problem(rng, kept_sparse=False, d=D):
    groups = np.unique(rng.integers(0, d // 4, size=d), return_inverse=True)[1]
    X = rng.normal(size=(N, d)) + 0.7 * rng.normal(size=(N, 1)) + 1.0
    X *= rng.uniform(size=X.shape) < 0.7
    y = X[:, groups < 3] @ rng.normal(size=np.sum(groups < 3)) + rng.normal(size=N) + 2.0
    weight = rng.uniform(0.2, 2.0, size=N) * (rng.uniform(size=N) < 0.8)
    centre = weight @ X / weight.sum()
    design = Centred(sparse.csr_array(X) if kept_sparse else X, centre, np.ones(N))
    return GroupProblem(design, y, weight, True, groups=groups), X - centre


def solve(made, level, start=None):
    return made.solve(
        np.full(len(made.groups), level), np.zeros(len(made.groups)), start or Support.empty()
    )


def check_conditions(made, X, found, level):
    S, w = found.support
    full = np.zeros(D)
    full[S] = w
    errors = made.mean + X @ full - made.target
    pulls = -X.T @ (made.weight * errors) / made.weight.sum()
    for g in range(made.groups.max() + 1):
        of_g = made.groups == g
        weight = level * np.sqrt(of_g.sum())
        if np.any(full[of_g]):
            pushed = weight * full[of_g] / np.linalg.norm(full[of_g])
            np.testing.assert_allclose(pulls[of_g], pushed, atol=1e-12 * made.least)
        else:
            assert np.linalg.norm(pulls[of_g]) <= weight * (1 + 1e-9) + 1e-12


@pytest.fixture(params=["all columns known", "columns learnt"])
def _learning(request, monkeypatch):
    if request.param == "columns learnt":
        monkeypatch.setattr(training_rows, "_FEW", 0)


@pytest.mark.usefixtures("_learning")
@pytest.mark.parametrize("kept_sparse", [False, True])
@pytest.mark.parametrize("part", [0.5, 0.05, 0.01])
def test_the_conditions_hold_to_rounding(part, kept_sparse, rng):
    made, X = problem(rng, kept_sparse=kept_sparse)
    level = part * made.least
    check_conditions(made, X, solve(made, level), level)


@pytest.mark.parametrize("part", [0.1, 0.02])
def test_more_columns_than_rows_on_the_way(part, rng):
    for _ in range(5):
        groups = np.unique(rng.integers(0, 60, size=D), return_inverse=True)[1]
        X = rng.normal(size=(25, D)) + 2.0 * rng.normal(size=(25, 1))
        y, X = X @ rng.normal(size=D), X - X.mean(axis=0)
        rows = Centred(X, np.zeros(D), np.ones(25)), y, np.ones(25), True
        made = GroupProblem(*rows, groups=groups)
        level = part * made.least
        check_conditions(made, X, solve(made, level), level)


def test_orthogonal_columns_have_a_closed_form(rng):
    """Each group is what it would be without a penalty, shrunk: (1 − λ √d / ‖q_g‖)₊ q_g."""
    X = np.sqrt(40) * np.linalg.qr(rng.normal(size=(40, 9)))[0]
    groups, y = np.repeat([0, 1, 2, 3], [1, 2, 2, 4]), rng.normal(size=40)
    made = GroupProblem(Centred(X, np.zeros(9), np.ones(40)), y, np.ones(40), False, groups=groups)
    q, level, full = X.T @ y / 40, 0.5 * made.least, np.zeros(9)
    found = made.solve(np.full(9, level), np.zeros(9), Support.empty())
    full[found.support.columns] = found.support.coefficients
    sizes = np.bincount(groups)[groups]
    norms = np.sqrt(np.bincount(groups, q**2))[groups]
    np.testing.assert_allclose(
        full, np.maximum(1 - level * np.sqrt(sizes) / norms, 0) * q, atol=1e-13
    )


def test_one_column_a_group_is_the_lasso(rng):
    made, _ = problem(rng)
    rows = made.design, made.target, made.weight, True
    one_each = GroupProblem(*rows, groups=np.arange(D))
    lasso = SparseProblem(*rows)
    penalties = 0.05 * lasso.least * np.ones(D), np.zeros(D)
    one, other = (each.solve(*penalties, Support.empty()) for each in (one_each, lasso))
    np.testing.assert_array_equal(one.support.columns, other.support.columns)
    np.testing.assert_allclose(one.vector, other.vector, rtol=1e-8)


@pytest.mark.slow
def test_it_is_what_argmin_finds_and_differentiates(rng):
    """By another solver, proximal gradients and Newton's method on the piece, in JAX."""
    with jax.enable_x64(True):
        made, X = problem(rng, d=24)
        level = 0.1 * made.least
        found = solve(made, level)
        root = np.sqrt(np.bincount(made.groups))
        r, u = made.weight / made.weight.sum(), made.target - made.mean
        term = ag.prox.group_lasso(lambda t: jnp.exp(t) * root, made.groups)
        fit = ag.argmin(lambda w, t: jnp.sum(r * (X @ w - u) ** 2) / 2, nonsmooth=term)
        t = jnp.log(level)
        w, slope = jax.jvp(lambda t: fit(t, jnp.zeros(24)), (t,), (1.0,))
    S, v = found.support
    np.testing.assert_array_equal(np.flatnonzero(w), S)
    np.testing.assert_allclose(w[S], v, atol=1e-9)
    pushed = found.pushed(np.full(len(S), level), np.zeros(len(S)))
    np.testing.assert_allclose(slope[S], -found.inverse_times(pushed), atol=1e-8)


@pytest.mark.usefixtures("_learning")
def test_where_it_begins_does_not_matter(rng):
    made, _ = problem(rng)
    columns = np.flatnonzero(made.groups % 2)
    wrong = Support(columns, rng.normal(size=len(columns)))
    for part in (0.3, 0.02):
        cold, warm = (solve(made, part * made.least, start) for start in (None, wrong))
        np.testing.assert_array_equal(cold.support.columns, warm.support.columns)
        np.testing.assert_allclose(cold.vector, warm.vector, rtol=1e-7, atol=1e-10)


def test_a_penalty_above_all_pulls_leaves_nothing(rng):
    made, _ = problem(rng)
    found = solve(made, 1.01 * made.least, Support(np.arange(3), np.ones(3)))
    assert not len(found.vector)
    assert found.inverse_times(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("part", [1e-4, 1e-8])
def test_next_to_no_penalty_with_more_columns_than_rows(part, rng):
    """As closely as rounding lets pulls be told from each other, relative to the penalty."""
    for most in (1, 6):
        sizes = rng.integers(1, most + 1, size=120)
        groups = np.repeat(np.arange(120), sizes)[:120]
        X = rng.normal(size=(40, 120)) + 2.0 * rng.normal(size=(40, 1))
        y, X = X[:, :9] @ rng.normal(size=9) + rng.normal(size=40), X - X.mean(axis=0)
        design = Centred(X, np.zeros(120), np.ones(40))
        made = GroupProblem(design, y, np.ones(40), True, groups=groups)
        S, w = solve(made, part * made.least).support
        pulls = np.sqrt(np.bincount(groups, made.pulls_at(S, w) ** 2) / np.bincount(groups))
        used = np.unique(groups[S])
        assert 5 < len(used) < 40
        np.testing.assert_allclose(pulls[used], part * made.least, rtol=1e-13 / part)
        assert pulls.max() <= part * made.least * (1 + 1e-9 + 1e-13 / part)


def test_begun_with_more_groups_than_rows(rng):
    """There is a solution with independent groups, and the way to it is short."""
    X = rng.normal(size=(20, 50))
    y = X @ rng.normal(size=50)
    rows = Centred(X, np.zeros(50), np.ones(20)), y, np.ones(20), False
    made = GroupProblem(*rows, groups=np.arange(50))
    level = 0.01 * made.least
    cold, warm = (
        solve(made, level, start) for start in (None, Support(np.arange(50), rng.normal(size=50)))
    )
    np.testing.assert_array_equal(cold.support.columns, warm.support.columns)
    np.testing.assert_allclose(cold.vector, warm.vector, rtol=1e-8, atol=1e-10)


def test_groups_that_repeat_others_are_told(rng):
    """Both turned round in one group, so that no column repeats another."""
    X, turn = rng.normal(size=(30, 6)), np.linalg.qr(rng.normal(size=(2, 2)))[0]
    X[:, 2:4] = X[:, :2] @ turn
    rows = Centred(X, np.zeros(6), np.ones(30)), X[:, 0] + X[:, 5], np.ones(30), False
    made = GroupProblem(*rows, groups=np.repeat([0, 1, 2], 2))
    for start in (None, Support(np.arange(4), rng.normal(size=4))):
        with pytest.raises(LowerError, match=r"not unique, column [02] "):
            solve(made, 0.1 * made.least, start)
    # One of two that are alike is enough if it is the cheaper one.
    made = GroupProblem(*rows, groups=np.array([0, 0, 1, 1, 1, 2]))
    assert set(solve(made, 0.1 * made.least).support.columns) == {0, 1, 5}


def test_dependent_groups_are_told(rng):
    X = rng.normal(size=(30, 4))
    X[:, 1] = X[:, 0]
    rows = Centred(X, np.zeros(4), np.ones(30)), X[:, 0], np.ones(30), False
    made = GroupProblem(*rows, groups=np.arange(4))
    with pytest.raises(LowerError, match="not unique"):
        made.solve(0.1 * np.ones(4), np.zeros(4), Support(np.array([0, 1]), np.full(2, 0.3)))
