"""Constrained problems: published sensitivities, kinks, and rows that depend on each other."""

import math
import re
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import argrad as ag

from .parametric import known
from .test_parametric_sweep import subject_to


def argmin(problem, **options):
    return ag.argmin(problem.objective, subject_to=subject_to(problem).values(), **options)


@cache
def in_both_modes(problem):
    """p -> y*, its multipliers and the value, all in one vector, and its Jacobians, from one
    solve."""
    solve = argmin(problem)

    def flat(p):
        solution = solve.solution(p, jnp.array(problem.start))
        return ravel_pytree((solution.primal, solution.value, solution.multipliers))[0]

    def all_three(p):
        values, push = jax.linearize(flat, p)
        pull = jax.linear_transpose(push, p)
        forward = jax.vmap(push, out_axes=1)(jnp.eye(p.size))
        return values, forward, jax.vmap(lambda v: pull(v)[0])(jnp.eye(values.size))

    compiled = jax.jit(all_three)
    return lambda p: jax.tree.map(np.asarray, compiled(jnp.array(p, float)))


def split(problem, flat):
    """y*, the value, and the multipliers in the order of the constraints."""
    return np.split(flat, [len(problem.start), len(problem.start) + 1])


class TestHS71:
    """Hock and Schittkowski 71 with both right-hand sides as parameters."""

    def test_published_derivatives_in_both_modes(self):
        _, forward, reverse = in_both_modes(known.hs71)(known.HS71_AT)
        dy, value, dual = split(known.hs71, forward)
        np.testing.assert_allclose(dy[:, 0], known.HS71_BY_FIRST, atol=1e-14)
        np.testing.assert_allclose(dy[:, 1], known.HS71_BY_SECOND, atol=1e-14)
        np.testing.assert_allclose(value[0], known.HS71_VALUE, rtol=1e-13)
        np.testing.assert_allclose(dual[0], known.HS71_EQUALITY_BY_P, rtol=1e-11)
        np.testing.assert_allclose(dual[1], known.HS71_INEQUALITY_BY_P, rtol=1e-11)
        np.testing.assert_allclose(reverse, forward, atol=1e-14)

    def test_derivatives_of_all_multipliers_against_differences(self, central_difference):
        compiled = in_both_modes(known.hs71)
        expected = central_difference(lambda p: compiled(p)[0], known.HS71_AT)
        np.testing.assert_allclose(compiled(known.HS71_AT)[1], expected, atol=1e-10)

    def test_second_derivatives_against_differences_of_the_first(self, central_difference):
        compiled, solve = in_both_modes(known.hs71), argmin(known.hs71)

        def upper(p):
            solution = solve.solution(p, jnp.array(known.hs71.start))
            y = solution.primal
            return jnp.stack([y[1] * jnp.sin(y[3]), solution.value])

        def first(p):
            y, dy, _ = split(known.hs71, compiled(p)[0])[0], *compiled(p)[1:]
            chain = dy[1] * np.sin(y[3]) + y[1] * np.cos(y[3]) * dy[3]
            return np.stack([chain, dy[4]])

        found = jax.jit(jax.jacfwd(jax.jacrev(upper)))(jnp.array(known.HS71_AT))
        np.testing.assert_allclose(found, central_difference(first, known.HS71_AT), atol=1e-9)


def test_ganesh_biegler_on_both_sides_of_its_kink():
    """p₂ is an entry of the Jacobian of the equalities."""
    compiled, at = in_both_modes(known.ganesh_biegler), known.GANESH_BIEGLER_AT
    values, forward, reverse = compiled(at)
    (y, *_), (dy, value, _) = (split(known.ganesh_biegler, a) for a in (values, forward))
    np.testing.assert_allclose(y, known.GANESH_BIEGLER_Y, rtol=1e-14)
    np.testing.assert_allclose(dy[:, 0], known.GANESH_BIEGLER_BY_FIRST, rtol=1e-14)
    np.testing.assert_allclose(dy[:, 1], known.GANESH_BIEGLER_BY_SECOND, rtol=1e-13)
    np.testing.assert_allclose(value[0], known.GANESH_BIEGLER_VALUE, rtol=1e-14)
    np.testing.assert_allclose(reverse, forward, atol=1e-14)
    values, forward, _ = compiled(known.GANESH_BIEGLER_BELOW)
    np.testing.assert_allclose(values[:3], known.GANESH_BIEGLER_Y_BELOW, atol=1e-15)
    np.testing.assert_allclose(forward[:3, 0], known.GANESH_BIEGLER_BY_FIRST_BELOW, atol=1e-14)


