"""Linear machines: exact in either shape, with liblinear's solution as a first guess."""

import numpy as np
import pytest
from sklearn.svm import LinearSVC, LinearSVR

from argrad.sklearn.criteria.linear_machine import guess, solve_squared
from argrad.sklearn.criteria.margin_dual import Dual, polish
from argrad.sklearn.models.margins import Problem


def problem_of(rng, n, d, signed):
    X = rng.normal(size=(n + 5, d))
    t = X[:, 0] + 0.5 * rng.normal(size=n + 5)
    t = np.sign(t) if signed else t
    rows = np.arange(n + 5)
    cost = rng.uniform(0.5, 2.0, size=n)
    return X, Problem(rows[:n], t[:n], cost, rows[n:], t[n:], np.full(5, 0.2))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(("n", "d"), [(40, 3), (15, 60)])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e4])
def test_squared_losses(n, d, signed, C, rng):
    X, problem = problem_of(rng, n, d, signed)
    values = {"C": C, "epsilon": 0.1}
    w = solve_squared(X, problem, values, signed).w
    f, t = X[:n] @ w, problem.target
    if signed:
        short = np.maximum(0, 1 - t * f) * t
    else:
        short = np.sign(t - f) * np.maximum(0, np.abs(t - f) - 0.1)
    pull = 2 * C * X[:n].T @ (problem.cost * short)
    rounding = 1e-15 * C * np.abs(X).sum() * np.abs(t).max()
    np.testing.assert_allclose(w, pull, rtol=1e-8, atol=1e-8 * np.abs(w).max() + rounding)


@pytest.mark.parametrize("signed", [True, False])
def test_the_guess_is_near(signed, rng):
    X, problem = problem_of(rng, 40, 3, signed)
    t, n = problem.target, 40
    cost = 0.5 * problem.cost
    low = np.where(t > 0, 0, -cost) if signed else -cost
    high = np.where(t > 0, cost, 0) if signed else cost
    dual = Dual(X[:n] @ X[:n].T, t, low, high, 0.0 if signed else 0.1, False)
    beta = guess(X, problem, dual, signed)
    solved = polish(dual, beta)
    assert solved.changes < polish(dual, np.zeros(n)).changes
    how = {"fit_intercept": False, "C": 0.5, "tol": 1e-10, "max_iter": 100_000, "dual": True}
    fitted = LinearSVC(loss="hinge", **how) if signed else LinearSVR(epsilon=0.1, **how)
    fitted.fit(X[:n], t, sample_weight=problem.cost)
    np.testing.assert_allclose(X[:n].T @ solved.beta, np.ravel(fitted.coef_), atol=1e-6)
