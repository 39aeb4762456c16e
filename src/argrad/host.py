"""Floor 0: functions that need concrete NumPy arrays, called from compiled code."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, PyTree


def traceable(function: Callable, hint: str, *arguments: Any) -> bool:
    """Whether JAX can trace a function; its own errors about concrete values say that it cannot.

    Any other exception passes through, with `hint` as a note.
    """
    try:
        eqx.filter_eval_shape(function, *arguments)
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):
        return False
    except Exception as error:
        error.add_note(hint)
        raise
    return True


def on_host(function: Callable[..., PyTree], like: PyTree, inputs: PyTree[Array]) -> PyTree[Array]:
    """`function(inputs)` with NumPy arrays, one call for each element of a batch.

    The result has structure, shapes and dtypes of `like`. Numbers travel to the host and back as
    bytes: JAX may run the callback in a thread of its own, where `with jax.enable_x64(True)` does
    not hold, and would round float64 to float32 there.
    """
    dtypes = jax.tree.map(lambda a: a.dtype, inputs)

    def call(bits):
        found = function(jax.tree.map(_from_bits, bits, dtypes))
        return jax.tree.map(
            lambda a, old: np.asarray(a, old.dtype)[..., None].view("u1"), found, like
        )

    shapes = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct((*a.shape, a.dtype.itemsize), jnp.uint8), like
    )
    bits = jax.tree.map(_to_bits, inputs)
    found = jax.pure_callback(call, shapes, bits, vmap_method="sequential")
    return jax.tree.map(lambda a, old: lax.bitcast_convert_type(a, old.dtype), found, like)


def _to_bits(a: Array) -> Array:
    if a.dtype == bool:
        return a.astype(jnp.uint8)[..., None]
    bits = lax.bitcast_convert_type(a, jnp.uint8)
    return bits if a.dtype.itemsize > 1 else bits[..., None]


def _from_bits(bits: Array, dtype: np.dtype) -> np.ndarray:
    return np.ascontiguousarray(bits).view(dtype)[..., 0]
