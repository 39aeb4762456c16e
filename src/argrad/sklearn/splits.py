"""The cross-validation splits of a search, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from argrad.sklearn.folds import Split


def make_splits(cv: Any, X: Any, y: np.ndarray, classes: np.ndarray | None, groups: Any):
    """The (train, validation) positions of every fold; stratified for an integer and classes.

    ValueError where there are fewer rows than folds, where a part is empty or out of range, or
    where a class is missing from the training rows of a fold.
    """
    rows = len(y)
    count = cv if isinstance(cv, int) else getattr(cv, "n_splits", 0)
    # Splitters that draw rows again, such as ShuffleSplit, may have more splits than rows.
    partition = isinstance(cv, int) or not hasattr(cv, "test_size")
    if partition and isinstance(count, int) and count > rows:
        raise ValueError(
            f"cv={cv!r} asks for {count} folds, but there are only {rows} rows: ask for at most "
            f"{rows} folds, or give more rows."
        )
    if classes is not None and isinstance(cv, int):
        largest = max(int(np.sum(y == each)) for each in classes)
        if cv > largest:
            raise ValueError(
                f"cv={cv} asks for {cv} folds, but no class has more than {largest} rows: ask for "
                f"at most {largest} folds, or give more rows."
            )
    splitter = check_cv(cv, y, classifier=classes is not None)
    splits = [
        (_positions(train, rows, i, "training"), _positions(valid, rows, i, "validation"))
        for i, (train, valid) in enumerate(splitter.split(X, y, groups))
    ]
    if not splits:
        raise ValueError(f"cv={cv!r} gives no folds: give at least one (train, validation) pair.")
    if classes is not None:
        _check_classes(splits, y, classes)
    return splits


def _positions(index: Any, rows: int, fold: int, part: str) -> np.ndarray:
    index = np.asarray(index)
    if index.dtype == bool:
        index = np.flatnonzero(index)
    if index.size == 0:
        raise ValueError(f"fold {fold} has no {part} rows: leave it out, or give it some.")
    if index.min() < -rows or index.max() >= rows:
        wrong = index[(index < -rows) | (index >= rows)][0]
        raise ValueError(
            f"fold {fold} names {part} row {wrong}, but there are {rows} rows: give positions "
            f"from 0 to {rows - 1}, not labels."
        )
    return index


def _check_classes(splits: list[Split], y: np.ndarray, classes: np.ndarray) -> None:
    for i, (train, _) in enumerate(splits):
        missing = np.setdiff1d(classes, y[train])
        if len(missing):
            raise ValueError(
                f"no training row of fold {i} is of class {missing[0]!r}: use StratifiedKFold, "
                "fewer folds, or leave out rare classes."
            )
