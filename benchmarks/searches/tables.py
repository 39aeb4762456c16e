"""The data sets, and ten splits of each into rows to tune on and rows to test on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.preprocessing import PolynomialFeatures, StandardScaler


class Split(NamedTuple):
    """Rows to tune on, with cross-validation, and rows that only the test loss sees."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def _standardised(y: np.ndarray) -> np.ndarray:
    return (y - y.mean()) / y.std()


def _diabetes(square: bool = False, noise: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    if square:
        X = PolynomialFeatures(2, include_bias=False).fit_transform(X)
    X = np.hstack([X, np.random.default_rng(0).normal(size=(len(X), noise))])
    return X, _standardised(y)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).choice(len(y), size=600, replace=False)
    return X[rows], y[rows]


def _fair() -> tuple[np.ndarray, np.ndarray]:
    from statsmodels.datasets import fair

    data = fair.load_pandas().data
    return data.drop(columns="affairs").to_numpy(float), (data["affairs"] > 0).to_numpy(int)


def _randhie() -> tuple[np.ndarray, np.ndarray]:
    from statsmodels.datasets import randhie

    data = randhie.load_pandas().data
    X = data.drop(columns="mdvis").to_numpy(float)
    return X, _standardised(np.log1p(data["mdvis"].to_numpy(float)))


def _whole(load: Callable[[], tuple], classes: bool, count: int) -> Iterator[Split]:
    """Two thirds of the rows to tune on, in `count` shuffles, stratified for classes."""
    X, y = load()
    kind = StratifiedShuffleSplit if classes else ShuffleSplit
    for train, test in kind(count, test_size=1 / 3, random_state=0).split(X, y):
        yield Split(X[train], y[train], X[test], y[test])


def sparse(rows: int, seed: int) -> Split:
    """100 Gaussian columns, 10 of them with Gaussian coefficients; a tenth of noise variance.

    The target has mean 0 and variance 1 over the rows to tune on and 1000 to test on together.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows + 1000, 100))
    signal = X[:, :10] @ rng.normal(size=10)
    y = _standardised(signal + np.sqrt(0.1) * signal.std() * rng.normal(size=len(X)))
    return Split(X[:rows], y[:rows], X[rows:], y[rows:])


class Table(NamedTuple):
    """A data set: what it is, whether its target are classes, and a number of splits of it."""

    title: str
    classes: bool
    splits: Callable[[int], Iterator[Split]]


TABLES = {
    "diabetes": Table("diabetes: 10 columns", False, lambda n: _whole(_diabetes, False, n)),
    "diabetes_squared": Table(
        "diabetes with squares and products: 65 columns",
        False,
        lambda n: _whole(lambda: _diabetes(square=True), False, n),
    ),
    "diabetes_noise": Table(
        "diabetes with 90 Gaussian columns of noise: 100 columns",
        False,
        lambda n: _whole(lambda: _diabetes(noise=90), False, n),
    ),
    "sparse_300": Table(
        "sparse, 300 rows: 100 columns, 10 with coefficients",
        False,
        lambda n: (sparse(300, seed) for seed in range(n)),
    ),
    "sparse_1000": Table(
        "sparse, 1000 rows: 100 columns, 10 with coefficients",
        False,
        lambda n: (sparse(1000, seed) for seed in range(n)),
    ),
    "breast_cancer": Table(
        "breast cancer: 30 columns, 2 classes",
        True,
        lambda n: _whole(lambda: load_breast_cancer(return_X_y=True), True, n),
    ),
    "wine": Table(
        "wine: 13 columns, 3 classes",
        True,
        lambda n: _whole(lambda: load_wine(return_X_y=True), True, n),
    ),
    "digits": Table(
        "digits, 600 rows drawn: 64 columns, 10 classes",
        True,
        lambda n: _whole(_digits, True, n),
    ),
    "fair": Table(
        "fair (statsmodels), whether there were affairs: 8 columns, 2 classes",
        True,
        lambda n: _whole(_fair, True, n),
    ),
    "randhie": Table(
        "randhie (statsmodels), log(1 + visits to doctors): 9 columns",
        False,
        lambda n: _whole(_randhie, False, n),
    ),
}
