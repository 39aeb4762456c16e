"""One-sided derivatives, against closed forms and the solutions of all sets of active rows."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag

from ..parametric import known
from .programme import as_arrays, data, enumerated, programme, random, start, value


def directional(d, direction, x=(0.0, 0.0)):
    x, direction = jnp.array(x, float), jnp.array(direction, float)
    return np.asarray(ag.directional(programme, x, direction, start, as_arrays(d)))


def of_value(d, direction, x=(0.0, 0.0)):
    x, direction = jnp.array(x, float), jnp.array(direction, float)
    return float(ag.directional(ag.value(programme), x, direction, start, as_arrays(d)))


def step_within_a_piece(d, side):
    """An h so short that y* is linear up to h · side, or ValueError where nothing is feasible."""
    y, _ = enumerated(d, np.zeros(2))
    for h in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7):
        try:
            whole, half = enumerated(d, h * side)[0] - y, enumerated(d, h / 2 * side)[0] - y
        except ValueError:
            continue
        if np.max(np.abs(whole - 2 * half)) < 1e-7 * np.max(np.abs(whole)):
            return h
    raise ValueError("infeasible")


@pytest.mark.parametrize(("strong", "weak"), [(1, 1), (3, 0), (0, 2), (1, 3), (2, 2)])
def test_weakly_active_rows_against_one_sided_differences(rng, strong, weak):
    """y* is piecewise linear and the value piecewise quadratic: short differences are exact."""
    for _ in range(5):
        d, direction = random(rng, strong, weak), rng.normal(size=2)
        y, _ = enumerated(d, np.zeros(2))
        for side in (direction, -direction):
            h = step_within_a_piece(d, side)
            expected = (enumerated(d, h * side)[0] - y) / h
            tol = (1e-9 + 1e-13 / h) * (1 + np.max(np.abs(expected)))
            np.testing.assert_allclose(directional(d, side), expected, atol=tol)
            middle, far = (value(d, t * side) - value(d, 0 * side) for t in (h / 2, h))
            expected = (4 * middle - far) / h
            assert of_value(d, side) == pytest.approx(expected, abs=10 * tol)
        # The value has a derivative although y* has none.
        assert of_value(d, -direction) == pytest.approx(-of_value(d, direction), rel=1e-10)


@pytest.mark.parametrize(("strong", "weak"), [(2, 3), (3, 2), (5, 0), (1, 4)])
def test_more_active_rows_than_variables_against_one_sided_differences(strong, weak):
    """Multipliers are not unique, and on one side or on both there may be nothing feasible."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        d, side = random(rng, strong, weak), rng.normal(size=2)
        y, _ = enumerated(d, np.zeros(2))
        try:
            h = step_within_a_piece(d, side)
        except ValueError:
            with pytest.raises(ag.SolveError, match="nothing is feasible in that direction"):
                directional(d, side)
            continue
        expected = (enumerated(d, h * side)[0] - y) / h
        tol = (1e-8 + 1e-12 / h) * (1 + np.max(np.abs(expected)))
        np.testing.assert_allclose(directional(d, side), expected, atol=tol)


CORNER = data(
    Q=np.eye(2), A=[[1, 1]], a=[1], a_x=[[1, 0]], B=[[1, -2]], b=[-0.5]
)  # the problem of `known.corner`, x₁ = b − 1


def test_the_corner_has_two_slopes_and_one_of_the_value():
    np.testing.assert_allclose(directional(CORNER, (1, 0))[:2], known.CORNER_ABOVE, atol=1e-14)
    below = [-a for a in known.CORNER_BELOW]
    np.testing.assert_allclose(directional(CORNER, (-1, 0))[:2], below, atol=1e-14)
    assert of_value(CORNER, (1, 0)) == pytest.approx(0.5, rel=1e-14)
    assert of_value(CORNER, (-1, 0)) == pytest.approx(-0.5, rel=1e-14)


def test_away_from_kinks_it_is_the_derivative():
    at = (0.3, 0.0)
    slope = directional(CORNER, (1, 0), at)
    np.testing.assert_allclose(slope[:2], known.CORNER_ABOVE, atol=1e-14)
    np.testing.assert_allclose(directional(CORNER, (-2, 0), at), -2 * slope, atol=1e-14)
    np.testing.assert_allclose(directional(CORNER, (0, 1), at), 0, atol=1e-14)


