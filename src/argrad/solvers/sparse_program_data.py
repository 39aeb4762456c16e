"""A quadratic program of sparse matrices, and where their entries go in banded ones."""

from functools import lru_cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from argrad.linalg.block_tridiagonal import BlockTridiagonal, banded, places
from argrad.linalg.ordering import narrow_order
from argrad.linalg.sparse_matrix import SparseMatrix, gathered
from argrad.solvers.quadratic_program_data import Program

_LEAST_BLOCK = 16  # below this the loop over the blocks costs more than what is done in it
_NARROW = 32  # half bandwidths up to which a band is never worse than a dense matrix


class Plan(eqx.Module):
    """Where what goes in Q + JᵀWJ as blocks of `size`, variables in a narrow order.

    `order[k]` is the variable at place k, `place` the inverse. Q has its symmetric part at
    `row`, `column`, an entry of Q given going half to each of its two places in `halves`, and all
    of that to `blocks_at` of the blocks. A row of J touches two blocks of variables at most, one
    after the other; it stands in slot `slot` of a batch of dense pieces `slots` × 2 `size`, its
    entries at `entry_at`, and the pieces go to the blocks from `piece_block` on.
    """

    order: Int[Array, " n"]
    place: Int[Array, " n"]
    halves: Int[Array, "2 nnz"]
    row: Int[Array, " q"]
    column: Int[Array, " q"]
    blocks_at: Int[Array, " q"]
    slot: Int[Array, " k"]
    entry_at: Int[Array, " r"]
    piece_block: Int[Array, " c"]
    blocks: int = eqx.field(static=True)
    size: int = eqx.field(static=True)
    slots: int = eqx.field(static=True)

    def symmetric(self, Q: SparseMatrix) -> SparseMatrix:
        """(Q + Qᵀ)/2."""
        data = jnp.concatenate([Q.data, Q.data]) / 2
        data = jax.ops.segment_sum(data, self.halves.ravel(), self.row.size)
        return SparseMatrix(data, self.row, self.column, Q.shape)

    def by_block(self, v: Float[Array, " n"]) -> Float[Array, "N k"]:
        """A vector over the variables, in order, in blocks; zero beyond the last."""
        v = jnp.pad(v[self.order], (0, self.blocks * self.size - v.size))
        return v.reshape(self.blocks, self.size)

    def by_variable(self, v: Float[Array, "N k"]) -> Float[Array, " n"]:
        """The inverse of `by_block`."""
        return v.ravel()[self.place]

    def matrix(
        self, Q: SparseMatrix, rows: SparseMatrix, weights: Float[Array, " k"] | None
    ) -> BlockTridiagonal:
        """Q + rowsᵀ weights rows, Q without rows for None."""
        n, k = self.order.size, self.size
        found = banded(Q.data, self.blocks_at, n, self.blocks, k)
        if weights is None or not rows.data.size:
            return found
        pieces = self.piece_block.size
        dense = jnp.zeros(pieces * self.slots * 2 * k, rows.data.dtype)
        dense = dense.at[self.entry_at].set(rows.data, unique_indices=True)
        dense = dense.reshape(pieces, self.slots, 2 * k)
        w = jnp.zeros(pieces * self.slots, weights.dtype).at[self.slot].set(weights)
        half = dense * w.reshape(pieces, self.slots, 1)
        square = jnp.einsum("csi,csj->cij", half, dense)
        square = jax.ops.segment_sum(square, self.piece_block, self.blocks, True)
        return BlockTridiagonal(
            diagonal=(found.diagonal + square[:, :k, :k]).at[1:].add(square[:-1, k:, k:]),
            below=found.below.at[1:].add(square[:-1, k:, :k]),
        )


class SparseProgram(Program):
    """The same with sparse Q and rows, and a plan for what is factorised."""

    Q: SparseMatrix  # type: ignore[assignment]
    rows: SparseMatrix  # type: ignore[assignment]
    plan: Plan

    def jacobian(self):
        raise TypeError("the Jacobian of a sparse program is not formed as a dense matrix.")

    def squares(self):
        squares = self.rows.squares()
        return jnp.where(squares > 0, squares, 1)

    def norms(self):
        return self.rows.largest(1)

    def columns(self, weights):
        return self.rows.scaled(weights, jnp.ones_like(self.p)).largest(0)

    def curvatures(self):
        return self.Q.diagonal()

    def scaled(self, scale):
        return SparseProgram(
            Q=self.Q.scaled(scale, scale),
            p=self.p * scale,
            rows=self.rows.scaled(None, scale),
            b=self.b,
            h=self.h,
            lower=None if self.lower is None else self.lower / scale,
            upper=None if self.upper is None else self.upper / scale,
            symmetric=self.symmetric,
            plan=self.plan,
        )


