"""The cross-validation splits of a search, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from argrad.sklearn.rows.folds import Split


def make_splits(
    cv: Any,
    X: Any,
    y: np.ndarray,
    classes: np.ndarray | None,
    metadata: Mapping[str, Any],
    random_state: Any = None,
    sample_weight: np.ndarray | None = None,
) -> list[Split]:
    """The (train, validation) positions of every fold.

    An integer, or None for five, stands for folds stratified by class where there are `classes`;
    they take the rows in order, or drawn with `random_state`. `metadata` holds what a splitter is
    given beside X and y, such as `groups`.

    ValueError where there are fewer rows than folds, where a part is empty or out of range, where
    a class is missing from the training rows of a fold, those without weight not counted, or
    where groups are missing.
    """
    rows = len(y)
    cv = 5 if cv is None else cv
    if isinstance(cv, Integral):
        splitter = _folds(int(cv), y, classes, random_state)
    else:
        count = getattr(cv, "n_splits", 0)
        # Splitters that draw rows again, such as ShuffleSplit, may have more splits than rows.
        if not hasattr(cv, "test_size") and isinstance(count, int) and count > rows:
            raise ValueError(_too_many(cv, count, rows))
        if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
            raise ValueError(
                f"cv={cv!r} is not a way to split rows: give a number of folds, a splitter such "
                "as KFold(5), or (train, validation) pairs of row positions."
            )
        splitter = check_cv(cv)
    splits = [
        (_positions(train, rows, i, "training"), _positions(valid, rows, i, "validation"))
        for i, (train, valid) in enumerate(_pairs(splitter, X, y, metadata))
    ]
    if not splits:
        raise ValueError(f"cv={cv!r} gives no folds: give at least one (train, validation) pair.")
    if classes is not None:
        _check_classes(splits, y, classes, sample_weight)
    return splits


def _folds(count: int, y: np.ndarray, classes: np.ndarray | None, random_state: Any) -> Any:
    """The splitter that an integer stands for."""
    if count < 2:
        raise ValueError(
            f"cv={count} folds are too few, because every row is left out once: ask for 2 or more."
        )
    if count > len(y):
        raise ValueError(_too_many(count, count, len(y)))
    shuffled = {} if random_state is None else {"shuffle": True, "random_state": random_state}
    if classes is None:
        return KFold(count, **shuffled)
    largest = max(int(np.sum(y == each)) for each in classes)
    if count > largest:
        raise ValueError(
            f"cv={count} asks for {count} folds, but no class has more than {largest} rows: ask "
            f"for at most {largest} folds, or give more rows."
        )
    return StratifiedKFold(count, **shuffled)


def _too_many(cv: Any, count: int, rows: int) -> str:
    return (
        f"cv={cv!r} asks for {count} folds, but there are only {rows} rows (n_samples={rows}): ask "
        f"for at most {rows} folds, or give more rows."
    )


def _pairs(splitter: Any, X: Any, y: np.ndarray, metadata: Mapping[str, Any]) -> list[Any]:
    try:
        return list(splitter.split(X, y, **metadata))
    except ValueError as error:
        # Splitters by group say this each in words of their own.
        if metadata.get("groups") is None and "groups" in str(error):
            raise ValueError(
                f"{type(splitter).__name__} splits by groups, but no groups were given: call "
                "fit(X, y, groups=groups)."
            ) from error
        raise


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


def _check_classes(
    splits: list[Split], y: np.ndarray, classes: np.ndarray, sample_weight: np.ndarray | None
) -> None:
    counts = np.ones(len(y), dtype=bool) if sample_weight is None else sample_weight > 0
    weighted = "" if sample_weight is None else " with a positive sample_weight"
    for i, (train, _) in enumerate(splits):
        missing = np.setdiff1d(classes, y[train][counts[train]])
        if len(missing):
            raise ValueError(
                f"no training row of fold {i}{weighted} is of class {missing.tolist()[0]!r}: use "
                "StratifiedKFold, fewer folds, or leave out rare classes."
            )
