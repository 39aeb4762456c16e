"""A few bits by which a matrix is known again without keeping it."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, UInt


def fingerprint(matrix: Float[Array, "k n"]) -> UInt[Array, " w"]:
    """64 bits: the same for the same numbers; for others too with a chance of about 2⁻⁶⁰.

    Σ uᵢ vⱼ mix(bits of the number at i, j) modulo 2⁶⁴ (of float32 two such sums modulo 2³²) with
    odd pseudo-random weights. Sums of integers do not depend on the order that a compiler chooses.
    Numbers count as their bits, so that 0 and −0 are two.

    Source: Dietzfelbinger 1996, universal hashing by multiplication.
    """
    wide = jnp.finfo(matrix.dtype).bits == 64
    word, shift, sums = (np.uint64, 29, 1) if wide else (np.uint32, 15, 2)
    if not wide:
        matrix = matrix.astype(jnp.float32)  # that of fewer bits, exactly
    bits = lax.bitcast_convert_type(matrix, word)
    # Odd weights leave a sign where it is, the highest bit, where two that change would cancel.
    bits = bits ^ (bits >> word(shift))
    constants = np.random.default_rng(160705447)
    whole = lambda size: constants.integers(0, np.iinfo(word).max, size, word, endpoint=True)
    odd = lambda size: whole(size) | word(1)
    weights = [tuple(map(odd, matrix.shape)) for _ in range(sums)]
    # As a product with a vector, which XLA does in one pass, unlike a sum of products.
    return jnp.stack([jnp.sum((bits @ v) * u, dtype=word) for u, v in weights])
