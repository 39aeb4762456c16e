"""Support vector machines on tables, by gradient and on a grid."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC

from argrad.sklearn import GradientSearchCV
from printing import aligned, milliseconds

_WIDE, _FINE = 10.0 ** np.arange(-2, 4), 10.0 ** np.arange(-3, 3.5, 0.5)
_WIDTHS = 10.0 ** np.arange(-4, 2)
_EPSILONS = [1.0, 3.0, 10.0, 30.0]
GRADIENT, ON_LOSS, ON_SCORE = "argrad", "grid, same loss", "grid, accuracy or R²"
HEADER = ("", "fits", "time", "CV loss", "test loss", "test score", "± se")


class Machine(NamedTuple):
    """A table, the estimator for it, and the grid; `part` of the rows are used."""

    title: str
    load: Callable[..., Any]
    estimator: Any
    grid: Mapping[str, Any]
    part: float = 1.0


MACHINES = {
    "breast": Machine(
        "breast cancer, SVC, C x gamma (6 x 6)",
        load_breast_cancer,
        SVC(),
        {"C": _WIDE, "gamma": _WIDTHS},
    ),
    "breast-linear": Machine(
        "breast cancer, LinearSVC, C (13)",
        load_breast_cancer,
        LinearSVC(dual=False),
        {"C": _FINE},
    ),
    "diabetes": Machine(
        "diabetes, SVR, C x gamma x epsilon (6 x 6 x 4)",
        load_diabetes,
        SVR(),
        {"C": 100 * _WIDE, "gamma": _WIDTHS, "epsilon": _EPSILONS},
    ),
    "diabetes-linear": Machine(
        "diabetes, SVR with a linear kernel, C x epsilon (6 x 4)",
        load_diabetes,
        SVR(kernel="linear"),
        {"C": _WIDE, "epsilon": _EPSILONS},
    ),
    "wine": Machine(
        "wine, SVC, C x gamma (6 x 6)", load_wine, SVC(), {"C": _WIDE, "gamma": _WIDTHS}
    ),
    "digits": Machine(
        "digits, a quarter, SVC, C x gamma (6 x 6)",
        load_digits,
        SVC(),
        {"C": _WIDE, "gamma": _WIDTHS},
        0.25,
    ),
}


def race(machine: Machine, count: int) -> dict[str, Any]:
    """Of each contestant, a row of what every split took and lost."""
    X, y = machine.load(return_X_y=True)
    classes = not isinstance(machine.estimator, SVR)
    rows: dict[str, dict[str, list[float]]] = {}
    for seed in range(count):
        if machine.part < 1:
            used = train_test_split(
                np.arange(len(y)), train_size=machine.part, random_state=seed, stratify=y
            )[0]
            parts = X[used], y[used]
        else:
            parts = X, y
        split = train_test_split(
            *parts, test_size=0.25, random_state=seed, stratify=parts[1] if classes else None
        )
        for name, result in _on(machine, *split).items():
            for key, value in result.items():
                rows.setdefault(name, {}).setdefault(key, []).append(value)
    return {"title": machine.title, "rows": rows}


def table(part: dict[str, Any], clock: str) -> str:
    lines = []
    for name, row in part["rows"].items():
        scores = np.array(row["score"])
        error = scores.std(ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else np.nan
        lines.append(
            (
                name,
                f"{np.mean(row['fits']):.0f}",
                milliseconds(float(np.median(row[clock]))),
                f"{np.mean(row['cv_loss']):.5g}",
                f"{np.mean(row['test_loss']):.5g}",
                f"{scores.mean():.4f}",
                f"{error:.4f}",
            )
        )
    ours, grid = (np.array(part["rows"][name]["cv_loss"]) for name in (GRADIENT, ON_LOSS))
    lower = f"  CV loss of argrad no higher than the grid's: {np.sum(ours <= grid)} of {len(ours)}"
    return "\n".join([part["title"], *aligned(HEADER, lines), lower])


def loss(fitted: Any, X: Any, y: Any) -> float:
    """The squared error, or the squared hinge of the problems that a row's class is part of."""
    machine = fitted[-1]
    if isinstance(machine, SVR):
        return float(np.mean((fitted.predict(X) - y) ** 2))
    shape = {"decision_function_shape": "ovo"} if isinstance(machine, SVC) else {}
    f = fitted[:-1].transform(X)
    f = machine.set_params(**shape).decision_function(f)
    code, count = np.searchsorted(machine.classes_, y), len(machine.classes_)
    if count == 2:
        return float(np.mean(np.maximum(0, 1 - np.where(code == 1, f, -f)) ** 2))
    total = 0.0
    for column, (a, b) in enumerate(combinations(range(count), 2)):
        margin = np.where(code == a, f[:, column], -f[:, column])
        total += np.sum(np.maximum(0, 1 - margin[(code == a) | (code == b)]) ** 2)
    return float(total / (len(y) * (count - 1)))


def _minus(fitted: Any, X: Any, y: Any) -> float:
    return -loss(fitted, X, y)


def _on(machine: Machine, X: Any, X_test: Any, y: Any, y_test: Any) -> dict[str, dict[str, float]]:
    pipeline = Pipeline([("scale", StandardScaler()), ("machine", machine.estimator)])
    grid = {f"machine__{name}": values for name, values in machine.grid.items()}
    score = "r2" if isinstance(machine.estimator, SVR) else "accuracy"
    scoring = {"loss": _minus, "score": score}

    def made(fitted: Any, clock: _Clock, fits: int, cv_loss: float) -> dict[str, float]:
        tested = {"test_loss": loss(fitted, X_test, y_test), "score": fitted.score(X_test, y_test)}
        return {"fits": fits, **clock.times(), "cv_loss": cv_loss, **tested}

    results, clock = {}, _Clock()
    search = GradientSearchCV(pipeline).fit(X, y)
    clock.stop()
    results[GRADIENT] = made(search.best_estimator_, clock, search.n_fits_, -search.best_score_)
    clock = _Clock()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = GridSearchCV(pipeline, grid, scoring=scoring, refit="loss").fit(X, y)
    clock.stop()
    fits = found.n_splits_ * len(found.cv_results_["params"]) + 1
    losses = -found.cv_results_["mean_test_loss"]
    results[ON_LOSS] = made(found.best_estimator_, clock, fits, losses.min())
    best = int(np.argmax(found.cv_results_["mean_test_score"]))
    other = clone(pipeline).set_params(**found.cv_results_["params"][best]).fit(X, y)
    results[ON_SCORE] = made(other, clock, fits, losses[best])
    return results


class _Clock:
    def __init__(self) -> None:
        self.start = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        self.end = time.perf_counter(), time.process_time()

    def times(self) -> dict[str, float]:
        wall, processor = (b - a for a, b in zip(self.start, self.end, strict=True))
        return {"wall": wall, "processor": processor}
