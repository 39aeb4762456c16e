"""Training without a Hessian: where it ends, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from argrad.sklearn import Shared, from_objective
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.matrix_free import (
    Accuracy,
    gradient_of,
    train_nearly,
    train_until_still,
)
from argrad.sklearn.criteria.trained_on_all import train_on
from argrad.sklearn.criteria.training import MOST, Problem
from argrad.sklearn.models import model_of
from argrad.sklearn.models.trained import Rows


@pytest.fixture(autouse=True)
def _float64():
    """Whoever trains sees to the precision."""
    with jax.enable_x64(True):
        yield


def problem_of(objective, init):
    """min over w of objective(w, alpha); of one row that is validated too, (Σ w − 1)² is lost."""
    model = from_objective(
        lambda w, X, y, sample_weight, alpha: objective(w, alpha), lambda w, X: X @ w, init,
        {"alpha": Shared(0.1, 10.0)},
    ).__argrad_model__()  # fmt: skip
    rows = Rows(jnp.ones((1, len(init))), jnp.ones((1, 1)), jnp.ones(1))
    problem = Problem(jnp.asarray(init), rows, {"alpha": jnp.ones(())})
    return model, problem, jnp.ones(1), np.asarray(init)


def test_ridge_in_closed_form(rng):
    """½ wᵀA w − b·w + ½ e^h ‖w‖²: w* = (A + e^h I)⁻¹ b and dw*/dh = −e^h (A + e^h I)⁻¹ w*."""
    root, b = rng.normal(size=(6, 6)), rng.normal(size=6)
    A = root @ root.T

    def objective(w, alpha):
        return 0.5 * w @ A @ w - b @ w + 0.5 * alpha * w @ w

    model, problem, validation, start = problem_of(objective, np.zeros(6))
    found = train_nearly(model, problem, validation, start, Accuracy(1e-7, 1e-10))
    gradient = gradient_of(
        model, jnp.zeros(1), {"alpha": jnp.array(0)}, {}, found.w, found.u, problem
    )
    inverse = np.linalg.inv(A + np.eye(6))
    w = inverse @ b
    np.testing.assert_allclose(found.w, w, rtol=1e-4, atol=1e-4)
    assert found.value == pytest.approx((w.sum() - 1) ** 2, rel=1e-6)
    expected = 2 * (w.sum() - 1) * -np.sum(inverse @ w)
    assert float(gradient[0]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("objective", "start", "said"),
    [
        (lambda w, a: jnp.sum(jnp.log(w - 2.0)), 1.0, "not finite where training starts"),
        # A saddle point that the start is on: no gradient leads away.
        (lambda w, a: w[0] ** 2 - w[1] ** 2 + w[1] ** 4, 0.0, "its curvature has both signs"),
        # No minimum: the slope becomes little, but there is no curvature to end it.
        (lambda w, a: jnp.sum(jnp.log1p(jnp.exp(-w))), 1.0, "not over after 8000"),
    ],
)
def test_what_has_no_derivative(objective, start, said):
    with pytest.raises(LowerError, match=said):
        train_nearly(*problem_of(objective, np.full(2, start)))


def test_training_on_all_rows_says_where_it_ends_early(rng):
    """Down a slope without end the objective goes on falling by a part of itself."""
    model, problem, _, start = problem_of(lambda w, a: -jnp.sum(w), np.ones(2))
    with pytest.warns(ConvergenceWarning, match="ended after 8000 iterations"):
        train_until_still(model, problem, start)


def test_a_large_network_on_all_rows(rng):
    X = rng.normal(size=(40, 3))
    y = np.sin(X[:, 0]) + 0.1 * rng.normal(size=40)
    network = MLPRegressor(hidden_layer_sizes=(410,), activation="tanh", random_state=0)
    model, encoded = model_of(network).for_target(y)
    w, value = train_on(model, X, encoded, {"alpha": np.array(10.0)}, None)
    assert sum(np.size(each) for layer in w for each in layer) > MOST
    rows = Rows(jnp.asarray(X), jnp.asarray(encoded.values), jnp.ones(40))
    problem = lambda w: model.objective(w, rows, {"alpha": jnp.array(10.0)})
    assert value == pytest.approx(float(problem(w)))
    gradient = jax.grad(problem)(jax.tree.map(jnp.asarray, w))
    largest = max(float(jnp.abs(each).max()) for layer in gradient for each in layer)
    assert largest < 1e-3 * value