# max y₁ + y₂ with a vertex at (1, 1) through which three lines go. The value as a function of the
# right-hand side of the third, 2y₁ + y₂ <= 3 + x₁: more of it is worth nothing, less of it costs.
VERTEX = data(
    Q=np.zeros((2, 2)),
    c=[-1, -1],
    B=[[1, 0], [0, 1], [2, 1]],
    b=[1, 1, 3],
    b_x=[[0, 0], [0, 1], [1, 0]],
)


def test_a_degenerate_vertex_has_two_prices():
    assert of_value(VERTEX, (1, 0)) == pytest.approx(0, abs=1e-12)
    assert of_value(VERTEX, (-1, 0)) == pytest.approx(0.5, rel=1e-12)
    # The second line, y₂ <= 1 + x₂: with more, y₂ grows at the cost of y₁; with less y₂ falls.
    assert of_value(VERTEX, (0, 1)) == pytest.approx(-0.5, rel=1e-12)
    assert of_value(VERTEX, (0, -1)) == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(directional(VERTEX, (0, 1))[:2], [-0.5, 1], atol=1e-12)
    np.testing.assert_allclose(directional(VERTEX, (0, -1))[:2], [0, -1], atol=1e-12)


REDUNDANT = {
    # y₁ + y₂ = 1 + x₁ with x₂ as the cost of y₁.
    "an equality twice": data(
        Q=np.eye(2), C=[[0, 1]], A=[[1, 1], [3, 3]], a=[1, 3], a_x=[[1, 0], [3, 0]]
    ),
    "an inequality twice": data(
        Q=np.eye(2), C=[[0, 1]], B=[[-1, -1], [-3, -3]], b=[-1, -3], b_x=[[-1, 0], [-3, 0]]
    ),
    "both": data(
        Q=np.eye(2),
        C=[[0, 1]],
        A=[[1, 1]],
        a=[1],
        a_x=[[1, 0]],
        B=[[-2, -2]],
        b=[-2],
        b_x=[[-2, 0]],
    ),
}


@pytest.mark.parametrize("d", REDUNDANT.values(), ids=REDUNDANT)
def test_rows_stated_twice(d):
    """min ½|y|² + x₂ y₁ on y₁ + y₂ = 1 + x₁ is at (1 + x₁)/2 ∓ x₂/2."""
    for direction in ((1, 0), (-1, 0), (0, 1), (2, -3)):
        b, price = direction
        expected = [b / 2 - price / 2, b / 2 + price / 2]
        np.testing.assert_allclose(directional(d, direction)[:2], expected, atol=1e-12)
        assert of_value(d, direction) == pytest.approx(b / 2 + price / 2, rel=1e-12)


@pytest.mark.parametrize("d", REDUNDANT.values(), ids=REDUNDANT)
def test_rows_stated_twice_are_named_where_the_plain_derivative_raises(d):
    solution = programme.solution(jnp.zeros(2), start, as_arrays(d))
    assert solution.status == ag.Status.dependent
    np.testing.assert_allclose(solution.primal[:2], 0.5, atol=1e-12)
    with pytest.raises(Exception, match=r"LICQ fails.*constraints (equal|below)\[[01]\]"):
        jax.jvp(lambda x: programme(x, start, as_arrays(d)), (jnp.zeros(2),), (jnp.ones(2),))


def test_rows_that_contradict_each_other_on_one_side():
    """y₁ = 1 + x₁ and y₁ <= 1: nothing is feasible for x₁ > 0."""
    d = data(Q=np.eye(1), A=[[1]], a=[1], a_x=[[1, 0]], B=[[1]], b=[1])
    np.testing.assert_allclose(directional(d, (-1, 0))[:1], -1, atol=1e-12)
    with pytest.raises(ag.SolveError, match="nothing is feasible in that direction"):
        directional(d, (1, 0))
    with pytest.raises(ag.SolveError, match="nothing is feasible in that direction"):
        of_value(d, (1, 0))


def test_equalities_that_move_apart():
    """y₁ = 1 and y₁ = 1 + x₁."""
    d = data(Q=np.eye(1), A=[[1], [1]], a=[1, 1], a_x=[[0, 0], [1, 0]])
    np.testing.assert_allclose(directional(d, (0, 1)), 0, atol=1e-12)
    with pytest.raises(ag.SolveError, match="nothing is feasible in that direction"):
        directional(d, (1, 0))


