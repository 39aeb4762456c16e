"""The reference for derivatives, against closed forms and the implicit function theorem."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from . import ALL, known
from .problem import equalities, rows
from .reference import conditions, derivative, newton_matrix, solve
from .test_problem import CLOSED, OPEN, closed, each, relative


def test_hs71_has_the_published_derivatives():
    dy, by_equality, by_inequality = derivative(known.hs71, known.HS71_AT)
    np.testing.assert_allclose(dy[:, 0], known.HS71_BY_FIRST, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(dy[:, 1], known.HS71_BY_SECOND, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(by_equality[0], known.HS71_EQUALITY_BY_P, rtol=1e-10)
    np.testing.assert_allclose(by_inequality[0], known.HS71_INEQUALITY_BY_P, rtol=1e-10)


def test_hs71_multipliers_are_the_derivative_of_the_least_value():
    found = solve(known.hs71, known.HS71_AT)
    np.testing.assert_allclose(
        [found.inequality[0], -found.equality[0]], known.HS71_VALUE, rtol=1e-13
    )


def test_shapes_are_the_same_with_and_without_active_rows():
    for p in known.sine.points:
        dy, by_equality, by_inequality = derivative(known.sine, p)
        assert dy.shape == (2, 1)
        assert by_equality.shape == (0, 1)
        assert by_inequality.shape == (1 + 2 + 2, 1)


def test_derivative_is_in_float64_whatever_jax_is_set_to():
    with jax.enable_x64(False):
        dy, *_ = derivative(known.corner, (0.3,))  # nowhere else, so not solved before
    np.testing.assert_allclose(dy[:, 0], known.CORNER_BELOW, rtol=1e-13)


@pytest.mark.slow
@each(CLOSED)
def test_solutions_and_derivatives_are_those_of_the_closed_form(problem):
    for p in problem.points:
        values, slopes = closed(problem, p)
        for value, found in zip(values, solve(problem, p), strict=False):
            assert relative(found - value, value) < 1e-13
        for slope, found in zip(slopes, derivative(problem, p), strict=False):
            assert found.shape == slope.shape
            assert relative(found - slope, slope) < 1e-11


@pytest.mark.slow
@each(OPEN)
def test_derivatives_are_those_of_the_implicit_function_theorem(problem):
    def optimality(p, y, equality, inequality):
        def lagrangian(y):
            # No product with an infinite row: its multiplier is zero.
            c = jnp.where(inequality == 0, 0.0, rows(problem, y, p))
            return problem.objective(y, p) + equality @ equalities(problem, y, p) + inequality @ c

        return jax.grad(lagrangian)(y), equalities(problem, y, p), rows(problem, y, p)

    by_p = jax.jit(jax.jacobian(optimality))
    for p in problem.points:
        found = solve(problem, p)
        known_point = found.y, found.equality, found.inequality
        slope, h_p, c_p = map(np.asarray, by_p(jnp.array(p), *known_point))
        K = newton_matrix(conditions(problem, *known_point, p), found.active)
        expected = -np.linalg.solve(K, np.concatenate([slope, h_p, c_p[found.active]]))
        dy, by_equality, by_inequality = derivative(problem, p)
        assert not np.any(by_inequality[~found.active])
        difference = np.concatenate([dy, by_equality, by_inequality[found.active]]) - expected
        assert relative(difference, expected) < 1e-11


def test_every_problem_is_tested():
    assert len(CLOSED) + len(OPEN) == len(ALL)
