"""The upper objective and its gradient at one point, from a warm start.

Written out rather than left to automatic differentiation, so that the adjoint vector of the last
point can be the first guess at this one: near the optimum both solves then cost next to nothing
(Pedregosa 2016; Arbel and Mairal 2022).
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Int, PyTree, Scalar

from argrad.adjoints import Implicit, Unrolled
from argrad.adjoints.implicit import learnt
from argrad.bilevel.problem import Bilevel
from argrad.external import External
from argrad.linalg.cg import conjugate_gradients
from argrad.rows import check_constraints
from argrad.solvers.run import Outcome, minimum
from argrad.status import Status
from argrad.transformation import Argmin, solved


class Warm(eqx.Module):
    """Where the lower solve (y and its multipliers) and the adjoint solve (u) start."""

    y: PyTree[Array]
    adjoint: PyTree[Array]
    multipliers: tuple[PyTree, ...] = ()


def cold(lower: Argmin | External, y0: PyTree[Array], x: PyTree, args: tuple) -> Warm:
    """The starting point alone: no multipliers, no adjoint."""
    multipliers: tuple[PyTree, ...] = ()
    if isinstance(lower, Argmin) and lower.problem.constraints is not None:
        constraints = lower.problem.constraints
        check_constraints(constraints, y0, x, args)
        shapes = constraints.shapes(y0, x, args)
        sizes = jax.eval_shape(lambda: constraints(y0, x, *args))
        zeros = [jnp.zeros(rows.shape, rows.dtype) for rows in sizes]
        multipliers = constraints.by_constraint(shapes, *zeros)
    return Warm(y0, jax.tree.map(jnp.zeros_like, y0), multipliers)


class Evaluation(eqx.Module):
    """F(y*(x), x), its hypergradient, and what they cost.

    Where `failed`, the value is +inf and the gradient zero: nothing that could be taken for a
    derivative, and a point that every line search turns down. `status` is that of the lower
    solve and its adjoint; a failed evaluation with a converged status means that the upper
    objective or its gradient is not finite.
    """

    value: Scalar
    gradient: PyTree[Array]
    warm: Warm
    failed: Array
    status: Any
    lower_iterations: Int[Array, ""]
    adjoint_steps: Int[Array, ""]


def evaluate(bilevel: Bilevel, x: PyTree[Array], warm: Warm, args: tuple) -> Evaluation:
    """∂F/∂x − (∂²f/∂x∂y) u with (∂²f/∂y²) u = ∂F/∂y, both at y*(x)."""
    lower = bilevel.lower
    # Written out for the definite Hessian of a problem without constraints only.
    if (
        isinstance(lower, Argmin)
        and lower.problem.constraints is None
        and isinstance(lower.adjoint, Implicit)
    ):
        found = _implicit(bilevel.upper, lower, lower.adjoint, x, warm, args)
    else:
        found = _through(bilevel, x, warm, args)
    value, gradient, reached, status, iterations, steps = found
    failed = (status != Status.converged) | ~(jnp.isfinite(value) & _finite(gradient))
    return Evaluation(
        value=jnp.where(failed, jnp.inf, value),
        gradient=jax.tree.map(lambda g: jnp.where(failed, 0, g), gradient),
        warm=reached,
        failed=failed,
        status=status,
        lower_iterations=iterations,
        adjoint_steps=steps,
    )


def _implicit(upper, lower: Argmin, adjoint: Implicit, x, warm: Warm, args):
    problem = lower.problem
    y, outcome = minimum(
        problem,
        lower.solver,  # type: ignore[arg-type]  # `solver` is callable by accident of its class
        lower.max_steps,
        warm.y,
        x,
        args,
    )
    value, (b, direct) = jax.value_and_grad(
        lambda y, x: jnp.asarray(upper(y, x, *args)), argnums=(0, 1)
    )(y, x)
    if adjoint.curvature is not None:
        operator = adjoint.curvature(y, x, *args)
    else:
        _, hvp = jax.linearize(lambda y: jax.grad(problem)(y, x, *args), y)
        structure = jax.eval_shape(lambda: b)
        operator = lx.FunctionLinearOperator(hvp, structure, lx.positive_semidefinite_tag)
    u, solved, steps = _adjoint(adjoint, operator, b, warm.adjoint, outcome)
    _, pull = jax.vjp(lambda x: jax.grad(problem)(y, x, *args), x)
    gradient = jax.tree.map(jnp.subtract, direct, pull(u)[0])

    fine = outcome.status == Status.converged
    status = Status.where(fine & ~solved, Status.adjoint_failed, outcome.status)
    # Where F itself is not finite, the linear solve with its derivative is not to blame.
    status = Status.where(fine & ~jnp.isfinite(value), Status.converged, status)
    return value, gradient, Warm(y, u), status, outcome.iterations, steps


def _adjoint(adjoint: Implicit, operator, b, guess, outcome: Outcome):
    """u with H u = b, whether it was found, and the products with H that it took."""
    if adjoint.linear_solver is not None:
        return _by_lineax(adjoint.linear_solver, operator, b, guess, outcome)
    flat, unravel = ravel_pytree(b)
    u0, _ = ravel_pytree(guess)
    precondition = (lambda v: v) if outcome.factor is None else outcome.factor.solve

    def matvec(v):
        return ravel_pytree(operator.mv(unravel(v)))[0]

    # The best multiple of the guess, so that it is never worse than none.
    curvature = u0 @ matvec(u0)
    multiple = jnp.where(curvature > 0, (u0 @ flat) / jnp.where(curvature > 0, curvature, 1), 0)
    tol = float(jnp.finfo(flat.dtype).eps) ** 0.75
    found = conjugate_gradients(
        matvec,
        flat,
        precondition=precondition,
        u0=multiple * u0,
        tol=tol,
        max_steps=10 * flat.size + 100,
    )
    # The recurrence stops within rounding of its tolerance; NaN is never below it.
    solved = found.definite & (found.error <= tol * 1.001) & _finite(found.solution)
    return unravel(found.solution), solved, found.steps


def _by_lineax(linear_solver, operator, b, guess, outcome: Outcome):
    """The same by the caller's own linear solver; the iterative ones take the guess as `y0`."""
    options = {"y0": guess, **learnt(outcome)}
    state = linear_solver.init(operator, options)
    u, result, stats = linear_solver.compute(state, b, options)
    steps = jnp.asarray(stats.get("num_products", stats.get("num_steps", 0)))
    return u, (result == lx.RESULTS.successful) & _finite(u), steps


