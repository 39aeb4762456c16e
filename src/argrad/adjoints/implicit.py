"""Implicit differentiation: dy*/dx from the optimality conditions, whatever solver found y*.

With C(y, x) = 0 at the solution, dy* = −(∂C/∂y)⁻¹ (∂C/∂x) dx. One rule, written for forward
mode around a transposable linear solve, gives reverse mode and all higher orders as well.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from argrad.adjoints.base import AbstractAdjoint
from argrad.adjoints.by_piece import ByPiece
from argrad.conditions import KKT, Composite, Conditions, Gradient
from argrad.linalg.cg import CG
from argrad.linalg.cholesky import singular_threshold
from argrad.linalg.kkt import KKTInverse
from argrad.linalg.refinement import Refinement
from argrad.problem import Problem
from argrad.solvers.composite import composite_minimum
from argrad.solvers.constrained import constrained_minimum
from argrad.solvers.reduced import Inverse
from argrad.solvers.run import Outcome, minimum
from argrad.status import Status, raise_if

_DENSE = 500  # variables up to which a Hessian without a factor is formed and factorised


class Implicit(AbstractAdjoint):
    """Differentiate the optimality conditions: dy*/dx = −H⁻¹B, H = ∂²f/∂y², B = ∂²f/∂y∂x.

    `linear_solver` is any Lineax solver. The default goes by what there is: conjugate gradients
    preconditioned with the last factor where the solver left one (a few products), a Cholesky
    factor of H up to 500 variables, plain conjugate gradients above. The derivative with respect
    to the starting point is zero, because y* does not depend on it.

    `curvature(y, x, *args)` is a Lineax operator to take in place of H, such as
    `GaussNewton(model, loss)` or `Minibatch(objective, size)`, positive definite also where the
    objective is maximised: the derivative is as far off as it is. ValueError if there are
    constraints as well.

    Raises SolveError, or gives NaN under `throw=False`, where the lower solve did not converge,
    H is singular or indefinite, or the linear solve fails. A Lineax solver that does not assume
    full rank, such as `lineax.SVD()`, is taken at its word: with a singular H it gives the
    least-norm derivative.

    Source: Gould et al. 2016, arXiv:1607.05447, lemma 3.2.

    >>> import jax, lineax as lx, argrad as ag
    >>> adjoint = ag.Implicit(linear_solver=lx.CG(rtol=1e-6, atol=0.0))
    >>> solve = ag.argmin(lambda y, x: (y - x**2) ** 2, adjoint=adjoint)
    >>> jax.grad(solve)(3.0, 0.0)
    Array(6., dtype=float32, weak_type=True)
    """

    linear_solver: lx.AbstractLinearSolver | None = None
    curvature: Callable[..., lx.AbstractLinearOperator] | None = None

    def solve(self, problem, solver, max_steps, throw, y0, x, args):
        plain = problem.constraints is None and problem.nonsmooth is None
        if self.curvature is not None and not plain:
            raise ValueError(
                "Implicit cannot have curvature=... and constraints or a nonsmooth term: the "
                "matrix there has more to it than the curvature of the objective."
            )
        run, conditions = Minimise(solver, max_steps), conditions_of(problem)
        rule = LinearRule(self.linear_solver, throw, curvature=self.curvature)
        return implicit_function(run, conditions, y0, x, args, rule)


def conditions_of(problem: Problem) -> Conditions:
    """What holds at a minimum: ∂f/∂y = 0, or Karush, Kuhn and Tucker's where constraints are."""
    if problem.constraints is not None:
        return KKT(problem, "symmetric")
    if problem.nonsmooth is not None:
        return Composite(problem, "definite")
    return Conditions(Gradient(problem), "definite")


class Minimise(eqx.Module):
    """The solver part of `Implicit`, which derivatives never enter."""

    solver: optx.AbstractMinimiser | None
    max_steps: int = eqx.field(static=True)

    def __call__(self, conditions, y0, x, args):
        if isinstance(conditions, KKT):
            problem = conditions.residual
            return constrained_minimum(problem, self.solver, self.max_steps, y0, x, args)
        if isinstance(conditions, Composite):
            return composite_minimum(conditions.residual, self.max_steps, y0, x, args)
        problem = conditions.residual.problem
        return minimum(problem, self.solver, self.max_steps, y0, x, args)


