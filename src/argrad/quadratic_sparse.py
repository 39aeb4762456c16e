"""Floor 2: the sparse matrices of a quadratic program as their author has them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO

from argrad.linalg.sparse_matrix import SparseMatrix, pattern
from argrad.solvers.sparse_program_data import Plan, SparseProgram, plan_for, stacked


def sparse(matrices: dict[str, Any]) -> bool:
    """Whether the matrices that are there are sparse; ValueError where only some are."""
    kinds = {name: isinstance(a, BCOO) for name, a in matrices.items() if a is not None}
    if any(kinds.values()) and not all(kinds.values()):
        one, other = (
            next(name for name, kind in kinds.items() if kind == k) for k in (True, False)
        )
        raise ValueError(
            f"{one} is sparse (BCOO) but {other} is dense: give all of Q, G and A in the same way, "
            f"as by BCOO.fromdense({other})."
        )
    return any(kinds.values())


def sparse_matrix(name: str, matrix: BCOO, dtype) -> SparseMatrix:
    """The entries in order, those at the same place added up."""
    if matrix.n_batch or matrix.n_dense or matrix.ndim != 2:
        raise ValueError(
            f"{name} is a BCOO of shape {matrix.shape} with {matrix.n_batch} batch and "
            f"{matrix.n_dense} dense dimensions, but a matrix is needed, with one number an entry. "
            "A batch is one of data: vmap a function that builds the BCOO."
        )
    if isinstance(matrix.indices, jax.core.Tracer):
        raise ValueError(
            f"the indices of {name} are traced, but where its entries are has to be known before: "
            "build the BCOO inside of the function that is transformed, from traced data and from "
            "indices that are a jax.Array made outside, BCOO((data, indices), shape=...)."
        )
    indices = np.ascontiguousarray(matrix.indices)
    row, column, place, plain = pattern(indices.tobytes(), indices.dtype.str, matrix.shape)
    data = jnp.asarray(matrix.data, dtype)
    if not plain:
        data = jax.ops.segment_sum(data, place, row.size)
    m, n = matrix.shape
    return SparseMatrix(data, row, column, (m, n))


def plan(Q: SparseMatrix, G: SparseMatrix | None, A: SparseMatrix | None) -> Plan:
    """How to factorise the program; ValueError where that would take as much as dense matrices."""
    where = lambda matrix: (np.asarray(matrix.row), np.asarray(matrix.column))
    rows = [
        (name, *where(matrix), matrix.shape[0])
        for name, matrix in (("A", A), ("G", G))
        if matrix is not None
    ]
    return plan_for(where(Q), rows, Q.shape[0])


def sparse_program(given: Any) -> SparseProgram:
    """The arrays of a program, checked, as its solver takes them."""
    none, n = jnp.zeros(0, given.p.dtype), given.p.size
    rows = [rows for rows in (given.A, given.G) if rows is not None]
    return SparseProgram(
        Q=given.plan.symmetric(given.Q),
        p=given.p,
        rows=stacked(rows, n, given.p.dtype),
        b=none if given.b is None else given.b,
        h=none if given.h is None else given.h,
        lower=given.lower,
        upper=given.upper,
        symmetric=True,
        plan=given.plan,
    )


def nothing(n: int, dtype) -> BCOO:
    """The n × n matrix of zeros."""
    with jax.ensure_compile_time_eval():
        return BCOO((jnp.zeros(0, dtype), jnp.zeros((0, 2), jnp.int32)), shape=(n, n))