def _through(bilevel: Bilevel, x, warm: Warm, args):
    """Reverse mode through whatever adjoint the lower level has; the lower solve alone is warm."""
    lower = dataclasses.replace(bilevel.lower, throw=False)

    def composite(x):
        multipliers: tuple[PyTree, ...] = ()
        if isinstance(lower, Argmin):
            solution, _ = solved(lower, (warm.y, warm.multipliers or None), x, args)
            y, status, iterations = solution.primal, solution.status, solution.iterations
            multipliers = solution.multipliers
            if isinstance(lower.adjoint, Unrolled):  # a truncated iteration is what was asked for
                truncated = status == Status.max_steps_reached
                status = Status.where(truncated, Status.converged, status)
        else:
            y = lower(x, warm.y, *args)
            status = Status.where(_finite(y), Status.converged, Status.nonfinite)
            iterations = jnp.array(0)
        value = jnp.asarray(bilevel.upper(y, x, *args))
        return value, lax.stop_gradient((y, multipliers, status, iterations))

    (value, (y, multipliers, status, iterations)), gradient = jax.value_and_grad(
        composite, has_aux=True
    )(x)
    # With throw=False a derivative that could not be had is NaN.
    lost = (status == Status.converged) & jnp.isfinite(value) & ~_finite(gradient)
    status = Status.where(lost, Status.adjoint_failed, status)
    reached = Warm(y, warm.adjoint, multipliers)
    return value, gradient, reached, status, iterations, jnp.array(0)


def _finite(tree: PyTree[Array]) -> Array:
    return jnp.all(jnp.isfinite(ravel_pytree(tree)[0]))
