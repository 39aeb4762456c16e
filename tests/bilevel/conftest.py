"""Bilevel problems shared by these tests, with data drawn anew."""

import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag


class Quadratic:
    """Lower: ½ yᵀHy − yᵀ(Bx + c); upper: ½‖y − t‖² + ½ρ‖x‖². Everything in closed form."""

    def __init__(self, rng, d=6, p=3):
        root = rng.normal(size=(d, d))
        self.H = root @ root.T / d + 0.5 * np.eye(d)
        self.B, self.c, self.t = rng.normal(size=(d, p)), rng.normal(size=d), rng.normal(size=d)
        self.rho = 0.3
        self.data = tuple(map(jnp.asarray, (self.H, self.B, self.c, self.t)))
        self.d, self.p = d, p

    @staticmethod
    def lower(y, x, H, B, c, t):
        return 0.5 * y @ H @ y - y @ (B @ x + c)

    @staticmethod
    def upper(y, x, H, B, c, t):
        return 0.5 * jnp.sum((y - t) ** 2) + 0.15 * jnp.sum(x**2)

    def bilevel(self, **options):
        return ag.Bilevel(self.upper, ag.argmin(self.lower, **options))

    def solution(self):
        """x*, y*(x*) and F there, by one linear solve of the normal equations."""
        S, s = np.linalg.solve(self.H, self.B), np.linalg.solve(self.H, self.c)
        x = np.linalg.solve(S.T @ S + self.rho * np.eye(self.p), S.T @ (self.t - s))
        y = S @ x + s
        return x, y, 0.5 * np.sum((y - self.t) ** 2) + 0.5 * self.rho * np.sum(x**2)


class RidgePenalties:
    """One log penalty for each feature, judged on validation rows; the inner fit by NumPy."""

    def __init__(self, rng, n=60, d=5):
        self.d = d
        weights = rng.normal(size=d) * (np.arange(d) % 2)
        self.A, self.V = rng.normal(size=(n, d)), rng.normal(size=(n, d))
        self.b, self.v = (M @ weights + rng.normal(size=n) for M in (self.A, self.V))
        self.data = tuple(map(jnp.asarray, (self.A, self.b, self.V, self.v)))

    @staticmethod
    def lower(w, x, A, b, V, v):
        return 0.5 * jnp.sum((A @ w - b) ** 2) + 0.5 * jnp.sum(jnp.exp(x) * w**2)

    @staticmethod
    def upper(w, x, A, b, V, v):
        # The small pull keeps a penalty that wants to be infinite where it can be found.
        return jnp.mean((V @ w - v) ** 2) + 1e-3 * jnp.sum(x**2)

    def bilevel(self, **options):
        return ag.Bilevel(self.upper, ag.argmin(self.lower, **options))

    def pipeline(self, x):
        """F(y*(x), x) with NumPy alone."""
        w = np.linalg.solve(self.A.T @ self.A + np.diag(np.exp(x)), self.A.T @ self.b)
        return np.mean((self.V @ w - self.v) ** 2) + 1e-3 * np.sum(x**2)


def central_differences(function, x, h=1e-5):
    """The gradient of a scalar function of a vector, to about h² and eps/h."""
    x, steps = np.asarray(x), np.eye(np.size(x)) * h
    return np.array([(function(x + s) - function(x - s)) / (2 * h) for s in steps])


@pytest.fixture
def quadratic(rng):
    return Quadratic(rng)


@pytest.fixture
def ridge(rng):
    return RidgePenalties(rng)


@pytest.fixture
def differences():
    return central_differences
