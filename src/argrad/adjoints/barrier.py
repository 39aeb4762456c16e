"""The log-barrier derivative: a constrained solution smoothed on purpose."""

from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from argrad.adjoints.base import AbstractAdjoint
from argrad.adjoints.implicit import LinearRule, implicit_function
from argrad.conditions import Conditions, Point
from argrad.problem import Problem
from argrad.solvers.active_set import STRONGLY_ACTIVE
from argrad.solvers.constrained import ConstrainedOutcome, flat_problem, interior
from argrad.solvers.interior_point import InteriorPoint
from argrad.status import Rows, Status


class Barrier(AbstractAdjoint):
    """Solve and differentiate the log-barrier problem instead of the constrained one.

        y_t(x) = argmin over y of f(y, x) − 1/t Σ log(−g_i(y, x))  subject to h(y, x) = 0

    y_t is a smooth function of x also where the active rows change, and tends to y* as t grows,
    with an error of O(1/t) in it and, away from kinks, in its derivative; at a kink its
    derivative lies between the two one-sided ones. What is returned is y_t with exactly its own
    derivative, and multipliers μ_i = −1 / (t g_i). ValueError where there are no inequalities
    and for t <= 0.

    Source: Gould et al. 2016, arXiv:1607.05447, section on inequality constraints.

    >>> import jax, argrad as ag
    >>> positive = [ag.box(0.0, None)]
    >>> smooth = ag.argmin(lambda y, x: (y - x) ** 2, subject_to=positive, adjoint=ag.Barrier(1e2))
    >>> jax.grad(smooth)(0.0, 1.0).round(3)  # a kink of max(x, 0), with slopes 0 and 1
    Array(0.5, dtype=float32, weak_type=True)
    """

    t: Float[Array, ""] = eqx.field(converter=jnp.asarray)

    def __check_init__(self):
        if not isinstance(self.t, jax.core.Tracer) and not self.t > 0:
            raise ValueError(f"Barrier needs t > 0, got {self.t}.")

    def solve(self, problem, solver, max_steps, throw, y0, x, args):
        if problem.constraints is None or not jax.tree.leaves(
            [g for _, g in problem.constraints.shapes(getattr(y0, "y", y0), x, args)]
        ):
            raise ValueError("Barrier(t) needs inequalities or bounds; use Implicit().")
        if problem.constraints.piecewise:
            raise ValueError(
                "Barrier(t) cannot smooth a ball or sphere that has several pieces: its solution "
                "would jump from one to the next. Use Implicit()."
            )
        rtol = None if solver is None else solver.rtol
        run = _Interior(rtol, max_steps)
        conditions = Perturbed(problem, "symmetric", self.t)
        return implicit_function(run, conditions, y0, x, args, LinearRule(None, throw))


class Perturbed(Conditions):
    """∇f + λᵀ∇h + μᵀ∇g = 0, h = 0, g_i + 1/(t μ_i) = 0."""

    t: Float[Array, ""]

    def __call__(self, point, x, *args):
        problem: Problem = self.residual
        assert problem.constraints is not None

        def lagrangian(y):
            h, g = problem.constraints(y, x, *args)
            return problem(y, x, *args) + point.equal @ h + point.below @ g, (h, g)

        stationarity, (h, g) = jax.grad(lagrangian, has_aux=True)(point.y)
        return Point(stationarity, h, g + 1 / (self.t.astype(g.dtype) * point.below))


class _Interior(eqx.Module):
    """The interior point method down to the barrier 1/t, and Newton's method there."""

    rtol: float | None = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)

    def __call__(self, conditions: Perturbed, start, x, args):
        problem = cast(Problem, conditions.residual)
        assert problem.constraints is not None
        warm = isinstance(start, Point)
        y0 = start.y if warm else start
        v0, unravel = ravel_pytree(y0)
        flat = flat_problem(problem, y0, x, args)
        e = flat.equalities
        given = jnp.concatenate([start.equal, start.below]) if warm else None
        barrier = (1 / conditions.t).astype(v0.dtype)
        solver: optx.AbstractMinimiser = InteriorPoint(rtol=self.rtol, barrier=barrier)
        found = interior(flat, solver, v0, given, self.max_steps)
        z0, split = ravel_pytree(
            Point(unravel(found.v), found.multipliers[:e], found.multipliers[e:])
        )
        residual = lambda z: ravel_pytree(conditions(split(z), x, *args))[0]
        eps = float(jnp.finfo(z0.dtype).eps)

        def newton(carry):
            z, _, last, steps = carry
            step = jnp.linalg.solve(jax.jacfwd(residual)(z), -residual(z))
            return z + step, last, jnp.linalg.norm(step), steps + 1

        def unfinished(carry):
            z, before, last, steps = carry
            falling = (steps < 2) | (last < 0.5 * before)
            return (last > 4 * eps * jnp.linalg.norm(z)) & falling & (steps < 10)

        infinite = jnp.full((), jnp.inf, z0.dtype)
        z, _, step_norm, steps = lax.while_loop(
            unfinished, newton, (z0, infinite, infinite, jnp.array(0))
        )
        point = split(z)
        h, g = problem.constraints(point.y, x, *args)
        good = jnp.all(point.below > 0) & jnp.all(g < 0)
        good &= step_norm <= eps**0.5 * jnp.linalg.norm(z)
        # A solver that gave up at the solution has found it; one that claims it has to show it.
        gave_up = (found.status == Status.stalled) | (found.status == Status.max_steps_reached)
        status = Status.where(good & gave_up, Status.converged, found.status)
        status = Status.where(~good & (status == Status.converged), Status.stalled, status)
        stationarity = ravel_pytree(conditions(point, x, *args).y)[0]
        outcome = ConstrainedOutcome(
            status=status,
            iterations=found.steps + steps,
            gradient_norm=jnp.linalg.norm(stationarity),
            step_norm=step_norm,
            factor=None,
            activity=jnp.full(g.size, STRONGLY_ACTIVE),
            active=jnp.ones(h.size + g.size, bool),
            violation=jnp.max(jnp.concatenate([jnp.abs(h), g]), initial=0.0),
            rows=Rows(jnp.full(1, -1), ()),
        )
        return point, outcome
