"""Tune 2000 penalties of a lasso at once, and see what that is worth where the truth is known.

    python examples/weighted_lasso.py [--seeds 5]

500 rows of 2000 correlated columns; the target has variance 1, of which 0.033 are noise. A lasso
with one penalty must choose between shrinking the columns that matter and letting in others. With a
penalty for every column it need not, but where are 2000 numbers to come from?

    free        every one by gradient, by the derivative of the CV loss on the support
    adaptive    two numbers for all: the penalty of a first fit, and that of a second, in which
                each column's is divided by its coefficient in the first
    decided     GradientSearchCV without a word: one, adaptive or free ones that a prior draws
                together, by what they lose on folds that the tuning has not seen

Source: Zou 2006, The adaptive lasso and its oracle properties, JASA 101:1418-1429; penalties by
gradient, Bertrand, Klopfenstein, Massias, Blondel, Vaiter, Gramfort and Salmon 2022, JMLR 23(149).
"""

import argparse
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.signal import lfilter
from sklearn.linear_model import Lasso, LinearRegression

from argrad.sklearn import Adaptive, GradientSearchCV, PerFeature, Shared

ROWS, COLUMNS, CHOSEN, TEST = 500, 2000, 20, 5000
NOISE, CORRELATION = 0.033, 0.5
RANGE = (1e-6, 1e2)
SEARCHES = {
    "one penalty": {"alpha": Shared(*RANGE)},
    "one a column, free": {"alpha": PerFeature(*RANGE)},
    "one a column, adaptive": {"alpha": Adaptive(*RANGE)},
    "decided": None,
}


class Task(NamedTuple):
    """Rows to tune and fit on, rows to test on, and which columns matter."""

    X: Float[np.ndarray, "rows columns"]
    y: Float[np.ndarray, " rows"]
    X_test: Float[np.ndarray, "test columns"]
    y_test: Float[np.ndarray, " test"]
    matters: Bool[np.ndarray, " columns"]


def few_alike(rng: np.random.Generator) -> Float[np.ndarray, " columns"]:
    """Coefficients of ±1 for some columns, 0 for the others."""
    w = np.zeros(COLUMNS)
    w[rng.choice(COLUMNS, CHOSEN, replace=False)] = rng.choice([-1.0, 1.0], CHOSEN)
    return w


def few_of_all_sizes(rng: np.random.Generator) -> Float[np.ndarray, " columns"]:
    """Those of the k-th column that matters are ±1/k."""
    w = few_alike(rng)
    w[w != 0] /= rng.permutation(np.arange(1, CHOSEN + 1))
    return w


def half_of_all(rng: np.random.Generator) -> Float[np.ndarray, " columns"]:
    """Normal coefficients for half of the columns: far more than there are rows for."""
    return rng.normal(size=COLUMNS) * (rng.uniform(size=COLUMNS) < 0.5)


def task(seed: int, truth) -> Task:
    """Columns of an autoregression, and a target that the coefficients of `truth` make."""
    rng = np.random.default_rng(seed)
    shocks = rng.normal(size=(ROWS + TEST, COLUMNS))
    shocks[:, 1:] *= np.sqrt(1 - CORRELATION**2)
    X = lfilter([1.0], [1.0, -CORRELATION], shocks, axis=1)
    w = truth(rng)
    signal = X @ w
    signal *= np.sqrt((1 - NOISE) / signal.var())
    y = signal + np.sqrt(NOISE) * rng.normal(size=ROWS + TEST)
    return Task(X[:ROWS], y[:ROWS], X[ROWS:], y[ROWS:], w != 0)


def loss(model, given: Task) -> float:
    return float(np.mean((model.predict(given.X_test) - given.y_test) ** 2))


def measure(given: Task) -> pd.DataFrame:
    """Of each search its CV loss, the test loss, and columns rightly and wrongly used."""
    rows = []
    for name, params in SEARCHES.items():
        search = GradientSearchCV(Lasso(max_iter=10_000), params, nested=False)
        search.fit(given.X, given.y)
        used = search.best_estimator_.coef_ != 0
        rows.append(
            {
                "penalties": name,
                "CV loss": -search.best_score_,
                "test loss": loss(search, given),
                "right": np.sum(used & given.matters),
                "wrong": np.sum(used & ~given.matters),
                "decided": getattr(search, "granularity_", ""),
            }
        )
    return pd.DataFrame(rows)


def known_columns(given: Task) -> float:
    """The test loss of least squares on the columns that matter, which nobody knows."""
    matters = given.matters
    model = LinearRegression().fit(given.X[:, matters], given.y)
    return loss(model, given._replace(X_test=given.X_test[:, matters]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    for truth in (few_alike, few_of_all_sizes, half_of_all):
        tasks = [task(seed, truth) for seed in seeds]
        found = pd.concat([measure(each) for each in tasks])
        print(f"\n{truth.__name__.replace('_', ' ')}; means of {len(seeds)} tables, ± one")
        print("standard error:          CV loss   test loss          right   wrong")
        for name, every in found.groupby("penalties", sort=False):
            mean, error = every["test loss"].mean(), every["test loss"].sem()
            print(
                f"  {name:23s}{every['CV loss'].mean():7.4f}   {mean:.4f} ± {error:.4f}"
                f"{every['right'].mean():8.1f}{every['wrong'].mean():8.1f}"
            )
        if tasks[0].matters.sum() < ROWS:
            floor = pd.Series([known_columns(each) for each in tasks])
            print(f"  {'columns known':33s}{floor.mean():.4f} ± {floor.sem():.4f}")
        choices = found[found["decided"] != ""]["decided"].value_counts()
        print("  decided on:", ", ".join(f"{name} {n} times" for name, n in choices.items()))


if __name__ == "__main__":
    main()
