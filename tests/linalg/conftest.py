"""Matrices whose spectrum is known, operators that count, and one lower problem for all solvers."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
from jax.experimental import io_callback


@pytest.fixture
def with_spectrum(rng):
    """Random symmetric matrices with the eigenvalues given."""

    def make(eigenvalues):
        q, _ = np.linalg.qr(rng.normal(size=(len(eigenvalues),) * 2))
        a = q @ np.diag(eigenvalues) @ q.T
        return jnp.asarray((a + a.T) / 2)

    return make


class Run(NamedTuple):
    value: Any
    result: Any
    stats: dict
    counted: int


@pytest.fixture
def run():
    """`linear_solve` in its parts, under jit, with the products with the operator counted."""

    def solve(solver, a, b, options=None):
        options, calls = options or {}, []

        @jax.jit
        def compute(a, b, options):
            def product(v):
                io_callback(lambda v: calls.append(v), None, v)
                return a @ v

            struct = jax.ShapeDtypeStruct(b.shape, b.dtype)
            operator = lx.FunctionLinearOperator(product, struct, lx.symmetric_tag)
            state = solver.init(operator, options)
            return solver.compute(state, b, options)

        value, result, stats = compute(a, b, options)
        jax.effects_barrier()
        assert stats["num_products"] == len(calls)
        return Run(np.asarray(value), result, stats, len(calls))

    return solve
