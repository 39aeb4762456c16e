"""Huber's regression where its scale is small, against scikit-learn."""

import warnings

import numpy as np
import scipy.optimize
from sklearn.linear_model import HuberRegressor
from sklearn.model_selection import KFold

from argrad.sklearn import GradientSearchCV, Shared
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds

WIDE = Shared(1e-4, 1e4)


def minimum(X, y, alpha, epsilon):
    """Coefficients, intercept and scale, from scikit-learn's, with which L-BFGS ends too early."""

    def objective(v):
        w, scale, r = v[:-2], v[-1], y - X @ v[:-2] - v[-2]
        bent = np.clip(r / scale, -epsilon, epsilon)
        value = np.sum(scale + 2 * r * bent - scale * bent**2) + alpha * w @ w
        slope = -2 * np.append(X.T @ bent - alpha * w, bent.sum())
        return value, np.append(slope, len(y) - bent @ bent)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = HuberRegressor(alpha=alpha, epsilon=epsilon, max_iter=2000).fit(X, y)
    start = np.concatenate([fitted.coef_, [fitted.intercept_, fitted.scale_]])
    how = {"jac": True, "method": "BFGS", "options": {"gtol": 1e-8, "maxiter": 5000}}
    found = scipy.optimize.minimize(objective, start, **how)
    for _ in range(5):  # a line search may end too early where rows become outliers
        found = scipy.optimize.minimize(objective, found.x, **how)
    return found.x


def test_targets_without_noise(rng):
    X = rng.normal(size=(60, 3))
    search = GradientSearchCV(HuberRegressor(), {"alpha": WIDE}, cv=3)
    assert search.fit(X, X @ [1.0, 2.0, 3.0]).best_score_ > -1e-6


def test_a_scale_far_below_that_of_the_target_is_found(rng):
    """Half as many columns as rows: a whole Newton step would lead to a scale of nearly nothing."""
    for _ in range(5):
        X = np.hstack([rng.normal(size=(120, 6)), np.eye(40)[np.arange(120) % 40]])
        y = X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=120)
        splits = list(KFold(3, shuffle=True, random_state=0).split(X))
        model, encoded = model_of(HuberRegressor()).for_target(y)
        criterion = Criterion(model, stack_folds(None, X, y, encoded.values, splits, True), WIDE)
        found = criterion(np.log([0.05]))
        losses = []
        for train, valid in splits:
            *w, b, s = minimum(X[train], y[train], 0.05, 1.35)
            r, e = np.abs(y[valid] - X[valid] @ w - b), 1.35
            losses.append(np.mean(s + np.where(r <= e * s, r**2 / s, 2 * e * r - e**2 * s)))
        np.testing.assert_allclose(found.split_losses, losses, rtol=1e-6)
