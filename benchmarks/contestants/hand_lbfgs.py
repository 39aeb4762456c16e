"""L-BFGS written by hand: two-loop recursion, unit steps, halved only where f rises."""

import jax.numpy as jnp
from jax import lax

MEMORY = 10
ROUNDING = 1e-15


def _direction(g, S, Y, rho, newest):
    """−(approximate H⁻¹)·g; `newest` is the slot of the latest pair, empty slots have rho = 0."""
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


def lbfgs(value_and_gradient, w, tol, max_steps=2000):
    """Minimise from w until ‖∇f‖ <= tol · ‖∇f(w)‖."""

    def step(carry):
        w, value, g, S, Y, rho, k = carry
        p = _direction(g, S, Y, rho, (k - 1) % MEMORY)
        slope = g @ p

        def too_long(trial):
            _, v, _, t = trial
            return v > value + 1e-4 * t * slope + ROUNDING * jnp.abs(value)

        def shorten(trial):
            t = trial[3] / 2
            return w + t * p, *value_and_gradient(w + t * p), t

        new, value, g_new, _ = lax.while_loop(
            too_long, shorten, (w + p, *value_and_gradient(w + p), 1.0)
        )
        s, y, slot = new - w, g_new - g, k % MEMORY
        S, Y, rho = S.at[slot].set(s), Y.at[slot].set(y), rho.at[slot].set(1 / (s @ y))
        return new, value, g_new, S, Y, rho, k + 1

    value, g = value_and_gradient(w)
    target = tol * jnp.linalg.norm(g)
    pairs = jnp.zeros((MEMORY, w.size))

    def unfinished(carry):
        _, _, g, *_, k = carry
        return (jnp.linalg.norm(g) > target) & (k < max_steps)

    start = (w, value, g, pairs, pairs, jnp.zeros(MEMORY), 0)
    return lax.while_loop(unfinished, step, start)[0]
