"""The optimal value as a function of the parameters; its derivatives by the envelope theorem."""

import math
from collections import Counter
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import argrad as ag

from .diagnose import programme as quadratic
from .parametric import known
from .test_parametric_sweep import subject_to

FACTORS = ("custom_linear_solve", "cholesky", "eigh", "lu", "triangular_solve")


def to_second_order(value):
    """x -> the value, its gradient and its Hessian along the leaves of x, from one solve."""

    def all_three(x, *args):
        flat, unravel = ravel_pytree(x)
        first = jax.value_and_grad(lambda flat: value(unravel(flat), *args))
        (found, slope), push = jax.linearize(first, flat)
        return found, slope, jax.vmap(push)(jnp.eye(flat.size))[1]

    return all_three


def value_of(problem):
    solve = ag.argmin(problem.objective, subject_to=subject_to(problem).values())
    return lambda p: ag.value(solve)(p, jnp.array(problem.start))


def ridge(w, log_penalty, X, y):
    return jnp.sum((X @ w - y) ** 2) + jnp.exp(log_penalty) * w @ w


def test_ridge_against_its_closed_form(rng):
    """The value is yᵀ(I + XXᵀ/λ)⁻¹y, by λ = e^x."""
    X, y, x = rng.normal(size=(8, 3)), rng.normal(size=8), rng.normal()
    value = jax.jit(lambda x: ag.value(ag.argmin(ridge))(x, jnp.zeros(3), X, y))
    M = X @ X.T / math.exp(x)
    v = np.linalg.solve(np.eye(8) + M, y)
    turn = np.linalg.solve(np.eye(8) + M, M @ v)
    slope = v @ M @ v
    assert value(x) == pytest.approx(y @ v, rel=1e-12)
    assert jax.grad(value)(x) == pytest.approx(slope, rel=1e-10)
    assert jax.jvp(value, (x,), (2.0,))[1] == pytest.approx(2 * slope, rel=1e-10)
    assert jax.hessian(value)(x) == pytest.approx(2 * v @ M @ turn - slope, rel=1e-9)


def test_with_a_multiplier_of_zero_it_follows_the_chain_rule():
    p1, p2 = p = np.array(known.FREE_EQUALITY_AT)
    y, dy = known.FREE_EQUALITY_Y, np.array(known.FREE_EQUALITY_BY_P)
    by_chain = np.array([y[0] + p2, y[1] ** 2 + p1]) + np.array([p1, 2 * p2 * y[1], 0]) @ dy
    value, first, second = jax.jit(to_second_order(value_of(known.free_equality)))(jnp.array(p))
    assert value == pytest.approx(p1 * y[0] + p2 * y[1] ** 2 + p1 * p2, rel=1e-13)
    np.testing.assert_allclose(first, by_chain, rtol=1e-13)
    np.testing.assert_allclose(first, (24, 11), rtol=1e-13)
    # p₁² − p₁²/4p₂ + p₁p₂ near there.
    np.testing.assert_allclose(second, ((1.9, 1.2), (1.2, -0.4)), rtol=1e-11)


quiet_programme = ag.argmin(quadratic.objective, subject_to=quadratic.ROWS, throw=False)


@cache
def of_programmes():
    """Value, gradient and Hessian of a batch of programmes at x = 0."""
    one = to_second_order(lambda x, d: ag.value(quiet_programme)(x, quadratic.start, d))
    compiled = jax.jit(jax.vmap(lambda d: one(jnp.zeros(2), d)))

    def stacked(programmes):
        return compiled(quadratic.Data(*map(np.stack, zip(*programmes, strict=True))))

    return stacked


def test_random_quadratic_programs_against_differences(rng):
    """Constraints and costs move; as far as the rows stay active, the value is a quadratic."""
    programmes = [quadratic.random(rng, strong=2, weak=0) for _ in range(8)]
    values, slopes, curvatures = of_programmes()(programmes)
    for d, value, slope, curvature in zip(programmes, values, slopes, curvatures, strict=True):
        scale = 1 + np.max(np.abs(curvature))
        at = lambda a, b, d=d: quadratic.value(d, np.array([a, b]))
        h = 1e-4
        middle = at(0, 0)
        assert value == pytest.approx(middle, abs=1e-11 * scale)
        sides = np.array([[at(h, 0), at(-h, 0)], [at(0, h), at(0, -h)]])
        np.testing.assert_allclose(slope, sides @ [1, -1] / (2 * h), atol=1e-9 * scale)
        across = (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4 * h * h)
        twice = (sides.sum(axis=1) - 2 * middle) / h**2
        np.testing.assert_allclose(np.diag(curvature), twice, atol=1e-5 * scale)
        np.testing.assert_allclose([curvature[0, 1], curvature[1, 0]], across, atol=1e-5 * scale)


