"""Proximal gradient steps find the piece, Newton's method the minimum on it.

After finitely many proximal steps y is on the piece of the solution, if that is no kink, and the
problem is smooth there: Newton's method takes it to rounding and leaves the factor that
differentiates it. After a Newton step that lands elsewhere or no lower come more proximal steps.

Source: Hare and Lewis 2004 for the identification; Bareilles, Iutzeler and Malick 2023 for the
alternation.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PyTree, Scalar

from argrad.prox.pieces import Piece
from argrad.prox.term import Proximable
from argrad.solvers.proximal_gradient import accelerate, looking, rounding

Vector = Float[Array, " d"]
# (y, piece, gradient there) -> a step on the piece, anything else that was learnt, curvature
Direction = Callable[[Vector, Piece, Vector], tuple[Vector, PyTree, Array]]
GOING, CONVERGED, NONFINITE, UNBOUNDED = range(4)
_FIRST, _MOST = 20, 320  # proximal steps between two Newton steps
_HALVINGS = 6


class Progress(NamedTuple):
    """`learnt` and `curvature` are those of the last Newton step, from where it was taken; margins
    are as of `Proximable`, their smallest is `margin`."""

    y: Vector
    lipschitz: Scalar
    learnt: PyTree
    curvature: Array
    step_norm: Scalar
    gradient_norm: Scalar
    margin: Scalar
    settled: Array
    burst: Int[Array, ""]
    steps: Int[Array, ""]
    standing: Array


def margin_tolerance(dtype: Any) -> float:
    """Under which a margin is zero: eps^¾."""
    return float(jnp.finfo(dtype).eps) ** 0.75


def proximal_newton(
    objective: Callable[[Vector], Scalar],
    term: Proximable,
    y: Vector,
    lipschitz: Scalar,
    direction: Direction,
    max_steps: int,
    *,
    settled: Array | bool = False,
    target: float | None = None,
) -> Progress:
    """Minimise f + g from y, which is on a piece exactly if it is `settled` on one already.

    `target` is the relative error aimed at, eps^¾ by default.
    """
    eps = float(jnp.finfo(y.dtype).eps)
    target, tol = eps**0.75 if target is None else target, margin_tolerance(y.dtype)
    limit = (1 + jnp.linalg.norm(y)) / eps

    def newton(y, lipschitz):
        piece = term.piece(y)
        value, force = jax.value_and_grad(objective)(y)
        residual = piece.project(force + jax.grad(term.smooth)(y, piece))
        p, learnt, curvature = direction(y, piece, residual)
        height = value + term.value(y)
        slack = 10 * (rounding(value, force, y) + eps * jnp.abs(height))

        def look(alpha):
            trial = term.stay(y + alpha * p, piece)
            new, gradient = jax.value_and_grad(objective)(trial)
            low = new + term.value(trial) <= height + slack
            return trial, gradient, low

        def halve(carry):
            alpha = carry[0] / 2
            return alpha, *look(alpha)

        def refused(carry):
            alpha, _, _, low = carry
            return ~low & (alpha > 0.5**_HALVINGS)

        one = jnp.ones((), y.dtype)
        alpha, trial, gradient, low = lax.while_loop(refused, halve, (one, *look(one)))
        y, force = (jnp.where(low, a, b) for a, b in ((trial, y), (gradient, force)))
        there = term.piece(y)
        margin = jnp.min(term.margins(y, -force, 1 / lipschitz, there), initial=jnp.inf)
        norms = jnp.linalg.norm(p), jnp.linalg.norm(residual)
        # At a kink rounding may lead from piece to piece for ever.
        resting = (margin <= tol) & (norms[0] <= target * jnp.linalg.norm(y))
        settled = low & (alpha == 1) & (there.same(piece) | resting) & (margin >= -tol)
        return y, learnt, curvature, *norms, margin, settled

    def unfinished(now: Progress):
        return (now.standing == GOING) & (now.steps < max_steps)

    def advance(now: Progress) -> Progress:
        count = jnp.where(now.settled, 0, now.burst)
        near, lipschitz = accelerate(
            looking(objective, term), now.y[None], now.lipschitz / 2, count, eps
        )
        found = newton(near[0], lipschitz)
        y, learnt, curvature, step_norm, gradient_norm, margin, settled = found
        size = jnp.linalg.norm(y)
        floor = (step_norm <= eps**0.5 * size) & (step_norm >= 0.5 * now.step_norm)
        done = settled & ((step_norm <= target * size) | floor)
        standing = jnp.where(done, CONVERGED, GOING)
        finite = jnp.isfinite(size) & jnp.isfinite(gradient_norm) & jnp.isfinite(step_norm)
        finite &= ~jnp.isnan(margin)
        standing = jnp.where(finite, standing, NONFINITE)
        standing = jnp.where(size > limit, UNBOUNDED, standing)
        burst = jnp.where(settled, now.burst, jnp.minimum(2 * now.burst, _MOST))
        return Progress(
            y, lipschitz, learnt, curvature, step_norm, gradient_norm, margin, settled, burst,
            now.steps + count + 1, standing,
        )  # fmt: skip

    nothing = jax.eval_shape(newton, y, lipschitz)
    empty = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), nothing)
    _, learnt, curvature, step_norm, gradient_norm, margin, _ = empty
    start = Progress(
        y, lipschitz, learnt, curvature, step_norm + jnp.inf, gradient_norm, margin,
        jnp.asarray(settled), jnp.array(_FIRST), jnp.array(0), jnp.array(GOING),
    )  # fmt: skip
    return lax.while_loop(unfinished, advance, start)
