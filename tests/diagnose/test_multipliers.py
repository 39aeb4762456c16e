"""Ranges of multipliers that are not unique, against linear programs by SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

import argrad as ag

from .programme import as_arrays, data, programme, random, start
from .test_directional import CORNER, REDUNDANT, VERTEX


def multiplier_range(d):
    """Least and greatest of the multipliers of equalities and of inequalities."""
    return jax.tree.map(
        np.asarray, ag.multiplier_range(programme, jnp.zeros(2), start, as_arrays(d))
    )


def lowest_cost(c, B, b):
    found = linprog(c, A_ub=B, b_ub=b, bounds=(None, None))
    assert found.status == 0
    return found.fun


@pytest.mark.parametrize(("variables", "lines"), [(2, 3), (2, 5), (3, 5)])
def test_a_degenerate_vertex_against_perturbed_linear_programs(rng, variables, lines):
    """The value falls by the least multiplier for more of a row, and grows by the greatest for
    less of it."""
    B, y = rng.uniform(0.2, 1, size=(lines, variables)), rng.normal(size=variables)
    c, b = -rng.uniform(0.5, 1, size=lines) @ B, B @ y
    d = data(Q=np.zeros((variables, variables)), c=c, B=B, b=b)
    (_, lowest), (_, highest) = multiplier_range(d)
    h = 1e-3
    for i, row in enumerate(np.eye(lines)):
        more, less = (lowest_cost(c, B, b + side * h * row) - c @ y for side in (1, -1))
        assert lowest[i] == pytest.approx(-more / h, abs=1e-7)
        assert highest[i] == pytest.approx(less / h, abs=1e-7)
        for bound, sign in ((lowest, 1), (highest, -1)):
            extreme = linprog(sign * row, A_eq=B.T, b_eq=-c)
            assert bound[i] == pytest.approx(sign * extreme.fun, abs=1e-7)
    assert np.max(highest - lowest) > 1e-2
    np.testing.assert_array_equal(lowest[lines:], 0)


def test_three_lines_through_one_vertex():
    """μ₁ + 2μ₃ = 1 and μ₂ + μ₃ = 1."""
    (_, lowest), (_, highest) = multiplier_range(VERTEX)
    np.testing.assert_allclose(lowest[:3], [0, 0.5, 0], atol=1e-12)
    np.testing.assert_allclose(highest[:3], [1, 1, 0.5], atol=1e-12)


def test_unique_multipliers_are_an_interval_of_one_point(rng):
    for d in (random(rng, strong=2, weak=0), random(rng, strong=1, weak=2), CORNER):
        solution = programme.solution(jnp.zeros(2), start, as_arrays(d))
        for bound in multiplier_range(d):
            for one, other in zip(bound, solution.multipliers, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_an_inequality_stated_twice_shares_its_price():
    """μ₁ + 3μ₂ = ½."""
    (_, lowest), (_, highest) = multiplier_range(REDUNDANT["an inequality twice"])
    np.testing.assert_allclose(lowest, 0, atol=1e-12)
    np.testing.assert_allclose(highest[:2], [1 / 2, 1 / 6], atol=1e-12)


def test_multipliers_of_an_equality_stated_twice_have_no_bounds():
    """λ₁ + 3λ₂ = −½."""
    (lowest, _), (highest, _) = multiplier_range(REDUNDANT["an equality twice"])
    np.testing.assert_array_equal(lowest, -np.inf)
    np.testing.assert_array_equal(highest, np.inf)


def test_an_inequality_beside_the_same_equality_has_one_bound():
    """λ − 2μ = −½ and μ >= 0."""
    lowest, highest = multiplier_range(REDUNDANT["both"])
    np.testing.assert_allclose([lowest[0][0], lowest[1][0]], [-0.5, 0], atol=1e-12)
    np.testing.assert_array_equal([highest[0][0], highest[1][0]], np.inf)
    # The equality that nothing duplicates has one multiplier, 0.
    np.testing.assert_allclose([lowest[0][1], highest[0][1]], 0, atol=1e-12)


def test_shaped_like_the_constraints_and_for_a_maximum():
    """max 2a + 2b in a ≤ 1, b ≤ 1 and a + b ≤ 2."""
    solve = ag.argmax(
        lambda y, x: x * (y["a"] + y["b"]),
        subject_to=[
            ag.box(None, {"a": 1.0, "b": 1.0}, name="each"),
            ag.inequality(lambda y, x: {"sum": y["a"] + y["b"] - 2}, name="both"),
        ],
    )
    lowest, highest = ag.multiplier_range(solve, 2.0, {"a": 0.0, "b": 0.0})
    for leaf in jax.tree.leaves(lowest):
        assert leaf == pytest.approx(0, abs=1e-9)
    for name in "ab":
        assert highest[0]["upper"][name] == pytest.approx(2, rel=1e-9)
    assert highest[1]["sum"] == pytest.approx(2, rel=1e-9)


def test_failures():
    empty = data(Q=np.eye(1), B=[[1], [-1]], b=[0, -1])
    with pytest.raises(ag.SolveError, match="no point that satisfies the constraints"):
        multiplier_range(empty)
    with pytest.raises(ValueError, match="multiplier_range is about constraints"):
        ag.multiplier_range(ag.argmin(lambda y, x: (y - x) ** 2), 1.0, 0.0)
    with pytest.raises(TypeError, match=r"multiplier_range needs what argrad\.argmin"):
        ag.multiplier_range(lambda x, y: y, 1.0, 0.0)