def stacked(parts: list[SparseMatrix], n: int, dtype) -> SparseMatrix:
    """One matrix above the other."""
    m, data, row, column = 0, [jnp.zeros(0, dtype)], [], []
    for part in parts:
        data.append(part.data)
        row.append(part.row + m)
        column.append(part.column)
        m += part.shape[0]
    none = [jnp.zeros(0, jnp.int32)]
    whole = (jnp.concatenate(data), jnp.concatenate(none + row), jnp.concatenate(none + column))
    return SparseMatrix(*whole, (m, n))


def plan_for(Q: tuple[np.ndarray, np.ndarray], rows: list, n: int) -> Plan:
    """The plan for a Q with entries at these rows and columns, below it those of (name, row,
    column, m) for each matrix of constraints.

    ValueError where no order of the variables is found that makes the band narrow.
    """
    key = lambda arrays: tuple(np.ascontiguousarray(a, np.int64).tobytes() for a in arrays)
    flat = tuple((name, *key((row, column)), m) for name, row, column, m in rows)
    return _plan(key(Q), flat, n)


@lru_cache(maxsize=8)
def _plan(Q, rows, n: int) -> Plan:
    read = lambda data: np.frombuffer(data, np.int64)
    q_row, q_column = map(read, Q)
    m = sum(part[3] for part in rows)
    starts = np.cumsum([0, *[part[3] for part in rows]])
    none = [np.zeros(0, np.int64)]
    row = np.concatenate(none + [read(part[1]) + s for part, s in zip(rows, starts, strict=False)])
    column = np.concatenate(none + [read(part[2]) for part in rows])
    _refuse_wide_rows(rows, row, m, n)
    order, width = narrow_order((q_row, q_column), (row, column), m, n)
    if width > _widest(n):
        raise ValueError(
            f"Q, G and A are too wide to be treated as sparse: Q + GᵀG + AᵀA has half bandwidth "
            f"{width} of {n} variables, in the best order found. Give dense matrices "
            "(Q.todense()), or state the program with further variables so that each row and each "
            "entry of Q joins neighbours only."
        )
    size = min(max(width, _LEAST_BLOCK), n)
    blocks = -(-n // size)
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    both = np.concatenate([q_row, q_column]), np.concatenate([q_column, q_row])
    s_row, s_column, halves = gathered(*both, (n, n))

    # Rows by the first of the blocks that they touch; those without entries are with the first.
    first = np.full(m, n)
    np.minimum.at(first, row, place[column])
    first = np.where(first == n, 0, first) // size
    counts = np.bincount(first, minlength=blocks)
    slots = min(size, max(1, int(np.max(counts, initial=0))))
    pieces = -(-counts // slots)
    begin = np.concatenate([[0], np.cumsum(pieces)])[:-1]
    sorted_rows = np.argsort(first, kind="stable")
    rank = np.empty(m, np.int64)
    rank[sorted_rows] = np.arange(m) - np.repeat(np.cumsum(counts) - counts, counts)
    slot = begin[first] * slots + rank
    entry_at = slot[row] * 2 * size + place[column] - first[row] * size
    with jax.ensure_compile_time_eval():
        index = lambda a: jnp.asarray(a, jnp.int32)
        return Plan(
            order=index(order),
            place=index(place),
            halves=index(halves.reshape(2, -1)),
            row=index(s_row),
            column=index(s_column),
            blocks_at=index(places(place[s_row], place[s_column], blocks, size)),
            slot=index(slot),
            entry_at=index(entry_at),
            piece_block=index(np.repeat(np.arange(blocks), pieces)),
            blocks=blocks,
            size=size,
            slots=slots,
        )


def _widest(n: int) -> int:
    return max(n // 4, _NARROW)


def _refuse_wide_rows(rows, row, m: int, n: int) -> None:
    """Raise ValueError for a row with more entries than any band may be wide."""
    counts = np.bincount(row, minlength=m)
    if not m or np.max(counts) - 1 <= _widest(n):
        return
    worst = int(np.argmax(counts))
    name, size = rows[0][0], rows[0][3]
    if worst >= size:
        name, worst = rows[1][0], worst - size
    raise ValueError(
        f"{name}[{worst}] has {np.max(counts)} entries of {n}, so that {name}ᵀ{name} is no band in "
        "any order of the variables. Give dense matrices (Q.todense()), or split the row with "
        "further variables: s[k+1] = s[k] + y[k] for a sum."
    )
