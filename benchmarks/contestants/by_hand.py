"""The yardstick: what a capable engineer writes for one problem, without any library.

All use the closed form of the model, so none traces a derivative. For the logistic problem

    ∇f = Xᵀ(s·σ')/n + e^θ·w,    H = Xᵀ diag(c) X + diag(e^θ),    dF/dθ = −e^θ·w·(H⁻¹ ∇F).

Products with Xᵀ are written `r @ X`: `X.T @ r` runs five times slower in XLA on a CPU.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve
from jax.scipy.sparse.linalg import cg

from contestants.hand_lbfgs import MEMORY, lbfgs
from contestants.in_jax import contestant, prepare

# Relative residuals for L-BFGS and CG: the loosest with a gradient error below 1e-10.
TOLERANCE = {"easy": 1e-11, "hard": 1e-12, "chain": 1e-11}


def _prepare_with_tolerance(problem):
    x, lower_data, upper_data = prepare(problem)
    return x, (*lower_data, jnp.asarray(TOLERANCE[problem.name])), upper_data


def _lower_gradient_part(margin, signs, X):
    return (-signs * jax.nn.sigmoid(-margin)) @ X / len(signs)


def _upper_gradient(w, X_val, signs_val):
    return _lower_gradient_part(signs_val * (X_val @ w), signs_val, X_val)


def _curvature(w, X, signs):
    p = jax.nn.sigmoid(signs * (X @ w))
    return p * (1 - p) / len(signs)


def lbfgs_cg():
    def solution(theta, X, signs, tol):
        penalty = jnp.exp(theta)

        def value_and_gradient(w):
            margin = signs * (X @ w)
            value = jnp.mean(jax.nn.softplus(-margin)) + 0.5 * jnp.sum(penalty * w**2)
            return value, _lower_gradient_part(margin, signs, X) + penalty * w

        return lbfgs(value_and_gradient, jnp.zeros_like(theta), tol)

    def gradient(theta, lower_data, upper_data):
        X, signs, tol = lower_data
        w = solution(theta, X, signs, tol)
        penalty, c = jnp.exp(theta), _curvature(w, X, signs)
        v, _ = cg(
            lambda u: (c * (X @ u)) @ X + penalty * u,
            _upper_gradient(w, *upper_data),
            tol=tol,
            maxiter=2000,
        )
        return -penalty * w * v

    return contestant(
        "by hand: L-BFGS + CG",
        f"memory {MEMORY}; residuals to 1e-11 (easy), 1e-12 (hard) of the first",
        solution,
        gradient=gradient,
        prepare=_prepare_with_tolerance,
        by_hand=True,
    )


def _newton(theta, X, signs, last_step):
    """Full Newton steps until one is shorter than `last_step`·‖w‖; the next error is quadratic.

    The factor from the start of that last step comes back as well.
    """
    penalty = jnp.exp(theta)

    def step(carry):
        w, _, _, k = carry
        p = jax.nn.sigmoid(-signs * (X @ w))
        g = (-signs * p) @ X / len(signs) + penalty * w
        weighted = (p * (1 - p) / len(signs))[:, None] * X
        H = jnp.einsum("ni,nj->ij", weighted, X) + jnp.diag(penalty)
        L = lax.linalg.cholesky(H, symmetrize_input=False)
        d = cho_solve((L, True), g)
        return w - d, L, jnp.linalg.norm(d), k + 1

    def unfinished(carry):
        w, _, moved, k = carry
        return (moved > last_step * jnp.linalg.norm(w)) & (k < 50)

    start = (jnp.zeros_like(theta), jnp.eye(theta.size), jnp.inf, 0)
    w, L, _, _ = lax.while_loop(unfinished, step, start)
    return w, L


def newton_cholesky(last_step=1e-5):
    def gradient(theta, lower_data, upper_data):
        X, signs = lower_data
        w, L = _newton(theta, X, signs, last_step)
        penalty, c = jnp.exp(theta), _curvature(w, X, signs)
        b = _upper_gradient(w, *upper_data)
        # The factor is one short step old, so one refinement squares that staleness away.
        v = cho_solve((L, True), b)
        v += cho_solve((L, True), b - (c * (X @ v)) @ X - penalty * v)
        return -penalty * w * v

    return contestant(
        "by hand: Newton + Cholesky",
        f"full steps, the last below {last_step:g}; its factor, refined once, for the adjoint",
        lambda theta, X, signs: _newton(theta, X, signs, last_step)[0],
        gradient=gradient,
        by_hand=True,
    )


def chain_lbfgs_cg():
    def differences_transposed(force):
        return jnp.pad(force, (1, 0)) - jnp.pad(force, (0, 1))

    def solution(x, tol):
        def value_and_gradient(y):
            step = jnp.diff(y)
            value = 0.5 * jnp.sum((y - x) ** 2) + jnp.sum(jnp.log(jnp.cosh(step)))
            return value, y - x + differences_transposed(jnp.tanh(step))

        return lbfgs(value_and_gradient, jnp.zeros_like(x), tol)

    def gradient(x, lower_data, upper_data):
        (tol,), (truth,) = lower_data, upper_data
        y = solution(x, tol)
        c = 1 / jnp.cosh(jnp.diff(y)) ** 2

        def product(v):
            return v + differences_transposed(c * jnp.diff(v))

        return cg(product, 2 * (y - truth) / len(y), tol=tol, maxiter=500)[0]

    return contestant(
        "by hand: L-BFGS + CG",
        f"memory {MEMORY}; residuals to 1e-11 of the first",
        solution,
        gradient=gradient,
        prepare=_prepare_with_tolerance,
        by_hand=True,
    )
