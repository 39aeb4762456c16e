"""A constrained problem to first order around its solution, along one direction of x."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree

from argrad.linalg.kkt import balancing_units, null_space_form
from argrad.problem import extra_arguments, parameters, starting_point
from argrad.rows import Layout
from argrad.solvers.active_set import INACTIVE, STRONGLY_ACTIVE, Polished, polish
from argrad.solvers.constrained import ConstrainedOutcome, flat_problem
from argrad.solvers.pieces import undecided
from argrad.solvers.quadratic_model import first_order, lagrangian_hessian
from argrad.status import Status, raise_if
from argrad.transformation import Argmin, Solution, solved, starting, verdict

Array = np.ndarray


class Local(NamedTuple):
    """Values and derivatives at y*(x); a dot marks the derivative along the direction of x.

    Rows are counted through the equalities first; where constraints have several pieces they are
    those of one, and `undecided` says that y* may move on to others. The gradients are those of
    the function that is minimised, −f for a maximum.
    """

    v: Array
    multipliers: Array
    equalities: int
    active: Array
    strong: Array
    gradient: Array
    gradient_dot: Array
    rows: Array
    rows_dot: Array
    jacobian: Array
    jacobian_dot: Array
    objective_dot: Array
    hessian: Array
    dependent: bool
    undecided: bool
    layout: Layout
    solution: Solution


def local_model(
    solve: Argmin, x: PyTree, direction: PyTree, init: PyTree, args: tuple, name: str
) -> Local:
    """The model at y*(x), solved from `init`, or SolveError; TypeError and ValueError for bad
    arguments, in the name of the function `name` that was given them."""
    if not isinstance(solve, Argmin):
        raise TypeError(f"{name} needs what argrad.argmin or argrad.argmax made, got {solve!r}.")
    if solve.problem.constraints is None:
        raise ValueError(
            f"{name} is about constraints, and this problem has none (subject_to is empty)."
        )
    x, direction = as_direction(x, direction, name)
    args = extra_arguments(args)
    start = starting(init)
    parts, solution, (failed, status, numbers, rows) = _local(solve, start, x, direction, args)
    raise_if(solution.value, failed, status, numbers, rows)
    e = len(parts["multipliers"]) - len(parts["activity"])
    activity = np.asarray(parts.pop("activity"))
    between = bool(parts.pop("undecided"))
    equal = np.ones(e, bool)
    return Local(
        **{key: np.asarray(value) for key, value in parts.items()},
        equalities=e,
        active=np.concatenate([equal, activity != INACTIVE]),
        strong=np.concatenate([equal, activity == STRONGLY_ACTIVE]),
        dependent=bool(status == Status.dependent),
        undecided=between,
        layout=rows.layout,
        solution=solution,
    )


def as_direction(
    x: PyTree, direction: PyTree, name: str, what: str = "the direction"
) -> tuple[PyTree, PyTree]:
    """x and a direction of the same structure and dtypes, or ValueError."""
    x = parameters(x)
    mine: Any = jax.tree.structure(direction)
    wanted: Any = jax.tree.structure(x)
    if mine != wanted:
        raise ValueError(f"{name}: {what} is {mine}, x is {wanted}; they must be alike.")
    for d, leaf in zip(jax.tree.leaves(direction), jax.tree.leaves(x), strict=True):
        if np.shape(d) != np.shape(leaf):
            raise ValueError(
                f"{name}: {what} has shape {np.shape(d)} where x has {np.shape(leaf)}."
            )
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise TypeError(f"{name}: x must be real floating-point numbers, got {leaf!r}.")
    return x, jax.tree.map(lambda d, leaf: jnp.asarray(d, leaf.dtype), direction, x)


@eqx.filter_jit
def _local(argmin: Argmin, start, x, direction, args):
    solution, outcome = solved(argmin, start, x, args)
    y = solution.primal
    v, _ = ravel_pytree(y)
    assert isinstance(outcome, ConstrainedOutcome)
    problem = argmin.problem.on(outcome.pieces)
    assert problem.constraints is not None
    shapes = problem.constraints.shapes(y, x, args)
    multipliers = jnp.concatenate(problem.constraints.flat(shapes, solution.multipliers))

    def parts(x):
        model = first_order(flat_problem(problem, y, x, args), v)
        return model.value, model.gradient, model.c, model.jacobian

    (_, g, c, jacobian), dots = jax.jvp(parts, (x,), (direction,))
    hessian = lagrangian_hessian(flat_problem(problem, y, x, args), v, multipliers)
    force = jnp.max(jnp.abs(g)) + jnp.max(jnp.abs(hessian)) * (1 + jnp.max(jnp.abs(v)))
    found_parts = {
        "v": v,
        "multipliers": multipliers,
        "activity": outcome.activity,
        "gradient": g,
        "gradient_dot": dots[1],
        "rows": c,
        "rows_dot": dots[2],
        "jacobian": jacobian,
        "jacobian_dot": dots[3],
        "objective_dot": dots[0],
        "hessian": hessian,
        "undecided": undecided(
            problem.constraints,
            shapes,
            solution.multipliers,
            solution.activity,
            float(jnp.finfo(v.dtype).eps) ** 0.75 * force,
        ),
    }
    return found_parts, solution, verdict(argmin, outcome)


@eqx.filter_jit
def hessian_at(argmin: Argmin, y: PyTree, multipliers, x: PyTree, args: tuple):
    """The Hessian of the Lagrangian with these multipliers."""
    v, _ = ravel_pytree(y)
    return lagrangian_hessian(flat_problem(argmin.problem, y, x, args), v, multipliers)


@eqx.filter_jit
def on_rows(argmin: Argmin, y: PyTree, multipliers, active, x: PyTree, args: tuple) -> Polished:
    """The point near y where the conditions hold with exactly these rows active."""
    y = starting_point(y)
    v, _ = ravel_pytree(y)
    flat = flat_problem(argmin.problem, y, x, args)
    return polish(flat, v, multipliers, active, fixed=True)


@eqx.filter_jit
def rates(argmin: Argmin, y: PyTree, multipliers, active, x: PyTree, direction, args: tuple):
    """c, and how v, multipliers and c move along a direction of x with these rows active."""
    v, _ = ravel_pytree(y)

    def parts(x):
        model = first_order(flat_problem(argmin.problem, y, x, args), v)
        return model.lagrangian_gradient(multipliers), model.c, model.jacobian

    (_, c, jacobian), (stationarity_dot, c_dot, _) = jax.jvp(parts, (x,), (direction,))
    hessian = lagrangian_hessian(flat_problem(argmin.problem, y, x, args), v, multipliers)
    units = balancing_units(hessian, jacobian, active)
    inverse = null_space_form(hessian, jacobian, active, units)
    p, change = inverse.solve(-stationarity_dot, jnp.where(active, -c_dot, 0))
    return c, p, change, jacobian @ p + c_dot
