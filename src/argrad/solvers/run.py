"""Solve, polish, and judge: any minimiser, ending in Newton's method and its verdict."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree

from argrad.linear.cholesky import INDEFINITE, SINGULAR, Factor
from argrad.problem import Problem
from argrad.solvers.choice import choose_solver
from argrad.solvers.newton import Newton
from argrad.status import Status


class Outcome(eqx.Module):
    """How a lower solve ended: everything about it but y itself."""

    status: Any
    iterations: Int[Array, ""]
    gradient_norm: Float[Array, ""]
    step_norm: Float[Array, ""]
    factor: Factor | None


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
    d = ravel_pytree(y0)[0].size
    solver = choose_solver(d) if solver is None else solver

    def objective(y, inputs):
        problem, x, args = inputs
        return problem(y, x, *args)

    def run(solver, y, steps):
        return optx.minimise(objective, solver, y, (problem, x, args), max_steps=steps, throw=False)

    y, used = y0, jnp.array(0)
    if not isinstance(solver, Newton):
        rough = run(solver, y0, max_steps)
        finite = jnp.all(jnp.isfinite(ravel_pytree(rough.value)[0]))
        y = jax.tree.map(lambda a, b: jnp.where(finite, a, b), rough.value, y0)
        used = rough.stats["num_steps"]
        solver = Newton()
    polished = run(solver, y, max_steps)
    state, iterations = polished.state, used + polished.stats["num_steps"]

    codes = optx.RESULTS
    status = Status.where(iterations <= max_steps, Status.converged, Status.max_steps_reached)
    failed = polished.result != codes.successful
    status = Status.where(failed, Status.max_steps_reached, status)
    status = Status.where(polished.result == codes.stagnation, Status.stalled, status)
    status = Status.where(polished.result == codes.nonfinite, Status.nonfinite, status)
    status = Status.where(polished.result == codes.nonlinear_divergence, Status.unbounded, status)
    at_once = (status == Status.nonfinite) & (polished.stats["num_steps"] <= 1)
    status = Status.where(at_once, Status.nonfinite_start, status)
    converged = status == Status.converged
    status = Status.where(
        converged & (state.direction.curvature == SINGULAR), Status.singular, status
    )
    status = Status.where(
        converged & (state.direction.curvature == INDEFINITE), Status.saddle, status
    )
    outcome = Outcome(
        status, iterations, state.gradient_norm, state.step_norm, state.direction.factor
    )
    return polished.value, outcome
