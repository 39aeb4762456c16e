"""The worked examples of Gould et al. 2016, arXiv:1607.05447, each against its closed form.

The same examples, told at length, are docs/gould2016.md.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import argrad as ag

CLASSES = 10


# Scalar mean ------------------------------------------------------------------------------------


def h(x):
    return jnp.stack([jnp.sin(x), x**2, jnp.exp(-x)])


def spread(y, x):
    return jnp.sum((h(x) - y) ** 2)


mean = ag.argmin(spread)


def mean_slope(x):
    return (np.cos(x) + 2 * x - np.exp(-x)) / 3


def test_scalar_mean_at_the_point_of_the_paper():
    assert abs(float(jax.grad(mean)(0.7, 0.0)) - 0.55608563) < 5e-9


@pytest.mark.parametrize("derivative", [jax.grad, jax.jacfwd, jax.jacrev])
def test_scalar_mean_has_the_mean_of_the_slopes(rng, derivative):
    for x in rng.normal(size=5):
        start = rng.normal()
        # The terms are of order one and may cancel.
        np.testing.assert_allclose(mean(x, start), np.mean(h(x)), rtol=1e-14, atol=1e-15)
        slope = derivative(mean)(x, start)
        np.testing.assert_allclose(slope, mean_slope(x), rtol=1e-13, atol=1e-15)


def test_scalar_mean_second_derivative(rng):
    x = rng.normal()
    expected = (-np.sin(x) + 2 + np.exp(-x)) / 3
    np.testing.assert_allclose(jax.hessian(mean)(x, 0.0), expected, rtol=1e-12)


# Three stationary points ------------------------------------------------------------------------


def quartic(y, x):
    return x * y**4 + 2 * x**2 * y**3 - 12 * y**2


lowest, highest = ag.argmin(quartic), ag.argmax(quartic)


def branch(x, side):
    """The roots of ∂f/∂y other than y = 0: 2xy² + 3x²y − 12 = 0."""
    return (-3 * x**2 + side * np.sqrt(9 * x**4 + 96 * x)) / (4 * x)


def slope(y, x):
    """g' of the paper, −f_xy / f_yy."""
    return -(y**3 + 3 * x * y**2) / (3 * x * y**2 + 3 * x**2 * y - 6)


@pytest.mark.parametrize(
    ("start", "y", "dy"), [(-3.0, -3.3117376915, 0.2015025711), (2.0, 1.8117376915, -1.7015025711)]
)
def test_the_two_minima_at_one(start, y, dy):
    assert abs(float(lowest(1.0, start)) - y) < 5e-11
    assert abs(float(jax.grad(lowest)(1.0, start)) - dy) < 5e-11


def test_the_left_minimum_is_the_global_one():
    values = lowest.solution(1.0, -3.0).value, lowest.solution(1.0, 2.0).value
    assert values[0] < values[1] < quartic(0.0, 1.0)


def test_the_maximum_at_zero_does_not_move():
    assert abs(float(highest(1.0, 0.1))) < 1e-14
    assert abs(float(jax.grad(highest)(1.0, 0.1))) < 1e-13


def test_argmin_started_on_the_maximum_raises():
    with pytest.raises(ag.SolveError, match="indefinite"):
        lowest(1.0, 0.0)
    status = ag.argmin(quartic, throw=False).solution(1.0, 0.0).status
    assert status == ag.Status.saddle
    assert jnp.isnan(jax.grad(ag.argmin(quartic, throw=False))(1.0, 0.0))


def test_argmax_started_on_a_minimum_raises():
    with pytest.raises(ag.SolveError, match="indefinite"):
        highest(1.0, float(branch(1.0, +1)))


@pytest.mark.parametrize("side", [-1, +1])
def test_slope_along_a_branch(rng, side):
    """A sweep of x: formula of the paper, closed form of the branch, and argrad, all the same."""
    xs = np.sort(rng.uniform(0.2, 3.0, size=25))
    ys = branch(xs, side)
    starts = ys * (1 + 0.05 * rng.uniform(-1, 1, size=25))
    found = jax.vmap(lowest)(xs, starts)
    np.testing.assert_allclose(found, ys, rtol=1e-13)
    slopes = jax.vmap(jax.grad(lowest))(xs, starts)
    np.testing.assert_allclose(slopes, slope(ys, xs), rtol=1e-11)
    step = 1e-5
    differences = (branch(xs + step, side) - branch(xs - step, side)) / (2 * step)
    np.testing.assert_allclose(slopes, differences, rtol=1e-7, atol=1e-8)


