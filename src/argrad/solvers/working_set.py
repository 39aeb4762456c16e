"""Few coordinates at a time: a proximal Newton method on working sets.

Most coordinates of a sparse solution are held. Each round takes those that move and those whose
force is most in excess of what holds them, forms the Hessian on them alone, and minimises the
quadratic model with the nonsmooth term there, in a space as small as they are.

Source: Massias, Gramfort and Salmon 2018 for the growth of the sets; Lee, Sun and Saunders 2014
for the proximal Newton step.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Scalar

from argrad.linalg.cholesky import diagonal
from argrad.prox.pieces import Support
from argrad.prox.term import Proximable
from argrad.solvers.proximal_gradient import accelerate, rounding
from argrad.solvers.proximal_newton import margin_tolerance
from argrad.solvers.reduced import by_size, hessian_on, sizes

Vector = Float[Array, " d"]
_ROUNDS = 30
_MODEL_STEPS = 1000
_MODEL_TOL = 1e-5  # relative; Newton's method goes on from there
_NEW = 64  # coordinates that a round may add, or as many as there are already


class Working(NamedTuple):
    """Where the rounds have come; `others` counts the held coordinates that want to move."""

    y: Vector
    value: Scalar
    gradient: Vector
    others: Int[Array, ""]
    lipschitz: Scalar
    usable: Bool[Array, ""]
    rounds: Int[Array, ""]

    @property
    def settled(self) -> Bool[Array, ""]:
        return self.usable & (self.others == 0)


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

    def wanting(y, gradient, lipschitz):
        piece = term.piece(y)
        margins = term.margins(y, -gradient, 1 / lipschitz, piece)
        return piece, margins, jnp.sum(~piece.free & (margins < -tol))

    def unfinished(now: Working):
        return now.usable & (now.others > 0) & (now.rounds < _ROUNDS)

    def advance(now: Working) -> Working:
        y, g = now.y, now.gradient
        piece, margins, others = wanting(y, g, now.lipschitz)
        moving = jnp.sum(piece.free)
        wanted = moving + jnp.minimum(others, jnp.maximum(moving, _NEW))
        score = jnp.where(piece.free, jnp.inf, -margins)

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

        found, lipschitz = by_size(d, wanted, branch, basis.restrict(y), basis.restrict(g))
        target = y.at[index].set(found)
        height = now.value + term.value(y)
        allowed = height + 10 * (rounding(now.value, g, y) + eps * jnp.abs(height))

        def look(alpha):
            trial = jnp.where(alpha == 1, target, y + alpha * (target - y))
            value, gradient = jax.value_and_grad(objective)(trial)
            return trial, value, gradient, value + term.value(trial) <= allowed

        def refused(carry):
            return ~carry[-1] & (carry[0] > 1e-3)

        def halve(carry):
            alpha = carry[0] / 2
            return alpha, *look(alpha)

        _, trial, value, gradient, low = lax.while_loop(refused, halve, (one, *look(one)))
        _, _, others = wanting(trial, gradient, lipschitz)
        return Working(trial, value, gradient, others, lipschitz, low & (moving < most),
                       now.rounds + 1)  # fmt: skip

    value, gradient = jax.value_and_grad(objective)(y)
    start = Working(y, value, gradient, wanting(y, gradient, one)[2], one, jnp.array(True),
                    jnp.array(0))  # fmt: skip
    return lax.while_loop(unfinished, advance, start)


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
        bend, square = jnp.sum(jnp.stack([(after - g) * d - slack, d * d]), 1)
        return jnp.stack([z, after]), bend / jnp.where(square > 0, square, 1)

    here = jnp.stack([start, gradient])
    # The largest curvature is not less; the first steps find it.
    steep = jnp.max(diagonal(matrix))
    steep = jnp.where(steep > 0, steep, 1)
    (z, _), lipschitz = accelerate(look, here, steep, jnp.array(_MODEL_STEPS), _MODEL_TOL)
    return z, lipschitz
