"""The order of the variables in which a sparse matrix has its entries near the diagonal."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int
from scipy.sparse.csgraph import reverse_cuthill_mckee

_EDGES = 20_000_000  # of the graph of a matrix, up to which another order is looked for


def spans(
    row: Int[np.ndarray, " nnz"], column: Int[np.ndarray, " nnz"], m: int
) -> Int[np.ndarray, " m"]:
    """From the first to the last column of each row, 0 for one without entries."""
    low, high = np.full(m, np.iinfo(np.int64).max), np.full(m, -1)
    np.minimum.at(low, row, column)
    np.maximum.at(high, row, column)
    return np.where(high < 0, 0, high - low)


def narrow_order(
    square: tuple[np.ndarray, np.ndarray], rows: tuple[np.ndarray, np.ndarray], m: int, n: int
) -> tuple[Int[np.ndarray, " n"], int]:
    """An order of n variables, and the half bandwidth of |Q| + |J|ᵀ|J| in it.

    `square` and `rows` are where Q and the m × n matrix J have entries. The order is that of
    Cuthill and McKee backwards, or the one given where that is no wider.

    Source: Cuthill and McKee 1969; George and Liu 1981, section 4.3.
    """
    given = np.arange(n)
    width = _half_bandwidth(square, rows, m, given)
    counts = np.bincount(rows[0], minlength=m)
    if width <= 1 or int(np.sum(counts.astype(np.int64) ** 2)) > _EDGES:
        return given, width
    ones = lambda pair, shape: sp.csr_array((np.ones(pair[0].size), pair), shape=shape)
    Q, J = ones(square, (n, n)), ones(rows, (m, n))
    graph = sp.csr_matrix(Q + J.T @ J)
    order = reverse_cuthill_mckee(graph, symmetric_mode=True).astype(np.int64)
    place = np.empty(n, np.int64)
    place[order] = given
    narrower = _half_bandwidth(square, rows, m, place)
    return (order, narrower) if narrower < width else (given, width)


def _half_bandwidth(square, rows, m, place) -> int:
    apart = np.abs(place[square[0]] - place[square[1]])
    wide = spans(rows[0], place[rows[1]], m)
    return max(int(np.max(apart, initial=0)), int(np.max(wide, initial=0)))