def test_in_a_batch_kinks_have_a_slope_and_failures_nan():
    """½|y|², y₁ + y₂ = 1 + x₁, y₁ − 2y₂ <= −½ has a kink at x = 0 with a slope of ½; for y₁ <= −1
    and −y₁ <= −1 there is nothing."""
    corner = quadratic.data(Q=np.eye(2), A=[[1, 1]], a=[1], a_x=[[1, 0]], B=[[1, -2]], b=[-0.5])
    empty = quadratic.data(Q=np.eye(2), B=[[1, 0], [-1, 0]], b=[-1, -1], b_x=[[1, 0], [0, 1]])
    # Multipliers are not unique, so that there is a value and no slope.
    twice = quadratic.data(Q=np.eye(2), B=[[1, 0], [2, 0]], b=[-1, -2], b_x=[[1, 0], [0, 1]])
    fine = quadratic.data(Q=np.eye(2), A=[[1, 1]], a=[1], a_x=[[1, 0]])
    found = of_programmes()([corner, empty, twice, fine])
    values, slopes, curvatures = map(np.asarray, found)
    others = quadratic.value(quadratic.data(Q=np.eye(2)), np.zeros(2))
    np.testing.assert_allclose(values - others, [0.25, np.nan, 0.5, 0.25], rtol=1e-12)
    np.testing.assert_allclose(slopes[[0, 3]], [[0.5, 0], [0.5, 0]], atol=1e-12)
    np.testing.assert_allclose(curvatures[3], [[0.5, 0], [0, 0]], atol=1e-12)
    assert np.isnan(slopes[1:3]).all()
    assert np.isnan(curvatures[:3, 0, 0]).all()


@pytest.mark.parametrize(
    ("problem", "at", "slope"), [(known.sine, math.pi / 6, 0.0), (known.corner, 1.0, 0.5)]
)
def test_at_a_kink_of_the_solution_it_has_a_slope_all_the_same(problem, at, slope):
    value = value_of(problem)
    # Nothing is solved for the derivative of y*: that would be an error here.
    both = jax.jit(lambda p: jax.jvp(value, (p,), (jnp.ones(1),)))
    at, h = jnp.array([at]), 1e-4
    found, forward = both(at)
    assert forward == pytest.approx(slope, abs=1e-12)
    assert jax.jit(jax.grad(value))(at)[0] == pytest.approx(slope, abs=1e-12)
    for side in (h, -h):
        assert (both(at + side)[0] - found) / side == pytest.approx(slope, abs=2 * h)


def test_a_second_derivative_at_a_kink_is_refused():
    capped = ag.value(ag.argmin(lambda y, x: (y - x) ** 2, subject_to=[ag.box(None, 1.0)]))
    with pytest.raises(Exception, match=r"kink.*constraints box\.upper"):
        jax.jit(jax.grad(jax.grad(capped)))(1.0, 0.0)


def primitives(jaxpr, found=None):
    """How often each primitive occurs, inner programs included."""
    found = Counter() if found is None else found
    inner = lambda leaf: hasattr(leaf, "eqns") or hasattr(leaf, "jaxpr")
    for equation in jaxpr.eqns:
        found[equation.primitive.name] += 1
        for leaf in jax.tree.leaves(list(equation.params.values()), is_leaf=inner):
            if inner(leaf):
                primitives(getattr(leaf, "jaxpr", leaf), found)
    return found


