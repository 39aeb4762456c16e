"""The Hessian in many log penalties, against differences of the exact gradient."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from argrad.sklearn import Grouped, PerFeature
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.criteria.gram_hessian import GramHessian
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds


def criterion(
    rng, hyperparameter, n=60, preprocess=None, intercept=True, targets=1, estimator=None
):
    X = rng.normal(size=(n, 5)) + 1.0
    y = (X @ rng.normal(size=(5, targets)) + rng.normal(size=(n, targets)) + 3.0).squeeze()
    if isinstance(estimator, LogisticRegression):
        y = (y > np.median(y)).astype(int)
    model, encoded = model_of(estimator or Ridge()).for_target(y)
    splits = list(KFold(3).split(X))
    weight = rng.uniform(0.5, 2.0, size=n)
    folds = stack_folds(preprocess, X, y, encoded.values, splits, intercept, weight)
    return Criterion(model, folds, hyperparameter)


@pytest.mark.parametrize(
    ("hyperparameter", "n", "preprocess", "intercept"),
    [
        (PerFeature(1e-4, 1e4), 40, StandardScaler(), True),
        (PerFeature(1e-4, 1e4), 400, None, False),
        (Grouped(list("abbca"), 1e-4, 1e4), 60, None, True),
    ],
)
def test_it_is_the_derivative_of_the_gradient(rng, hyperparameter, n, preprocess, intercept):
    f = criterion(rng, hyperparameter, n, preprocess, intercept)
    h, step = 1.0 + rng.normal(size=f.size), 1e-4
    bent = GramHessian.of(f)(h)
    differences = [
        (f(h + step * e).gradient - f(h - step * e).gradient) / (2 * step) for e in np.eye(f.size)
    ]
    np.testing.assert_allclose(bent, differences, atol=1e-6 * np.abs(bent).max())
    np.testing.assert_allclose(bent, bent.T, atol=1e-12 * np.abs(bent).max())


def test_only_for_what_it_is_the_hessian_of(rng):
    many = PerFeature(1e-4, 1e4)
    assert GramHessian.of(criterion(rng, many, targets=2)) is None
    assert GramHessian.of(criterion(rng, many, estimator=LogisticRegression())) is None
    assert GramHessian.of(lambda h: h) is None


def test_infinite_where_nothing_holds_a_coefficient():
    gram, moment = np.diag([1.0, 0.0]), np.array([1.0, 0.0])
    hessian = GramHessian([(gram, moment, gram, moment)], np.arange(2))
    assert np.isfinite(hessian(np.zeros(2))).all()
    assert np.isinf(hessian(np.full(2, -800.0))).all()
