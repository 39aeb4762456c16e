"""Optimality conditions: equations whose root is the lower solution."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree, Scalar

from argrad.problem import Problem

Curvature = Literal["definite", "symmetric", "general"]


class Conditions(eqx.Module):
    """C(y, x, *args) = 0 at the solution; C has the structure of y.

    `curvature` says what is known of ∂C/∂y there: `"definite"` (symmetric positive definite, as
    the Hessian at a minimum), `"symmetric"`, or `"general"`. It decides which linear solver
    differentiates the solution, and what is an error.
    """

    residual: Callable[..., PyTree]
    curvature: Curvature = eqx.field(static=True)

    def __call__(self, y: PyTree, x: PyTree, *args: Any) -> PyTree:
        return self.residual(y, x, *args)

    def closed(self, y: PyTree, x: PyTree, args: tuple) -> "Conditions":
        """The same conditions with the arrays that they close over as leaves."""
        return Conditions(eqx.filter_closure_convert(self.residual, y, x, *args), self.curvature)

    def at(self, outcome: Any) -> "Conditions":
        """The conditions as they hold near a solution that was found with this outcome."""
        del outcome
        return self


class Point(eqx.Module):
    """y with the multipliers of h = 0 and of g <= 0: what the conditions of a constrained problem
    determine."""

    y: PyTree[Array]
    equal: Float[Array, " e"]
    below: Float[Array, " i"]


class KKT(Conditions):
    """The Karush–Kuhn–Tucker conditions on the active rows.

    ∇f + λᵀ∇h + μᵀ∇g = 0,  h = 0,  g_i = 0 where active,  μ_i = 0 elsewhere
    """

    active: Bool[Array, " i"] | None = None

    def at(self, outcome):
        active = outcome.active[outcome.active.size - outcome.activity.size :]
        problem: Problem = self.residual
        return KKT(problem.on(outcome.pieces), self.curvature, active)

    def __call__(self, point, x, *args):
        problem: Problem = self.residual
        assert problem.constraints is not None
        below = jnp.where(self.active, point.below, 0)

        def lagrangian(y):
            h, g = problem.constraints(y, x, *args)
            return problem(y, x, *args) + point.equal @ h + below @ g, (h, g)

        stationarity, (h, g) = jax.grad(lagrangian, has_aux=True)(point.y)
        # Symmetric, as derivatives of the Lagrangian are: −1 on the diagonal of inactive rows.
        return Point(stationarity, h, jnp.where(self.active, g, -point.below))


class Composite(Conditions):
    """∂f/∂y + ∂g/∂y = 0 on the piece of the nonsmooth term g that the solve identified."""

    def at(self, outcome):
        problem: Problem = self.residual
        return Conditions(Gradient(problem.on(outcome.pieces)), self.curvature)


class Gradient(eqx.Module):
    """∂f/∂y, or −∂f/∂y for a maximum, carrying whatever arrays the objective carries."""

    problem: Problem

    def __call__(self, y, x, *args):
        return jax.grad(self.problem)(y, x, *args)


class _Displacement(eqx.Module):
    """y − T(y, x)."""

    step: Callable[..., PyTree]

    def __call__(self, y, x, *args):
        return jax.tree.map(lambda a, b: a - b, y, self.step(y, x, *args))


def stationarity(
    objective: Callable[..., Scalar], kind: Literal["minimum", "maximum", "saddle"] = "minimum"
) -> Conditions:
    """∂f/∂y (y, x, *args) = 0 for an objective f(y, x, *args) -> scalar.

    `kind` is what the solution is expected to be. A minimum or maximum is checked to be one when
    it is differentiated; with `"saddle"` only a singular Hessian is an error. ValueError for any
    other word.

    >>> import argrad as ag, jax.numpy as jnp
    >>> ag.stationarity(lambda y, x: (y - jnp.sin(x)) ** 2)(0.0, 0.0)
    Array(0., dtype=float32, weak_type=True)
    """
    if kind not in ("minimum", "maximum", "saddle"):
        raise ValueError(f"kind must be 'minimum', 'maximum' or 'saddle', got {kind!r}.")
    problem = Problem(objective, "max" if kind == "maximum" else "min")
    return Conditions(Gradient(problem), "symmetric" if kind == "saddle" else "definite")


def fixed_point(step: Callable[..., PyTree]) -> Conditions:
    """y = T(y, x, *args) for an iteration T that leaves the solution where it is.

    >>> import argrad as ag
    >>> ag.fixed_point(lambda y, x: 0.5 * (y + x / y))(2.0, 4.0)
    0.0
    """
    return Conditions(_Displacement(step), "general")


def root(residual: Callable[..., PyTree]) -> Conditions:
    """C(y, x, *args) = 0 for any function C that returns the structure of y.

    >>> import argrad as ag
    >>> ag.root(lambda y, x: y**3 - x)(2.0, 8.0)
    0.0
    """
    return Conditions(residual, "general")