@pytest.mark.parametrize("constrained", [False, True])
def test_the_first_derivative_takes_no_linear_solve(constrained):
    rows = [ag.box(None, 0.5)] if constrained else []
    solve = ag.argmin(lambda y, x: jnp.sum((y - jnp.sin(x)) ** 2), subject_to=rows)
    value = lambda x: ag.value(solve)(x, jnp.zeros(2))
    count = lambda f: primitives(jax.make_jaxpr(f)(1.2).jaxpr)
    plain, first, second = count(value), count(jax.grad(value)), count(jax.grad(jax.grad(value)))
    assert first["custom_linear_solve"] == 0
    assert {k: first[k] for k in FACTORS} == {k: plain[k] for k in FACTORS}
    assert second["custom_linear_solve"] == 1


def shared(y, x):
    shares = jnp.concatenate([y["first"][None], y["others"]])
    return x["weights"] @ jnp.log(shares)


def test_a_maximum_over_a_pytree():
    """Shares of a budget b: y_i = b w_i / Σw, the value Σ w_i log y_i."""
    start = {"first": jnp.array(0.3), "others": jnp.array([0.3, 0.3])}
    total = lambda y, x: y["first"] + y["others"].sum() - x["budget"]
    best = ag.value(ag.argmax(shared, subject_to=[ag.inequality(total, name="total")]))
    x = {"weights": jnp.array([1.0, 2.0, 0.5]), "budget": jnp.array(1.7)}

    def closed(x):
        w = x["weights"]
        return w @ jnp.log(x["budget"] * w / w.sum())

    found = jax.jit(to_second_order(lambda x: best(x, start)))(x)
    expected = to_second_order(closed)(x)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_a_flat_minimum_has_a_value_with_a_slope():
    flat = ag.value(ag.argmin(lambda y, x: (y[0] + y[1] - x) ** 2 + x**2))
    assert jax.grad(flat)(1.5, jnp.zeros(2)) == pytest.approx(3, rel=1e-12)


class TestFailures:
    """min y² + y, y >= x and y <= 1: infeasible beyond x = 1."""

    rows = (
        ag.inequality(lambda y, x: x - y, name="floor"),
        ag.inequality(lambda y, x: y - 1, name="roof"),
    )
    value = ag.value(ag.argmin(lambda y, x: y**2 + y, subject_to=rows))

    def test_one_of_a_batch_is_an_error_in_both_modes(self):
        """Also in reverse mode, where the value itself is not needed for its derivative."""
        assert self.value(0.5, 0.2) == pytest.approx(0.75, rel=1e-12)
        message = r"no point that satisfies.*constraints .*roof"
        with pytest.raises(ag.SolveError, match=message):
            self.value(2.0, 0.2)
        slopes = jax.jit(jax.vmap(jax.grad(lambda x: self.value(x, 0.2))))
        np.testing.assert_allclose(slopes(jnp.array([0.5, 0.3, -0.2])), [2, 1.6, 0.6], rtol=1e-10)
        with pytest.raises(Exception, match=message):
            jax.block_until_ready(slopes(jnp.array([0.5, 2.0, -0.2])))

    def test_without_constraints(self):
        away = lambda throw: ag.value(ag.argmin(lambda y, x: x * y, throw=throw))
        with pytest.raises(ag.SolveError, match="ran away"):
            away(True)(1.0, 0.0)
        with pytest.raises(Exception, match="ran away"):
            jax.jit(jax.grad(away(True)))(1.0, 0.0)
        value, slope = jax.value_and_grad(away(False))(1.0, 0.0)
        assert np.isnan(value)
        assert np.isnan(slope)


def test_where_multipliers_are_not_unique_the_value_is_known_but_not_its_slope():
    """y >= x₁ and 2y >= 2x₂; the price of either may be anything up to the whole."""
    rows = [
        ag.inequality(lambda y, x: x[0] - y, name="once"),
        ag.inequality(lambda y, x: 2 * (x[1] - y), name="again"),
    ]
    value = ag.value(ag.argmin(lambda y, x: y**2, subject_to=rows))
    assert value(jnp.ones(2), 0.0) == pytest.approx(1, rel=1e-12)
    with pytest.raises(Exception, match=r"LICQ fails.*constraints (once|again)"):
        jax.jit(jax.grad(value))(jnp.ones(2), 0.0)


def test_it_is_made_of_an_argmin():
    with pytest.raises(TypeError, match=r"value needs what argrad\.argmin or argrad\.argmax made"):
        ag.value(lambda x, init: x)
