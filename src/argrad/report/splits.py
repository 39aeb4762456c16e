"""Rows set aside first, and the folds that every search is given."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    train_test_split,
)

from argrad.report.errors import TableError
from argrad.report.target import Target


@dataclass(frozen=True)
class Splits:
    """Row numbers: `train` and `test` of the table, `folds` pairs of positions within `train`."""

    train: np.ndarray
    test: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]


def split_rows(
    target: Target, folds: int, test_size: float, seed: int, groups: np.ndarray | None = None
) -> Splits:
    """Set aside `test_size` of the rows, then cut the rest into shuffled folds.

    Both are stratified for classification. Rows of the same group (rows,) stay together: then
    `test_size` is a share of the groups, and only the folds are stratified. Raises
    `TableError` if there are too few rows, or a class has too few members or groups, for that.
    """
    if folds < 2:
        raise TableError(f"{folds} folds cannot cross-validate: use --cv 2 or more.")
    if not 0.0 < test_size < 1.0:
        raise TableError(
            f"A test size of {test_size:g} is no share of the rows: use --test-size "
            "between 0 and 1, such as 0.25."
        )
    rows = len(target.values)
    kept = rows - math.ceil(test_size * rows)
    if kept < folds:
        raise TableError(
            f"The table has {rows} rows; with {rows - kept} set aside for testing, {kept} are "
            f"fewer than the {folds} folds. Bring more rows, or use --cv {max(kept, 2)} or "
            "a smaller --test-size."
        )
    stratify = target.values if target.task == "classification" else None
    if stratify is not None:
        _check_members(target, target.values, folds, f"the table's {rows} rows")
        classes = len(set(stratify))
        if rows - kept < classes:
            raise TableError(
                f"{rows - kept} rows set aside for testing are fewer than the {classes} classes "
                f"of '{target.name}': use a larger --test-size."
            )
    if groups is not None:
        return _split_groups(target, folds, test_size, seed, groups)
    train, test = train_test_split(
        np.arange(rows), test_size=test_size, random_state=seed, stratify=stratify
    )
    if stratify is not None:
        _check_members(target, stratify[train], folds, f"the {len(train)} rows kept for training")
    folding = StratifiedKFold if stratify is not None else KFold
    splitter = folding(folds, shuffle=True, random_state=seed)
    return Splits(train, test, list(splitter.split(train, target.values[train])))


def _split_groups(
    target: Target, folds: int, test_size: float, seed: int, groups: np.ndarray
) -> Splits:
    count = len(set(groups))
    aside = math.ceil(test_size * count)
    if count - aside < folds:
        raise TableError(
            f"The rows are of {count} groups; with {aside} set aside for testing, {count - aside} "
            f"are fewer than the {folds} folds. Bring more groups, or use a smaller --cv or "
            "--test-size."
        )
    splitter = GroupShuffleSplit(1, test_size=test_size, random_state=seed)
    train, test = next(splitter.split(target.values, groups=groups))
    values = target.values[train]
    if target.task == "classification":
        _check_everywhere(target, values, "the rows kept for training")
        folding = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    else:
        folding = GroupKFold(folds, shuffle=True, random_state=seed)
    pairs = list(folding.split(train, values, groups[train]))
    if any(not len(validation) for _, validation in pairs):
        raise TableError("A fold has no rows, since the groups differ so much: use a smaller --cv.")
    if target.task == "classification":
        for number, (kept, _) in enumerate(pairs, 1):
            _check_everywhere(target, values[kept], f"the training rows of fold {number}")
    return Splits(train, test, pairs)


def _check_everywhere(target: Target, values: np.ndarray, where: str) -> None:
    missing = sorted(set(target.values.tolist()) - set(values.tolist()))
    if missing:
        raise TableError(
            f"The class {missing[0]!r} of '{target.name}' is not among {where}, as it is in too "
            "few groups: use a smaller --cv or --test-size, or another --seed."
        )


def _check_members(target: Target, values: np.ndarray, folds: int, where: str) -> None:
    counts = Counter(values.tolist())
    rarest, members = min(counts.items(), key=lambda item: item[1])
    if members >= folds:
        return
    rare = sum(count < folds for count in counts.values())
    others = f" (and {rare - 1} more classes are as rare)" if rare > 1 else ""
    remedy = "merge or remove rare classes, or use a smaller --cv"
    if not isinstance(rarest, str):
        remedy += ", or --task regression"
    raise TableError(
        f"The class {rarest!r} of '{target.name}' has {members} of {where}{others}, "
        f"fewer than the {folds} folds: {remedy}."
    )
