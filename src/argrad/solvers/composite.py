"""Solve a composite problem, smooth plus proximable, polish it on its piece, and judge it."""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from argrad.linalg.cholesky import INDEFINITE, SINGULAR
from argrad.problem import Problem
from argrad.prox.pieces import Piece
from argrad.prox.term import Proximable
from argrad.solvers.proximal_gradient import first_curvature
from argrad.solvers.proximal_newton import (
    NONFINITE,
    UNBOUNDED,
    margin_tolerance,
    proximal_newton,
)
from argrad.solvers.reduced import Inverse, each_by_itself, newton_step, sizes
from argrad.solvers.run import Outcome
from argrad.solvers.working_set import on_working_sets
from argrad.status import Rows, Status

_NAMED = 3  # parts of y that an error names at most


class CompositeOutcome(Outcome):
    """How a composite solve ended; `factor` is an `Inverse`.

    `pieces` is the piece of the nonsmooth term that the solution lies on. `margins` are those of
    `Proximable`: what is about to change it.
    """

    pieces: Piece
    margins: Array
    factor: Inverse  # type: ignore[assignment]
    rows: Rows


def composite_minimum(
    problem: Problem, max_steps: int, y0: PyTree[Array], x: PyTree, args: tuple
) -> tuple[PyTree[Array], CompositeOutcome]:
    """Minimise f + g over y from `y0`.

    Within a batch element by element: each has a support of its own size.
    """
    unravel = as_it_is(y0)
    dynamic, static = eqx.partition((problem, y0, x, args), eqx.is_array)

    def run(dynamic):
        problem, y0, x, args = eqx.combine(dynamic, static)
        term = problem.nonsmooth.at(y0, x, args)
        return _minimum(
            lambda v: problem(unravel(v), x, *args), term, ravel_pytree(y0)[0], max_steps
        )

    v, outcome = each_by_itself(run)(dynamic)
    return unravel(v), outcome


def as_it_is(y: PyTree[Array]) -> Callable[[Array], PyTree[Array]]:
    """As by `ravel_pytree`, but one vector stays itself, so that its products are found."""
    leaves, structure = jax.tree.flatten(y)
    if len(leaves) == 1 and leaves[0].ndim == 1:
        return lambda v: jax.tree.unflatten(structure, [v])
    return ravel_pytree(y)[1]


def _minimum(objective, term: Proximable, v, max_steps: int):
    def direction(y, piece, residual):
        return newton_step(objective, term, piece, y, residual)

    separable = term.separable and term.convex and v.size > sizes(v.size)[0]
    settled, rounds = jnp.array(False), jnp.array(0)
    y = term.prox(v, jnp.finfo(v.dtype).eps * jnp.ones((), v.dtype))
    if separable:
        working = on_working_sets(objective, term, v)
        y, settled, rounds = working.y, working.settled, working.rounds
        lipschitz = lax.cond(
            working.rounds > 0,
            lambda: working.lipschitz,
            lambda: first_curvature(jax.grad(objective), y),
        )
    else:
        lipschitz = first_curvature(jax.grad(objective), y)
    found = proximal_newton(objective, term, y, lipschitz, direction, max_steps, settled=settled)
    y, force, margins, newton = found.y, -found.gradient, found.margins, found.step
    order = jnp.argsort(jnp.abs(margins))[:_NAMED]
    kink = jnp.abs(margins[order]) <= margin_tolerance(v.dtype)
    indices = jnp.where(kink, order, -1)

    status = Status.where(found.standing == 1, Status.converged, Status.max_steps_reached)
    nonfinite = Status.where(found.steps <= 21, Status.nonfinite_start, Status.nonfinite)
    status = Status.where(found.standing == NONFINITE, nonfinite, status)
    status = Status.where(found.standing == UNBOUNDED, Status.unbounded, status)
    converged = status == Status.converged
    status = Status.where(converged & (newton.curvature == SINGULAR), Status.singular, status)
    status = Status.where(converged & (newton.curvature == INDEFINITE), Status.saddle, status)
    # Near the end of a piece rounding decides what the curvature of a steep term is.
    definite = (status == Status.converged) | (converged & term.steep)
    status = Status.where(definite & jnp.any(kink), Status.kink, status)
    inverse: Inverse = newton.learnt
    inverse = dataclasses.replace(inverse, piece=term.pressed(inverse.piece, force))
    outcome = CompositeOutcome(
        status,
        found.steps + rounds,
        newton.gradient_norm,
        newton.norm,
        inverse,
        pieces=inverse.piece,
        margins=margins,
        rows=Rows(indices, ((term.name, margins.shape),)),
    )
    return y, outcome
