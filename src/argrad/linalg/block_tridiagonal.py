"""Cholesky factors of symmetric positive definite banded matrices, block by block.

A matrix whose half bandwidth is at most k is block tridiagonal with blocks of k × k:

    [ D₀  B₁ᵀ          ]
    [ B₁  D₁  B₂ᵀ      ]  =  L Lᵀ,   L with Cₛ on its diagonal and Wₛ = Bₛ C₍ₛ₋₁₎⁻ᵀ below it
    [     B₂  D₂   ⋱   ]
    [         ⋱    ⋱   ]

so that time is O(n k²) and memory O(n k), in dense arithmetic on small blocks.

Source: Golub and Van Loan 2013, section 4.5.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.lax.linalg import triangular_solve
from jaxtyping import Array, Float, Int


class BlockTridiagonal(NamedTuple):
    """A symmetric matrix by its blocks; `below[s]` stands to the left of `diagonal[s]`.

    Where the last block is not full it goes on with the identity. `below[0]` is not looked at.
    """

    diagonal: Float[Array, "N k k"]
    below: Float[Array, "N k k"]

    def cholesky(self) -> "BlockCholesky":
        """The factor, NaN from the first block on that is not positive definite."""
        eye = jnp.eye(self.diagonal.shape[-1], dtype=self.diagonal.dtype)

        def step(inverse, blocks):
            diagonal, below = blocks
            below = below @ inverse.T
            lower = lax.linalg.cholesky(diagonal - below @ below.T, symmetrize_input=False)
            inverse = triangular_solve(lower, eye, left_side=True, lower=True)
            return inverse, (inverse, below)

        first = self.below.at[0].set(0)
        _, (inverse, below) = lax.scan(step, eye, (self.diagonal, first))
        return BlockCholesky(inverse, below)


class BlockCholesky(NamedTuple):
    """L of L Lᵀ: the inverses of its diagonal blocks, and the blocks below them.

    A product with the inverse of a small triangle is as good as substitution and, in a loop over
    blocks, several times as quick (Higham 2002, section 14.2).
    """

    inverse: Float[Array, "N k k"]
    below: Float[Array, "N k k"]

    @property
    def pivots(self) -> Float[Array, "N k"]:
        """The squared diagonal elements of L."""
        return jnp.diagonal(self.inverse, axis1=-2, axis2=-1) ** -2

    def solve(self, b: Float[Array, "N k"]) -> Float[Array, "N k"]:
        """(L Lᵀ)⁻¹ b, by one scan down the blocks and one up."""

        def down(before, blocks):
            inverse, below, b = blocks
            x = inverse @ (b - below @ before)
            return x, x

        def up(after, blocks):
            inverse, below, b = blocks
            x = (b - after) @ inverse
            return x @ below, x

        nothing = jnp.zeros_like(b[0])
        _, half = lax.scan(down, nothing, (*self, b))
        return lax.scan(up, nothing, (*self, half), reverse=True)[1]


def banded(
    entries: Float[Array, " nnz"], where: Int[Array, " nnz"], n: int, blocks: int, size: int
) -> BlockTridiagonal:
    """The n × n matrix with these entries added up at the places that `places` gave."""
    flat = jax.ops.segment_sum(entries, where, 2 * blocks * size * size)
    diagonal, below = flat.reshape(2, blocks, size, size)
    filling = (jnp.arange(blocks * size) >= n).reshape(blocks, size)
    return BlockTridiagonal(diagonal + jnp.eye(size, dtype=flat.dtype) * filling[:, None], below)


def places(row, column, blocks: int, size: int):
    """Where in the blocks the entries of a matrix stand; beyond their end above the diagonal.

    ValueError for an entry further below the diagonal than the blocks reach.
    """
    (s, i), (t, j) = divmod(row, size), divmod(column, size)
    if (s > t + 1).any():
        raise ValueError(f"blocks of {size} do not reach the entries {int((s - t).max())} away.")
    whole = blocks * size * size
    flat = s * size * size + i * size + j
    return (flat + (s == t + 1) * whole) * (s >= t) + 2 * whole * (s < t)
