"""A solve under examination: its solution and derivative here and at other x and other starts."""

import dataclasses
import re
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree

from argrad.adjoints import Barrier, Implicit
from argrad.conditions import Gradient
from argrad.external import External
from argrad.problem import Problem, check_objective, extra_arguments, parameters
from argrad.rows import check_constraints
from argrad.solvers.constrained import ConstrainedOutcome
from argrad.solvers.interior_point import InteriorPoint
from argrad.solvers.newton import Newton
from argrad.status import Status
from argrad.transformation import Argmin, Solution, solved, starting

Array = np.ndarray
_STATUSES = (
    "converged",
    "max_steps_reached",
    "stalled",
    "unbounded",
    "nonfinite",
    "nonfinite_start",
    "saddle",
    "nonconvex",
    "infeasible",
    "kink",
    "dependent",
    "inaccurate",
    "singular",
    "adjoint_failed",
)
FOUND = ("converged", "singular", "kink", "dependent")  # statuses with a solution


class Evaluation(NamedTuple):
    """y*(x) from one start, flat, with its derivative along one direction of x.

    `slope` of y*, `value_slope` of f(y*, x), `multipliers_slope`, `rows_slope` of c(y*(x), x);
    `pulled` is the transposed derivative of a cotangent. NaN where there is none. `y_tree`,
    `dual` and `pieces` are what `model` wants back.
    """

    y: Array
    value: float
    status: str
    gradient_norm: float
    step_norm: float
    iterations: int
    violation: float
    slope: Array
    value_slope: float
    pulled: Array
    multipliers: Array
    multipliers_slope: Array
    rows: Array
    rows_slope: Array
    active: Array
    activity: Array
    layout: Any
    y_tree: PyTree
    dual: Any
    pieces: Any
    message: str = ""

    @property
    def found(self) -> bool:
        return self.status in FOUND and bool(np.all(np.isfinite(self.y)))

    @property
    def refused(self) -> bool:
        """Whether argrad gives no derivative here."""
        return not bool(np.all(np.isfinite(self.slope)))


class Subject:
    """`solve` at x. `reference` solves the same problem as tightly as its dtype lets it, with the
    exact derivative; it is `solve` itself where that does so."""

    def __init__(self, solve: Argmin | External, x: PyTree, init: PyTree, args: tuple):
        self.start, _ = starting(init if not isinstance(init, Solution) else init.primal)
        self.args = extra_arguments(args)
        self.moving, self.fixed = eqx.partition(parameters(x), eqx.is_inexact_array)
        flat, self._unravel = ravel_pytree(self.moving)
        self.x = np.asarray(flat, float)
        y, self._unravel_y = ravel_pytree(self.start)
        self.dtype = y.dtype
        dtypes = [leaf.dtype for leaf in jax.tree.leaves(self.moving)] + [y.dtype]
        self.eps = max(float(jnp.finfo(dtype).eps) for dtype in dtypes)
        self.solve = quiet(solve)
        self.reference = _reference(self.solve)
        self.size = y.size
        self.approximate = isinstance(solve, Argmin) and not _exact(solve.adjoint)

    @property
    def problem(self) -> Problem | None:
        """The lower problem, where an objective is known."""
        if isinstance(self.solve, Argmin):
            return self.solve.problem
        residual = self.solve.conditions.residual
        return residual.problem if isinstance(residual, Gradient) else None

    @property
    def barrier(self) -> bool:
        return isinstance(self.solve, Argmin) and isinstance(self.solve.adjoint, Barrier)

    def shapes(self) -> None:
        """Raise what objective, constraints or conditions raise about their arguments."""
        x = eqx.combine(self.moving, self.fixed)
        if isinstance(self.solve, External):
            eqx.filter_eval_shape(self.solve.conditions, self.start, x, *self.args)
            return
        problem = self.solve.problem
        check_objective(problem, self.start, x, self.args)
        if problem.constraints is not None:
            check_constraints(problem.constraints, self.start, x, self.args)

    def y_tree(self, y: Array) -> PyTree:
        return self._unravel_y(jnp.asarray(y, self.dtype))

    def x_tree(self, x: Array) -> PyTree:
        return self._unravel(jnp.asarray(x, ravel_pytree(self.moving)[0].dtype))

    def at(
        self,
        x: Array,
        y0: PyTree,
        direction: Array,
        cotangent: Array | None = None,
        *,
        solve: Argmin | External | None = None,
    ) -> Evaluation:
        """Solve at x from y0; an evaluation with status and NaN where anything fails."""
        w = np.zeros(self.size) if cotangent is None else cotangent
        try:
            raw = _evaluate(
                self.solve if solve is None else solve,
                y0,
                self.x_tree(x),
                self.fixed,
                self.args,
                self.x_tree(direction),
                self.y_tree(w),
            )
            return _on_host(raw)
        except Exception as error:  # the user's solver or objective may raise anything
            return self._failure(error)

    def _failure(self, error: Exception) -> Evaluation:
        nan, none = np.full(self.size, np.nan), np.zeros(0)
        return Evaluation(
            y=nan,
            value=np.nan,
            status="raised",
            gradient_norm=np.nan,
            step_norm=np.nan,
            iterations=0,
            violation=np.nan,
            slope=nan,
            value_slope=np.nan,
            pulled=np.full_like(self.x, np.nan),
            multipliers=none,
            multipliers_slope=none,
            rows=none,
            rows_slope=none,
            active=none.astype(bool),
            activity=none.astype(int),
            layout=(),
            y_tree=None,
            dual=(),
            pieces=None,
            message=_said(error),
        )

    def model(self, at: Evaluation, y: Array, u: Array, x: Array | None = None):
        """(L, ∇L, ∇²L u, f) at y, with the multipliers and pieces of `at`. For conditions without
        an objective L and f are NaN and ∇L is C."""
        x = self.x if x is None else x
        out = _model(
            self.solve,
            self.y_tree(y),
            self.y_tree(u),
            at.dual,
            at.pieces,
            self.x_tree(x),
            self.fixed,
            self.args,
        )
        value, gradient, product, objective = (np.asarray(a, float) for a in out)
        return float(value), gradient, product, float(objective)

    def second_order(self, at: Evaluation, y: Array | None = None):
        """∇²L (or ∂C/∂y) and the Jacobian of all rows, dense."""
        v = at.y if y is None else y
        out = _second_order(
            self.solve, self.y_tree(v), at.dual, at.pieces, self.moving, self.fixed, self.args
        )
        return tuple(np.asarray(a, float) for a in out)

    def driven(self, y: Array, direction: Array) -> Array:
        """∂C/∂x along a direction, at y, for conditions of a solver that is not argrad's."""
        out = _driven(
            self.solve, self.y_tree(y), self.moving, self.fixed, self.args, self.x_tree(direction)
        )
        return np.asarray(out, float)


