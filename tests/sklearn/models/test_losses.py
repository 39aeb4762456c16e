"""Every model: its derivatives by differences, its solution by scikit-learn, its criterion too."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from sklearn.metrics import log_loss, mean_tweedie_deviance
from sklearn.model_selection import KFold

from argrad.sklearn import PerClass, PerFeature, Shared
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds

TIGHT = {"tol": 1e-11, "max_iter": 10000}
CASES = {
    "ridge": (Ridge(solver="cholesky"), "normal"),
    "several targets": (Ridge(solver="cholesky"), "several"),
    "logistic": (LogisticRegression(class_weight="balanced", **TIGHT), "two"),
    "multinomial": (LogisticRegression(class_weight={0: 2.0}, **TIGHT), "three"),
    "poisson": (PoissonRegressor(solver="newton-cholesky", **TIGHT), "count"),
    "poisson without intercept": (PoissonRegressor(fit_intercept=False, **TIGHT), "count"),
    "gamma": (GammaRegressor(solver="newton-cholesky", **TIGHT), "positive"),
    "tweedie 0": (TweedieRegressor(power=0, **TIGHT), "normal"),
    "tweedie 0, log": (TweedieRegressor(power=0, link="log", **TIGHT), "positive"),
    "tweedie 1.5": (TweedieRegressor(power=1.5, **TIGHT), "count"),
    "tweedie 3": (TweedieRegressor(power=3, **TIGHT), "positive"),
    "huber": (HuberRegressor(**TIGHT), "heavy"),
    "huber without intercept": (HuberRegressor(fit_intercept=False, **TIGHT), "heavy"),
}


def draw(rng, kind, n=60, d=3):
    X = rng.normal(size=(n, d)) + rng.normal(size=d)
    eta = X @ rng.normal(size=d) / 2
    noise = rng.normal(size=n)
    y = {
        "normal": lambda: eta + noise,
        "several": lambda: np.stack([eta, -2 * eta], axis=1) + rng.normal(size=(n, 2)),
        "two": lambda: np.where(np.arange(n) % 7 == 0, noise > 0, eta + noise > eta.mean()) * 1,
        "three": lambda: np.argsort(np.argsort(eta + noise)) % n * 3 // n,
        "count": lambda: rng.poisson(np.exp(eta)).astype(float),
        "positive": lambda: rng.gamma(2.0, np.exp(eta) / 2) + 1e-2,
        "heavy": lambda: eta + rng.standard_t(2, size=n),
    }[kind]()
    return X, y


@pytest.fixture(params=CASES)
def case(request, rng):
    estimator, kind = CASES[request.param]
    return estimator, *draw(rng, kind)


def criterion_of(estimator, X, y, splits, kind, weight=None):
    model, encoded = model_of(estimator).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, splits, estimator.fit_intercept, weight)
    return Criterion(model, folds, kind(1e-6, 1e6))


def loss_of(estimator, X, y, weight):
    """What the criterion reports, from a fitted estimator of scikit-learn."""
    if isinstance(estimator, LogisticRegression):
        return log_loss(y, estimator.predict_proba(X), sample_weight=weight)
    found = estimator.predict(X)
    if isinstance(estimator, Ridge):
        squares = (found - y) ** 2
        return np.average(squares.reshape(len(y), -1).mean(axis=1), weights=weight)
    if isinstance(estimator, HuberRegressor):
        scaled = np.abs(found - y) / estimator.scale_
        e = estimator.epsilon
        h = np.where(scaled <= e, scaled**2, 2 * e * scaled - e**2)
        return np.average(estimator.scale_ * (1 + h), weights=weight)
    power = {PoissonRegressor: 1, GammaRegressor: 2}.get(type(estimator))
    power = estimator.power if power is None else power
    return mean_tweedie_deviance(y, found, sample_weight=weight, power=power) / 2


def test_gradient_and_curvature_are_derivatives_of_the_loss(case, rng):
    estimator, _, y = case
    model, encoded = model_of(estimator).for_target(y)
    m = model.outputs(encoded.values.shape[1])
    z = rng.normal(size=(len(y), m))
    if isinstance(estimator, HuberRegressor):
        z[:, 1] = np.exp(z[:, 1])
    target = encoded.values
    gradient, curvature = model.gradient(z, target), model.curvature(z, target)
    scale = 1 + np.abs(curvature).max()
    for a in range(m):
        step = np.zeros(m)
        step[a] = 1e-6
        slope = (model.loss(z + step, target, np) - model.loss(z - step, target, np)) / 2e-6
        np.testing.assert_allclose(gradient[:, a], slope, rtol=1e-5, atol=1e-7 * scale)
        bend = (model.gradient(z + step, target) - model.gradient(z - step, target)) / 2e-6
        kink = np.abs(bend - curvature[:, a]).max(axis=1) > 1e-4 * scale
        assert kink.sum() <= isinstance(estimator, HuberRegressor)
    jax_loss = model.loss(jnp.asarray(z, jnp.float32), jnp.asarray(target, jnp.float32), jnp)
    np.testing.assert_allclose(jax_loss, model.loss(z, target, np), rtol=1e-4, atol=1e-4)


def test_criterion_is_scikit_learns(case, rng):
    estimator, X, y = case
    weight = rng.uniform(0.2, 2.0, size=len(y))
    weight[3] = 0.0
    splits = list(KFold(3, shuffle=True, random_state=1).split(X))
    criterion = criterion_of(estimator, X, y, splits, Shared, weight)
    h = criterion.start() + np.log(10.0)
    evaluation = criterion(h)
    losses = []
    for train, valid in splits:
        fitted = clone(estimator).set_params(**{criterion.model.parameter: float(np.exp(h[0]))})
        fitted.fit(X[train], y[train], sample_weight=weight[train])
        losses.append(loss_of(fitted, X[valid], y[valid], weight[valid]))
    huber = isinstance(estimator, HuberRegressor)
    np.testing.assert_allclose(evaluation.split_losses, losses, rtol=1e-4 if huber else 1e-6)
    assert evaluation.value == pytest.approx(np.mean(losses), rel=1e-4 if huber else 1e-6)


def test_derivatives_agree_with_central_differences(case, rng, central_difference):
    estimator, X, y = case
    splits = list(KFold(3, shuffle=True, random_state=2).split(X))
    huber = isinstance(estimator, HuberRegressor)
    several = y.ndim == 2 or (is_classifier(estimator) and len(np.unique(y)) > 2)
    for kind in (Shared, PerClass) if several else (Shared, PerFeature):
        criterion = criterion_of(estimator, X, y, splits, kind)
        h = criterion.start() + rng.normal(size=criterion.size)
        evaluation = criterion(h)
        # A row that crosses Huber's kink bends the criterion within the step.
        scale = abs(evaluation.value) * (1e-4 if huber else 1e-8)
        step = 1e-4 if huber else 1e-3
        expected = central_difference(lambda h: criterion(h).value, h, step)
        np.testing.assert_allclose(evaluation.gradient, expected, rtol=1e-5, atol=scale)
        if kind is Shared and not huber:
            second = central_difference(lambda h: criterion(h).gradient[0], h, step)
            np.testing.assert_allclose(evaluation.curvature, second[0], rtol=1e-5, atol=scale)


@pytest.mark.parametrize("name", ["several targets", "multinomial", "poisson", "huber"])
def test_sparse_columns_give_the_same(name, rng):
    estimator, kind = CASES[name]
    X, y = draw(rng, kind)
    X = X * (rng.uniform(size=X.shape) < 0.6)
    splits = list(KFold(3, shuffle=True, random_state=2).split(X))
    weight = rng.uniform(0.2, 2.0, size=len(y))
    dense = criterion_of(estimator, X, y, splits, Shared, weight)
    kept = criterion_of(estimator, sparse.csc_matrix(X), y, splits, Shared, weight)
    np.testing.assert_allclose(kept.start(), dense.start(), rtol=1e-10)
    h = dense.start() + 1.0
    one, two = dense(h), kept(h)
    np.testing.assert_allclose(two.split_losses, one.split_losses, rtol=1e-9)
    np.testing.assert_allclose(two.gradient, one.gradient, rtol=1e-6, atol=1e-11)
    assert two.curvature == pytest.approx(one.curvature, rel=1e-5, abs=1e-10)


def test_huber_copes_with_gross_outliers_and_any_units(rng):
    """The scale falls by orders of magnitude from where Newton's method starts."""
    X, y = draw(rng, "heavy")
    y[:5] += 1e4
    splits = [(np.arange(40), np.arange(40, 60))]
    values = []
    for unit in (1.0, 1e-5, 1e5):
        criterion = criterion_of(HuberRegressor(), X, y * unit, splits, Shared)
        values.append(criterion(np.log([0.1 / unit])).value / unit)
    np.testing.assert_allclose(values, values[0], rtol=1e-7)
    fitted = HuberRegressor(alpha=0.1, **TIGHT).fit(X[:40], y[:40])
    assert values[0] == pytest.approx(loss_of(fitted, X[40:], y[40:], np.ones(20)), rel=1e-3)
