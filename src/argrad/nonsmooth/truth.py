"""Values of a smoothed function, and soft truth: what stands beside a boolean.

A value is active if it depends on an argument that can be differentiated. Beside a boolean that
compares active values goes its soft value, a number between 0 and 1, which logic combines as if
they were independent probabilities.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array


class Value(NamedTuple):
    """A value of the function: with what stands beside a boolean, and whether it is active."""

    hard: Any
    soft: Array | None = None
    active: bool = False


def floating(array) -> bool:
    return jnp.issubdtype(jnp.result_type(array), jnp.floating)


def beside(value: Value) -> Array:
    """Its soft value; of one that compares nothing active, 0 or 1."""
    dtype = jnp.result_type(float) if value.soft is None else value.soft.dtype
    return value.hard.astype(dtype) if value.soft is None else value.soft


def mixed(share: Array, off: Array, on: Array, hard: Array) -> Array:
    """off + share (on − off), and `hard` where one of the two is not finite."""
    both = jnp.isfinite(off) & jnp.isfinite(on)
    a, b = (jnp.where(both, side, 0.0) for side in (off, on))
    share = jnp.asarray(share, hard.dtype)
    return jnp.where(both, a + share * (b - a), hard)


def logic(name: str, eqn, inputs: list[Value]) -> Value:
    hard = eqn.primitive.bind(*(value.hard for value in inputs), **eqn.params)
    p = [beside(value) for value in inputs]
    if name == "not":
        return Value(hard, 1 - p[0], True)
    if name == "and":
        return Value(hard, p[0] * p[1], True)
    if name == "or":
        return Value(hard, p[0] + p[1] - p[0] * p[1], True)
    axes = tuple(eqn.params["axes"])
    if name == "reduce_and":
        return Value(hard, jnp.prod(p[0], axes), True)
    return Value(hard, 1 - jnp.prod(1 - p[0], axes), True)


def converted(eqn, value: Value) -> Value:
    """A comparison as a number: as a float its soft value; as an integer both, for `cond`."""
    hard = eqn.primitive.bind(value.hard, **eqn.params)
    if jnp.issubdtype(eqn.params["new_dtype"], jnp.floating):
        return Value(jnp.asarray(value.soft, hard.dtype), None, True)
    return Value(hard, value.soft, True)
