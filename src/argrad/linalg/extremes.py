"""The largest and the smallest element of a vector, NaN where one is NaN.

On CPUs, jaxlib 0.10 reduces vectors of some thousand elements by a loop that drops NaN, and with
it some of the other elements: of four thousand numbers and a NaN, `jnp.max` may be -inf.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

_SHORT = 1024  # up to here NaN is not lost, and one reduction is less to compile than two


def largest(v: Float[Array, " k"], initial: float = 0.0) -> Float[Array, ""]:
    """The largest element, `initial` if none is larger, NaN if one is NaN."""
    found = jnp.max(v, initial=initial)
    return found if v.size <= _SHORT else jnp.where(jnp.any(jnp.isnan(v)), jnp.nan, found)


def smallest(v: Float[Array, " k"], initial: float) -> Float[Array, ""]:
    """The smallest element, `initial` if none is smaller, NaN if one is NaN."""
    return -largest(-v, -initial)
