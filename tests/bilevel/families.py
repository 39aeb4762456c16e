"""Families of random bilevel problems, with hypergradients beyond double precision.

Each family has a lower and an upper objective in JAX, and the same derivatives in NumPy, which
`Family.exact` evaluates in extended precision.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import argrad as ag

D, P, N = 12, 6, 30  # lower variables, upper variables, rows
LONG = np.longdouble


class Family(NamedTuple):
    """`draw(rng, condition)` gives x, y near y*, and the data; the rest is of (y, x, *data).

    `gradient`, `hessian` and `cross` are those of the lower objective, the last ∂²f/∂y∂x as a
    matrix; `slope` is ∂F/∂y and `direct` ∂F/∂x. `constants` is of (y, radius, x, *data).
    """

    lower: Callable
    upper: Callable
    draw: Callable
    gradient: Callable
    hessian: Callable
    cross: Callable
    slope: Callable
    direct: Callable
    constants: Callable

    def exact(self, x, y, data):
        """y* and dF/dx, correctly rounded but for a few units."""
        x, y = np.asarray(x, LONG), np.asarray(y, LONG)
        data = [np.asarray(a, LONG) for a in data]
        for _ in range(6):
            y = y - solve(self.hessian(y, x, *data), self.gradient(y, x, *data))
        u = solve(self.hessian(y, x, *data), self.slope(y, x, *data))
        return y, self.direct(y, x, *data) - self.cross(y, x, *data).T @ u


def solve(matrix, b):
    """matrix⁻¹ b in extended precision: iterative refinement with a double-precision inverse."""
    inverse, u = np.linalg.inv(matrix.astype(float)), np.zeros(len(b), LONG)
    for _ in range(40):
        u = u + inverse @ (b - matrix @ u).astype(float)
    return u


def spectrum(rng, condition):
    q, _ = np.linalg.qr(rng.normal(size=(D, D)))
    A = (q * np.geomspace(1, 1 / condition, D) * 10 ** rng.uniform(-2, 2)) @ q.T
    return (A + A.T) / 2


def curvatures(A):
    """The extreme eigenvalues, on the safe side of rounding."""
    values = np.linalg.eigvalsh(A)
    return values[0] - 1e-13 * values[-1], values[-1] * (1 + 1e-13)


# ½ yᵀAy − (Cx + b)ᵀy, with and without Σ log cosh y, below ½‖y − t‖² + ½‖x‖².


def _linear_draw(extra):
    def draw(rng, condition):
        A, C = spectrum(rng, condition), rng.normal(size=(D, P))
        x, y, t = rng.normal(size=P), rng.normal(size=D), rng.normal(size=D)
        return x, y, (A, C, A @ y + extra(y) - C @ x, t)

    return draw


def _tracking(y, x, A, C, b, t):
    return 0.5 * jnp.sum((y - t) ** 2) + 0.5 * jnp.sum(x**2)


def _linear_constants(hessian_lipschitz, extra):
    def constants(y, radius, x, A, C, b, t):
        lowest, largest = curvatures(A)
        cross = np.linalg.norm(C, 2) * (1 + 1e-13)
        return ag.Constants(lowest, largest + extra, cross, 1.0, hessian_lipschitz)

    return constants


quadratic = Family(
    lower=lambda y, x, A, C, b, t: 0.5 * y @ A @ y - (C @ x + b) @ y,
    upper=_tracking,
    draw=_linear_draw(lambda y: 0.0),
    gradient=lambda y, x, A, C, b, t: A @ y - (C @ x + b),
    hessian=lambda y, x, A, C, b, t: A,
    cross=lambda y, x, A, C, b, t: -C,
    slope=lambda y, x, A, C, b, t: y - t,
    direct=lambda y, x, A, C, b, t: x,
    constants=_linear_constants(0.0, 0.0),
)

# The third derivative of log cosh is at most 4 / (3 √3).
log_cosh = Family(
    lower=lambda y, x, A, C, b, t: (
        0.5 * y @ A @ y - (C @ x + b) @ y + jnp.sum(jnp.log(jnp.cosh(y)))
    ),
    upper=_tracking,
    draw=_linear_draw(np.tanh),
    gradient=lambda y, x, A, C, b, t: A @ y - (C @ x + b) + np.tanh(y),
    hessian=lambda y, x, A, C, b, t: A + np.diag(1 - np.tanh(y) ** 2),
    cross=lambda y, x, A, C, b, t: -C,
    slope=lambda y, x, A, C, b, t: y - t,
    direct=lambda y, x, A, C, b, t: x,
    constants=_linear_constants(4 / 3**1.5, 1.0),
)


# Fits with a penalty e^x for each coefficient, below their loss on other rows.


def _fit_draw(targets):
    def draw(rng, condition):
        scale = np.geomspace(1, condition**-0.5, D)
        X, V = rng.normal(size=(N, D)) * scale, rng.normal(size=(N, D)) * scale
        w = rng.normal(size=D)
        x = np.log(1 / condition) + rng.normal(size=D)
        return x, np.zeros(D), (X, targets(rng, X @ w), V, targets(rng, V @ w))

    return draw


def _penalty_constants(curve, bend):
    """Loss terms ℓ(z) with ℓ'' <= curve and |ℓ'''| <= bend."""

    def constants(y, radius, x, X, b, V, c):
        weight = np.exp(x)
        return ag.Constants(
            convexity=weight.min(),
            smoothness=curve * np.linalg.norm(X, 2) ** 2 / N + weight.max(),
            cross_norm=np.max(weight * (np.abs(y) + radius)),
            upper_lipschitz=curve * np.linalg.norm(V, 2) ** 2 / N,
            hessian_lipschitz=bend * np.mean(np.linalg.norm(X, axis=1) ** 3),
            cross_lipschitz=weight.max(),
        )

    return constants


ridge = Family(
    lower=lambda y, x, X, b, V, c: (
        0.5 * jnp.mean((X @ y - b) ** 2) + 0.5 * jnp.sum(jnp.exp(x) * y**2)
    ),
    upper=lambda y, x, X, b, V, c: 0.5 * jnp.mean((V @ y - c) ** 2),
    draw=_fit_draw(lambda rng, z: z + 0.3 * rng.normal(size=N)),
    gradient=lambda y, x, X, b, V, c: X.T @ (X @ y - b) / N + np.exp(x) * y,
    hessian=lambda y, x, X, b, V, c: X.T @ X / N + np.diag(np.exp(x)),
    cross=lambda y, x, X, b, V, c: np.diag(np.exp(x) * y),
    slope=lambda y, x, X, b, V, c: V.T @ (V @ y - c) / N,
    direct=lambda y, x, X, b, V, c: np.zeros(D, LONG),
    constants=_penalty_constants(1.0, 0.0),
)


def _logistic(z):
    return 1 / (1 + np.exp(-z))


def _logistic_hessian(y, x, X, b, V, c):
    share = _logistic(X @ y)
    return (X.T * (share * (1 - share))) @ X / N + np.diag(np.exp(x))


logistic = Family(
    lower=lambda y, x, X, b, V, c: (
        jnp.mean(jnp.logaddexp(0, -b * (X @ y))) + 0.5 * jnp.sum(jnp.exp(x) * y**2)
    ),
    upper=lambda y, x, X, b, V, c: jnp.mean(jnp.logaddexp(0, -c * (V @ y))),
    draw=_fit_draw(lambda rng, z: np.where(rng.random(N) < _logistic(z), 1.0, -1.0)),
    gradient=lambda y, x, X, b, V, c: -X.T @ (b * _logistic(-b * (X @ y))) / N + np.exp(x) * y,
    hessian=_logistic_hessian,
    cross=lambda y, x, X, b, V, c: np.diag(np.exp(x) * y),
    slope=lambda y, x, X, b, V, c: -V.T @ (c * _logistic(-c * (V @ y))) / N,
    direct=lambda y, x, X, b, V, c: np.zeros(D, LONG),
    constants=_penalty_constants(0.25, 1 / (6 * 3**0.5)),
)

FAMILIES = {"quadratic": quadratic, "log cosh": log_cosh, "ridge": ridge, "logistic": logistic}
