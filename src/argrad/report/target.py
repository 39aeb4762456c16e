"""The target column: which task it sets, and whether it can be learnt from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

from argrad.report.catalogue import Choice, Task
from argrad.report.errors import TableError, listed
from argrad.report.values import (
    as_categories,
    as_numbers,
    check_entries,
    check_finite,
    stray_text,
    written_numbers,
)

# Whole numbers are classes when there are at most this many, each often enough to be one: counts
# have a tail of rare ones.
_MOST_CLASSES = 10
_ROWS_PER_CLASS, _ROWS_OF_RAREST = 10, 8


@dataclass(frozen=True)
class Target:
    """A target column ready to be learnt.

    `values` holds floats (regression) or class labels (integers, or strings) of shape (rows,);
    `reason` says in words why it is this task.
    """

    name: str
    task: Task
    values: np.ndarray
    reason: str


def read_target(column: pd.Series, name: str, task: Task | None = None) -> Target:
    """Infer the task from the target column, unless `task` gives it, and check the column.

    Raises `TableError` if entries are missing or infinite, text stands among numbers, or there
    is only one value.
    """
    check_entries(column, name)
    missing = column.index[column.isna()]
    if len(missing):
        rows = listed([int(row) + 1 for row in missing], limit=5)
        raise TableError(
            f"The target '{name}' is missing in {len(missing)} of {len(column)} rows "
            f"(data row {rows}): fill it in or remove those rows."
        )
    slips = stray_text(column) is not None or written_numbers(column)
    if task != "classification" and _is_text(column) and slips:
        as_numbers(column, name)  # raises, naming the entries
    if task is None:
        task, reason = _infer(column)
        reason = f"since {reason}; --task overrides this"
    else:
        reason = "as asked for"
    values = _labels(column) if task == "classification" else _numbers(column, name)
    first = values[0]
    if (values == first).all():
        what = "has one class only" if task == "classification" else "is constant"
        raise TableError(
            f"The target '{name}' {what}: each of its {len(values)} rows is {first!s}. "
            "Choose a column that varies."
        )
    return Target(name, task, values, reason)


def check_classes(column: pd.Series, name: str, choice: Choice) -> None:
    """Raise `TableError` if fractions are given to a classifier, and nobody said it was one."""
    numeric = types.is_numeric_dtype(column) and not types.is_bool_dtype(column)
    if choice.task == "classification" and numeric and not _is_whole(column.dropna()):
        raise TableError(
            f"The target '{name}' holds {column.nunique()} different numbers with fractions, but "
            f"the model '{choice.name}' is for {choice.targets}: leave out --model for 'ridge', or "
            "use --task classification if each number is a class."
        )


def check_range(values: pd.Series, name: str, choice: Choice) -> None:
    """Raise `TableError` if the model's distribution has no such values as some of a target's."""
    if choice.power is None:
        return
    wrong = values.index[values <= 0 if choice.power >= 2 else values < 0]
    if len(wrong):
        rows = listed([int(row) + 1 for row in wrong], limit=5)
        raise TableError(
            f"The target '{name}' holds {values[wrong[0]]:g} (data row {rows}), but the model "
            f"'{choice.name}' is for {choice.targets}: use --model ridge, or mend those rows."
        )


def _infer(column: pd.Series) -> tuple[Task, str]:
    if types.is_bool_dtype(column):
        return "classification", "the target is true or false"
    if isinstance(column.dtype, pd.CategoricalDtype) or _is_text(column):
        return "classification", "the target holds text"
    distinct = column.nunique()
    whole = _is_whole(column)
    few = distinct <= _MOST_CLASSES and len(column) >= _ROWS_PER_CLASS * distinct
    rare = few and distinct > 2 and column.value_counts().min() < _ROWS_OF_RAREST
    if whole and (distinct <= 2 or (few and not rare)):
        return "classification", f"the target holds {distinct} different whole numbers"
    kind = "whole numbers" if whole else "numbers"
    tail = ", the rarest in few rows" if whole and rare else ""
    return "regression", f"the target holds {distinct} different {kind}{tail}"


def _is_text(column: pd.Series) -> bool:
    if types.is_numeric_dtype(column) or types.is_bool_dtype(column):
        return False
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    return any(isinstance(entry, str) for entry in column)


def _is_whole(column: pd.Series) -> bool:
    values = column.astype("float64")
    return bool((np.isfinite(values) & (values == np.floor(values))).all())


def _labels(column: pd.Series) -> np.ndarray:
    numeric = types.is_numeric_dtype(column) and not types.is_bool_dtype(column)
    if numeric and _is_whole(column):
        return column.to_numpy(dtype="int64")
    return as_categories(column).to_numpy(dtype=object)


def _numbers(column: pd.Series, name: str) -> np.ndarray:
    values = as_numbers(column, name)
    check_finite(values, name)
    return values.to_numpy()
