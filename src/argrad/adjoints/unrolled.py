"""Differentiate the solver's own steps, truncated: for what the optimality conditions miss."""

import functools as ft

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import optimistix as optx
from jax import lax
from jax.flatten_util import ravel_pytree

from argrad.adjoints.base import AbstractAdjoint, without_constraints
from argrad.solvers.newton import FACTORISED, Newton
from argrad.solvers.run import Outcome
from argrad.status import Status


class Unrolled(AbstractAdjoint):
    """Differentiate through at most `steps` steps of the solver, forwards or backwards.

    The derivative is that of the truncated iteration, not of y*: it depends on the starting
    point, and is differentiable with respect to it, which is what meta-learning and early
    stopping want. It costs memory for every step. It tends to dy*/dx as the iteration converges,
    no faster than y itself does (Gilbert 1992). Running out of steps is no error here; the status
    says `max_steps_reached`.

    The default solver is Optimistix' BFGS up to 1000 variables and L-BFGS above. ValueError for
    argrad's Newton, whose inner iterations cannot be differentiated backwards, and for fewer
    than one step.

    >>> import jax, optimistix as optx, argrad as ag
    >>> descent = optx.GradientDescent(0.25, rtol=1e-9, atol=1e-9)
    >>> solve = ag.argmin(lambda y, x: (y - x) ** 2, solver=descent, adjoint=ag.Unrolled(3))
    >>> jax.grad(solve)(1.0, 0.0), jax.grad(solve, argnums=1)(1.0, 0.0)
    (Array(0.875, dtype=float32, weak_type=True), Array(0.125, dtype=float32, weak_type=True))
    """

    steps: int = eqx.field(static=True)

    def __check_init__(self):
        if self.steps < 1:
            raise ValueError(f"Unrolled needs at least 1 step, got {self.steps}.")

    def solve(self, problem, solver, max_steps, throw, y0, x, args):
        del throw  # NaN in y is NaN in its derivative
        without_constraints(self, problem)
        flat, _ = ravel_pytree(y0)
        if isinstance(solver, Newton):
            raise ValueError(
                "Newton cannot be unrolled: its inner iterations have no reverse mode. Use "
                "Implicit(), or another solver such as optimistix.BFGS(rtol=1e-8, atol=1e-8)."
            )
        if solver is None:
            rtol = 10 * float(jnp.finfo(flat.dtype).eps)  # the steps decide, not a tolerance
            kind = optx.BFGS if flat.size <= FACTORISED else optx.LBFGS
            solver = kind(rtol=rtol, atol=rtol)

        def objective(y, inputs):
            problem, x, args = inputs
            return problem(y, x, *args)

        # The first step of Optimistix' own minimisers only evaluates the objective.
        found = optx.minimise(
            objective,
            solver,
            y0,
            (problem, x, args),
            max_steps=min(self.steps, max_steps) + (not isinstance(solver, optx.OptaxMinimiser)),
            adjoint=_BoundedLoop(),
            throw=False,
        )
        finite = jnp.all(jnp.isfinite(ravel_pytree(found.value)[0]))
        codes = optx.RESULTS
        status = Status.where(
            found.result == codes.successful, Status.converged, Status.max_steps_reached
        )
        status = Status.where(finite, status, Status.nonfinite)
        gradient = jax.grad(problem)(*lax.stop_gradient((found.value, x)), *args)
        norm = jnp.linalg.norm(ravel_pytree(gradient)[0])
        iterations = found.stats["num_steps"]
        outcome = Outcome(status, iterations, norm, jnp.full_like(norm, jnp.nan), None)
        return found.value, lax.stop_gradient(outcome)


class _BoundedLoop(optx.AbstractAdjoint):
    """Run the solver in a loop with a known bound, which JAX can differentiate in both modes."""

    def apply(self, primal_fn, rewrite_fn, inputs, tags):
        del rewrite_fn, tags
        return primal_fn((*inputs, ft.partial(eqxi.while_loop, kind="bounded")))
