"""A constrained problem at a point: values, first derivatives, Hessian of the Lagrangian."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Vector = Float[Array, " d"]


class Flat(NamedTuple):
    """min f(v) subject to the first `equalities` rows of c(v) = 0 and the others <= 0."""

    objective: Callable[[Vector], Float[Array, ""]]
    rows: Callable[[Vector], Float[Array, " m"]]
    equalities: int


class Model(NamedTuple):
    """f, ∇f, c and its Jacobian at one point."""

    value: Float[Array, ""]
    gradient: Vector
    c: Float[Array, " m"]
    jacobian: Float[Array, "m d"]

    def lagrangian_gradient(self, multipliers: Float[Array, " m"]) -> Vector:
        """∇f + Aᵀ l."""
        return self.gradient + multipliers @ self.jacobian


def first_order(flat: Flat, v: Vector) -> Model:
    """The model of first order at v."""
    value, gradient = jax.value_and_grad(flat.objective)(v)
    c = flat.rows(v)
    jacobian = jax.jacfwd(flat.rows) if v.size <= c.size else jax.jacrev(flat.rows)
    return Model(value, gradient, c, jacobian(v))


def lagrangian_hessian(
    flat: Flat, v: Vector, multipliers: Float[Array, " m"]
) -> Float[Array, "d d"]:
    """∂²/∂v² of f + lᵀc."""

    def lagrangian(v):
        return flat.objective(v) + multipliers @ flat.rows(v)

    _, hvp = jax.linearize(jax.grad(lagrangian), v)
    return jax.vmap(hvp)(jnp.eye(v.size, dtype=v.dtype))