class LinearRule(eqx.Module):
    """How the linear system of the implicit function theorem is solved and watched.

    `tol` is the largest relative error of y*, estimated by the Newton step that is left, at
    which it is still differentiated; None where the solver itself has vouched for y*. `curvature`
    gives ∂C/∂y where it is not the conditions' own.
    """

    linear_solver: lx.AbstractLinearSolver | None
    throw: bool = eqx.field(static=True)
    tol: float | None = eqx.field(static=True, default=None)
    curvature: Callable[..., lx.AbstractLinearOperator] | None = None


def implicit_function(
    solve: Callable[..., tuple[PyTree, Outcome]],
    conditions: Conditions,
    y0: PyTree[Array],
    x: PyTree,
    args: tuple,
    rule: LinearRule,
) -> tuple[PyTree[Array], Outcome]:
    """`solve(conditions, y0, x, args)`, differentiated by `conditions`.

    `conditions` must hold as leaves whatever arrays they depend on (`Conditions.closed`).
    """
    # Traced here once; the derivative's rule, which solves as well, would trace it again.
    solve = eqx.filter_closure_convert(solve, conditions, y0, x, args)
    y, outcome = _implicit(solve, conditions, y0, (x, args), rule)
    return y, lax.stop_gradient(outcome)


@eqx.filter_custom_jvp
def _implicit(solve, conditions, y0, inputs, rule):
    del rule
    return jax.tree.map(jnp.asarray, solve(conditions, y0, *inputs))


@_implicit.def_jvp
def _implicit_jvp(primals, tangents):
    _, conditions, _, inputs, rule = primals
    y, outcome = _implicit(*primals)
    parameters, directions = (conditions, inputs), (tangents[1], tangents[3])
    still = jax.tree.map(lambda t: t is None, directions, is_leaf=lambda t: t is None)
    fixed, moving = eqx.partition(parameters, still, is_leaf=lambda t: t is None)
    t_outcome = jax.tree.map(lambda _: None, outcome)
    if not jax.tree.leaves(moving):  # only the starting point moves, and y* does not follow it
        return (y, outcome), (jax.tree.map(jnp.zeros_like, y), t_outcome)

    def residual(moving):
        conditions, (x, args) = eqx.combine(moving, fixed)
        # Negated here, where it is one kernel with the rest, for dy = −(∂C/∂y)⁻¹ (∂C/∂x) dx.
        return jax.tree.map(jnp.negative, conditions.at(outcome)(y, x, *args))

    _, pushed = jax.jvp(residual, (moving,), (directions,))
    if not rule.throw:
        # Where the conditions do not depend on x at all, a failed solve would otherwise still be
        # given the derivative zero in reverse mode, which never comes to the linear solve.
        total = sum(jnp.sum(t) for t in jax.tree.leaves(directions))
        spoilt = jnp.where(outcome.status == Status.converged, 0.0, jnp.nan) * total
        pushed = jax.tree.map(lambda p: p + spoilt.astype(p.dtype), pushed)
    t_y = _solve(rule, conditions.at(outcome), y, inputs, outcome, pushed)
    return (y, outcome), (t_y, t_outcome)


def _solve(rule: LinearRule, conditions: Conditions, y, inputs, outcome: Outcome, b):
    """(∂C/∂y)⁻¹ b, or an error or NaN where that would not be a derivative."""
    x, args = inputs
    # As one vector: JAX transposes the solve only if all of b is linear, and a leaf that x does
    # not move is not.
    flat, unravel = ravel_pytree(b)

    def matvec(v):
        if rule.curvature is None:
            product = jax.jvp(lambda y: conditions(y, x, *args), (y,), (unravel(v),))[1]
        else:
            product = rule.curvature(y, x, *args).mv(unravel(v))
        return ravel_pytree(product)[0]

    def solve(direction, v):
        # From ∂C/∂y on, everything is made in here, where JAX differentiates nothing and
        # remembers nothing but what goes in.
        value, product = jax.linearize(lambda y: conditions(y, x, *args), y)
        linear_solver, options = _choose(rule, conditions, y, outcome)
        operator = _operator(rule, conditions, product, y, inputs)
        state = linear_solver.init(operator, options)
        status = _standing(rule, linear_solver, state, options, y, value, outcome)
        if direction == "back":
            state, options = linear_solver.transpose(state, options)
        u, result, _ = linear_solver.compute(state, unravel(v), options)
        solved = result == lx.RESULTS.successful
        if not isinstance(linear_solver, CG):  # which succeeds with finite numbers only
            solved &= jnp.all(jnp.isfinite(ravel_pytree(u)[0]))
        verdict = Status.where(solved | (status != Status.converged), status, Status.adjoint_failed)
        failed = verdict != Status.converged
        if rule.throw:
            numbers = {"gradient_norm": outcome.gradient_norm, "step_norm": outcome.step_norm}
            numbers = {"iterations": outcome.iterations, **numbers}
            u = raise_if(u, failed, verdict, numbers, getattr(outcome, "rows", None))
        else:
            u = jax.tree.map(lambda a: jnp.where(failed, jnp.nan, a), u)
        return ravel_pytree(u)[0]

    symmetric = conditions.curvature != "general"
    # JAX traces the solve once for each direction, unless it has a trace of it to find again.
    there = jax.jit(partial(solve, "there"))
    back = there if symmetric else partial(solve, "back")
    u = lax.custom_linear_solve(
        matvec, flat, lambda _, v: there(v), lambda _, v: back(v), symmetric=symmetric
    )
    return unravel(u)


