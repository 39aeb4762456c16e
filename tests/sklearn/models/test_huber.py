"""Huber's regression where its scale is small, against scikit-learn."""

import warnings

import numpy as np
from sklearn.linear_model import HuberRegressor
from sklearn.model_selection import KFold

from argrad.sklearn import Shared
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds

WIDE = Shared(1e-4, 1e4)


def test_a_scale_far_below_that_of_the_target_is_found(rng):
    """Half as many columns as rows: a whole Newton step would lead to a scale of nearly nothing."""
    X = np.hstack([rng.normal(size=(120, 6)), np.eye(40)[np.arange(120) % 40]])
    y = X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=120)
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    model, encoded = model_of(HuberRegressor()).for_target(y)
    criterion = Criterion(model, stack_folds(None, X, y, encoded.values, splits, True), WIDE)
    found = criterion(np.log([0.05]))
    estimator = HuberRegressor(alpha=0.05, tol=1e-7, max_iter=2000)
    losses = []
    for train, valid in splits:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(X[train], y[train])
        r, s, e = np.abs(y[valid] - estimator.predict(X[valid])), estimator.scale_, 1.35
        losses.append(np.mean(s + np.where(r <= e * s, r**2 / s, 2 * e * r - e**2 * s)))
    # L-BFGS ends some way from the minimum, which is flat.
    np.testing.assert_allclose(found.split_losses, losses, rtol=2e-3)
