"""Sparse matrices whose pattern is known before anything is traced."""

from functools import lru_cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped


class SparseMatrix(eqx.Module):
    """Entries by row and column, rows ascending and no place twice."""

    data: Float[Array, " nnz"]
    row: Int[Array, " nnz"]
    column: Int[Array, " nnz"]
    shape: tuple[int, int] = eqx.field(static=True)

    def __matmul__(self, y: Float[Array, " n"]) -> Float[Array, " m"]:
        return self._by_row(self.data * y[self.column])

    def __rmatmul__(self, l: Float[Array, " m"]) -> Float[Array, " n"]:
        return jax.ops.segment_sum(self.data * l[self.row], self.column, self.shape[1])

    def __abs__(self) -> "SparseMatrix":
        return self.with_data(jnp.abs(self.data))

    def with_data(self, data: Float[Array, " nnz"]) -> "SparseMatrix":
        """Other numbers at the same places."""
        return SparseMatrix(data, self.row, self.column, self.shape)

    def scaled(self, left: Float[Array, " m"] | None, right: Float[Array, " n"]) -> "SparseMatrix":
        """Rows times `left`, columns times `right`."""
        data = self.data * right[self.column]
        return self.with_data(data if left is None else data * left[self.row])

    def diagonal(self) -> Float[Array, " n"]:
        return self._by_row(jnp.where(self.row == self.column, self.data, 0))

    def squares(self) -> Float[Array, " m"]:
        """The squared length of each row."""
        return self._by_row(self.data**2)

    def largest(self, axis: int) -> Float[Array, " k"]:
        """The largest absolute value down each column (axis 0) or along each row, 0 for none."""
        along, size = (self.row, self.shape[0]) if axis else (self.column, self.shape[1])
        return jnp.zeros(size, self.data.dtype).at[along].max(jnp.abs(self.data))

    def _by_row(self, entries):
        return jax.ops.segment_sum(entries, self.row, self.shape[0], indices_are_sorted=True)


def gathered(
    row: Shaped[np.ndarray, " nse"], column: Shaped[np.ndarray, " nse"], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns in order and without repetition, and the place of each entry given.

    Entries outside of the matrix, with which JAX fills up its own, get a place beyond the last.
    """
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    keys = np.where(inside, row.astype(np.int64) * shape[1] + column, shape[0] * shape[1])
    unique, place = np.unique(keys, return_inverse=True)
    unique = unique[: np.searchsorted(unique, shape[0] * shape[1])]
    row, column = np.divmod(unique, max(shape[1], 1))
    return row, column, place.reshape(-1)


@lru_cache(maxsize=16)
def pattern(indices: bytes, dtype: str, shape: tuple[int, int]):
    """`gathered`, remembered for matrices that come again; and whether it changes nothing."""
    row, column = np.frombuffer(indices, dtype).reshape(-1, 2).T
    found = gathered(row, column, shape)
    plain = found[0].size == row.size and bool((found[2] == np.arange(row.size)).all())
    with jax.ensure_compile_time_eval():
        return *(jnp.asarray(part, jnp.int32) for part in found), plain
