"""Folds one after the other, and filled up to one length, against the same folds at once."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import GammaRegressor, LogisticRegression
from sklearn.preprocessing import MaxAbsScaler

from argrad.sklearn import PerFeature, Shared
from argrad.sklearn.criteria import device
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds


@pytest.mark.parametrize("kind", [Shared, PerFeature])
@pytest.mark.parametrize("preprocess", [None, MaxAbsScaler()], ids=["one design", "own designs"])
@pytest.mark.parametrize("kept_sparse", [False, True], ids=["dense", "sparse"])
def test_much_data_goes_fold_by_fold(rng, monkeypatch, kind, preprocess, kept_sparse):
    X = rng.normal(size=(60, 3)) * (rng.uniform(size=(60, 3)) < 0.6)
    y = (X[:, 0] + rng.logistic(size=60) > 0).astype(int)
    model, encoded = model_of(LogisticRegression()).for_target(y)
    splits = [(np.arange(20, 60), np.arange(20)), (np.arange(45), np.arange(45, 55))]
    given = sparse.csr_array(X) if kept_sparse else X
    folds = stack_folds(preprocess, given, y, encoded.values, splits, True)
    at_once = Criterion(model, folds, kind(1e-3, 1e3))
    h = at_once.start() + rng.normal(size=at_once.size)
    expected = at_once(h)
    monkeypatch.setattr(device, "_FEW", 0)
    found = Criterion(model, folds, kind(1e-3, 1e3))(h)
    np.testing.assert_allclose(found.split_losses, expected.split_losses, rtol=1e-12)
    assert found.value == pytest.approx(expected.value, rel=1e-12)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-7, atol=1e-12)
    if kind is Shared:
        assert found.curvature == pytest.approx(expected.curvature, rel=1e-6, abs=1e-11)


def test_rows_that_fill_up_have_targets_with_a_loss(rng):
    """The gamma deviance of a target of zero is infinite, and zero times that not a number."""
    X, y = rng.normal(size=(40, 2)), rng.gamma(2.0, size=40)
    model, encoded = model_of(GammaRegressor()).for_target(y)
    splits = [(np.arange(30), np.arange(30, 40)), (np.arange(10, 20), np.arange(5))]
    folds = stack_folds(MaxAbsScaler(), X, y, encoded.values, splits, True)
    evaluation = Criterion(model, folds, Shared(1e-3, 1e3))(np.zeros(1))
    assert np.all(np.isfinite(evaluation.split_losses))
