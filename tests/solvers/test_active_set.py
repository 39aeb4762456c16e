"""The polish and its verdicts: active rows, multipliers, curvature, through `argmin`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag
from argrad.solvers.active_set import INACTIVE, STRONGLY_ACTIVE, polish
from argrad.solvers.quadratic_model import Flat

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def solution(objective, subject_to, start, x=0.0):
    return ag.argmin(objective, subject_to=subject_to, throw=False).solution(x, start)


@DTYPES
@pytest.mark.parametrize(
    ("objective", "subject_to", "expected"),
    [
        (
            lambda y, x: jnp.sum(y**2),
            [ag.equality(lambda y, x: jnp.stack([y.sum() - 1, 2 * y.sum() - 2]))],
            [0.5, 0.5],
        ),
        (
            lambda y, x: jnp.sum((y - 2) ** 2),
            [ag.inequality(lambda y, x: jnp.stack([y.sum() - 1, y.sum() - 1]))],
            [0.5, 0.5],
        ),
        (
            lambda y, x: -jnp.sum(y),
            [ag.box(0.0, 1.0), ag.inequality(lambda y, x: y.sum() - 2)],
            [1.0, 1.0],
        ),
    ],
    ids=["redundant equality", "inequality twice", "degenerate vertex"],
)
def test_rows_that_follow_from_others(objective, subject_to, expected, dtype):
    found = solution(objective, subject_to, jnp.zeros(2, dtype))
    assert found.status == ag.Status.dependent
    np.testing.assert_allclose(found.primal, expected, atol=1e-6)


@DTYPES
def test_the_vertex_of_a_linear_programme_has_a_derivative(dtype):
    rows = ag.inequality(lambda y, x: jnp.stack([y[0] + y[1] - x, y[0] + 3 * y[1] - 6]))
    solve = ag.argmin(lambda y, x: -y[0] - 2 * y[1], subject_to=[ag.box(0.0, None), rows])
    found = solve.solution(jnp.array(3.0, dtype), jnp.zeros(2, dtype))
    assert found.status == ag.Status.converged
    np.testing.assert_allclose(found.primal, 1.5, rtol=1e-6)
    slope = jax.jacobian(solve)(jnp.array(3.0, dtype), jnp.zeros(2, dtype))
    np.testing.assert_allclose(slope, [1.5, -0.5], rtol=1e-5)


@DTYPES
def test_a_face_of_optima_is_singular(dtype):
    rows = [ag.box(0.0, None), ag.inequality(lambda y, x: y.sum() - 2)]
    found = solution(lambda y, x: -jnp.sum(y), rows, jnp.zeros(2, dtype))
    assert found.status == ag.Status.singular
    np.testing.assert_allclose(found.value, -2, rtol=1e-6)


def test_curvature_that_fades_is_no_curvature():
    """At (0, 0) y₁ = y₂², f = y₂⁴ has no second derivative; wherever Newton stops it has one."""
    found = solution(
        lambda y, x: y[0] ** 2 + y[1] ** 4,
        [ag.equality(lambda y, x: y[0] - y[1] ** 2)],
        jnp.array([1.0, 0.7]),
    )
    assert found.status == ag.Status.singular


def test_without_a_constraint_qualification_there_are_no_multipliers():
    """The cusp y₂ <= (1 − y₁)³, y₂ >= 0 ends at (1, 0) (problem 13 of Hock and Schittkowski)."""
    cusp = ag.inequality(lambda y, x: y[1] - (1 - y[0]) ** 3)
    found = solution(
        lambda y, x: (y[0] - 2) ** 2 + y[1] ** 2, [cusp, ag.box(0.0, None)], jnp.full(2, -2.0)
    )
    assert found.status == ag.Status.dependent
    np.testing.assert_allclose(found.primal, [1, 0], atol=1e-3)


def test_no_multipliers_run_away_where_the_objective_is_constant():
    found = solution(
        lambda y, x: 0 * y[0], [ag.equality(lambda y, x: y**2 - x)], jnp.array([3.0]), 4.0
    )
    assert found.status == ag.Status.converged
    np.testing.assert_allclose(found.primal, 2)


def test_a_saddle_is_no_minimum():
    found = solution(lambda y, x: y[0] - y[1] ** 2, [ag.box(-1.0, 1.0)], jnp.zeros(2))
    assert found.status == ag.Status.saddle


@pytest.mark.parametrize("guess", [[False, False], [True, False], [False, True], [True, True]])
def test_rows_leave_and_join_until_signs_are_right(guess):
    """min ‖y − (2, −1)‖² over y <= 1: the first bound is active, the second is not."""
    flat = Flat(lambda v: jnp.sum((v - jnp.array([2.0, -1.0])) ** 2), lambda v: v - 1, 0)
    found = polish(flat, jnp.array([0.3, 0.2]), jnp.zeros(2), jnp.array(guess))
    np.testing.assert_allclose(found.v, [1, -1])
    np.testing.assert_allclose(found.multipliers, [2, 0], atol=1e-14)
    np.testing.assert_array_equal(found.activity, [STRONGLY_ACTIVE, INACTIVE])
    assert found.error < 1e-14
    assert not np.any(found.runaway)
    assert not found.flattening


def test_fixed_rows_stay_whatever_the_signs():
    flat = Flat(lambda v: jnp.sum((v - jnp.array([2.0, -1.0])) ** 2), lambda v: v - 1, 0)
    active = jnp.array([False, True])
    found = polish(flat, jnp.zeros(2), jnp.zeros(2), active, fixed=True)
    np.testing.assert_allclose(found.v, [2, 1])
    np.testing.assert_array_equal(found.active, active)


def test_an_entropy_keeps_clear_of_the_faces_of_a_simplex(rng):
    """argmin of <c, y> + Σ y log y there is softmax(−c), however small: ∂f/∂y = −∞ on the faces."""

    def objective(y, c):
        return c @ y + jnp.sum(jax.scipy.special.xlogy(y, y))

    solve = ag.argmin(objective, subject_to=[ag.simplex()], throw=False)
    temperature = jnp.repeat(jnp.array([0.1, 0.07]), 10)[:, None]
    costs = jnp.array([0, 0.3, 1, 2]) * rng.uniform(0.95, 1.05, size=(20, 4)) / temperature
    start = jnp.full(4, 0.25)
    found = jax.jit(jax.vmap(lambda c: solve.solution(c, start)))(costs)
    assert jnp.all(found.status == ag.Status.converged)
    assert jnp.all(found.activity[0] == INACTIVE)
    softmax = jax.nn.softmax(-costs, axis=1)
    np.testing.assert_allclose(found.primal, softmax, atol=1e-13)
    slope = jax.jit(jax.vmap(jax.jacfwd(lambda c: solve(c, start))))(costs)
    expected = jax.vmap(jax.jacfwd(lambda c: jax.nn.softmax(-c)))(costs)
    np.testing.assert_allclose(slope, expected, atol=1e-13)
