"""Solve, polish, and judge: any minimiser, ending in Newton's method and its verdict."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree

from argrad.linalg.cholesky import INDEFINITE, SINGULAR, Factor
from argrad.linalg.quasi_newton import Pairs, pairs_of
from argrad.problem import Problem
from argrad.solvers.choice import choose_solver
from argrad.solvers.newton import GOING, NONFINITE, STALLED, UNBOUNDED, Newton
from argrad.status import Status

_APPROACH = 200  # steps of a solver that the caller did not name


class Outcome(eqx.Module):
    """How a lower solve ended: everything about it but y itself.

    `pairs` are what a limited-memory BFGS solve has learnt of the Hessian.
    """

    status: Any
    iterations: Int[Array, ""]
    gradient_norm: Float[Array, ""]
    step_norm: Float[Array, ""]
    factor: Factor | None
    pairs: Pairs | None = eqx.field(default=None, kw_only=True)


def minimum(
    problem: Problem,
    solver: optx.AbstractMinimiser | None,
    max_steps: int,
    y0: PyTree[Array],
    x: PyTree,
    args: tuple,
) -> tuple[PyTree[Array], Outcome]:
    """Minimise `problem` over y from `y0` with `solver` (None: chosen by size).

    Whatever the solver, Newton's method has the last word: it takes the solution to the accuracy
    of its dtype, since derivatives taken at a rough solution are rough, and it can tell
    convergence (by the length of the step that is left, which does not depend on the scale of
    the objective) and a minimum from other stationary points.
    """
    flat, _ = ravel_pytree(y0)
    at_first = max_steps
    if solver is None:
        # Newton's method goes on from wherever another has come, and further than it could.
        solver, at_first = choose_solver(flat.size, flat.dtype), min(max_steps, _APPROACH)

    y, used, pairs = y0, jnp.array(0), None
    if not isinstance(solver, Newton):
        rough: optx.Solution = optx.minimise(
            lambda y, inputs: inputs[0](y, inputs[1], *inputs[2]),
            solver,
            y0,
            (problem, x, args),
            max_steps=at_first,
            throw=False,
        )
        finite = jnp.all(jnp.isfinite(ravel_pytree(rough.value)[0]))
        y = jax.tree.map(lambda a, b: jnp.where(finite, a, b), rough.value, y0)
        used, pairs = rough.stats["num_steps"], pairs_of(rough.state)
        solver = Newton()
    y, state, steps = _newton(solver, lambda y: problem(y, x, *args), y, max_steps)
    progress, curvature = state.progress, state.hessian.curvature
    iterations = used + steps
    status = Status.where(iterations <= max_steps, Status.converged, Status.max_steps_reached)
    status = Status.where(progress.standing == GOING, Status.max_steps_reached, status)
    status = Status.where(progress.standing == STALLED, Status.stalled, status)
    nonfinite = Status.where(steps <= 1, Status.nonfinite_start, Status.nonfinite)
    status = Status.where(progress.standing == NONFINITE, nonfinite, status)
    # Steps of one length, where nothing curves, may not have come all the way in max_steps.
    eps = jnp.finfo(progress.limit.dtype).eps
    gone = (progress.standing == GOING) & (progress.largest_y > eps**0.25 * progress.limit)
    gone |= progress.standing == UNBOUNDED
    status = Status.where(gone, Status.unbounded, status)
    converged = status == Status.converged
    status = Status.where(converged & (curvature == SINGULAR), Status.singular, status)
    status = Status.where(converged & (curvature == INDEFINITE), Status.saddle, status)
    outcome = Outcome(
        status,
        iterations,
        progress.gradient_norm,
        progress.step_norm,
        state.hessian.factor,
        pairs=pairs,
    )
    return y, outcome


def _newton(solver: Newton, objective: Callable, y: PyTree[Array], max_steps: int):
    """What `optimistix.minimise` does with Newton, less what Newton looks after itself.

    Its checks of y in each step, and its own derivative, would only be more to compile.
    """

    def fn(y, _):
        return objective(y), None

    start = solver.init(fn, y, None, {}, jax.eval_shape(objective, y), None, frozenset())

    def unfinished(carry):
        _, state, steps = carry
        return (state.progress.standing == GOING) & (steps < max_steps)

    def advance(carry):
        y, state, steps = carry
        y, state, _ = solver.step(fn, y, None, {}, state, frozenset())
        return y, state, steps + 1

    y, state, steps = lax.while_loop(unfinished, advance, (y, start, jnp.array(0)))
    return solver.solution(y, state), state, steps
