"""Black boxes whose smoothed derivatives are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

import argrad as ag

DIRECTIONS = ["gaussian", "sphere", "signs"]


@pytest.fixture
def key(rng):
    return int(rng.integers(2**31))


def repeated(smoothed, x, key, times):
    jacobian = jax.jit(smoothed.jacobian)
    found = [jacobian(x, jax.random.key(key + i)) for i in range(times)]
    return np.stack([f.value for f in found]), np.stack([f.standard_error for f in found])


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_unbiased_with_the_right_standard_errors(directions, rng, key):
    """Of a quadratic all three smooth to the same gradient, that at x."""
    a, b = rng.normal(size=(4, 4)), rng.normal(size=4)
    x = rng.normal(size=4)
    smoothed = ag.black_box(
        lambda x: np.einsum("ni,ij,nj->n", x, a, x) + x @ b,
        scale=0.5,
        budget=64,
        directions=directions,
        batched=True,
    )
    slopes, errors = repeated(smoothed, x, key, 60)
    exact = (a + a.T) @ x + b
    if directions == "sphere":  # a difference of a quadratic is exact along each direction
        np.testing.assert_allclose(slopes, np.broadcast_to(exact, slopes.shape), rtol=1e-9)
        return
    error = slopes.std(0, ddof=1) / 60**0.5
    assert np.all(np.abs(slopes.mean(0) - exact) < 5.5 * error)
    assert 0.7 < np.sqrt(np.mean(errors**2) / np.mean(slopes.var(0))) < 1.4


def test_steps_are_seen_as_slopes(rng, key):
    """E 1{x + εz > 0} = Φ(x/ε), with its first and second derivative."""
    x, scale = 0.3, 0.5
    smoothed = ag.black_box(
        lambda x: (x > 0) * 1.0, scale=scale, budget=20_000, directions="gaussian", batched=True
    )
    value, slope = jax.jit(lambda: (smoothed.estimate(x, key), smoothed.jacobian(x, key)))()
    assert abs(value.value - norm.cdf(x / scale)) < 5 * value.standard_error
    assert abs(slope.value - norm.pdf(x / scale) / scale) < 5 * slope.standard_error
    assert jax.jit(lambda: jax.grad(smoothed)(x, key))() == pytest.approx(
        float(slope.value), rel=1e-12
    )
    curvature = jax.jit(lambda: jax.hessian(smoothed)(x, key))()
    exact = -x / scale * norm.pdf(x / scale) / scale**2
    assert abs(curvature - exact) < 0.15
    assert value.calls == 20_000


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_pairs_share_their_random_numbers(directions, rng, key):
    """With much noise in every call, that both of a pair share, a slope is as good as without."""

    def noisy(x, seed):
        return 3.0 * x.sum() + 100 * np.random.default_rng(seed).normal()

    x = np.zeros(3)
    smoothed = ag.black_box(noisy, scale=0.1, budget=48, directions=directions, stochastic=True)
    slope = jax.jit(lambda x: smoothed.jacobian(x, key))(x)
    if directions == "sphere":
        np.testing.assert_allclose(slope.value, 3.0, rtol=1e-9)
    elif directions == "signs":
        assert np.all(np.abs(slope.value - 3) < 6 * slope.standard_error + 1e-9)
        assert np.max(slope.standard_error) < 2


def test_pytrees_scales_and_solvers(rng, key):
    """A lower problem's solver as black box: y*(x) of a ridge regression, linear in its target."""
    design = rng.normal(size=(6, 2))

    def ridge(x):
        weights = np.linalg.solve(design.T @ design + np.eye(2), design.T @ x["target"])
        return {"weights": weights, "offset": x["shift"] * 2}

    x = {"target": rng.normal(size=6), "shift": 1.0}
    smoothed = ag.black_box(
        ridge,
        scale={"target": 0.1, "shift": 2.0},
        budget=112,
        like={"weights": np.zeros(2), "offset": 0.0},
    )
    slope = jax.jit(lambda x: smoothed.jacobian(x, key))(x).value
    exact = np.linalg.solve(design.T @ design + np.eye(2), design.T)
    np.testing.assert_allclose(slope["weights"]["target"], exact, atol=1e-9)
    np.testing.assert_allclose(slope["weights"]["shift"], 0, atol=1e-9)
    np.testing.assert_allclose(slope["offset"]["shift"], 2.0, rtol=1e-9)
    upper = jax.jit(jax.grad(lambda x: jnp.sum(smoothed(x, key)["weights"])))(x)
    np.testing.assert_allclose(upper["target"], exact.sum(0), atol=1e-9)


@pytest.mark.slow
def test_a_fitted_model_of_trees(rng, key):
    """Flat between its steps, so that its own slope is zero; smoothed it is that of the truth."""
    from sklearn.ensemble import GradientBoostingRegressor

    X = rng.uniform(-1, 1, size=(2000, 2))
    model = GradientBoostingRegressor().fit(X, 2 * X[:, 0] - X[:, 1])
    smoothed = ag.black_box(model.predict, scale=0.2, budget=400, batched=True)
    slope = jax.jit(lambda x: smoothed.jacobian(x, key))(jnp.array([0.1, -0.2]))
    np.testing.assert_allclose(slope.value, [2, -1], atol=0.15)


def test_calls_stay_in_the_budget(rng, key):
    for directions in DIRECTIONS:
        for budget in (8, 101):
            count = []
            smoothed = ag.black_box(
                lambda x: count.append(1) or float(x.sum()),
                scale=0.1,
                budget=budget,
                directions=directions,
            )
            told = jax.block_until_ready(
                jax.jit(lambda: smoothed.estimate(np.ones(5), key))()
            ).calls
            assert len(count) == told <= budget
            assert told > budget * 0.7


def test_errors(rng):
    with pytest.raises(ValueError, match="budget must be at least 8"):
        ag.black_box(abs, scale=1.0, budget=4)
    with pytest.raises(ValueError, match="scale must be positive"):
        ag.black_box(abs, scale=-1.0, budget=10)
    with pytest.raises(ValueError, match="directions must be one of"):
        ag.black_box(abs, scale=1.0, budget=10, directions="cube")
    with pytest.raises(TypeError, match="must be a function"):
        ag.black_box(1.0, scale=1.0, budget=10)
    with pytest.raises(RuntimeError, match="second derivatives"):
        jax.hessian(ag.black_box(lambda x: x**2, scale=1.0, budget=10))(1.0)
    with pytest.raises(Exception, match="the function returned"):
        ag.black_box(lambda x: np.ones(2), scale=1.0, budget=10)(1.0)


def test_a_seed_may_be_traced():
    box = ag.black_box(lambda x: float(np.sum(x**2)), scale=0.1, budget=20)
    x = jnp.array([1.0, 2.0])
    np.testing.assert_allclose(jax.jit(box)(x, 3), box(x, 3))
