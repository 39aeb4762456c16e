"""Floor 2: argmin and argmax as transformations of functions."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Float, Int, PyTree, Scalar

from argrad.adjoints import AbstractAdjoint, Implicit
from argrad.problem import (
    Problem,
    Sense,
    check_objective,
    extra_arguments,
    parameters,
    starting_point,
)
from argrad.solvers.choice import as_minimiser
from argrad.status import Status, raise_if


class Solution(eqx.Module):
    """A solved lower problem, as one pytree.

    - `primal`: y*(x), with the structure of `init`, differentiable with respect to x.
    - `value`: f(y*(x), x), differentiable with respect to x by the envelope theorem, without a
      linear solve: its derivative is ∂f/∂x at y*.
    - `status`: an item of `Status`.
    - `iterations`: steps of the solver, polishing included.
    - `gradient_norm`: ‖∂f/∂y‖₂ at the last point where it was taken.
    - `step_norm`: the length of the last Newton step, an estimate of the error before it; NaN
      where no Newton step was taken.

    Under `vmap` each has one more axis. The last four have zero derivative.
    """

    primal: PyTree[Array]
    value: Scalar
    status: Any
    iterations: Int[Array, ""]
    gradient_norm: Float[Array, ""]
    step_norm: Float[Array, ""]


class Argmin(eqx.Module):
    """x -> y*(x), made by `argmin` or `argmax`."""

    problem: Problem
    solver: optx.AbstractMinimiser | None
    adjoint: AbstractAdjoint
    max_steps: int = eqx.field(static=True)
    throw: bool = eqx.field(static=True)

    def __call__(self, x: PyTree, init: PyTree, *args: Any) -> PyTree[Array]:
        """y*(x), from the starting point `init`. See `argmin`."""
        return self.solution(x, init, *args).primal

    def solution(self, x: PyTree, init: PyTree, *args: Any) -> Solution:
        """y*(x) and how it was found. Raises and differentiates as `argmin` says."""
        y0, x, args = starting_point(init), parameters(x), extra_arguments(args)
        solution, failed = _solve(self, y0, x, args)
        if not self.throw:
            return solution
        numbers = {
            "iterations": solution.iterations,
            "gradient_norm": solution.gradient_norm,
            "step_norm": solution.step_norm,
        }
        return raise_if(solution, failed, solution.status, numbers)


@eqx.filter_jit
def _solve(argmin: Argmin, y0: PyTree[Array], x: PyTree, args: tuple) -> tuple[Solution, Any]:
    check_objective(argmin.problem, y0, x, args)
    problem = argmin.problem.closed(y0, x, args)
    y, outcome = argmin.adjoint.solve(
        problem, argmin.solver, argmin.max_steps, argmin.throw, y0, x, args
    )
    # A singular Hessian is no fault of the solution, only of its derivative; a truncated
    # unrolled iteration is what was asked for.
    status = outcome.status
    failed = (status != Status.converged) & (status != Status.singular)
    if not isinstance(argmin.adjoint, Implicit):
        failed &= status != Status.max_steps_reached
    solution = Solution(
        primal=y,
        value=_value(y, (problem, x, args)),
        status=outcome.status,
        iterations=outcome.iterations,
        gradient_norm=outcome.gradient_norm,
        step_norm=outcome.step_norm,
    )
    return solution, failed


@eqx.filter_custom_jvp
def _value(y, inputs):
    problem, x, args = inputs
    return problem.value(y, x, *args)


@_value.def_jvp
def _value_jvp(primals, tangents):
    """Envelope theorem: the derivative through y* vanishes; the one through x is taken at y*(x).

    y stays in the tangent's expression, so that second derivatives do see dy*/dx.
    """
    y, inputs = primals
    still = jax.tree.map(lambda t: t is None, tangents[1], is_leaf=lambda t: t is None)
    fixed, moving = eqx.partition(inputs, still, is_leaf=lambda t: t is None)
    value = _value(y, inputs)
    if not jax.tree.leaves(moving):
        return value, jnp.zeros_like(value)

    def partial(moving):
        problem, x, args = eqx.combine(moving, fixed)
        return problem.value(y, x, *args)

    return value, jax.jvp(partial, (moving,), (tangents[1],))[1]


def argmin(
    objective: Callable[..., Scalar],
    *,
    solver: optx.AbstractMinimiser | Any | None = None,
    adjoint: AbstractAdjoint | None = None,
    max_steps: int = 1000,
    throw: bool = True,
) -> Argmin:
    """The function x -> y*(x) = argmin over y of f(y, x, *args), differentiable in x.

    `objective(y, x, *args)` returns a scalar; y and x are any pytrees, y of real floating-point
    arrays. Call the result as `solve(x, init, *args)`: `init` is where the solver starts and
    gives the structure of y; `args` are whatever else the objective needs (data, keys, flags),
    passed as they are. It is a JAX function: `jit`, `vmap`, `grad`, `jvp`, `jacobian`,
    `hessian` of any order and nesting in another objective work, also where the objective closes
    over traced values. By the implicit function theorem

        dy*/dx = −(∂²f/∂y²)⁻¹ ∂²f/∂y∂x   at (y*(x), x)

    which needs f twice differentiable near y* and its Hessian there positive definite.

    The derivative with respect to `init` is zero: a local minimum does not move with the place
    the search for it began. Where the start should matter, add it to the problem
    (`argrad.proximal`) or differentiate the iteration (`adjoint=argrad.Unrolled(steps)`).

    - `solver`: an Optimistix minimiser or an Optax optimiser; chosen by size if None. Whatever
      it finds is polished by Newton's method.
    - `adjoint`: `Implicit()` by default.
    - `max_steps`: the most iterations of the solver and of polishing together.
    - `throw`: raise SolveError where the solve did not converge or did not end at a minimum, and
      where its derivative does not exist or could not be computed; also inside `jit`. With False,
      `.solution(...).status` says so, for each element of a batch, and the derivative is NaN.

    Also raises TypeError for an `init` or solver of the wrong kind, and ValueError for an
    objective that does not return one number.

    Define the objective once and pass data through `x` and `args`: a new function object at
    every call is compiled at every call.

    Source: Gould et al. 2016, arXiv:1607.05447.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> solve = ag.argmin(lambda y, x: jnp.sum((y - jnp.sin(x)) ** 2) + 0.5 * jnp.sum(y**2))
    >>> solve(jnp.array([0.5, 1.0]), jnp.zeros(2)).round(4)
    Array([0.3196, 0.561 ], dtype=float32)
    >>> slope = jax.jacobian(lambda x: solve(x, jnp.zeros(2)).sum())
    >>> slope(jnp.array([0.5, 1.0])).round(4)  # 2/3 cos x
    Array([0.5851, 0.3602], dtype=float32)
    """
    return _make(objective, "min", solver, adjoint, max_steps, throw)


def argmax(
    objective: Callable[..., Scalar],
    *,
    solver: optx.AbstractMinimiser | Any | None = None,
    adjoint: AbstractAdjoint | None = None,
    max_steps: int = 1000,
    throw: bool = True,
) -> Argmin:
    """The function x -> y*(x) = argmax over y of f(y, x, *args), differentiable in x.

    Everything is as for `argmin`; the Hessian at the solution is negative definite, and
    `.solution(...).value` is the maximum.

    >>> import jax, argrad as ag
    >>> best = ag.argmax(lambda price, cost: (price - cost) * (10 - price))
    >>> best(2.0, 3.0), jax.grad(best)(2.0, 3.0)
    (Array(6., dtype=float32), Array(0.5, dtype=float32, weak_type=True))
    """
    return _make(objective, "max", solver, adjoint, max_steps, throw)


def _make(objective, sense: Sense, solver, adjoint, max_steps, throw) -> Argmin:
    if not callable(objective):
        raise TypeError(f"objective must be a function f(y, x, *args), got {objective!r}.")
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, got {max_steps}.")
    adjoint = Implicit() if adjoint is None else adjoint
    if not isinstance(adjoint, AbstractAdjoint):
        raise TypeError(
            f"adjoint must be Implicit(), Unrolled(steps) or OneStep(), got {adjoint!r}."
        )
    minimiser = None if solver is None else as_minimiser(solver)
    return Argmin(Problem(objective, sense), minimiser, adjoint, max_steps, throw)


def proximal(objective: Callable[..., Scalar], strength: float) -> Callable[..., Scalar]:
    """f(y, x, *args) + strength/2 ‖y − anchor‖², a function of y and the pair (x, anchor).

    What to differentiate instead of a starting point: y* follows its anchor, and with what
    slope is exact (Rajeswaran et al. 2019, implicit MAML). ValueError unless strength > 0.

    >>> import jax, argrad as ag
    >>> solve = ag.argmin(ag.proximal(lambda y, x: (y - x) ** 2, strength=2.0))
    >>> jax.grad(lambda anchor: solve((1.0, anchor), anchor))(0.0)
    Array(0.5, dtype=float32, weak_type=True)
    """
    if not strength > 0:
        raise ValueError(f"strength must be positive, got {strength}.")

    def anchored(y, pair, *args):
        x, anchor = pair
        squares = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), y, anchor)
        return objective(y, x, *args) + strength / 2 * sum(jax.tree.leaves(squares))

    return anchored
