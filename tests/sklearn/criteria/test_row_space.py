"""More columns than rows: the criterion in the space of the rows is that of all columns."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, TimeSeriesSplit
from sklearn.preprocessing import StandardScaler

from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.criteria.row_space import in_row_space
from argrad.sklearn.hyperparameters import Shared
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds


@pytest.mark.parametrize("estimator", [Ridge(), LogisticRegression()])
@pytest.mark.parametrize(
    ("preprocess", "cv"), [(None, KFold(3)), (StandardScaler(), TimeSeriesSplit(2))]
)
def test_the_criterion_and_its_derivatives_are_the_same(rng, estimator, preprocess, cv):
    X = rng.normal(size=(24, 60)) + 1.0
    y = X @ rng.normal(size=60) + rng.normal(size=24)
    y = y if isinstance(estimator, Ridge) else rng.permutation(np.arange(24) % 2)
    model, encoded = model_of(estimator).for_target(y)
    weight = rng.uniform(0.5, 2.0, size=24)
    splits = list(cv.split(X))
    folds = stack_folds(preprocess, X, y, encoded.values, splits, True, weight)
    small = in_row_space(folds)
    assert len(small.features) == 24
    assert small.one_design == (preprocess is None)
    for h in (np.array([-1.5]), np.array([2.0])):
        whole, part = (Criterion(model, f, Shared(1e-4, 1e4))(h) for f in (folds, small))
        np.testing.assert_allclose(part.split_losses, whole.split_losses, rtol=1e-9)
        np.testing.assert_allclose(part.gradient, whole.gradient, rtol=1e-7, atol=1e-11)
        np.testing.assert_allclose(part.curvature, whole.curvature, rtol=1e-6, atol=1e-10)


def test_without_many_columns_nothing_changes(rng):
    X, y = rng.normal(size=(24, 40)), rng.normal(size=24)
    _, encoded = model_of(Ridge()).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, list(KFold(3).split(X)), True)
    assert in_row_space(folds) is folds