def _said(error: Exception) -> str:
    """An exception in one line: where it comes from a callback, what was raised there."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    inner = [line for line in lines if re.match(r"\w*(Error|Exception): ", line)]
    return (inner[-1] if inner else f"{type(error).__name__}: {lines[0]}")[:200].rstrip(".")


def quiet(solve: Argmin | External) -> Argmin | External:
    """The same solve, with NaN in place of errors."""
    return dataclasses.replace(solve, throw=False)


def _exact(adjoint: Any) -> bool:
    if isinstance(adjoint, Implicit):
        return all(getattr(adjoint, f.name) is None for f in dataclasses.fields(adjoint))
    return isinstance(adjoint, Barrier)


def _reference(solve: Argmin | External) -> Argmin | External:
    if not isinstance(solve, Argmin) or isinstance(solve.adjoint, Barrier):
        return solve
    loose = isinstance(solve.solver, Newton | InteriorPoint) and solve.solver.rtol is not None
    if _exact(solve.adjoint) and not loose:
        return solve
    return Argmin(solve.problem, None, Implicit(), max(solve.max_steps, 1000), False)


@eqx.filter_jit
def _evaluate(solve, y0, moving, fixed, args, direction, cotangent):
    def run(moving):
        x = eqx.combine(moving, fixed)
        nothing = jnp.zeros(0)
        if isinstance(solve, External):
            y = solve(x, y0, *args)
            residual = solve.conditions.residual
            value = jnp.array(jnp.nan)
            if isinstance(residual, Gradient):
                value = residual.problem.value(y, x, *args)
            return (y, value, nothing, nothing), None
        solution, outcome = solved(solve, (y0, None), x, args)
        y, dual, rows, pieces = solution.primal, nothing, nothing, None
        if isinstance(outcome, ConstrainedOutcome):
            pieces = outcome.pieces
            constraints = solve.problem.on(pieces).constraints
            shapes = constraints.shapes(y, x, args)
            dual = jnp.concatenate(constraints.flat(shapes, solution.multipliers))
            rows = jnp.concatenate(constraints(y, x, *args))
        return (y, solution.value, dual, rows), (outcome, pieces, solution.violation)

    outs, push, report = jax.linearize(run, moving, has_aux=True)
    slopes = push(direction)
    zeros = jax.tree.map(jnp.zeros_like, outs[1:])
    (pulled,) = jax.linear_transpose(push, moving)((cotangent, *zeros))
    flat = lambda tree: ravel_pytree(tree)[0]
    return outs, flat(outs[0]), flat(slopes[0]), slopes[1:], flat(pulled), report


def _on_host(raw) -> Evaluation:
    (tree, value, dual, rows), y, slope, others, pulled, report = raw
    number = lambda a: float(np.asarray(a))
    vector = lambda a: np.asarray(a, float)
    y = vector(y)
    numbers: dict[str, Any] = {
        "status": "converged" if np.all(np.isfinite(y)) else "nonfinite",
        "gradient_norm": np.nan,
        "step_norm": np.nan,
        "iterations": 0,
        "violation": 0.0,
        "active": np.zeros(0, bool),
        "activity": np.zeros(0, int),
        "layout": (),
        "pieces": None,
    }
    if report is not None:
        outcome, pieces, violation = report
        numbers |= {
            "status": next(
                (s for s in _STATUSES if bool(outcome.status == getattr(Status, s))), "unknown"
            ),
            "gradient_norm": number(outcome.gradient_norm),
            "step_norm": number(outcome.step_norm),
            "iterations": int(outcome.iterations),
            "violation": number(violation),
            "pieces": pieces,
        }
        if isinstance(outcome, ConstrainedOutcome):
            numbers |= {
                "active": np.asarray(outcome.active),
                "activity": np.asarray(outcome.activity),
                "layout": outcome.rows.layout,
            }
    return Evaluation(
        y=y,
        value=number(value),
        slope=vector(slope),
        value_slope=number(others[0]),
        pulled=vector(pulled),
        multipliers=vector(dual),
        multipliers_slope=vector(others[1]),
        rows=vector(rows),
        rows_slope=vector(others[2]),
        y_tree=tree,
        dual=dual,
        **numbers,
    )


def _functions(solve, y, dual, pieces, x, args):
    """(L, rows, C, f) as functions of a flat vector, None for what there is not."""
    _, unravel = ravel_pytree(y)
    if isinstance(solve, External):
        conditions = lambda v: ravel_pytree(solve.conditions(unravel(v), x, *args))[0]
        residual = solve.conditions.residual
        if not isinstance(residual, Gradient):
            return None, None, conditions, None
        return None, None, conditions, lambda v: residual.problem(unravel(v), x, *args)
    problem = solve.problem.on(pieces)
    objective = lambda v: problem(unravel(v), x, *args)
    if problem.constraints is None:
        return objective, None, None, objective
    rows = lambda v: jnp.concatenate(problem.constraints(unravel(v), x, *args))
    return lambda v: objective(v) + dual @ rows(v), rows, None, objective


@eqx.filter_jit
def _model(solve, y, u, dual, pieces, moving, fixed, args):
    x = eqx.combine(moving, fixed)
    lagrangian, _, conditions, objective = _functions(solve, y, dual, pieces, x, args)
    v, u = ravel_pytree(y)[0], ravel_pytree(u)[0]
    value = jnp.array(jnp.nan) if objective is None else objective(v)
    if lagrangian is None:
        c, cu = jax.jvp(conditions, (v,), (u,))
        return value, c, cu, value
    (total, gradient), (_, product) = jax.jvp(jax.value_and_grad(lagrangian), (v,), (u,))
    return total, gradient, product, value


@eqx.filter_jit
def _second_order(solve, y, dual, pieces, moving, fixed, args):
    x = eqx.combine(moving, fixed)
    lagrangian, rows, conditions, _ = _functions(solve, y, dual, pieces, x, args)
    v = ravel_pytree(y)[0]
    gradient = conditions if lagrangian is None else jax.grad(lagrangian)
    _, push = jax.linearize(gradient, v)
    matrix = jax.vmap(push)(jnp.eye(v.size, dtype=v.dtype)).T
    jacobian = jnp.zeros((0, v.size)) if rows is None else jax.jacrev(rows)(v)
    return matrix, jacobian


@eqx.filter_jit
def _driven(solve, y, moving, fixed, args, direction):
    def conditions(moving):
        x = eqx.combine(moving, fixed)
        return ravel_pytree(solve.conditions(y, x, *args))[0]

    return jax.jvp(conditions, (moving,), (direction,))[1]