def test_a_flat_direction_has_no_one_sided_derivative():
    """min 0 · y₁ on y₁ <= 1: any y₁ will do."""
    d = data(Q=np.zeros((1, 1)), B=[[1], [-1]], b=[1, 3])
    with pytest.raises(ag.SolveError, match="second-order sufficiency fails"):
        directional(d, (1, 0))


def test_positive_semidefinite_beside_strongly_active_rows():
    """The Hessian may be indefinite where strongly active rows leave nothing of it."""
    d = data(Q=np.diag([-1.0, 1.0]), c=[-1, 0], B=[[1, 0], [0, -1]], b=[1, 0], b_x=[[1, 0], [0, 1]])
    np.testing.assert_allclose(directional(d, (1, 0))[:2], [1, 0], atol=1e-12)
    # −y₂ <= x₂ touches at y₂ = 0 without pressing.
    np.testing.assert_allclose(directional(d, (0, 1))[:2], [0, 0], atol=1e-12)
    np.testing.assert_allclose(directional(d, (0, -1))[:2], [0, 1], atol=1e-12)


def test_sine_meets_its_bound():
    """A problem that is not quadratic: min (y − sin p)², y <= ½ at p = π/6."""
    solve = ag.argmin(lambda y, p: (y - jnp.sin(p)) ** 2, subject_to=[ag.box(None, 0.5)])
    p = math.pi / 6
    assert ag.directional(solve, p, 1.0, 0.0) == pytest.approx(0, abs=1e-14)
    assert ag.directional(solve, p, -1.0, 0.0) == pytest.approx(-math.sqrt(0.75), rel=1e-14)


def test_a_maximum_and_pytrees():
    """The largest a p + b on a + b <= 1, a <= 1 − q: two vertices at p = 1, where all is flat."""
    solve = ag.argmax(
        lambda y, x: x["p"] * y["a"] + y["b"] - 0.5 * y["a"] ** 2,
        subject_to=[
            ag.inequality(lambda y, x: y["a"] + y["b"] - 1, name="share"),
            ag.box({"a": 0.0, "b": 0.0}, None),
        ],
    )
    # max (p − 1) a − ½ a² + 1: a = max(p − 1, 0), the value 1 + ½ max(p − 1, 0)².
    x, up, down = {"p": 1.0}, {"p": 1.0}, {"p": -1.0}
    init = {"a": 0.5, "b": 0.5}
    slopes = [ag.directional(solve, x, side, init) for side in (up, down)]
    assert slopes[0]["a"] == pytest.approx(1, abs=1e-9)
    assert slopes[0]["b"] == pytest.approx(-1, abs=1e-9)
    assert slopes[1]["a"] == pytest.approx(0, abs=1e-9)
    assert slopes[1]["b"] == pytest.approx(0, abs=1e-9)
    value = ag.value(solve)
    assert ag.directional(value, {"p": 1.5}, up, init) == pytest.approx(0.5, rel=1e-9)
    assert ag.directional(value, x, up, init) == pytest.approx(0, abs=1e-9)


def test_without_constraints_it_is_the_directional_derivative():
    solve = ag.argmin(lambda y, x: jnp.sum((y - jnp.sin(x)) ** 2))
    found = ag.directional(solve, jnp.array([0.3, 1.0]), jnp.array([1.0, -2.0]), jnp.zeros(2))
    np.testing.assert_allclose(found, [math.cos(0.3), -2 * math.cos(1.0)], rtol=1e-12)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"direction has shape \(3,\) where x has \(2,\)"):
        directional(CORNER, (1, 0, 0))
    with pytest.raises(ValueError, match="the direction is"):
        ag.directional(programme, jnp.zeros(2), (1.0, 0.0), start, as_arrays(CORNER))
    with pytest.raises(TypeError, match="real floating-point"):
        ag.directional(programme, jnp.zeros(2, int), jnp.zeros(2), start, as_arrays(CORNER))
    with pytest.raises(TypeError, match=r"directional needs what argrad\.argmin"):
        ag.directional(lambda x, y: y, 1.0, 1.0, 0.0)


def test_a_solve_that_fails():
    contradiction = data(Q=np.eye(1), B=[[1], [-1]], b=[0, -1])
    with pytest.raises(ag.SolveError, match="no point that satisfies the constraints"):
        directional(contradiction, (1, 0))