def _operator(rule: LinearRule, conditions: Conditions, product, y, inputs):
    """∂C/∂y, or what the rule takes in its place."""
    if rule.curvature is not None:
        x, args = inputs
        return rule.curvature(y, x, *args)
    tags = {"definite": lx.positive_semidefinite_tag, "symmetric": lx.symmetric_tag}
    # The product is a jaxpr already, with its arrays as leaves.
    return lx.FunctionLinearOperator(
        product,
        jax.eval_shape(lambda: y),
        tags.get(conditions.curvature, ()),
        closure_convert=False,
    )


def _choose(rule: LinearRule, conditions: Conditions, y, outcome: Outcome):
    """The Lineax solver, and the options it is given."""
    flat, unravel = ravel_pytree(y)
    shape = jax.eval_shape(lambda: y)
    if rule.linear_solver is not None:
        return rule.linear_solver, learnt(outcome)
    if isinstance(outcome.factor, KKTInverse):
        kkt = outcome.factor

        def solve(v):
            primal, dual = kkt.solve(ravel_pytree(v.y)[0], jnp.concatenate([v.equal, v.below]))
            return unravel(jnp.concatenate([primal, dual]))

        inverse = lx.FunctionLinearOperator(solve, shape, lx.symmetric_tag)
        return Refinement(), {"preconditioner": inverse}
    if isinstance(outcome.factor, Inverse):
        return ByPiece(), {"inverse": outcome.factor}
    if conditions.curvature == "definite":
        if outcome.factor is not None:
            factor = outcome.factor
            inverse = lx.FunctionLinearOperator(
                lambda v: unravel(factor.solve(ravel_pytree(v)[0])),
                shape,
                lx.positive_semidefinite_tag,
                closure_convert=False,  # only `CG` sees it, here and now
            )
            return CG(), {"preconditioner": inverse}
        return (lx.Cholesky() if flat.size <= _DENSE else CG()), {}
    if flat.size <= _DENSE:
        return lx.LU(), {}
    tol = float(jnp.finfo(flat.dtype).eps) ** 0.75
    return lx.GMRES(rtol=tol, atol=0.0), {}


def learnt(outcome: Outcome) -> dict[str, Any]:
    """What the lower solve has learnt of the Hessian, as options for a linear solver."""
    return {} if outcome.pairs is None else {"pairs": lax.stop_gradient(outcome.pairs)}


def _standing(rule, linear_solver, state, options, y, value, outcome: Outcome):
    """The status of the solve, now that it is to be differentiated."""
    size = ravel_pytree(y)[0].size
    tiny = singular_threshold(size, ravel_pytree(y)[0].dtype)
    singular = jnp.array(False)
    if isinstance(linear_solver, lx.Cholesky):
        factor = state[0]
        pivots = jnp.diagonal(factor) ** 2 / jnp.sum(factor**2, axis=0)
        singular = jnp.min(pivots) <= tiny
    elif isinstance(linear_solver, lx.LU):
        pivots = jnp.abs(jnp.diagonal(state[0][0]))
        singular = jnp.min(pivots) <= tiny * jnp.max(pivots)
    status = outcome.status
    if not linear_solver.assume_full_rank():  # a pseudo-inverse was asked for
        degenerate = (status == Status.singular) | (status == Status.dependent)
        status = Status.where(degenerate, Status.converged, status)
    fine = status == Status.converged
    status = Status.where(fine & singular, Status.singular, status)
    if rule.tol is not None:
        left, _, _ = linear_solver.compute(state, value, options)
        error = jnp.linalg.norm(ravel_pytree(left)[0])
        far = error > rule.tol * (jnp.linalg.norm(ravel_pytree(y)[0]) + 1e-3)
        status = Status.where(fine & ~singular & far, Status.inaccurate, status)
    return status
