"""Solve a constrained problem, polish it, and judge it."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

from argrad.conditions import Point
from argrad.linalg.cholesky import INDEFINITE, SINGULAR
from argrad.problem import Problem
from argrad.rows import Pieces
from argrad.solvers.active_set import POLISHING_STEPS, WEAKLY_ACTIVE, Polished, polish
from argrad.solvers.interior_point import InteriorPoint, InteriorPointState
from argrad.solvers.pieces import Start, over_pieces
from argrad.solvers.quadratic_model import Flat
from argrad.solvers.run import Outcome
from argrad.status import Rows, Status

_NAMED = 3  # rows that an error names at most


class ConstrainedOutcome(Outcome):
    """How a constrained solve ended; `factor` inverts the KKT matrix of the active rows.

    `pieces` are those of the constraints that the solution lies on, None where nobody asked.
    """

    activity: Int[Array, " i"]
    active: Bool[Array, " m"]
    violation: Float[Array, ""]
    rows: Rows
    pieces: Pieces | None = None


def constrained_minimum(
    problem: Problem,
    solver: optx.AbstractMinimiser | None,
    max_steps: int,
    start: Point | PyTree[Array],
    x: PyTree,
    args: tuple,
) -> tuple[Point, Outcome]:
    """Minimise a constrained `problem` with an interior point method, then on its active rows.

    Where `start` has multipliers, they say which rows to try first; where these do not lead to a
    minimum, the solve begins anew from y.
    """
    y0 = start.y if isinstance(start, Point) else start
    v0, unravel = ravel_pytree(y0)
    flat = flat_problem(problem, y0, x, args)
    e = flat.equalities
    eps = float(jnp.finfo(v0.dtype).eps)
    solver = InteriorPoint() if solver is None else solver
    assert problem.constraints is not None

    def approach(flat, v):
        found = interior(flat, solver, v, None, max_steps)
        # A row is active where the multiplier outweighs the slack, each in its own units.
        active = jnp.concatenate(
            [jnp.ones(e, bool), found.state.multipliers[e:] > found.state.slack]
        )
        return found.v, found.multipliers, active, found.status, found.steps

    def finish(flat, v, multipliers, active, status, steps):
        # What is known to be no solution is left as it is, so that its violations can be read.
        lost = status == Status.infeasible
        for ended in (Status.unbounded, Status.nonfinite, Status.nonfinite_start):
            lost |= status == ended
        most = jnp.where(lost, 0, POLISHING_STEPS)
        point = polish(flat, v, multipliers, active, max_steps=most)
        return point, status, steps + point.steps

    def cold():
        return finish(flat, *approach(flat, v0))

    def on_piece(problem, start: Start):
        flat = flat_problem(problem, y0, x, args)
        given = (start.v, start.multipliers, start.active, Status.converged, jnp.array(0))
        near = lax.cond(start.warm, lambda: given, lambda: approach(flat, start.v))
        return finish(flat, *near)

    warm = isinstance(start, Point)
    if isinstance(start, Point):
        multipliers = jnp.concatenate([start.equal, start.below])
        active = jnp.concatenate([jnp.ones(e, bool), start.below > 0])
    pieces = problem.constraints.pieces
    if problem.constraints.piecewise:
        if not warm:
            multipliers = jnp.zeros_like(flat.rows(v0))
            active = jnp.arange(multipliers.size) < e
        begin = Start(v0, multipliers, active, jnp.array(warm))
        point, pieces, status, steps = over_pieces(problem, on_piece, begin, y0, x, args)
    elif warm:
        tried = polish(flat, v0, multipliers, active)
        good = (tried.error <= eps**0.5) & (tried.inverse.curvature < INDEFINITE)
        point, status, steps = lax.cond(good, lambda: (tried, Status.converged, tried.steps), cold)
    else:
        point, status, steps = cold()
    outcome = _judge(problem, point, status, steps, y0, x, args, eps)
    outcome = eqx.tree_at(lambda o: o.pieces, outcome, pieces, is_leaf=lambda p: p is None)
    return Point(unravel(point.v), point.multipliers[:e], point.multipliers[e:]), outcome


class Interior(NamedTuple):
    """Where the interior point method ended, its multipliers in the problem's own units."""

    v: Float[Array, " d"]
    multipliers: Float[Array, " m"]
    state: InteriorPointState
    status: Any
    steps: Int[Array, ""]


