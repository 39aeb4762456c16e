"""What became of a solve, and errors that carry its numbers out of compiled code."""

import functools
from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Int, PyTree

from argrad.rows import Layout, row_name


class Status(eqx.Enumeration):
    """Outcome of a lower solve; a JAX value, so that `vmap` keeps one an element.

    >>> import argrad as ag
    >>> solve = ag.argmin(lambda y, x: (y - x) ** 2)
    >>> solve.solution(1.0, 0.0).status == ag.Status.converged
    Array(True, dtype=bool)
    """

    converged: Any = "converged"
    max_steps_reached: Any = (
        "did not converge: max_steps was reached. Raise max_steps, start nearer to the solution, "
        "or choose another solver"
    )
    stalled: Any = (
        "did not converge: no step along the search direction lowers the objective any more. It "
        "may not be smooth there, or its gradient may be wrong"
    )
    unbounded: Any = (
        "ran away: the iterates grow without limit, so the objective is probably unbounded. "
        "Add a penalty or constraint that keeps y finite"
    )
    nonfinite: Any = (
        "met NaN or infinity in the objective, a constraint or the gradient of either on the way. "
        "Start nearer to the solution, or rewrite what is not finite there"
    )
    nonfinite_start: Any = (
        "could not start: the objective, a constraint or the gradient of either is NaN or infinite "
        "at init. Start where it is finite, and look for NaN in x and in the data"
    )
    saddle: Any = (
        "ended where the Hessian is indefinite: a saddle point, or a minimum where a maximum was "
        "asked for (or the reverse). Start elsewhere, or use argmax for argmin"
    )
    nonconvex: Any = (
        "is not convex: the Hessian has negative curvature, so that a point which satisfies the "
        "optimality conditions need not be a minimum. Use argmin(..., subject_to=[...]) for a "
        "local solution, or argmax or -Q if the sign is wrong"
    )
    infeasible: Any = (
        "found no point that satisfies the constraints; where it came nearest, these conflict "
        "with the others. Relax one of them, or, if the problem is not convex, start elsewhere"
    )
    kink: Any = (
        "ended at a kink: a constraint holds with equality but does not press, or what a nonsmooth "
        "term holds is about to move, so y* has another slope on each side and no derivative. "
        "argrad.value gives the derivative of the value and argrad.directional both sides; for "
        "constraints adjoint=Barrier(t) gives a smooth neighbour"
    )
    dependent: Any = (
        "ended where the gradients of the active constraints depend on each other (LICQ fails), "
        "so that multipliers are not unique and derivatives not to be had from them. Remove a "
        "redundant one of those named here, or use argrad.directional"
    )
    inaccurate: Any = (
        "returned a point too far from satisfying its optimality conditions: a derivative there "
        "would be that of another problem. Solve it more accurately, or raise tol"
    )
    not_the_best: Any = (
        "returned something that is not best: for one objective <theta, y>, its solution of "
        'another does better. Say sense="min" to argrad.perturbed if the solver minimises, solve '
        "more accurately, or raise tol"
    )
    singular: Any = (
        "found a minimum whose Hessian is singular: y* is not an isolated smooth function of x, "
        "so it has no derivative. Add a small quadratic penalty, or remove the flat direction. If "
        "the variables only differ in scale by many orders, rescale them or use Newton(patience=0)"
    )
    adjoint_failed: Any = (
        "could not be differentiated: the linear solve with its Hessian failed. The Hessian is "
        "singular or indefinite there (see whether the point is a minimum), or too "
        "ill-conditioned (use a stronger Implicit(linear_solver=...)), or it or the derivative to "
        "be propagated holds NaN or infinity (as second derivatives of |y| or sqrt(y) do at 0)"
    )


def found(status: Any) -> Bool[Array, ""]:
    """Whether a solution was found, differentiable or not."""
    known = status == Status.converged
    for only_the_derivative in (Status.singular, Status.kink, Status.dependent):
        known |= status == only_the_derivative
    return known


_FINE = -1  # in place of the status of an element of a batch that did not fail


class SolveError(RuntimeError):
    """A lower solve, or the linear solve that differentiates it, failed.

    Raised as it is outside `jit`; inside compiled code, and derivatives are compiled by
    themselves, JAX wraps it in a `jax.errors.JaxRuntimeError` with the same text. Both are
    RuntimeErrors, so `except RuntimeError` has either.

    >>> import argrad as ag
    >>> ag.argmin(lambda y, x: x * y)(1.0, 0.0)
    Traceback (most recent call last):
    argrad.status.SolveError: the lower solve ran away: ...
    """


class Rows(eqx.Module):
    """Rows of the constraints that have to do with a failure, and what they are called.

    `indices` counts through all rows; negative ones stand for nothing.
    """

    indices: Int[Array, " k"]
    layout: Layout = eqx.field(static=True)


def raise_if(
    tree: PyTree,
    failed: Bool[Array, ""],
    status: Any,
    numbers: dict[str, Any],
    rows: Rows | None = None,
) -> PyTree:
    """Return `tree`, or raise SolveError at run time where `failed`; under every transformation.

    `status` is an item of `Status`. Within a batch one failed element is enough, and the first
    of them is reported with its `numbers` and `rows`. Where `failed` is known already, it raises
    at once.
    """
    layout = () if rows is None else rows.layout
    # Outside `jit` even an empty array of JAX would take its tenth of a millisecond.
    indices = np.zeros(0, int) if rows is None else lax.stop_gradient(rows.indices)
    (code,), item = jax.tree.flatten(status)
    if not isinstance(failed, jax.core.Tracer):
        if failed:
            given = np.array([float(value) for value in (code, *numbers.values())])
            _raise(layout, tuple(numbers), item, given, indices)
        return tree
    dynamic, static = eqx.partition(tree, eqx.is_array)
    # In one array: each scalar that compiled code hands out is a kernel of its own to compile.
    known = [jnp.where(failed, code, _FINE), *map(lax.stop_gradient, numbers.values())]
    values = jnp.stack([jnp.asarray(value, float) for value in known])
    raise_ = functools.partial(_raise, layout, tuple(numbers), item)
    return eqx.combine(_guard(dynamic, failed, values, indices, raise_), static)


@eqx.filter_custom_jvp
def _guard(tree, failed, values, indices, raise_):
    if not isinstance(failed, jax.core.Tracer):  # differentiated, but not compiled
        if failed.any():
            raise_(values, indices)
        return tree
    shapes = jax.eval_shape(lambda: tree)

    def fail():
        return jax.pure_callback(raise_, shapes, values, indices, vmap_method="broadcast_all")

    return lax.cond(eqxi.unvmap_any(failed), fail, lambda: tree)


@_guard.def_jvp
def _guard_jvp(primals, tangents):
    return _guard(*primals), tangents[0]


def _raise(layout, names, item, values, indices):
    values, indices = np.asarray(values), np.asarray(indices)
    first = np.unravel_index(np.argmax(values[..., 0] != _FINE), values.shape[:-1])
    code, *found = values[first]
    status = jax.tree.unflatten(item, [np.asarray(code, int)])
    pairs = zip(names, found, strict=True)
    described = [f"{name.replace('_', ' ')} {value:.6g}" for name, value in pairs]
    every = np.broadcast_to(indices, (*values.shape[:-1], indices.shape[-1]))
    rows = [int(i) for i in every[first] if i >= 0]
    if rows:
        described.insert(0, "constraints " + ", ".join(row_name(layout, i) for i in rows))
    raise SolveError(f"the lower solve {Status[status]} ({', '.join(described)}).")
