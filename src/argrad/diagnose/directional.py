"""One-sided derivatives, where there is no other."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from argrad.diagnose.kinks import across_kinks
from argrad.diagnose.local import as_direction, hessian_at, local_model
from argrad.diagnose.one_sided import one_sided
from argrad.problem import extra_arguments, parameters
from argrad.status import SolveError
from argrad.transformation import Argmin, Value


def directional(
    solve: Argmin | Value, x: PyTree, direction: PyTree, init: PyTree, *args: Any
) -> PyTree[Array]:
    """lim (y*(x + t d) − y*(x)) / t as t falls to 0: the derivative of y* to the side of d.

    With the structure of y*, or one number for `value(solve)`. It exists under weaker conditions
    than a derivative: weakly active constraints (a kink of y*), active constraints that depend on
    each other (multipliers not unique) and kinks of nonsmooth terms are allowed. Along d and −d the
    two results are minus each other exactly where y* has a derivative in that direction.

    `init` and `args` are those of `solve(x, init, *args)`. Computed on the host: not for use
    inside `jit`. Raises SolveError where the solve fails, where nothing is feasible on that side,
    where second-order sufficiency fails, on an edge of a 1-norm ball or a sphere of the 1- or
    ∞-norm where that constraint does not press, and where several singular values enter a nuclear
    norm together; ValueError for a direction not shaped like x.

    Source: Jittorntrum 1984; Ralph and Dempe 1995; Robinson 1980 for nonsmooth terms.

    >>> import argrad as ag
    >>> capped = ag.argmin(lambda y, x: (y - x) ** 2, subject_to=[ag.box(None, 1.0)])
    >>> ahead, back = (ag.directional(capped, 1.0, side, 0.0) for side in (1.0, -1.0))
    >>> print(f"{abs(ahead):.3f} {back:.3f}")
    0.000 -1.000
    """
    of_value = isinstance(solve, Value)
    argmin = solve.solve if isinstance(solve, Value) else solve
    if isinstance(argmin, Argmin) and argmin.problem.constraints is None:
        x, direction = as_direction(x, direction, "directional")
        if argmin.problem.nonsmooth is not None and not of_value:
            found = across_kinks(argmin, x, direction, init, args)
            if found is not None:
                return found
        return jax.jvp(lambda x: solve(x, init, *args), (x,), (direction,))[1]
    local = local_model(argmin, x, direction, init, args, "directional")
    if local.undecided and not of_value:
        raise SolveError(
            "the solution lies on an edge of a ball or sphere and nothing presses it there, so "
            "that it may move on to any of the pieces that meet; directional knows one of them."
        )
    y, dtype = local.solution.primal, local.v.dtype
    extra = extra_arguments(args)
    x = parameters(x)
    found = one_sided(local, lambda dual: hessian_at(argmin, y, jnp.asarray(dual, dtype), x, extra))
    if of_value:
        sign = 1 if argmin.problem.sense == "min" else -1
        return jnp.asarray(sign * found.value, dtype)
    return ravel_pytree(y)[1](jnp.asarray(found.v, dtype))
