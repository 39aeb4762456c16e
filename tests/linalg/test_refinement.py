"""Iterative refinement by an approximate inverse, against exact rational arithmetic."""

from fractions import Fraction
from functools import partial

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

from argrad.linalg.refinement import Refinement

D, M = 8, 3
EPS = np.finfo(float).eps


def exact(matrix, b):
    """The solution in fractions, rounded once."""
    table = [[*map(Fraction, row), Fraction(right)] for row, right in zip(matrix, b, strict=True)]
    for i in range(len(table)):
        pivot = max(range(i, len(table)), key=lambda k: abs(table[k][i]))
        table[i], table[pivot] = table[pivot], table[i]
        table[i] = [entry / table[i][i] for entry in table[i]]
        for k in range(len(table)):
            if k != i:
                table[k] = [a - table[k][i] * c for a, c in zip(table[k], table[i], strict=True)]
    return np.array([float(row[-1]) for row in table])


@pytest.fixture(params=[1e3, 1e7], ids=["well-conditioned", "ill-conditioned"])
def system(rng, request):
    """A KKT matrix, a right-hand side, and the solution."""
    q, _ = np.linalg.qr(rng.normal(size=(D, D)))
    hessian = q @ np.diag(np.geomspace(1, request.param, D)) @ q.T
    rows = rng.normal(size=(M, D))
    matrix = np.block([[(hessian + hessian.T) / 2, rows.T], [rows, np.zeros((M, M))]])
    b = rng.normal(size=D + M)
    return matrix, b, exact(matrix, b)


def perturbed(rng, matrix, size):
    """An approximate inverse, wrong by `size` in norm, relative to the inverse."""
    error = rng.normal(size=matrix.shape)
    return np.linalg.inv(matrix) @ (np.eye(len(matrix)) + size * error / np.linalg.norm(error, 2))


@partial(jax.jit, static_argnames=("transposed", "max_steps"))
def compiled(matrix, inverse, b, transposed, max_steps):
    solver = Refinement(max_steps)
    settings = {"preconditioner": lx.MatrixLinearOperator(inverse)}
    state = solver.init(lx.MatrixLinearOperator(matrix), settings)
    if transposed:
        state, settings = solver.transpose(state, settings)
    u, result, stats = solver.compute(state, b, settings)
    return u, result == lx.RESULTS.successful, stats["num_steps"]


def compute(matrix, inverse, b, transposed=False, max_steps=10):
    return map(np.asarray, compiled(matrix, inverse, b, transposed, max_steps))


@pytest.mark.parametrize("size", [1e-8, 1e-3, 0.05])
def test_to_rounding_from_a_perturbed_inverse(system, rng, size):
    matrix, b, u = system
    inverse = perturbed(rng, matrix, size)
    found, good, steps = compute(matrix, inverse, b)
    assert good
    # Rounding of residuals is magnified by the condition number, and by no more (Higham 2002).
    bound = 4 * EPS * np.linalg.cond(matrix)
    assert np.linalg.norm(found - u) <= bound * np.linalg.norm(u)
    assert steps <= 2 + np.ceil(np.log(EPS) / np.log(size))


def test_a_perturbed_inverse_alone_is_far_off(system, rng):
    matrix, b, u = system
    inverse = perturbed(rng, matrix, 0.05)
    assert np.linalg.norm(inverse @ b - u) > 1e-3 * np.linalg.norm(u)


@pytest.mark.parametrize("transposed", [False, True])
def test_transposed(rng, transposed):
    """A matrix far from symmetric, so that a forgotten transpose is seen."""
    matrix = np.triu(rng.integers(1, 9, size=(D, D))) + 20.0 * np.eye(D)
    u = rng.integers(-9, 10, size=D).astype(float)
    b = (matrix.T if transposed else matrix) @ u
    found, good, _ = compute(matrix, perturbed(rng, matrix, 1e-2), b, transposed)
    assert good
    bound = 4 * EPS * np.linalg.cond(matrix)
    assert np.linalg.norm(found - u) <= bound * np.linalg.norm(u)


def test_as_a_lineax_solver_in_reverse_mode(system, rng):
    matrix, b, u = system
    inverse = lx.MatrixLinearOperator(jnp.asarray(perturbed(rng, matrix, 1e-3)))
    options = {"preconditioner": inverse}

    def solve(b):
        operator = lx.MatrixLinearOperator(jnp.asarray(matrix))
        return lx.linear_solve(operator, b, Refinement(), options=options).value

    # One column of the transposed Jacobian K⁻ᵀ; K itself is symmetric.
    found = jax.jit(jax.grad(lambda b, cotangent: cotangent @ solve(b)))(jnp.ones(D + M), b)
    bound = 4 * EPS * np.linalg.cond(matrix) * np.linalg.norm(u)
    assert np.linalg.norm(found - u) <= bound


WRONG = {
    "three times too large": lambda rng, matrix: 3 * np.linalg.inv(matrix),
    "of another matrix": lambda rng, matrix: rng.normal(size=matrix.shape),
    "of the opposite sign": lambda rng, matrix: -np.linalg.inv(matrix),
    "zero": lambda rng, matrix: np.zeros_like(matrix),
    "not finite": lambda rng, matrix: np.full_like(matrix, np.nan),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_inverse_is_a_failure(system, rng, wrong):
    matrix, b, _ = system
    _, good, steps = compute(matrix, wrong(rng, matrix), b)
    assert not good
    assert steps <= 10


def test_too_few_steps_are_a_failure(system, rng):
    matrix, b, _ = system
    inverse = perturbed(rng, matrix, 0.05)
    _, good, _ = compute(matrix, inverse, b, max_steps=2)
    assert not good


def test_zero_is_solved_by_zero(system):
    matrix, b, _ = system
    found, good, _ = compute(matrix, np.linalg.inv(matrix), 0 * b)
    assert good
    np.testing.assert_array_equal(found, 0)


def test_an_inverse_must_be_given(system):
    matrix, *_ = system
    with pytest.raises(ValueError, match="preconditioner"):
        Refinement().init(lx.MatrixLinearOperator(jnp.asarray(matrix)), {})
