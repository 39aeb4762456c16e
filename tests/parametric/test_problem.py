"""The problems themselves: closed forms, optimality, regular points, kinks, published numbers."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from . import ALL, known
from .reference import conditions, estimate, no_multipliers, polish, slsqp, solve

NAMES = [problem.name for problem in ALL]
CLOSED = [problem for problem in ALL if problem.exact is not None]
OPEN = [problem for problem in ALL if problem.exact is None]


@cache
def _closed(problem):
    def values(p):
        y = problem.exact(p)
        return (y, *problem.exact_multipliers(p)) if problem.exact_multipliers else (y,)

    return jax.jit(lambda p: (values(p), jax.jacobian(values)(p)))


def closed(problem, p):
    """(y*, λ, μ) as far as there is a closed form, and the derivatives of these."""
    return jax.tree.map(np.asarray, _closed(problem)(jnp.array(p)))


def each(problems):
    return pytest.mark.parametrize("problem", problems, ids=lambda problem: problem.name)


def relative(difference, value):
    return np.max(np.abs(difference) / (1 + np.abs(value)), initial=0.0)


def stationarity(problem, y, equality, inequality, p):
    """The gradient of the Lagrangian, against the size of that of the objective."""
    at = conditions(problem, y, equality, inequality, p)
    residual = at.gradient + at.h_y.T @ equality + at.c_y.T @ inequality
    return np.max(np.abs(residual)) / (1 + np.max(np.abs(at.gradient)))


def test_names_are_distinct():
    assert len(set(NAMES)) == len(ALL) >= 28


@each(ALL)
def test_points_and_kinks_are_parameters_of_one_length(problem):
    assert len({len(p) for p in (*problem.points, *problem.kinks)}) == 1
    assert len(set(problem.points)) == len(problem.points)


@each(CLOSED)
def test_closed_form_is_feasible_and_optimal(problem):
    for p in problem.points:
        y = closed(problem, p)[0][0]
        at = conditions(problem, y, *no_multipliers(problem), p)
        assert np.max(np.abs(at.h), initial=0.0) < 1e-12
        assert np.max(at.c) < 1e-12
        equality, inequality = estimate(at, at.c > -1e-9)
        assert stationarity(problem, y, equality, inequality, p) < 1e-11


@each([problem for problem in CLOSED if problem.exact_multipliers is not None])
def test_multipliers_in_closed_form_satisfy_the_optimality_conditions(problem):
    for p in problem.points:
        y, equality, inequality = closed(problem, p)[0]
        c = conditions(problem, y, equality, inequality, p).c
        assert inequality.shape == c.shape
        assert np.all(inequality >= -1e-14)
        assert np.max(inequality[c < -1e-9], initial=0.0) < 1e-14
        assert stationarity(problem, y, equality, inequality, p) < 1e-12


@each(OPEN)
def test_slsqp_and_newton_agree(problem):
    """SLSQP looks at values of the objective, and gets no nearer than their rounding allows."""
    for p in problem.points:
        found = solve(problem, p)
        assert stationarity(problem, found.y, found.equality, found.inequality, p) < 1e-13
        assert relative(slsqp(problem, p) - found.y, found.y) < 1e-7


@each(ALL)
def test_points_are_regular(problem):
    """Independent constraints, strict complementarity, the second-order sufficient condition."""
    for p in problem.points:
        found = solve(problem, p)
        at = conditions(problem, found.y, found.equality, found.inequality, p)
        assert np.all(found.inequality[found.active] > 1e-6)
        assert np.all(at.c[~found.active] < -1e-6)
        A = np.concatenate([at.h_y, at.c_y[found.active]])
        A = A / np.linalg.norm(A, axis=1, keepdims=True)
        _, singular, V = np.linalg.svd(A)
        assert np.min(singular, initial=1.0) > 1e-3
        Z = V[len(A) :].T
        assert np.all(np.linalg.eigvalsh(Z.T @ at.hessian @ Z) > 1e-9)


@each([problem for problem in ALL if problem.kinks])
def test_an_inequality_is_weakly_active_at_a_kink(problem):
    for kink in problem.kinks:
        distance = 1.001e-3 * (1 + np.abs(kink))
        near = [p for p in problem.points if np.all(np.abs(np.subtract(p, kink)) <= distance)]
        sides = [solve(problem, p) for p in near]
        assert len({side.active.tobytes() for side in sides}) >= 2
        met = [polish(problem, kink, side) for side in sides]
        for found in met:
            assert relative(found.y - met[0].y, found.y) < 1e-10
            c = conditions(problem, found.y, found.equality, found.inequality, kink).c
            assert np.max(c) < 1e-10
            assert np.min(found.inequality) > -1e-10
            assert np.min(np.maximum(-c, found.inequality)) < 1e-10


def test_ganesh_biegler_has_the_published_derivatives():
    (y, *_), (dy, *_) = closed(known.ganesh_biegler, known.GANESH_BIEGLER_AT)
    np.testing.assert_allclose(y, known.GANESH_BIEGLER_Y, rtol=1e-14)
    np.testing.assert_allclose(dy[:, 0], known.GANESH_BIEGLER_BY_FIRST, rtol=1e-12)
    np.testing.assert_allclose(dy[:, 1], known.GANESH_BIEGLER_BY_SECOND, rtol=1e-12)
    np.testing.assert_allclose(2 * y @ dy, known.GANESH_BIEGLER_VALUE, rtol=1e-13)


def test_ganesh_biegler_has_the_published_derivatives_below_the_kink():
    (y, *_), (dy, *_) = closed(known.ganesh_biegler, known.GANESH_BIEGLER_BELOW)
    np.testing.assert_allclose(y, known.GANESH_BIEGLER_Y_BELOW, atol=1e-15)
    np.testing.assert_allclose(dy[:, 0], known.GANESH_BIEGLER_BY_FIRST_BELOW, atol=1e-14)


def test_free_equality_has_a_multiplier_of_zero_and_its_derivatives():
    (y, equality, _), (dy, *_) = closed(known.free_equality, known.FREE_EQUALITY_AT)
    np.testing.assert_allclose(y, known.FREE_EQUALITY_Y, rtol=1e-15)
    np.testing.assert_allclose(dy, known.FREE_EQUALITY_BY_P, rtol=1e-14)
    assert equality[1] == 0


@pytest.mark.parametrize(("b", "slope"), [(0.999, "BELOW"), (1.001, "ABOVE")])
def test_corner_has_two_derivatives(b, slope):
    dy = closed(known.corner, (b,))[1][0]
    np.testing.assert_allclose(dy[:, 0], getattr(known, f"CORNER_{slope}"), rtol=1e-14)
