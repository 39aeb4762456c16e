"""Differentiate one step taken at the solution."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from argrad.adjoints.base import AbstractAdjoint, without_constraints
from argrad.linalg.power_iteration import largest_eigenvalue
from argrad.solvers.run import minimum
from argrad.status import Status, raise_if


class OneStep(AbstractAdjoint):
    """Differentiate y* as if one step T(y*, x) had produced it: dy*/dx ≈ ∂T/∂x.

    `step(y, x, *args)` is an iteration that leaves the solution in place. The default is a
    gradient step y − ∇f/L, L the largest curvature at y*, estimated in twenty products: its
    derivative is −B/L, which is H/L times the right one, so it is off by a factor between μ/L
    and 1 along each direction of curvature between μ and L. Cheap, and right in direction only
    where the problem is well conditioned; a Newton step makes it exact.

    Source: Bolte, Pauwels and Vaiter 2023, arXiv:2305.13768.

    >>> import jax, argrad as ag
    >>> solve = ag.argmin(lambda y, x: (y - x) ** 2, adjoint=ag.OneStep())
    >>> jax.grad(solve)(1.0, 0.0)
    Array(1., dtype=float32, weak_type=True)
    """

    step: Callable[..., PyTree] | None = None

    def solve(self, problem, solver, max_steps, throw, y0, x, args):
        without_constraints(self, problem)
        still = jax.tree.map(
            lambda leaf: lax.stop_gradient(leaf) if eqx.is_array(leaf) else leaf,
            (problem, y0, x, args),
        )
        stopped, y0, still_x, still_args = still
        y, outcome = minimum(stopped, solver, max_steps, y0, still_x, still_args)
        if self.step is None:
            rate = 1 / _largest_curvature(lambda v: jax.grad(stopped)(v, still_x, *still_args), y)
            moved = jax.tree.map(lambda g: -rate * g, jax.grad(problem)(y, x, *args))
        else:
            moved = self.step(y, x, *args)
        # The value stays y*; only the derivative is the step's.
        moved = jax.tree.map(lambda m: m - lax.stop_gradient(m), moved)
        if throw:  # whoever called raises for every other failure
            singular = outcome.status == Status.singular
            numbers = {"iterations": outcome.iterations, "gradient_norm": outcome.gradient_norm}
            moved = raise_if(moved, singular, outcome.status, numbers)
        else:
            good = outcome.status == Status.converged
            # A factor, not a choice: in reverse mode the branch not chosen would spread its NaN.
            spoilt = jnp.where(good, 1.0, jnp.nan)
            moved = jax.tree.map(lambda m: m * spoilt.astype(m.dtype), moved)
        return jax.tree.map(jnp.add, y, moved), outcome


def _largest_curvature(gradient: Callable[[PyTree], PyTree], y: PyTree) -> Float[Array, ""]:
    flat, unravel = ravel_pytree(y)
    _, hvp = jax.linearize(lambda v: ravel_pytree(gradient(unravel(v)))[0], flat)
    return largest_eigenvalue(hvp, flat, 20)
