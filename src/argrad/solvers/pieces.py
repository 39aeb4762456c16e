"""Minimisation over constraints that have several pieces: from piece to piece while f falls."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

from argrad.constraints import Piecewise, Rows
from argrad.linalg.cholesky import INDEFINITE
from argrad.problem import Problem
from argrad.rows import Constraints, Pieces
from argrad.solvers.active_set import Polished
from argrad.status import Status


class Start(NamedTuple):
    """Where to begin on a piece; `warm` says whether the multipliers and active rows are worth
    trying."""

    v: Float[Array, " d"]
    multipliers: Float[Array, " m"]
    active: Bool[Array, " m"]
    warm: Bool[Array, ""]


class _Round(NamedTuple):
    pieces: Pieces
    start: Start
    point: Polished
    solved_on: Pieces
    status: Any
    steps: Int[Array, ""]
    rounds: Int[Array, ""]
    settled: Bool[Array, ""]


def over_pieces(
    problem: Problem,
    attempt: Callable[[Problem, Start], tuple[Polished, Any, Int[Array, ""]]],
    start: Start,
    y: PyTree[Array],
    x: PyTree,
    args: tuple,
) -> tuple[Polished, Pieces, Any, Int[Array, ""]]:
    """The minimum on the piece of `start`, then on those next to it that are lower.

    `attempt(problem, start)` solves on one piece. Each round begins at the last one's minimum,
    which is on both pieces, so that f falls from round to round and none comes twice. Where a
    piece holds nothing feasible, the next is that of the point that came nearest. `y` gives the
    structure of the variables.
    """
    constraints = problem.constraints
    assert constraints is not None
    e = start.active.size - jax.eval_shape(lambda: constraints(y, x, *args))[1].size
    v0, unravel = ravel_pytree(y)
    eps = float(jnp.finfo(v0.dtype).eps)
    most = 20 + v0.size
    shapes = constraints.shapes(y, x, args)

    def first(constraints: Constraints, v) -> Pieces:
        y = unravel(v)
        gradient = ravel_pytree(jax.grad(problem)(y, x, *args))[0]
        return _each(
            constraints, y, x, args, lambda kind, i, rows_at: kind.first(rows_at, gradient)
        )

    def better(constraints: Constraints, point: Polished) -> Pieces:
        dual = constraints.by_constraint(shapes, point.multipliers[:e], point.multipliers[e:])
        multipliers = constraints.pairs(shapes, dual)
        activity = constraints.by_constraint(shapes, None, point.activity)
        return _each(
            constraints,
            unravel(point.v),
            x,
            args,
            lambda kind, i, rows_at: kind.better(
                constraints.pieces[i], rows_at, multipliers[i], activity[i]
            ),
        )

    def advance(carry: _Round) -> _Round:
        here = problem.on(carry.pieces)
        assert here.constraints is not None
        point, status, steps = attempt(here, carry.start)
        good = (point.error <= eps**0.5) & (point.inverse.curvature < INDEFINITE)
        retry = carry.start.warm & ~good
        gave_up = (status == Status.stalled) | (status == Status.max_steps_reached)
        violated = jnp.max(point.violation) > eps**0.5
        nowhere = ~retry & ((status == Status.infeasible) | (gave_up & ~good & violated))
        moved = ~retry & good & ~nowhere
        choose = lambda low, near, same: jnp.where(moved, low, jnp.where(nowhere, near, same))
        pieces = jax.tree.map(
            choose,
            better(here.constraints, point),
            first(here.constraints, point.v),
            carry.pieces,
        )
        same = jax.tree.map(lambda a, b: jnp.all(a == b), pieces, carry.pieces)
        settled = ~retry & jnp.all(jnp.stack(jax.tree.leaves(same)))
        # Rows that touch there are tried first; the others of the new pieces are far away.
        rows = jnp.concatenate(constraints.on(pieces)(unravel(point.v), x, *args))
        near = rows >= -(eps**0.75) * (1 + jnp.max(jnp.abs(point.v)))
        v = jnp.where(retry, carry.start.v, point.v)
        after = Start(v, point.multipliers, near | (jnp.arange(rows.size) < e), moved)
        return _Round(
            pieces=pieces,
            start=after,
            point=point,
            solved_on=carry.pieces,
            status=status,
            steps=carry.steps + steps,
            rounds=carry.rounds + 1,
            settled=settled,
        )

    def unfinished(carry: _Round):
        return ~carry.settled & (carry.rounds < most)

    pieces = first(constraints, start.v)
    empty = eqx.filter_eval_shape(attempt, problem.on(pieces), start)
    point, status, _ = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), empty)
    zero = jnp.array(0)
    begin = _Round(pieces, start, point, pieces, status, zero, zero, jnp.array(False))
    end = lax.while_loop(unfinished, advance, begin)
    # A minimum on one piece is none of the set while another is lower.
    error = jnp.where(end.settled, end.point.error, jnp.inf)
    return end.point._replace(error=error), end.solved_on, end.status, end.steps


def undecided(
    constraints: Constraints,
    shapes: tuple[Rows, ...],
    multipliers: tuple[PyTree, ...],
    activity: tuple[PyTree, ...],
    tol: Float[Array, ""],
) -> Bool[Array, ""]:
    """Whether y* is between pieces and nothing presses it there: it may move on to either.

    Multipliers up to `tol` are zero.
    """
    pairs = constraints.pairs(shapes, multipliers)
    found = jnp.array(False)
    for kind, pair, active in zip(constraints.kinds, pairs, activity, strict=True):
        if issubclass(kind, Piecewise):
            found |= kind.undecided(pair, active, tol)
    return found


def _each(constraints: Constraints, y, x, args, choose) -> Pieces:
    """A piece for each constraint that has several."""

    def rows_at(i):
        def evaluate(piece):
            pieces = (*constraints.pieces[:i], piece, *constraints.pieces[i + 1 :])
            return constraints.evaluate(pieces, y, x, *args)[i]

        return evaluate

    return tuple(
        choose(kind, i, rows_at(i)) if issubclass(kind, Piecewise) else None
        for i, kind in enumerate(constraints.kinds)
    )
