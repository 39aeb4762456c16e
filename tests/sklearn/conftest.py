"""Real data, whole and in small."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, StratifiedKFold

from argrad.sklearn import GradientSearchCV, Shared

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


@pytest.fixture(scope="session")
def unsolvable():
    """A fitted search whose descent met weak penalties at which no fold has a solution."""
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 4))
    y = X @ np.ones(4)  # without noise no penalty is the best
    X = np.hstack([X, X]) * 1e3
    search = GradientSearchCV(
        Ridge(), {"alpha": Shared(1e-30, 1e30)}, cv=3, error_score=np.nan, refit=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        return search.fit(X, y)
