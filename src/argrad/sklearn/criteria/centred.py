"""A design matrix with its intercept, [X − e cᵀ, e], multiplied by without being formed.

X may be dense or sparse, and one X serves folds that are centred differently. e is the column of
ones, but for rows that have been condensed into fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from argrad.sklearn.rows.designs import Matrix

# Numbers of X at a time, when a product needs a copy of it: half a processor's cache.
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Centred:
    """The matrix (n, d + 1) of `columns` X (n, d), `centre` c (d,) and `ones` e (n,)."""

    columns: Matrix
    centre: np.ndarray
    ones: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        n, d = self.columns.shape
        return n, d + 1

    def times(self, w: np.ndarray) -> np.ndarray:
        """The product with w (d + 1, m)."""
        return self.columns @ w[:-1] + self.ones[:, None] * (w[-1] - self.centre @ w[:-1])

    def transposed_times(self, r: np.ndarray) -> np.ndarray:
        """The product of the transpose with r (n, m)."""
        total = self.ones @ r
        return np.vstack([self.columns.T @ r - np.outer(self.centre, total), total])

    def blocks(self, kept: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The matrix where `kept` (n,) is true, a few rows at a time: positions and dense rows."""
        n, p = self.shape
        length = max(_BLOCK // p, 1)
        for first in range(0, n, length):
            rows = first + np.flatnonzero(kept[first : first + length])
            if len(rows):
                whole = len(rows) == min(length, n - first)
                taken = self.columns[first : first + length] if whole else self.columns[rows]
                block = np.empty((len(rows), p))
                block[:, :-1] = taken.toarray() if sparse.issparse(taken) else taken
                block[:, -1] = self.ones[rows]
                block[:, :-1] -= block[:, -1:] * self.centre
                yield rows, block

    def gram(self, curvature: np.ndarray) -> np.ndarray:
        """Σ_i (x_i ⊗ I)ᵀ C_i (x_i ⊗ I), of shape (p m, p m), for C (n, m, m) and rows x_i."""
        p, m = self.shape[1], curvature.shape[1]
        gram = np.zeros((p, m, p, m))
        pairs = [(a, b) for a in range(m) for b in range(a + 1) if curvature[:, a, b].any()]
        if sparse.issparse(self.columns):
            for a, b in pairs:
                gram[:, a, :, b] = self._sparse_gram(curvature[:, a, b])
        else:
            for rows, block in self.blocks(np.any(curvature, axis=(1, 2))):
                for a, b in pairs:
                    gram[:, a, :, b] += _gram(block, curvature[rows, a, b])
        for a, b in pairs:
            gram[:, b, :, a] = gram[:, a, :, b]
        return gram.reshape(p * m, p * m)

    def squares(self, weight: np.ndarray) -> np.ndarray:
        """Σ_i weight_ic x_ij² over the rows, (d, t) for weight (n, t), without the intercept."""
        if sparse.issparse(self.columns):
            total = (self.ones**2) @ weight
            cross = self.columns.T @ (self.ones[:, None] * weight)
            squares = self.columns.power(2).T @ weight - 2 * self.centre[:, None] * cross
            return np.maximum(squares + self.centre[:, None] ** 2 * total, 0.0)
        squares = np.zeros((self.shape[1] - 1, weight.shape[1]))
        for rows, block in self.blocks(np.any(weight, axis=1)):
            squares += (block[:, :-1] ** 2).T @ weight[rows]
        return squares

    def _sparse_gram(self, c: np.ndarray) -> np.ndarray:
        """[X − e cᵀ, e]ᵀ diag(c) [X − e cᵀ, e] from XᵀCX, XᵀCe and eᵀCe."""
        weighed = sparse.diags_array(c) @ self.columns
        cross = weighed.T @ self.ones
        total = c @ self.ones**2
        corner = cross - total * self.centre
        gram = np.empty((self.shape[1], self.shape[1]))
        gram[:-1, :-1] = (self.columns.T @ weighed).toarray()
        gram[:-1, :-1] -= np.outer(corner, self.centre) + np.outer(self.centre, cross)
        gram[-1, :-1] = gram[:-1, -1] = corner
        gram[-1, -1] = total
        return gram


def _gram(block: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Xᵀ diag(c) X, by a symmetric product where no c is negative."""
    if c.min() < 0:
        return block.T @ (c[:, None] * block)
    scaled = np.sqrt(c)[:, None] * block
    return scaled.T @ scaled
