"""The criterion of trained models: derivatives against central differences in float64."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPClassifier, MLPRegressor

from argrad import SolveError
from argrad.sklearn import PerFeature, PerLayer, Shared, from_objective
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.criteria.matrix_free import Accuracy
from argrad.sklearn.criteria.trained_criterion import FlatWarning, TrainedCriterion
from argrad.sklearn.models import model_of
from argrad.sklearn.place import find_place
from argrad.sklearn.refit import refit
from argrad.sklearn.rows.folds import stack_folds
from argrad.sklearn.space import Space

SPLITS = list(KFold(3).split(np.zeros(45)))


def criterion_of(estimator, X, y, kind, name="alpha", weight=None, **settings):
    model, encoded = model_of(estimator).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, SPLITS, False, weight)
    return TrainedCriterion(
        model, folds, Space({name: kind}, model.units(folds.features), encoded.outputs), **settings
    )


def draw(rng, targets):
    X = rng.normal(size=(45, 3))
    z = np.sin(X @ rng.normal(size=(3, 3))) + 0.2 * rng.normal(size=(45, 3))
    if targets == "numbers":
        return X, z[:, 0]
    if targets == "several":
        return X, z[:, :2]
    classes = np.argmax(z, axis=1)
    classes[:9] = np.tile(np.arange(3), 3)
    return X, (classes > 0).astype(int) if targets == "two" else classes


NETWORKS = {
    "numbers": MLPRegressor(hidden_layer_sizes=(3,), activation="tanh", random_state=1),
    "several": MLPRegressor(hidden_layer_sizes=(3, 2), activation="logistic", random_state=1),
    "two": MLPClassifier(hidden_layer_sizes=(3,), activation="tanh", random_state=1),
    "classes": MLPClassifier(hidden_layer_sizes=(3,), activation="tanh", random_state=1),
    "rotations": MLPRegressor(hidden_layer_sizes=(3,), activation="identity", random_state=1),
}


@pytest.mark.parametrize("kind", [Shared(1e-3, 1e3), PerFeature(1e-3, 1e3)])
def test_a_ridge_regression_is_that_of_the_linear_criterion(kind, rng):
    X, y = draw(rng, "numbers")
    weight = rng.uniform(0.3, 2.0, size=45)

    def predictor(w, X):
        return X @ w[:-1] + w[-1]

    def objective(w, X, y, sample_weight, alpha):
        return jnp.sum(sample_weight * (predictor(w, X) - y) ** 2) + jnp.sum(alpha * w[:-1] ** 2)

    own = from_objective(objective, predictor, jnp.zeros(4), {"alpha": kind})
    criterion = criterion_of(own, X, y, kind, weight=weight)
    model, encoded = model_of(Ridge()).for_target(y)
    linear = Criterion(model, stack_folds(None, X, y, encoded.values, SPLITS, True, weight), kind)
    h = rng.normal(size=criterion.size)
    one, two = criterion(h), linear(h)
    np.testing.assert_allclose(one.split_losses, two.split_losses, rtol=1e-9)
    np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_by_central_differences(name, rng):
    X, y = draw(rng, "numbers" if name == "rotations" else name)
    weight = rng.uniform(0.3, 2.0, size=45)
    criterion = criterion_of(NETWORKS[name], X, y, PerLayer(1e-3, 1e3), weight=weight)
    h = np.log(rng.uniform(0.5, 2.0, size=criterion.size))
    criterion(h)
    here, step = criterion(h), 1e-4
    for j, unit in enumerate(np.eye(len(h))):
        ahead, behind = criterion(h + step * unit), criterion(h - step * unit)
        expected = (ahead.value - behind.value) / (2 * step)
        scale = np.abs(here.gradient).max()
        assert here.gradient[j] == pytest.approx(expected, rel=1e-5, abs=1e-5 * scale + 1e-9)


@pytest.mark.parametrize("name", ["numbers", "several", "two", "classes"])
def test_losses_are_those_of_scikit_learns_networks(name, rng):
    """Which predict on their own, with weights that scikit-learn finds nothing better than."""
    X, y = draw(rng, name)
    network = NETWORKS[name]
    criterion = criterion_of(network, X, y, Shared(1e-3, 1e3))
    found = criterion(np.log([1.5]))
    place = find_place(network, {"alpha": Shared(1e-3, 1e3)})
    for (train, valid), loss in zip(SPLITS, found.split_losses, strict=True):
        fitted = refit(network, place, np.log([1.5]), X[train], y[train])
        assert fitted.alpha == pytest.approx(1.5)
        if name in ("two", "classes"):
            expected = log_loss(y[valid], fitted.predict_proba(X[valid]), labels=fitted.classes_)
        else:
            expected = mean_squared_error(y[valid], fitted.predict(X[valid]))
        assert loss == pytest.approx(expected, rel=1e-7)


def test_what_the_first_point_teaches_the_second_does_not_change_it(rng):
    X, y = draw(rng, "numbers")
    network = MLPRegressor(hidden_layer_sizes=(2,), activation="tanh", random_state=3)
    one = criterion_of(network, X, y, Shared(1e-3, 1e3))
    two = criterion_of(network, X, y, Shared(1e-3, 1e3))
    one(np.log([30.0]))
    two(np.log([31.0]))
    assert one(np.log([29.0])).value == pytest.approx(two(np.log([29.0])).value, rel=1e-9)


def test_a_minimum_that_is_not_unique_where_that_matters(rng):
    """A coefficient of a column that is zero in training, without a penalty."""
    X = rng.normal(size=(45, 2))
    y = X[:, 0] + 0.1 * rng.normal(size=45)
    X[15:, 1] = 0.0  # the first fold is validated on the first rows

    def predictor(w, X):
        return X @ w

    def objective(w, X, y, sample_weight, alpha):
        return jnp.sum(sample_weight * (X @ w - y) ** 2) + alpha * w[0] ** 2

    model = from_objective(objective, predictor, jnp.zeros(2), {"alpha": Shared(0.1, 10.0)})
    criterion = criterion_of(model, X, y, Shared(0.1, 10.0))
    with pytest.warns(FlatWarning, match=r"fold 0 is not unique, in 1 directions"):
        criterion(np.zeros(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        criterion(np.ones(1))


@pytest.mark.parametrize("name", ["numbers", "classes"])
def test_without_a_hessian_it_is_the_same(name, rng):
    """What conjugate gradients and rounds of L-BFGS come to, held against Newton's method.

    Where that has moved on, from a minimum that was none any more, something else is drawn.
    """
    compared = 0
    for _ in range(10):
        X, y = draw(rng, name)
        one, two = (
            criterion_of(NETWORKS[name], X, y, PerLayer(1e-3, 1e3), dense=dense)
            for dense in (500, 0)
        )
        two.accuracy = Accuracy(left=1e-7, residual=1e-7)
        one(np.log([3.2, 2.1]))
        two._found.extend(one._found)
        for h in (np.log([3.0, 2.0]), np.log([2.0, 2.5])):  # the second from the first
            whole, products = one(h), two(h)
            ends = zip(one._found[-1][1], two._found[-1][1], strict=True)
            if any(np.linalg.norm(w - v) > 0.01 * np.linalg.norm(w) for w, v in ends):
                break
            np.testing.assert_allclose(products.split_losses, whole.split_losses, rtol=1e-6)
            scale = np.abs(whole.gradient).max()
            np.testing.assert_allclose(products.gradient, whole.gradient, atol=1e-4 * scale)
            compared += 1
        if compared >= 4:
            return
    pytest.fail("hardly ever did both follow the same minimum")


def test_a_network_larger_than_a_hessian_by_central_differences(rng):
    """Where a minimum ends within the step, and F jumps to another, something else is drawn."""
    network = MLPClassifier(hidden_layer_sizes=(401,), activation="tanh", random_state=1)
    h, step = np.log([2.0]), 2e-2
    for _ in range(30):
        X, y = draw(rng, "two")
        criterion = criterion_of(network, X, y, Shared(1e-3, 1e3))
        criterion.accuracy = Accuracy(left=1e-9, residual=1e-6)
        try:
            here = criterion(h)
            rise = [(criterion(h + t).value - here.value) / t for t in (step, -step)]
        except SolveError:
            continue
        if abs(rise[0] - rise[1]) < 0.01 * here.value:
            break
    else:
        pytest.fail("hardly ever was there one minimum to follow")
    # Off by step² F''' and by what is left of the losses, over the step.
    assert here.gradient[0] == pytest.approx(np.mean(rise), rel=1e-3, abs=1e-3 * here.value)
    rough = criterion_of(network, X, y, Shared(1e-3, 1e3))(h)
    assert rough.value == pytest.approx(here.value, rel=2e-3)
    assert rough.gradient[0] == pytest.approx(here.gradient[0], rel=2e-2)
