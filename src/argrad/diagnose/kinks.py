"""The one-sided derivative of a composite solution at a kink of its nonsmooth term.

Along a direction of x, parts of y that are well inside of a piece move on it, and each part at a
kink either moves to its one side or stays (for a term like (max(0, y))², moves to the other, with
more curvature). With E the directions of the piece on which all of them move, R the rows of those
that may not, κ the curvature that is added where they do, infinite where they are held,

    minimise ½ dᵀHd + bᵀd + ½ Σ κ_i q_i²   over d in E   subject to  R d + q >= R ċ

b and ċ derivatives of the gradient and of where the pieces meet. H is definite on E, so that the
multipliers of the rows, ν >= 0, minimise ½ νᵀSν − eᵀν with S = R E(EᵀHE)⁻¹Eᵀ Rᵀ + diag(1/κ).

Source: Robinson 1980 for strong regularity, Rockafellar and Wets 1998, chapter 13, for the cones.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import nnls

from argrad.linalg.cholesky import DEFINITE, Factor, diagonal, factorise
from argrad.problem import extra_arguments
from argrad.prox.pieces import Kink
from argrad.solvers.composite import CompositeOutcome, as_it_is
from argrad.solvers.proximal_newton import margin_tolerance
from argrad.solvers.reduced import confined, hessian_on
from argrad.status import SolveError, Status, raise_if
from argrad.transformation import Argmin, solved, starting, verdict


class Slopes(eqx.Module):
    """How y moves with nothing but its pieces in the way, by how much it falls short of the rows,
    and the rows of all parts, of which those at a kink count."""

    unopposed: Float[Array, " d"]
    short: Float[Array, " parts"]
    rows: Float[Array, "k parts"]
    give: Float[Array, " parts"]
    factor: Factor


def across_kinks(
    argmin: Argmin, x: PyTree, direction: PyTree, init: PyTree, args: tuple
) -> PyTree[Array] | None:
    """The derivative of y* to the side of `direction`, or None where y* is at no kink.

    SolveError where the solve fails, for terms whose kinks are of another kind, and where the
    derivative is not unique.
    """
    args = extra_arguments(args)
    y, margins, (failed, status, numbers, rows) = _solved(argmin, starting(init), x, args)
    raise_if(y, failed, status, numbers, rows)
    if not bool(status == Status.kink):
        return None
    near = jnp.abs(margins) <= margin_tolerance(margins.dtype)
    kink, dimension = _kink(argmin, y, near, x, args)
    if not bool(kink.known):
        raise SolveError(
            "nuclear_norm: several singular values are about to enter together, where their matrix "
            "moves in a cone of semidefinite ones; directional knows the kinks at which one "
            "enters. Move x a little, or use argrad.value where the value is enough."
        )
    v, unravel = ravel_pytree(y)
    size = min(v.size, 1 << (int(dimension) - 1).bit_length())  # few sizes are compiled
    slopes = _slopes(argmin, y, kink, size, x, direction, args)
    if int(slopes.factor.curvature) != DEFINITE:
        raise SolveError(
            "the one-sided derivative is not unique: the objective is flat (or falls) along a "
            "direction in which nothing but the kink holds the solution."
        )
    met = np.flatnonzero(kink.toward)
    rows = np.asarray(slopes.rows)[:, met]
    pushed = cho_solve((np.asarray(slopes.factor.upper), False), rows)
    stiffness = np.linalg.cholesky(rows.T @ pushed + np.diag(np.asarray(slopes.give)[met]))
    short = np.asarray(slopes.short)[met]
    force, _ = nnls(stiffness.T, solve_triangular(stiffness, short, lower=True))
    basis = kink.piece.basis(size)
    d = slopes.unopposed + basis.embed(basis.project(jnp.asarray(pushed @ force, v.dtype)))
    return unravel(d)


@eqx.filter_jit
def _solved(argmin: Argmin, start, x: PyTree, args: tuple):
    solution, outcome = solved(argmin, start, x, args)
    assert isinstance(outcome, CompositeOutcome)
    return solution.primal, outcome.margins, verdict(argmin, outcome)


@eqx.filter_jit
def _kink(argmin: Argmin, y: PyTree, near: Bool[Array, " parts"], x: PyTree, args: tuple):
    assert argmin.problem.nonsmooth is not None
    term = argmin.problem.nonsmooth.at(y, x, args)
    force = -ravel_pytree(jax.grad(argmin.problem)(y, x, *args))[0]
    kink = term.kink(ravel_pytree(y)[0], force, near)
    piece, other = (term.pressed(piece, force) for piece in (kink.piece, kink.other))
    return kink._replace(piece=piece, other=other), piece.dimension


@eqx.filter_jit
def _slopes(
    argmin: Argmin, y: PyTree, kink: Kink, size: int, x: PyTree, direction: PyTree, args: Any
) -> Slopes:
    problem, stated = argmin.problem, argmin.problem.nonsmooth
    assert stated is not None
    piece, toward = kink.piece, kink.toward
    v, unravel = ravel_pytree(y)[0], as_it_is(y)
    at = lambda x: stated.at(y, x, args)
    dot = lambda function: jax.jvp(function, (x,), (direction,))[1]
    objective = lambda v, x: problem(unravel(v), x, *args)
    if stated.bent:
        flat = objective
        objective = lambda v, x: flat(at(x).onto(v, piece), x)
    total = lambda v, x: objective(v, x) + at(x).smooth(v, piece)

    still = dot(lambda x: at(x).held(v, piece))
    force_dot = jax.jvp(jax.grad(total), (v, x), (still, direction))[1]
    met, give = (
        dot(lambda x: piece.parts(at(x).held(v, kink.other))),
        jnp.zeros_like(toward, v.dtype),
    )
    if kink.bends is not None:

        def step(v, x):  # of the slope, from the piece to the other
            term = at(x)
            return jax.grad(lambda v: term.smooth(v, kink.other) - term.smooth(v, piece))(v)

        added = jax.jvp(lambda v: step(v, x), (v,), (jnp.ones_like(v),))[1]
        added = jnp.where(kink.bends, added, 1)
        met = jnp.where(kink.bends, -dot(lambda x: step(v, x)) / added, met)
        give = jnp.where(kink.bends, 1 / added, 0)

    basis = piece.basis(size)
    matrix = hessian_on(lambda v: objective(v, x), v, basis)(size)
    matrix += hessian_on(lambda v: at(x).smooth(v, piece), v, basis)(size)
    matrix = confined(matrix, basis)
    factor = factorise(matrix, jnp.abs(diagonal(matrix)))
    free = -factor.substitute(basis.project(basis.restrict(force_dot)))
    unopposed = still + basis.embed(basis.project(free))
    rows = jax.vmap(lambda z: toward * piece.parts(basis.embed(basis.project(z))))
    return Slopes(
        unopposed, toward * (met - piece.parts(unopposed)), rows(jnp.eye(size, dtype=v.dtype)),
        give, factor,
    )  # fmt: skip
