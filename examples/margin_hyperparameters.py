"""Tune support vector machines by the derivative of their dual, and beside that on grids.

    python examples/margin_hyperparameters.py [--splits 10]

C, the kernel's γ and, of a regression, ε are chosen by the loss on k validation folds,

    minimise over h = log (C, γ, ε)   mean over folds of   loss of validation rows at f(β*(h), h)

where β* solves the dual problem. On the rows of the margin it is a linear system, and everywhere
else a bound or zero, so that one factor a fold gives the derivative in all of h. The classifiers
are judged by the squared hinge of their margins, the regression by the squared error. The grids
have as many values a parameter as is usual, and take the point that is best in that same loss; the
quarter of the rows on which both are tested has been seen by neither.

Source: Keerthi, Sindhwani and Chapelle 2006, "An efficient method for gradient-based adaptation of
hyperparameters in SVM models", NIPS; Chapelle, Vapnik, Bousquet and Mukherjee 2002.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from argrad.sklearn import GradientSearchCV


class Task(NamedTuple):
    """A table, a machine for it, the values of a grid, and the loss that both searches lower."""

    load: Callable[..., Any]
    machine: BaseEstimator
    grid: Mapping[str, np.ndarray]
    loss: Callable[[Pipeline, np.ndarray, np.ndarray], float]


def squared_hinge(machine: Pipeline, X: np.ndarray, y: np.ndarray) -> float:
    """The mean over the rows of max(0, 1 − m)², m the margin in each problem of the row's class."""
    classes = machine.classes_
    ovo = machine[-1].set_params(decision_function_shape="ovo")
    outcomes = ovo.decision_function(machine[:-1].transform(X)).reshape(len(y), -1)
    if len(classes) == 2:
        outcomes = -outcomes  # of several, the lower class of a pair is the positive one
    total, column = 0.0, 0
    for low in range(len(classes)):
        for high in range(low + 1, len(classes)):
            for label, sign in ((low, 1.0), (high, -1.0)):
                margins = sign * outcomes[y == classes[label], column]
                total += np.sum(np.maximum(1 - margins, 0) ** 2)
            column += 1
    return float(total / (len(y) * (len(classes) - 1)))


def squared_error(machine: Pipeline, X: np.ndarray, y: np.ndarray) -> float:
    return float(mean_squared_error(y, machine.predict(X)))


_COSTS, _WIDTHS = 10.0 ** np.arange(-2, 4), 10.0 ** np.arange(-4, 2)
TASKS = {
    "breast cancer, SVC": Task(
        load_breast_cancer, SVC(), {"C": _COSTS, "gamma": _WIDTHS}, squared_hinge
    ),
    "wine, three classes, SVC": Task(
        load_wine, SVC(), {"C": _COSTS, "gamma": _WIDTHS}, squared_hinge
    ),
    "diabetes, SVR": Task(
        load_diabetes,
        SVR(),
        {"C": 100 * _COSTS, "gamma": _WIDTHS, "epsilon": np.array([1.0, 3.0, 10.0, 30.0])},
        squared_error,
    ),
}


def searches(task: Task) -> dict[str, Any]:
    """Searches of one pipeline, by gradient and on the grid."""
    pipeline = make_pipeline(StandardScaler(), task.machine)
    step = pipeline.steps[-1][0]
    grid = {f"{step}__{name}": values for name, values in task.grid.items()}
    minus = lambda machine, X, y: -task.loss(machine, X, y)
    return {
        "gradient": GradientSearchCV(pipeline),
        "grid": GridSearchCV(pipeline, grid, scoring=minus),
    }


def measure(task: Task, seed: int) -> pd.DataFrame:
    """Of each search what it took and what it found, a row each.

    Columns: fits, seconds of processor time, CV loss, the loss and the score (accuracy or R²) on
    the rows that were set aside, and the hyperparameters.
    """
    X, y = task.load(return_X_y=True)
    labels = y if isinstance(task.machine, SVC) else None
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=0.25, random_state=seed, stratify=labels
    )
    rows = {}
    for name, search in searches(task).items():
        begun = time.process_time()
        search.fit(X, y)
        seconds = time.process_time() - begun
        best = search.best_estimator_
        if name == "grid":
            fits = search.n_splits_ * len(search.cv_results_["params"]) + 1
        else:
            fits = search.n_fits_
        rows[name] = {
            "fits": fits,
            "seconds": seconds,
            "CV loss": -search.best_score_,
            "test loss": task.loss(best, X_test, y_test),
            "test score": best.score(X_test, y_test),
            **{name.split("__")[1]: value for name, value in search.best_params_.items()},
        }
    return pd.DataFrame(rows).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=10)
    splits = parser.parse_args().splits
    for title, task in TASKS.items():
        found = pd.concat([measure(task, seed) for seed in range(splits)])
        print(f"\n{title}: means over {splits} splits, ± one standard error")
        for name, rows in found.groupby(level=0, sort=False):
            print(f"  {name}")
            for column in rows.columns[:5]:
                print(f"    {column:11s} {rows[column].mean():10.5g} ± {rows[column].sem():.2g}")
            middle = ", ".join(f"{each} {rows[each].median():.3g}" for each in rows.columns[5:])
            print(f"    the median of what it found: {middle}")
        gradient, grid = (found.loc[name].reset_index(drop=True) for name in ("gradient", "grid"))
        lower = int(np.sum(gradient["CV loss"] <= grid["CV loss"]))
        gap = gradient["test score"] - grid["test score"]
        print(f"  CV loss of the gradient no higher than the grid's in {lower} of {splits}")
        print(f"  its test score higher by {gap.mean():+.4f} ± {gap.sem():.4f}", flush=True)


if __name__ == "__main__":
    main()
