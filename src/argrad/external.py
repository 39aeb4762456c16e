"""Floor 2: differentiate a solver that argrad does not know."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from argrad.adjoints.implicit import LinearRule, implicit_function
from argrad.conditions import Conditions
from argrad.host import on_host, traceable
from argrad.problem import Function, extra_arguments, parameters, starting_point
from argrad.solvers.run import Outcome
from argrad.status import Status, raise_if


class External(Function):
    """x -> y*(x) by a solver of one's own, made by `implicit`."""

    solver: Callable[..., PyTree]
    conditions: Conditions
    linear_solver: lx.AbstractLinearSolver | None
    tol: float = eqx.field(static=True)
    host: bool | None = eqx.field(static=True)
    throw: bool = eqx.field(static=True)

    def __call__(self, x: PyTree, init: PyTree, *args: Any) -> PyTree[Array]:
        """y*(x): `solver(x, init, *args)`, differentiated by the conditions. See `implicit`."""
        y0, x, args = starting_point(init), parameters(x), extra_arguments(args)
        y, status, norm = _solve(self, y0, x, args)
        if not self.throw:
            return y
        failed = status != Status.converged
        numbers = {"residual_norm": norm}
        return raise_if(y, failed, status, numbers)


@eqx.filter_jit
def _solve(external: External, y0, x, args):
    run = runner(external, y0, x, args)
    tol = external.tol if math.isfinite(external.tol) else None
    rule = LinearRule(external.linear_solver, external.throw, tol)
    conditions = external.conditions.closed(y0, x, args)
    y, outcome = implicit_function(run, conditions, y0, x, args, rule)
    return y, outcome.status, outcome.gradient_norm


def runner(external: External, y0: PyTree, x: PyTree, args: tuple) -> "_Host | _Traced":
    """What runs the solver, on the host or traced, as (conditions, y0, x, args) -> y, outcome."""
    host = external.host
    if host is None:
        hint = (
            "This happened while tracing the solver with JAX. If it is not written in JAX, pass "
            "host=True to argrad.implicit."
        )
        host = not traceable(external.solver, hint, x, y0, *args)
    return _Host(external.solver) if host else _Traced(external.solver)


class _Traced(eqx.Module):
    """Run a solver written in JAX."""

    solver: Callable[..., PyTree]

    def __call__(self, conditions, y0, x, args):
        y = self.solver(x, y0, *args)
        _check_structure(y, y0)
        y = jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), y, y0)
        return y, _outcome(conditions, y, x, args)


class _Host(eqx.Module):
    """Run a solver that needs concrete NumPy arrays, one problem at a time."""

    solver: Callable[..., PyTree]

    def __call__(self, conditions, y0, x, args):
        dynamic, static = eqx.partition((x, y0, args), eqx.is_array)

        def call(inputs):
            x, y0, args = eqx.combine(inputs, static)
            y = self.solver(x, y0, *args)
            _check_structure(y, y0)
            return y

        y = on_host(call, jax.eval_shape(lambda: y0), dynamic)
        return y, _outcome(conditions, y, x, args)


def _check_structure(y: PyTree, y0: PyTree) -> None:
    found: Any = jax.tree.structure(y)
    wanted: Any = jax.tree.structure(y0)
    if found != wanted:
        raise ValueError(
            f"the solver returned {found}, but init is {wanted}; they must be the same pytree. "
            "Return the solution alone, not a pair with a report."
        )
    for new, old in zip(jax.tree.leaves(y), jax.tree.leaves(y0), strict=True):
        if np.shape(new) != np.shape(old):
            raise ValueError(
                f"the solver returned an array of shape {np.shape(new)} where init has "
                f"{np.shape(old)}; they must agree."
            )


def _outcome(conditions, y, x, args) -> Outcome:
    residual, _ = ravel_pytree(conditions(y, x, *args))
    finite = jnp.all(jnp.isfinite(ravel_pytree(y)[0])) & jnp.all(jnp.isfinite(residual))
    norm = jnp.linalg.norm(residual)
    return Outcome(
        status=Status.where(finite, Status.converged, Status.nonfinite),
        iterations=jnp.array(0),
        gradient_norm=norm,
        step_norm=jnp.full_like(norm, jnp.nan),
        factor=None,
    )


def implicit(
    solver: Callable[..., PyTree],
    conditions: Conditions,
    *,
    linear_solver: lx.AbstractLinearSolver | None = None,
    tol: float = 1e-3,
    host: bool | None = None,
    throw: bool = True,
) -> External:
    """The function x -> solver(x, init, *args), differentiated by its optimality conditions.

    `solver` may be anything that returns y* with the structure of `init`: a JAX function, SciPy,
    a fitted library, a subprocess. With C(y*, x) = 0 its derivative is

        dy*/dx = −(∂C/∂y)⁻¹ ∂C/∂x

    of any order, in both modes, under `jit` and `vmap`, whatever the solver did inside.

    - `conditions`: `stationarity(f)`, `fixed_point(T)` or `root(C)`, written in JAX.
    - `linear_solver`: any Lineax solver; by default Cholesky or LU up to 500 variables and
      conjugate gradients or GMRES above.
    - `tol`: the largest relative error of y* at which it is still differentiated, estimated by
      the Newton step that is left. A solution worse than that is not the one whose derivative
      the conditions give. The estimate costs one more solve with ∂C/∂y; infinity does without.
    - `host`: whether the solver must be called with NumPy arrays from outside compiled code. By
      default it is tried with JAX first; say True for one that must not be called in vain, such
      as a subprocess.
    - `throw`: raise SolveError where y* is not finite or its derivative would be wrong; with
      False the derivative is NaN there.

    Raises TypeError for `conditions` of another kind, ValueError for a solver whose result does
    not have the structure of `init`.

    Source: Blondel et al. 2022, arXiv:2105.15183, after Gould et al. 2016.

    >>> import jax, jax.numpy as jnp, numpy as np, argrad as ag
    >>> def ridge(x, init, A, b):  # NumPy, not JAX
    ...     return np.linalg.solve(A.T @ A + x * np.eye(A.shape[1]), A.T @ b)
    >>> def loss(w, x, A, b):
    ...     return 0.5 * jnp.sum((A @ w - b) ** 2) + 0.5 * x * jnp.sum(w**2)
    >>> solve = ag.implicit(ridge, ag.stationarity(loss))
    >>> A, b = np.eye(2), np.array([1.0, 2.0])
    >>> jax.jacobian(solve)(1.0, np.zeros(2), A, b).round(4)
    Array([-0.25, -0.5 ], dtype=float32)
    """
    if not isinstance(conditions, Conditions):
        raise TypeError(
            "conditions must come from argrad.stationarity, argrad.fixed_point or argrad.root, "
            f"got {conditions!r}."
        )
    if not tol > 0:
        raise ValueError(f"tol must be positive, got {tol}.")
    return External(solver, conditions, linear_solver, tol, host, throw)
