"""All contestants on all splits of one table."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.metrics import log_loss, mean_squared_error

from searches.contestants import CONTESTANTS, REFERENCE, Contestant
from searches.hindsight import test_losses
from searches.tables import Split, Table

# Searches by trial and error in a number a column are left to tables of this many numbers.
_MOST_NUMBERS = 100


def race(table: Table, count: int) -> dict[str, Any]:
    """Of each contestant, a row of what every split took and lost."""
    rows: dict[str, Any] = {}
    splits = list(table.splits(count))
    outputs = len(np.unique(splits[0].y)) if table.classes else 1
    numbers = splits[0].X.shape[1] * (outputs if outputs > 2 else 1)
    for name, search in CONTESTANTS.items():
        if "per feature" in name and numbers > _MOST_NUMBERS:
            rows[name] = {"missing": f"not run: {numbers} coefficients"}
            continue
        try:
            rows[name] = _row([_run(search, split, table.classes) for split in splits])
        except ImportError as error:
            rows[name] = {"missing": f"not installed: {error.name}"}
    hindsight = None
    if numbers <= _MOST_NUMBERS:
        hindsight = _mean([test_losses(split, table.classes) for split in splits])
    for row in rows.values():
        if "missing" not in row:
            difference = np.array(row["test_loss"]) - rows[REFERENCE]["test_loss"]
            close = 1e-3 * np.array(rows[REFERENCE]["test_loss"])
            row["wins"] = int(np.sum(difference < -close))
            row["losses"] = int(np.sum(difference > close))
    return {"title": table.title, "rows": rows, "hindsight": hindsight}


def _run(search: Contestant, split: Split, classes: bool) -> dict[str, Any]:
    wall, processor = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = search(split.X, split.y, classes)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        cv_loss = found.cv_loss() if callable(found.cv_loss) else found.cv_loss
    if classes:
        test = log_loss(split.y_test, found.estimator.predict_proba(split.X_test))
    else:
        test = mean_squared_error(split.y_test, found.estimator.predict(split.X_test))
    return {
        "wall": wall,
        "processor": processor,
        "fits": found.fits,
        "cv_loss": cv_loss,
        "test_loss": test,
        "chosen": found.chosen,
    }


def _row(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: [run[key] for run in runs] for key in runs[0]}


def _mean(found: list[dict[str, float]]) -> dict[str, float]:
    common = [name for name in found[0] if all(name in each for each in found)]
    return {name: float(np.mean([each[name] for each in found])) for name in common}