def test_an_equality_whose_multiplier_is_zero_is_active_all_the_same():
    values, forward, reverse = in_both_modes(known.free_equality)(known.FREE_EQUALITY_AT)
    y, _, dual = split(known.free_equality, values)
    np.testing.assert_allclose(y, known.FREE_EQUALITY_Y, rtol=1e-14)
    assert dual[1] == pytest.approx(0, abs=1e-14)
    np.testing.assert_allclose(forward[:3], known.FREE_EQUALITY_BY_P, atol=1e-14)
    np.testing.assert_allclose(reverse, forward, atol=1e-14)


class TestSine:
    """min (y₁ − sin p)² + y₂², y₁ <= ½: at p = π/6 the bound touches without pressing."""

    @pytest.mark.parametrize(
        ("p", "slope", "value"), [(0.3, 0.955336489, 0.0), (1.2, 0.0, 0.3131054261)]
    )
    def test_on_both_sides(self, p, slope, value):
        _, forward, _ = in_both_modes(known.sine)([p])
        assert forward[0, 0] == pytest.approx(slope, abs=5e-10)
        assert forward[2, 0] == pytest.approx(value, abs=5e-11)

    def test_at_the_kink_the_value_alone_has_a_derivative(self):
        p, start = jnp.array([math.pi / 6]), jnp.array(known.sine.start)
        assert float(argmin(known.sine)(p, start)[0]) == pytest.approx(0.5, rel=1e-15)
        eager = lambda p: jax.block_until_ready(jax.jacobian(argmin(known.sine))(p, start))
        for derivative in (eager, in_both_modes(known.sine)):
            with pytest.raises(
                Exception, match=r"at a kink: .*\(constraints subject_to\[0\]\[0\],"
            ):
                derivative(p)

    def test_without_throwing_it_has_a_status_and_nan(self):
        solve, start = argmin(known.sine, throw=False), jnp.array(known.sine.start)

        def twice(p):
            solution = solve.solution(p, start)
            return solution.primal, solution

        points = jnp.array([[0.3], [math.pi / 6], [1.2]])
        slopes, found = jax.jit(jax.vmap(jax.jacobian(twice, has_aux=True)))(points)
        np.testing.assert_allclose(slopes[0, :, 0], [math.cos(0.3), 0.0], atol=1e-15)
        np.testing.assert_allclose(slopes[2, :, 0], [0.0, 0.0], atol=1e-15)
        assert np.all(np.isnan(slopes[1]))
        np.testing.assert_array_equal(found.status == ag.Status.kink, [False, True, False])
        np.testing.assert_array_equal(found.status == ag.Status.converged, [True, False, True])
        np.testing.assert_array_equal(found.activity[0][:, 0], [0, 1, 2])


REDUNDANT = {
    "an equality stated twice": [
        ag.equality(lambda y, x: y[0] + y[1] - x, name="budget"),
        ag.equality(lambda y, x: 3 * (y[0] + y[1] - x), name="again"),
    ],
    "an inequality stated twice": [
        ag.inequality(lambda y, x: x - y[0] - y[1], name="budget"),
        ag.inequality(lambda y, x: 3 * (x - y[0] - y[1]), name="again"),
    ],
    "an equality that two bounds imply": [
        ag.box(np.array([0.5, -9.0]), np.array([9.0, 9.0]), name="box"),
        ag.equality(lambda y, x: y[1] - x / 2 - 1, name="budget"),
        ag.equality(lambda y, x: y[0] + y[1] - x / 2 - 1.5, name="again"),
    ],
}


@pytest.mark.parametrize("rows", REDUNDANT.values(), ids=REDUNDANT)
def test_rows_that_depend_on_each_other_are_named_when_differentiated(rows):
    """The nearest point to the origin, solved all the same."""
    solve = ag.argmin(lambda y, x: 0.5 * y @ y, subject_to=rows)
    compiled = jax.jit(lambda x: jax.linearize(lambda x: solve(x, jnp.zeros(2)), x)[0])
    found = solve.solution(1.0, jnp.zeros(2))
    np.testing.assert_allclose(found.primal, [0.5, 0.5 if len(rows) == 2 else 1.5], atol=1e-12)
    assert found.status == ag.Status.dependent
    assert found.violation < 1e-12
    del compiled
    with pytest.raises(Exception, match="LICQ fails") as failure:
        jax.jit(jax.jacfwd(solve))(1.0, jnp.zeros(2))
    named = re.search(r"\(constraints (.*), iterations", str(failure.value))[1].split(", ")
    assert {re.split(r"[.\[]", name)[0] for name in named} == {row.name for row in rows}
