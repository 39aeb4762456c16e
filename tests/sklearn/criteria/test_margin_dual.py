"""The dual of a support vector machine: optimality, kinks and ties, on random problems."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

from argrad.sklearn.criteria.margin_dual import Dual, KKTFactor, polish


def draw(rng, kind, n=24):
    X = rng.normal(size=(n, 2))
    if "repeated" in kind:
        X[n // 2 :] = X[: n - n // 2]
    K = X @ X.T if "linear" in kind else np.exp(-((X[:, None] - X) ** 2).sum(-1))
    c = rng.uniform(0.2, 3.0, size=n)
    if "classes" in kind:
        t = np.where(X[:, 0] + 0.7 * rng.normal(size=n) > 0, 1.0, -1.0)
        low, high, epsilon = np.where(t > 0, 0, -c), np.where(t > 0, c, 0), 0.0
    else:
        t, low, high, epsilon = X[:, 0] + rng.normal(size=n), -c, c, 0.2
    return Dual(K, t, low, high, epsilon, "free" not in kind)


KINDS = ["classes", "numbers", "classes linear", "numbers linear", "classes repeated"]
KINDS += ["numbers linear repeated", "classes free", "numbers linear free"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_optimal(kind, rng):
    dual = draw(rng, kind)
    K, t, low, high, epsilon, intercept = dual
    solved = polish(dual, np.zeros(len(t)))  # however far away, the zero vector is feasible
    beta, f = solved.beta, K @ solved.beta + solved.intercept
    if intercept:
        assert abs(beta.sum()) < 1e-9 * np.abs(beta).sum()
    assert np.all((low <= beta) & (beta <= high))
    left = t - f
    up = left - np.where(beta >= 0, epsilon, -epsilon)
    down = left - np.where(beta > 0, epsilon, -epsilon)
    assert np.all(up[beta < high] <= 1e-8)
    assert np.all(down[beta > low] >= -1e-8)
    inner = (beta > low) & (beta < high) & (beta != 0)
    np.testing.assert_array_equal(np.flatnonzero(inner), solved.free)


@pytest.mark.parametrize("kind", ["classes", "numbers linear"])
def test_it_is_the_minimum(kind, rng):
    dual = draw(rng, kind, 10)
    K, t, low, high, epsilon, _ = dual

    def objective(parts):  # of β⁺ and β⁻
        beta = parts[:10] - parts[10:]
        return 0.5 * beta @ K @ beta - t @ beta + epsilon * parts.sum()

    bounds = [*zip(np.zeros(10), high, strict=True), *zip(np.zeros(10), -low, strict=True)]
    balance = LinearConstraint(np.r_[np.ones(10), -np.ones(10)], 0, 0)
    found = minimize(
        objective, np.zeros(20), bounds=bounds, constraints=[balance], tol=1e-12,
        options={"maxiter": 500},
    )  # fmt: skip
    beta = polish(dual, np.zeros(10)).beta
    ours = objective(np.r_[np.maximum(beta, 0), np.maximum(-beta, 0)])
    assert ours == pytest.approx(found.fun, abs=1e-6)
    assert ours <= found.fun + 1e-9


def test_it_ends_where_it_begins_at_the_solution(rng):
    dual = draw(rng, "numbers")
    solved = polish(dual, np.zeros(len(dual.target)))
    again = polish(dual, solved.beta)
    assert solved.changes > 0
    assert again.changes == 0
    np.testing.assert_allclose(again.beta, solved.beta, atol=1e-12)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("rank", [3, 6])
def test_the_factor(rank, intercept, rng):
    """Of a singular matrix the shortest solution, in whatever units the kernel is."""
    A = 1e3 * rng.normal(size=(6, rank))
    K = A @ A.T
    x, c = rng.normal(size=6), rng.normal() * intercept
    factor = KKTFactor(K, intercept)
    assert factor.singular == (rank < 6)
    found, multiplier = factor.solve(K @ x + c, x.sum())
    scale = np.abs(K).max()
    np.testing.assert_allclose(K @ found + multiplier, K @ x + c, atol=1e-9 * scale)
    assert np.linalg.norm(found) <= np.linalg.norm(x) + 1e-6
    if rank == 6:
        np.testing.assert_allclose(found, x, atol=1e-6)
