"""Second derivatives by differences of first ones, where there are no others."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Scalar


def finite_difference(
    objective: Callable[..., Scalar], *, scale: float = 1.0
) -> Callable[..., Scalar]:
    """The same objective f(y, x, *args), whose second derivatives are differences of its first.

    For an f that has a gradient but no more: one with a `jax.custom_vjp`, a simulator that
    returns its own gradient, an operation whose derivative JAX cannot differentiate again. A
    product of the Hessian, or of the mixed derivatives in y, x and args, with v costs two
    gradients:

        H v ≈ (∇f(y + h v) − ∇f(y − h v)) / 2h,  h ‖v‖ = eps^(1/3) (scale + |y| along v)

    The error is h² ‖v‖² / 6 times the fourth derivative of f plus the rounding of ∇f over h: of
    the order of eps^(2/3), 4e-11 in float64 and 2e-5 in float32, where f varies over lengths of
    `scale`. The product with the transpose uses the symmetry of second derivatives. Linear
    solvers see a map that is linear only up to that error, so ask them for no more.

    What is to be differentiated has to be in y, x or args, not closed over. Third derivatives,
    which second derivatives of y*(x) need, raise NotImplementedError. ValueError for scale <= 0.

    Source: Nocedal and Wright 2006, section 8.1.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> @jax.custom_vjp
    ... def simulator(y, x):  # its derivative is known to JAX in reverse mode, and once
    ...     return jnp.cosh(y - x)
    >>> def forward(y, x):
    ...     return jnp.cosh(y - x), jnp.sinh(y - x)
    >>> simulator.defvjp(forward, lambda slope, cotangent: (cotangent * slope, -cotangent * slope))
    >>> solve = ag.argmin(ag.finite_difference(simulator))
    >>> jax.grad(solve)(0.5, 0.0).round(3)
    Array(1., dtype=float32, weak_type=True)
    """
    if not scale > 0:
        raise ValueError(f"finite_difference needs scale > 0, got {scale}.")

    def differenced(y, x, *args):
        arrays, rest = eqx.partition((y, x, args), eqx.is_array)
        leaves, structure = jax.tree.flatten(arrays)

        def flat(*leaves):
            y, x, args = eqx.combine(jax.tree.unflatten(structure, leaves), rest)
            return objective(y, x, *args)

        return _once_differentiable(flat, scale)(*leaves)

    return differenced


def _once_differentiable(f: Callable[..., Scalar], scale: float) -> Callable[..., Scalar]:
    """f, whose derivative is the product with `_gradient`."""
    function = jax.custom_jvp(f)

    def rule(primals, tangents):
        moving = _moving(tangents)
        slopes = _gradient(f, moving, scale)(*primals)
        pairs = zip(slopes, moving, strict=True)
        return function(*primals), sum(jnp.sum(slope * tangents[i]) for slope, i in pairs)

    function.defjvp(rule, symbolic_zeros=True)
    return function


def _gradient(f: Callable[..., Scalar], of: list[int], scale: float) -> Callable[..., Any]:
    """The gradient by these leaves, whose derivative is a difference."""
    gradient = jax.custom_jvp(lambda *leaves: jax.grad(f, of)(*leaves))

    def rule(primals, tangents):
        moving = _moving(tangents)
        primals = _refuse_third_derivatives(*primals)
        # All that moves or is derived by: among these second derivatives are a symmetric matrix.
        both = sorted({*of, *moving})
        here, unravel = ravel_pytree([primals[i] for i in both])

        def at(v):
            leaves = list(primals)
            for i, leaf in zip(both, unravel(v), strict=True):
                leaves[i] = leaf
            return ravel_pytree(jax.grad(f, both)(*leaves))[0]

        def product(_, v):
            norm = jnp.linalg.norm(v)
            norm = jnp.where(norm > 0, norm, 1)
            length = scale + jnp.linalg.norm(here * v) / norm
            h = float(jnp.finfo(v.dtype).eps) ** (1 / 3) * length / norm
            return (at(here + h * v) - at(here - h * v)) / (2 * h)

        direction = [tangents[i] if i in moving else jnp.zeros_like(primals[i]) for i in both]
        # Not a linear solve: JAX's one way to state a linear map together with its transpose, in a
        # form that it also knows how to batch. The system that it would differentiate is u = v.
        found = lax.custom_linear_solve(
            lambda v: v, ravel_pytree(direction)[0], product, symmetric=True
        )
        parts = dict(zip(both, unravel(found), strict=True))
        return gradient(*primals), tuple(parts[i] for i in of)

    gradient.defjvp(rule, symbolic_zeros=True)
    return gradient


def _moving(tangents) -> list[int]:
    return [i for i, t in enumerate(tangents) if not isinstance(t, SymbolicZero)]


@jax.custom_jvp
def _refuse_third_derivatives(*leaves: Array):
    return leaves


@_refuse_third_derivatives.defjvp
def _(primals, tangents):
    del primals, tangents
    raise NotImplementedError(
        "An objective made by argrad.finite_difference has no third derivatives, which second "
        "derivatives of its argmin need."
    )
