"""Few coordinates at a time: a proximal Newton method on working sets.

Most coordinates of a sparse solution are held. Each round takes those that move and those whose
force is most in excess of what holds them, forms the Hessian on them alone, and minimises the
quadratic model with the nonsmooth term there, in a space as small as they are.

Source: Massias, Gramfort and Salmon 2018 for the growth of the sets; Lee, Sun and Saunders 2014
for the proximal Newton step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Scalar

from argrad.linalg.together import together
from argrad.prox.pieces import Support
from argrad.prox.term import Proximable
from argrad.solvers.proximal_gradient import accelerate, no_higher
from argrad.solvers.proximal_newton import margin_tolerance
from argrad.solvers.reduced import by_size, hessian_on, sizes

Vector = Float[Array, " d"]
_ROUNDS = 30
_MODEL_STEPS = 1000
_MODEL_TOL = 1e-5  # relative; Newton's method goes on from there
_NEW = 64  # coordinates that a round may add, or as many as there are already


class Working(NamedTuple):
    """Where the rounds have come; `others` counts the held coordinates that want to move. What is
    looked at next is `alpha` of the way to `target`, in search of a value that is `allowed`."""

    y: Vector
    target: Vector
    alpha: Scalar
    allowed: Scalar
    lipschitz: Scalar
    others: Int[Array, ""]
    rounds: Int[Array, ""]
    going: Bool[Array, ""]

    @property
    def settled(self) -> Bool[Array, ""]:
        return self.others == 0


def on_working_sets(objective: Callable[[Vector], Scalar], term: Proximable, y: Vector) -> Working:
    """A point near the minimum of f + g for a convex separable g, from y.

    Ends where no coordinate outside of the last set wants to move. Leaves off where more move
    than the largest size has room for, and where the model does not lead down.
    """
    d, eps = y.size, float(jnp.finfo(y.dtype).eps)
    tol = margin_tolerance(y.dtype)
    most = sizes(d)[-1]
    one = jnp.ones((), y.dtype)
    # Sets grow from few coordinates; a start in which most of them move is no sparse one.
    nothing = term.prox(jnp.zeros_like(y), eps * one)
    y = term.prox(y, eps * one)
    y = jnp.where(term.piece(y).dimension > most // 2, nothing, y)

    def step(y, gradient, score, wanted):
        _, index = lax.top_k(score, most)
        basis = Support(index, d)
        matrix = hessian_on(objective, y, basis)

        def branch(k):
            def minimise(z, gradient):
                found, steepest = minimise_model(
                    matrix(k), gradient[:k], z[:k], term.take(index[:k])
                )
                return z.at[:k].set(found), steepest

            return minimise

        z, lipschitz = by_size(d, wanted, branch, basis.restrict(y), basis.restrict(gradient))
        return y.at[index].set(z), lipschitz

    # A point is looked at once a turn, and in one place.
    def advance(now: Working) -> Working:
        trial = jnp.where(now.alpha == 1, now.target, now.y + now.alpha * (now.target - now.y))
        value, gradient = jax.value_and_grad(objective)(trial)
        height = value + term.value(trial)
        low = height <= now.allowed
        piece: Any = term.piece(trial)  # with `free`, as those of separable terms are
        margins = term.margins(trial, -gradient, 1 / now.lipschitz, piece)
        others, moving, terms = together(
            [~piece.free & (margins < -tol), piece.free, jnp.abs(gradient * trial)]
        )
        more = low & (others > 0) & (moving < most) & (now.rounds < _ROUNDS)
        wanted = moving + jnp.minimum(others, jnp.maximum(moving, _NEW))
        score = jnp.where(piece.free, jnp.inf, -margins)
        y = jnp.where(low, trial, now.y)
        target, lipschitz = lax.cond(
            more,
            lambda: step(y, gradient, score, wanted),
            lambda: (now.target, now.lipschitz),
        )
        allowed = no_higher(height, value, terms)
        return Working(
            y, target, jnp.where(more, 1, now.alpha / 2), jnp.where(more, allowed, now.allowed),
            lipschitz, jnp.where(low, others, now.others), now.rounds + more,
            more | (~low & (now.alpha > 1e-3)),
        )  # fmt: skip

    start = Working(y, y, one, jnp.inf * one, one, jnp.array(1), jnp.array(0), jnp.array(True))
    return lax.while_loop(lambda now: now.going, advance, start)


def minimise_model(matrix, gradient, start, term: Proximable) -> tuple[Vector, Scalar]:
    """argmin over z of gᵀ(z − z₀) + (z − z₀)ᵀH(z − z₀)/2 and the term, for a dense H, roughly; and
    an estimate of the largest curvature.

    Its gradients are affine in z, so that a step takes one product with H.
    """
    eps = jnp.finfo(start.dtype).eps
    constant = gradient - matrix @ start

    def look(ahead, lipschitz):
        a, g = ahead
        z = term.prox(a - g / lipschitz, 1 / lipschitz)
        after = matrix @ z + constant
        d = z - a
        slack = 20 * eps * jnp.abs(d) * (jnp.abs(g) + jnp.abs(constant))

        def curvature(bend, square):
            return bend / jnp.where(square > 0, square, 1)

        return jnp.stack([z, after]), [(after - g) * d - slack, d * d], curvature

    # One curvature of many; the first steps find the largest.
    some = matrix[0, 0]
    some = jnp.where(some > 0, some, 1)
    here, steps = jnp.stack([start, gradient]), jnp.array(_MODEL_STEPS)
    (z, _), lipschitz = accelerate(look, here, some, steps, _MODEL_TOL)
    return z, lipschitz