def test_argmax_on_its_branch(rng):
    xs = rng.uniform(0.2, 3.0, size=25)
    starts = 0.2 * branch(xs, +1) * rng.uniform(-1, 1, size=25)
    np.testing.assert_allclose(jax.vmap(highest)(xs, starts), 0, atol=1e-12)
    np.testing.assert_allclose(jax.vmap(jax.grad(highest))(xs, starts), 0, atol=1e-11)
    # The mirror image of the minima: argmax of −f is argmin of f, on either branch.
    mirrored = ag.argmax(lambda y, x: -quartic(y, x))
    ys = branch(xs, -1)
    slopes = jax.vmap(jax.grad(mirrored))(xs, ys * 1.02)
    np.testing.assert_allclose(slopes, slope(ys, xs), rtol=1e-11)


# Maximum-likelihood features of a soft-max model --------------------------------------------------


def log_likelihood(y, parameters, label, penalty):
    A, b = parameters
    return jax.nn.log_softmax(A @ y + b)[label] - 0.5 * penalty * jnp.sum(y**2)


feature = ag.argmax(log_likelihood)


def feature_derivatives(y, A, b, label, penalty):
    """dy/dA (2, 10, 2) and dy/db (2, 10) by hand.

    With p = softmax(Ay + b) and ā = Σ p_k a_k, stationarity is a_i − ā − λy = 0, its Jacobian in
    y is −M with M = λI + Σ p_k a_k a_kᵀ − ā āᵀ, and

        dy/da_j = M⁻¹ ((δ_ij − p_j) I − p_j (a_j − ā) yᵀ),   dy/db_j = −M⁻¹ p_j (a_j − ā).
    """
    scores = np.exp(A @ y + b - np.max(A @ y + b))
    p = scores / scores.sum()
    average = p @ A
    M = penalty * np.eye(2) + (A.T * p) @ A - np.outer(average, average)
    by_weight, by_bias = np.zeros((2, CLASSES, 2)), np.zeros((2, CLASSES))
    for j in range(CLASSES):
        away = p[j] * (A[j] - average)
        right = ((label == j) - p[j]) * np.eye(2) - np.outer(away, y)
        by_weight[:, j, :] = np.linalg.solve(M, right)
        by_bias[:, j] = -np.linalg.solve(M, away)
    return by_weight, by_bias


def draw_parameters(rng):
    return rng.uniform(-1, 1, size=(CLASSES, 2)), rng.uniform(-1, 1, size=CLASSES)


@pytest.fixture
def parameters(rng):
    return draw_parameters(rng)


@pytest.mark.parametrize("penalty", [0.05, 1.0])
@pytest.mark.parametrize("jacobian", [jax.jacfwd, jax.jacrev])
def test_features_move_with_every_weight_and_bias_as_by_hand(parameters, penalty, jacobian):
    labels = jnp.arange(CLASSES)
    A, b = parameters

    def features(parameters):
        one = lambda label: feature(parameters, jnp.zeros(2), label, penalty)
        return jax.vmap(one)(labels)

    ys = features((A, b))
    found = jacobian(features)((A, b))
    for i in range(CLASSES):
        by_weight, by_bias = feature_derivatives(np.asarray(ys[i]), A, b, i, penalty)
        # Conjugate gradients leave a relative residual of eps^(2/3), 4e-11.
        tol = {"rtol": 1e-9, "atol": 1e-10 * np.abs(by_weight).max()}
        np.testing.assert_allclose(found[0][i], by_weight, **tol)
        np.testing.assert_allclose(found[1][i], by_bias, **tol)


def test_the_closed_form_itself_agrees_with_central_differences(parameters, rng):
    """So that a slip in the algebra above could not hide behind the same slip in a test."""
    A, b = parameters
    dA, db, t = rng.normal(size=A.shape), rng.normal(size=b.shape), 1e-5
    ys = [feature((A + s * dA, b + s * db), np.zeros(2), 3, 0.5) for s in (-t, t)]
    y = np.asarray(feature((A, b), np.zeros(2), 3, 0.5))
    by_weight, by_bias = feature_derivatives(y, A, b, 3, 0.5)
    along = np.einsum("kji,ji->k", by_weight, dA) + by_bias @ db
    np.testing.assert_allclose((ys[1] - ys[0]) / (2 * t), along, rtol=1e-6, atol=1e-8)


# Monotone transformations of the objective --------------------------------------------------------

MONOTONE = {
    "exp": jnp.exp,
    "cubic": lambda v: v**3,
    "log1p": jnp.log1p,
    "affine": lambda v: 7 * v - 3,
    "arctan": jnp.arctan,
}