def interior(flat: Flat, solver, v0, multipliers, max_steps: int) -> Interior:
    """Run `solver` from v0, with the given multipliers or its own."""
    e = flat.equalities
    options: dict[str, Any] = {"constraints": lambda v, _: (flat.rows(v)[:e], flat.rows(v)[e:])}
    if multipliers is not None:
        options["multipliers"] = multipliers
    found: optx.Solution = optx.minimise(
        lambda v, _: flat.objective(v),
        solver,
        v0,
        options=options,
        max_steps=max_steps,
        throw=False,
    )
    state, steps = found.state, found.stats["num_steps"]
    multipliers = state.multipliers * state.row_scale / state.scale
    finite = jnp.all(jnp.isfinite(found.value)) & jnp.all(jnp.isfinite(multipliers))
    codes = optx.RESULTS
    status = Status.where(
        found.result == codes.successful, Status.converged, Status.max_steps_reached
    )
    status = Status.where(found.result == codes.stagnation, Status.stalled, status)
    status = Status.where(found.result == codes.nonlinear_divergence, Status.unbounded, status)
    status = Status.where(found.result == codes.nonfinite, Status.nonfinite, status)
    at_once = (status == Status.nonfinite) & (steps <= 1)
    status = Status.where(at_once, Status.nonfinite_start, status)
    status = Status.where(state.infeasible, Status.infeasible, status)
    return Interior(
        jnp.where(finite, found.value, v0),
        jnp.where(finite, multipliers, 0),
        state,
        status,
        steps,
    )


def flat_problem(problem: Problem, y0: PyTree[Array], x: PyTree, args: tuple) -> Flat:
    """The problem as functions of a flat vector."""
    constraints = problem.constraints
    assert constraints is not None
    _, unravel = ravel_pytree(y0)
    return Flat(
        lambda v: problem(unravel(v), x, *args),
        lambda v: jnp.concatenate(constraints(unravel(v), x, *args)),
        jax.eval_shape(lambda: constraints(y0, x, *args))[0].size,
    )


def _judge(problem, point: Polished, status, steps, y, x, args, eps) -> ConstrainedOutcome:
    e = point.multipliers.size - point.activity.size
    optimal = point.error <= eps**0.5
    inverse = point.inverse
    weak = jnp.concatenate([jnp.zeros(e, bool), point.activity == WEAKLY_ACTIVE])
    runaway = jnp.any(point.runaway > 0)
    several = jnp.where(runaway, point.runaway, inverse.dependent)
    dependent = jnp.any(several > 0)
    # A solver that gave up at the solution has found it; one that claims it has to show it.
    # Where rows depend on each other, large multipliers make almost any point look like one.
    gave_up = (status == Status.stalled) | (status == Status.max_steps_reached)
    gave_up &= ~dependent
    status = Status.where(optimal & gave_up, Status.converged, status)
    status = Status.where(~optimal & (status == Status.converged), Status.stalled, status)
    for condition, verdict in (
        (runaway, Status.dependent),
        (inverse.curvature == INDEFINITE, Status.saddle),
        (dependent, Status.dependent),
        (jnp.any(weak), Status.kink),
        ((inverse.curvature == SINGULAR) | point.flattening, Status.singular),
    ):
        status = Status.where((status == Status.converged) & condition, verdict, status)
    guilty = jnp.where(status == Status.kink, weak.astype(point.v.dtype), point.violation)
    several = jnp.where(several > 1e-3, several, 0)
    guilty = jnp.where(status == Status.dependent, several, guilty)
    broken = (status == Status.nonfinite_start) | (status == Status.nonfinite)
    guilty = jnp.where(broken, point.nonfinite.astype(guilty.dtype), guilty)
    named = broken | (status == Status.infeasible)
    named |= (status == Status.kink) | (status == Status.dependent)
    weight, order = lax.top_k(guilty, min(_NAMED, guilty.size))
    indices = jnp.where(named & (weight > eps**0.5), order, -1)
    assert problem.constraints is not None
    shapes = problem.constraints.shapes(y, x, args)
    return ConstrainedOutcome(
        status=status,
        iterations=steps,
        gradient_norm=point.gradient_norm,
        step_norm=point.step_norm,
        factor=inverse,  # type: ignore[arg-type]
        activity=point.activity,
        active=point.active,
        violation=jnp.max(point.violation, initial=0.0),
        rows=Rows(indices, problem.constraints.layout(shapes)),
    )
