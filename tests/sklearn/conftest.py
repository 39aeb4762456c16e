"""Real data, whole and in small."""

from __future__ import annotations

import jax
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.model_selection import KFold, StratifiedKFold

from .reference import logistic, ridge


@pytest.fixture(autouse=True)
def _float32():
    """As a user finds JAX: what a search needs of float64 it must see to itself."""
    with jax.enable_x64(False):
        yield


@pytest.fixture(scope="session")
def breast():
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="session")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="session")
def diabetes():
    return load_diabetes(return_X_y=True)


@pytest.fixture(
    scope="session",
    params=["breast", "wine", "diabetes"],
    ids=["binary", "multiclass", "regression"],
)
def task(request):
    """(model, name of its parameter, X, y, splits), the rows thinned so that tests are quick."""
    X, y = request.getfixturevalue(request.param)
    X, y = X[::2, :8], y[::2]
    if request.param == "diabetes":
        return ridge(), "alpha", X, y, list(KFold(3).split(X))
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    return logistic(), "C", X, y, list(folds.split(X, y))
