"""What became of a solve, and errors that carry its numbers out of compiled code."""

from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, PyTree


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
        "met NaN or infinity in the objective or its gradient on the way. Start nearer to the "
        "solution, or rewrite the objective so that it is finite there"
    )
    nonfinite_start: Any = (
        "could not start: the objective or its gradient is NaN or infinite at init. Start where "
        "it is finite, and look for NaN in x and in the data"
    )
    saddle: Any = (
        "ended where the Hessian is indefinite: a saddle point, or a minimum where a maximum was "
        "asked for (or the reverse). Start elsewhere, or use argmax for argmin"
    )
    inaccurate: Any = (
        "returned a point too far from satisfying its optimality conditions: a derivative there "
        "would be that of another problem. Solve it more accurately, or raise tol"
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


class SolveError(RuntimeError):
    """A lower solve, or the linear solve that differentiates it, failed.

    Raised as it is outside `jit`; inside compiled code JAX wraps it in a
    `jax.errors.JaxRuntimeError` with the same text.

    >>> import argrad as ag
    >>> ag.argmin(lambda y, x: x * y)(1.0, 0.0)
    Traceback (most recent call last):
    argrad.status.SolveError: the lower solve ran away: ...
    """


def raise_if(tree: PyTree, failed: Bool[Array, ""], status: Any, numbers: dict[str, Any]) -> PyTree:
    """Return `tree`, or raise SolveError at run time where `failed`; under every transformation.

    `status` is an item of `Status`. Within a batch one failed element is enough, and the first
    of them is reported with its `numbers`. Where `failed` is known already, it raises at once.
    """
    if not isinstance(failed, jax.core.Tracer):
        if failed:
            _raise(np.asarray(True), status, numbers)
        return tree
    dynamic, static = eqx.partition(tree, eqx.is_array)
    numbers = {name: lax.stop_gradient(jnp.asarray(value)) for name, value in numbers.items()}
    return eqx.combine(_guard(dynamic, failed, status, numbers), static)


@eqx.filter_custom_jvp
def _guard(tree, failed, status, numbers):
    shapes = jax.eval_shape(lambda: tree)

    def fail():
        return jax.pure_callback(
            _raise, shapes, failed, status, numbers, vmap_method="broadcast_all"
        )

    return lax.cond(eqxi.unvmap_any(failed), fail, lambda: tree)


@_guard.def_jvp
def _guard_jvp(primals, tangents):
    return _guard(*primals), tangents[0]


def _raise(failed, status, numbers):
    failed = np.asarray(failed)
    first = int(np.argmax(failed.ravel()))

    def element(value):
        return np.asarray(np.broadcast_to(np.asarray(value), failed.shape).ravel()[first])

    status = jax.tree.map(element, status)
    described = ", ".join(
        f"{name.replace('_', ' ')} {element(value):.6g}" for name, value in numbers.items()
    )
    raise SolveError(f"the lower solve {Status[status]} ({described}).")
