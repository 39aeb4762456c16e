"""Solve a large sparse convex quadratic program to rounding, and judge it."""

import jax
import jax.numpy as jnp

from argrad.solvers import sparse_program_form
from argrad.solvers.quadratic_program import Solved, solved
from argrad.solvers.quadratic_program_active import Candidate, Start, candidate
from argrad.solvers.quadratic_program_careful import careful
from argrad.solvers.quadratic_program_data import units
from argrad.solvers.sparse_program_data import SparseProgram


def solve_sparse_program(program: SparseProgram, start: Start | None, max_steps: int) -> Solved:
    """The solution, from the rows that `start` holds where there is one.

    Interior points lead to the active rows, since rows of a long chain are exchanged one after
    the other when begun from none; those that `start` holds are exchanged first.
    """
    m, dtype, turn = program.size, program.p.dtype, 0
    if start is None:
        nothing = jnp.zeros(m, dtype)
        start, turn = Start(jnp.zeros_like(program.p), nothing, jnp.zeros(m, bool)), 1
    first = jax.tree.map(
        lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(_first, program, start)
    )
    first = first._replace(error=jnp.full((), jnp.inf, dtype))
    found = careful(program, start, first, max_steps, sparse_program_form, turn)
    return solved(program, None, found, jnp.zeros((), dtype), sparse_program_form)


def _first(program: SparseProgram, start: Start) -> Candidate:
    sizes = units(program)
    return candidate(sparse_program_form.form(program, sizes)[0], sizes, start)
