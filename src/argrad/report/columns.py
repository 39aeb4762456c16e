"""What each feature column is: numbers, categories, or something to leave out or refuse."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pandas.api import types

from argrad.report.errors import TableError, listed
from argrad.report.values import (
    as_categories,
    as_numbers,
    check_entries,
    check_finite,
    stray_text,
    written_numbers,
)

# A text column whose rows mostly differ names the rows; it cannot help on rows not seen.
_MOSTLY_DIFFERENT = 0.5
_FEW_CATEGORIES = 10

# Rarer categories are encoded as none of the known ones.
MOST_CATEGORIES = 100


@dataclass(frozen=True)
class Columns:
    """The feature columns by kind, the ones left out, and what the user should know of them.

    `numbers` and `categories` keep the table's order; `dropped` lists names; `notes` are
    sentences.
    """

    numbers: list[str]
    categories: list[str]
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def used(self) -> list[str]:
        """Names of the columns that the model sees."""
        return self.numbers + self.categories


def inspect_columns(
    features: pd.DataFrame,
    drop: Collection[str] = (),
    categories: Collection[str] = (),
    keep: Collection[str] = (),
) -> Columns:
    """Sort feature columns into numbers and categories.

    Columns named in `drop` are left out, those in `categories` are taken as categories whatever
    they hold, those in `keep` are used though they count the rows. Raises `TableError` for a column
    without values, with infinite values, with text among numbers, or of a type that is neither
    number nor text.
    """
    _check_named(features, drop, "--drop")
    _check_named(features, categories, "--categories")
    _check_named(features, keep, "--keep")
    both = [name for name in keep if name in drop]
    if both:
        raise TableError(f"--keep and --drop both name {listed(both)}: choose one of them.")
    features = features.drop(columns=list(drop))
    _check_missing(features)
    found = Columns([], [], dropped=list(drop))
    constant: list[str] = []
    incomplete: list[str] = []
    for name in features.columns:
        column = features[name]
        check_entries(column, name)
        if name not in {*categories, *keep} and _left_out(column, name, found):
            continue
        if name in categories or not _holds_numbers(column, name):
            found.categories.append(name)
        else:
            check_finite(as_numbers(column, name), name)
            found.numbers.append(name)
            if name not in keep and types.is_integer_dtype(column) and column.is_unique:
                found.notes.append(
                    f"column '{name}' holds a different whole number in each row: if it only "
                    f"names the rows, leave it out with --drop '{name}'"
                )
        if column.nunique() == 1 and not column.isna().any():
            constant.append(name)
        if column.isna().any():
            incomplete.append(name)
    if not found.used:
        why = "".join(f" Note: {note}." for note in found.notes)
        raise TableError(f"No feature column is left beside the target: the table needs one.{why}")
    many = [name for name in found.categories if features[name].nunique() > MOST_CATEGORIES]
    if many:
        found.notes.append(
            f"only the {MOST_CATEGORIES} commonest categories are told apart in {listed(many)}"
        )
    if constant:
        found.notes.append(f"constant, so without effect: {listed(constant)}")
    if incomplete:
        found.notes.append(
            f"missing entries in {listed(incomplete)}: filled with the median (numbers) or "
            "taken as a category of their own"
        )
    return found


def conform(
    features: pd.DataFrame, numbers: Sequence[str], categories: Sequence[str]
) -> pd.DataFrame:
    """The named columns as the preprocessing expects them.

    Returns a data frame with `numbers` as float64 (missing: NaN) and `categories` as Python
    strings (missing: NaN), in that order. Raises `TableError` on text or infinite values among
    numbers.
    """
    data: dict[str, pd.Series] = {}
    for name in numbers:
        data[name] = as_numbers(features[name], name)
        check_finite(data[name], name)
    for name in categories:
        data[name] = as_categories(features[name])
    return pd.DataFrame(data, index=features.index)


def _check_named(features: pd.DataFrame, names: Collection[str], option: str) -> None:
    unknown = [name for name in names if name not in features.columns]
    if unknown:
        raise TableError(
            f"{option}: the table has no feature column {listed(unknown)}. "
            f"Its feature columns are {listed(features.columns, limit=40)}."
        )


def _check_missing(features: pd.DataFrame) -> None:
    empty = [name for name in features.columns if features[name].isna().all()]
    if empty:
        remedy = " ".join(f"--drop '{name}'" for name in empty[:6])
        raise TableError(
            f"No value at all in column {listed(empty)}: drop it from the table, "
            f"or leave it out with {remedy}."
        )


def _left_out(column: pd.Series, name: str, found: Columns) -> bool:
    """Whether the column only names or counts the rows; if so it is noted in `found`."""
    reason = ""
    if types.is_integer_dtype(column) and "year" not in name.casefold():
        if not column.isna().any() and _counts(column):
            reason = f"it counts the rows (keep it with --keep '{name}')"
    elif _is_text(column) and stray_text(column) is None and not written_numbers(column):
        distinct = column.nunique()
        if distinct > max(_FEW_CATEGORIES, _MOSTLY_DIFFERENT * len(column)):
            reason = (
                f"{distinct} different texts in {len(column)} rows name the rows rather than "
                f"group them (keep it with --categories '{name}')"
            )
    if reason:
        found.dropped.append(name)
        found.notes.append(f"column '{name}' left out: {reason}")
    return bool(reason)


def _counts(column: pd.Series) -> bool:
    """Whether whole numbers are all those of a range, in any order."""
    values = np.sort(column.to_numpy(dtype=object))
    return len(values) > 2 and bool(np.all(np.diff(values) == 1))


def _is_text(column: pd.Series) -> bool:
    return column.dtype == object or isinstance(column.dtype, pd.StringDtype)


def _holds_numbers(column: pd.Series, name: str) -> bool:
    """Whether a column is numbers (also: booleans) rather than categories."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    if types.is_numeric_dtype(column) or types.is_bool_dtype(column):
        return True
    if stray_text(column) is not None or written_numbers(column):
        as_numbers(column, name)  # raises, naming the entries
    return bool(pd.to_numeric(column.dropna(), errors="coerce").notna().all())