@pytest.mark.parametrize("name", MONOTONE)
def test_derivative_is_invariant_under_monotone_transformations(rng, name):
    """φ' scales the Hessian and the cross derivative alike, and cancels."""
    transformed = ag.argmin(lambda y, x: MONOTONE[name](spread(y, x)))
    for x in rng.uniform(-1, 1, size=3):
        y = float(np.mean(h(x)))
        start = y + 0.1
        np.testing.assert_allclose(transformed(x, start), y, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(jax.grad(transformed)(x, start), mean_slope(x), rtol=1e-9)


def test_a_falling_transformation_turns_argmin_into_argmax(rng):
    x = rng.uniform(-1, 1)
    upside_down = ag.argmax(lambda y, x: jnp.exp(-spread(y, x)))
    slope = jax.grad(upside_down)(x, float(np.mean(h(x))) + 0.1)
    np.testing.assert_allclose(slope, mean_slope(x), rtol=1e-9)


def test_no_derivative_where_that_of_the_transformation_vanishes(rng):
    """The cube of (y − sin x)²: the same minimum, with φ' = 0 there and so a zero Hessian."""
    flat = ag.argmin(lambda y, x: ((y - jnp.sin(x)) ** 2) ** 3)
    # Newton's method is linear there and ends where steps are small beside y, which is not near 0.
    x = rng.choice([-1, 1]) * rng.uniform(0.3, 1)
    with pytest.raises((ag.SolveError, jax.errors.JaxRuntimeError), match="singular"):
        jax.grad(flat)(x, float(np.sin(x)) + 0.1)
    lifted = ag.argmin(lambda y, x: (1 + (y - jnp.sin(x)) ** 2) ** 3)
    np.testing.assert_allclose(jax.grad(lifted)(x, np.sin(x) + 0.1), np.cos(x), rtol=1e-9)


# The bilevel example ------------------------------------------------------------------------------

angles = 2 * np.pi * np.arange(CLASSES) / CLASSES
targets = np.stack([np.cos(angles), np.sin(angles)], axis=1)


PENALTY = 0.5


def all_likelihoods(ys, parameters, penalty):
    A, b = parameters
    scores = jax.nn.log_softmax(ys @ A.T + b)
    return jnp.trace(scores) - 0.5 * penalty * jnp.sum(ys**2)


def distance(ys, parameters, penalty):
    return 0.5 * jnp.sum((ys - targets) ** 2)


circle = ag.Bilevel(distance, ag.argmax(all_likelihoods))
start = np.zeros((CLASSES, 2))


def test_bilevel_gradient_is_the_sum_of_the_closed_forms(parameters):
    A, b = parameters
    ys = np.asarray(circle.lower((A, b), start, PENALTY))
    by_weight, by_bias = np.zeros_like(A), np.zeros_like(b)
    for i in range(CLASSES):
        weight, bias = feature_derivatives(ys[i], A, b, i, PENALTY)
        by_weight += np.einsum("k,kji->ji", ys[i] - targets[i], weight)
        by_bias += (ys[i] - targets[i]) @ bias
    found = jax.grad(circle)((A, b), start, PENALTY)
    np.testing.assert_allclose(found[0], by_weight, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found[1], by_bias, rtol=1e-8, atol=1e-10)


def test_features_reach_their_targets_on_the_circle(rng):
    """From nearly every start: of 1500 there were five from which weights run away instead."""
    starts = [draw_parameters(rng) for _ in range(10)]
    runs = [ag.minimise(circle, parameters, start, PENALTY) for parameters in starts]
    reached = [found for found in runs if found.value < 1e-10]
    assert len(reached) >= 8
    for found in reached:
        assert found.status == "converged"
        np.testing.assert_allclose(found.y, targets, atol=1e-5)
    # They got there as features: each maximises its own likelihood under the final parameters.
    found = reached[0]
    for i in range(CLASSES):
        alone = feature(found.x, jnp.zeros(2), i, PENALTY)
        np.testing.assert_allclose(alone, found.y[i], atol=1e-12)


def test_a_strong_regulariser_keeps_them_off_the_circle(parameters):
    """λ = 1 ends at a stationary point off the circle, from wherever one starts."""
    found = ag.minimise(circle, parameters, start, 1.0)
    assert found.value > 0.13
    gradient = jax.grad(circle)(found.x, start, 1.0)
    assert max(jnp.abs(g).max() for g in gradient) < 1e-6


def test_plain_descent_lowers_the_distance_at_every_step(parameters):
    found = ag.minimise(circle, parameters, start, PENALTY, optimiser=optax.sgd(0.1), max_steps=200)
    assert (np.diff(found.history["value"]) < 0).all()
    assert found.value < 0.5 * found.history["value"][0]
