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

from argrad.linalg.together import together
from argrad.prox.pieces import Piece
from argrad.prox.term import Proximable
from argrad.solvers.proximal_gradient import accelerate, looking, no_higher

Vector = Float[Array, " d"]
# (y, piece, gradient there) -> a step on the piece, anything else that was learnt, curvature
Direction = Callable[[Vector, Piece, Vector], tuple[Vector, PyTree, Array]]
GOING, CONVERGED, NONFINITE, UNBOUNDED = range(4)
_FIRST, _MOST = 20, 320  # proximal steps between two Newton steps
_HALVINGS = 6


class Step(NamedTuple):
    """A Newton step p on a piece, what was learnt and what curvature met on the way, ‖p‖ and the
    norm of the gradient that it answers, and the height that it may lead to."""

    p: Vector
    piece: Piece
    learnt: PyTree
    curvature: Array
    norm: Scalar
    gradient_norm: Scalar
    allowed: Scalar


class Progress(NamedTuple):
    """y with the gradient of f and the margins (as of `Proximable`) there; the last Newton step,
    from where it was taken, and how much of it is tried next, nothing where proximal steps come
    first."""

    y: Vector
    gradient: Vector
    margins: Array
    lipschitz: Scalar
    step: Step
    alpha: Scalar
    last_norm: Scalar
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
) -> Progress:
    """Minimise f + g from y, which is on a piece exactly if it is `settled` on one already.

    The relative error aimed at is eps^¾.
    """
    eps = float(jnp.finfo(y.dtype).eps)
    tol = margin_tolerance(y.dtype)
    limit = (1 + jnp.linalg.norm(y)) / eps

    def newton(y, piece, value, gradient, height) -> Step:
        residual = piece.project(gradient + jax.grad(term.smooth)(y, piece))
        p, learnt, curvature = direction(y, piece, residual)
        square, residual_square, terms = together([p * p, residual**2, jnp.abs(gradient * y)])
        norms = jnp.sqrt(square), jnp.sqrt(residual_square)
        return Step(p, piece, learnt, curvature, *norms, no_higher(height, value, terms))

    def unfinished(now: Progress):
        return (now.standing == GOING) & ((now.steps < max_steps) | (now.alpha > 0))

    # A point is looked at once a turn, and in one place: after proximal steps, or as far along the
    # last Newton step as `alpha` says.
    def advance(now: Progress) -> Progress:
        old, step = now.y, now.step
        fresh = now.alpha == 0
        count = jnp.where(fresh, now.burst, 0)
        (y,), lipschitz = accelerate(
            looking(objective, term), old[None], now.lipschitz / 2, count, eps
        )
        y = jnp.where(fresh, y, term.stay(old + now.alpha * step.p, step.piece))
        value, gradient = jax.value_and_grad(objective)(y)
        there = term.piece(y)
        lipschitz = jnp.where(fresh, lipschitz, now.lipschitz)
        margins = term.margins(y, -gradient, 1 / lipschitz, there)
        height = value + term.value(y)
        low = fresh | (height <= step.allowed)
        finished = ~fresh & (low | (now.alpha <= 0.5**_HALVINGS))
        found = (y, gradient, margins), (old, now.gradient, now.margins)
        y, gradient, margins = (jnp.where(low, a, b) for a, b in zip(*found, strict=True))

        square, least = together([y * y], [-margins])
        size, margin = jnp.sqrt(square), -least
        small = step.norm <= tol * size
        # At a kink rounding may lead from piece to piece for ever.
        same = there.same(step.piece) | ((margin <= tol) & small)
        settled = finished & low & (now.alpha == 1) & same & (margin >= -tol)
        floor = (step.norm <= eps**0.5 * size) & (step.norm >= 0.5 * now.last_norm)
        standing = jnp.where(settled & (small | floor), CONVERGED, GOING)
        finite = jnp.isfinite(size + step.gradient_norm + step.norm) & ~jnp.isnan(margin)
        standing = jnp.where(finite, standing, NONFINITE)
        standing = jnp.where(size > limit, UNBOUNDED, standing)
        standing = jnp.where(finished, standing, GOING)
        steps = now.steps + count + finished

        go_on = fresh | (settled & (standing == GOING) & (steps < max_steps))
        # As a loop of one turn, which leaves what it does not change where it is.
        _, step = lax.while_loop(
            lambda carry: carry[0],
            lambda _: (jnp.array(False), newton(y, there, value, gradient, height)),
            (go_on, step),
        )
        alpha = jnp.where(go_on, 1, jnp.where(finished, 0, now.alpha / 2))
        longer = jnp.clip(2 * now.burst, _FIRST, _MOST)
        burst = jnp.where(finished & ~settled, longer, now.burst)
        last_norm = jnp.where(go_on, now.step.norm, now.last_norm)
        return Progress(
            y, gradient, margins, lipschitz, step, alpha, last_norm, burst, steps, standing
        )

    like = jax.eval_shape(lambda y: (y, term.piece(y), y[0], y, y[0]), y)
    empty = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(newton, *like))
    zero = jnp.zeros((), y.dtype)
    margins = jax.eval_shape(lambda y: term.margins(y, y, zero, term.piece(y)), y)
    start = Progress(
        y, y, jnp.zeros(margins.shape, margins.dtype), lipschitz,
        empty._replace(norm=zero + jnp.inf), zero, zero + jnp.inf,
        jnp.where(settled, 0, _FIRST), jnp.array(0), jnp.array(GOING),
    )  # fmt: skip
    return lax.while_loop(unfinished, advance, start)
