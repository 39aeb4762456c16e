"""Training to a minimum, where objectives have more to offer than that."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argrad.sklearn import Shared, from_objective
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.training import Problem, train
from argrad.sklearn.models.trained import Rows


@pytest.fixture(autouse=True)
def _float64():
    """Whoever trains sees to the precision."""
    with jax.enable_x64(True):
        yield


def problem_of(objective, init):
    """min over w of objective(w), whatever the data."""
    model = from_objective(
        lambda w, X, y, sample_weight, alpha: objective(w), lambda w, X: X @ w, init,
        {"alpha": Shared(0.1, 10.0)},
    ).__argrad_model__()  # fmt: skip
    rows = Rows(jnp.ones((1, 1)), jnp.ones((1, 1)), jnp.ones(1))
    return model, Problem(jnp.asarray(init), rows, {"alpha": jnp.ones(())}), np.asarray(init)


def test_it_leaves_a_saddle_point(rng):
    """(w₀² − 1)² + 3 w₁² has a saddle point at 0, where the start is."""
    wide = rng.uniform(1.0, 9.0)
    found = train(*problem_of(lambda w: (w[0] ** 2 - 1) ** 2 + wide * w[1] ** 2, np.zeros(2)))
    np.testing.assert_allclose(np.abs(found.w), [1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.inverse_hessian, np.diag([1 / 8, 0.5 / wide]), atol=1e-9)
    assert found.flat.shape == (2, 0)


def test_directions_without_curvature(rng):
    """½ (w₀ + w₁ − a)² is as low on a whole line."""
    a = rng.normal()
    found = train(*problem_of(lambda w: 0.5 * (w[0] + w[1] - a) ** 2, np.array([1.0, 3.0])))
    assert found.w.sum() == pytest.approx(a)
    np.testing.assert_allclose(np.abs(found.flat[:, 0]), [0.5**0.5] * 2)
    np.testing.assert_allclose(found.inverse_hessian, np.full((2, 2), 0.25), rtol=1e-12)


def test_a_minimum_is_exact_to_rounding(rng):
    """Rosenbrock's valley, with a condition number of 2500."""
    start = rng.normal(size=2)
    valley = lambda w: (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    found = train(*problem_of(valley, start))
    np.testing.assert_allclose(found.w, 1.0, rtol=1e-12)
    hessian = jax.hessian(valley)(jnp.ones(2))
    # It is that before the last step, shorter than 1e-9, and changes by 2400 times as much.
    np.testing.assert_allclose(found.inverse_hessian @ hessian, np.eye(2), atol=1e-5)


def test_near_a_minimum_the_same_one_is_followed():
    """From −0.9 the left minimum of a double well that is tilted to the right."""
    model, problem, _ = problem_of(lambda w: jnp.sum((w**2 - 1) ** 2 - 0.2 * w), np.zeros(1))
    assert train(model, problem, np.array([-0.9]), near=True).w[0] < 0
    assert train(model, problem, np.array([0.9]), near=True).w[0] > 0


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (lambda w: jnp.sum(jnp.log(w - 2.0)), "not finite where training starts"),
        (lambda w: -jnp.sum(w), "falls for ever"),
        (lambda w: jnp.sum(jnp.abs(w - 0.3) + 1e-3 * (w - 0.7) ** 2), "not smooth"),
    ],
)
def test_what_has_no_minimum_to_be_found(objective, said):
    with pytest.raises(LowerError, match=said):
        train(*problem_of(objective, np.ones(2)))
