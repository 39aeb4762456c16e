"""The yardstick: what a capable engineer writes for this one problem, without any library.

Both use the closed form of the model, so neither traces a derivative:

    ∇f = Xᵀ(s·σ')/n + e^θ·w,    H = Xᵀ diag(c) X + diag(e^θ),    dF/dθ = −e^θ·w·(H⁻¹ ∇F).

Products with Xᵀ are written `r @ X`: `X.T @ r` runs five times slower in XLA on a CPU.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import cho_solve
from jax.scipy.sparse.linalg import cg

from contestants.in_jax import contestant, prepare
from contestants.interface import Contestant

MEMORY = 10
# The loosest that leave the gradient an error below 1e-10.
TOLERANCE = {"easy": 1e-11, "hard": 1e-12}


def _upper_gradient(w, X_val, signs_val):
    margin = signs_val * (X_val @ w)
    return (-signs_val * jax.nn.sigmoid(-margin)) @ X_val / len(signs_val)


def _curvature(w, X, signs):
    p = jax.nn.sigmoid(signs * (X @ w))
    return p * (1 - p) / len(signs)


# --- L-BFGS, then conjugate gradients ------------------------------------------------------


def _two_loop(g, S, Y, rho, newest):
    """L-BFGS direction; `newest` is the slot of the latest pair, empty slots have rho = 0."""
    order = (newest - jnp.arange(MEMORY)) % MEMORY

    def back(q, i):
        a = rho[i] * (S[i] @ q)
        return q - a * Y[i], a

    def forth(q, slot):
        i, a = slot
        return q + S[i] * (a - rho[i] * (Y[i] @ q)), None

    q, a = lax.scan(back, g, order)
    curvature = rho[newest] * (Y[newest] @ Y[newest])
    q = q / jnp.where(curvature > 0, curvature, jnp.linalg.norm(g))
    q, _ = lax.scan(forth, q, (order[::-1], a[::-1]))
    return -q


def lbfgs(theta, X, signs, tol):
    """Minimise until ‖∇f‖ <= tol ‖∇f(0)‖, one value and gradient a step unless one is too long."""
    penalty = jnp.exp(theta)

    def value_and_gradient(w):
        margin = signs * (X @ w)
        g = (-signs * jax.nn.sigmoid(-margin)) @ X / len(signs) + penalty * w
        return jnp.mean(jax.nn.softplus(-margin)) + 0.5 * jnp.sum(penalty * w**2), g

    def step(carry):
        w, value, g, S, Y, rho, k = carry
        p = _two_loop(g, S, Y, rho, (k - 1) % MEMORY)
        slope = g @ p

        def too_long(trial):
            _, v, _, _ = trial
            return v > value + 1e-4 * trial[3] * slope + 1e-15

        def shorten(trial):
            t = trial[3] / 2
            return w + t * p, *value_and_gradient(w + t * p), t

        new, value, g_new, _ = lax.while_loop(
            too_long, shorten, (w + p, *value_and_gradient(w + p), 1.0)
        )
        s, y, slot = new - w, g_new - g, k % MEMORY
        S, Y, rho = S.at[slot].set(s), Y.at[slot].set(y), rho.at[slot].set(1 / (s @ y))
        return new, value, g_new, S, Y, rho, k + 1

    w = jnp.zeros_like(theta)
    value, g = value_and_gradient(w)
    target = tol * jnp.linalg.norm(g)
    pairs = jnp.zeros((MEMORY, w.size))
    start = (w, value, g, pairs, pairs, jnp.zeros(MEMORY), 0)
    return lax.while_loop(lambda c: (jnp.linalg.norm(c[2]) > target) & (c[6] < 2000), step, start)[
        0
    ]


def lbfgs_cg():
    def gradient(theta, X, signs, X_val, signs_val, tol):
        w = lbfgs(theta, X, signs, tol)
        penalty, c = jnp.exp(theta), _curvature(w, X, signs)
        b = _upper_gradient(w, X_val, signs_val)
        v, _ = cg(lambda u: (c * (X @ u)) @ X + penalty * u, b, tol=tol, maxiter=2000)
        return -penalty * w * v

    solve_jit = jax.jit(lambda theta, X, signs, _, __, tol: lbfgs(theta, X, signs, tol))
    gradient_jit = jax.jit(gradient)
    return Contestant(
        "by hand: L-BFGS + CG",
        f"memory {MEMORY}; residuals to 1e-11 (easy), 1e-12 (hard) of the first",
        lambda problem: [*prepare(problem), TOLERANCE[problem.name]],
        lambda *arrays: np.asarray(solve_jit(*arrays)),
        lambda *arrays: np.asarray(gradient_jit(*arrays)),
        by_hand=True,
    )


# --- Newton, then the last factor ----------------------------------------------------------


def newton(theta, X, signs, last_step):
    """Full Newton steps until one is shorter than `last_step`·‖w‖; the next error is quadratic.

    The factor from the start of that last step comes back as well.
    """
    penalty = jnp.exp(theta)

    def step(carry):
        w, _, _, k = carry
        p = jax.nn.sigmoid(-signs * (X @ w))
        g = (-signs * p) @ X / len(signs) + penalty * w
        H = jnp.einsum("ni,nj->ij", (p * (1 - p) / len(signs))[:, None] * X, X) + jnp.diag(penalty)
        L = lax.linalg.cholesky(H, symmetrize_input=False)
        d = cho_solve((L, True), g)
        return w - d, L, jnp.linalg.norm(d), k + 1

    def unfinished(carry):
        w, _, moved, k = carry
        return (moved > last_step * jnp.linalg.norm(w)) & (k < 50)

    d = theta.size
    w, L, _, _ = lax.while_loop(unfinished, step, (jnp.zeros_like(theta), jnp.eye(d), jnp.inf, 0))
    return w, L


def newton_cholesky(last_step=1e-5):
    def gradient(theta, X, signs, X_val, signs_val):
        w, L = newton(theta, X, signs, last_step)
        penalty, c = jnp.exp(theta), _curvature(w, X, signs)
        b = _upper_gradient(w, X_val, signs_val)
        # The factor is one short step old, so one refinement squares that staleness away.
        v = cho_solve((L, True), b)
        v += cho_solve((L, True), b - (c * (X @ v)) @ X - penalty * v)
        return -penalty * w * v

    return contestant(
        "by hand: Newton + Cholesky",
        f"full steps, the last below {last_step:g}; its factor, refined once, for the adjoint",
        lambda theta, X, signs: newton(theta, X, signs, last_step)[0],
        gradient,
        by_hand=True,
    )
