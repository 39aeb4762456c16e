"""The entries of one column: as numbers, as categories, and what is wrong with them."""

from __future__ import annotations

import datetime
import numbers
import re

import numpy as np
import pandas as pd
from pandas.api import types

from argrad.report.errors import TableError, listed

# Text is a slip among numbers when this share of a column reads as numbers and the numbers are
# many; ratings such as 1, 2, 3, "4 or more" are categories.
_MOSTLY_NUMBERS = 0.8
_ALMOST_ALL_NUMBERS = 0.95
_FEW_NUMBERS = 10

# Squares of larger values overflow in the scaler; they stand for infinity.
_LARGEST = 1e150

_WRITTEN_NUMBER = re.compile(r"[\s$€£+-]*\d[\d.,\s']*\s*[%$€£]?\s*")


def as_numbers(column: pd.Series, name: str) -> pd.Series:
    """A column as float64, missing entries NaN.

    Raises `TableError`, naming entries and rows, if some entry is not a number.
    """
    check_entries(column, name)
    if types.is_numeric_dtype(column) or types.is_bool_dtype(column):
        return column.astype("float64")
    values = pd.to_numeric(column.astype(object), errors="coerce").astype("float64")
    text = column[values.isna() & column.notna()]
    if not text.empty:
        rows = listed([int(row) + 1 for row in text.index], limit=5)
        raise TableError(
            f"Column '{name}' should hold numbers but has text in {_counted(len(text), 'row')}: "
            f"{listed(text.unique(), limit=5)} (data row {rows}). Write them as plain numbers, "
            f"leave missing entries empty, or, for a feature, take the column as categories "
            f"(--categories '{name}') or leave it out (--drop '{name}')."
        )
    return values


def as_categories(column: pd.Series) -> pd.Series:
    """A column as Python strings, missing entries NaN; whole numbers lose their `.0`."""
    labels = [
        _label(entry) if known else np.nan
        for entry, known in zip(column.astype(object), column.notna(), strict=True)
    ]
    return pd.Series(labels, index=column.index, dtype=object)


def check_finite(values: pd.Series, name: str) -> None:
    """Raise `TableError` if numbers are infinite, or so large that their squares are."""
    infinite = values.abs() > _LARGEST
    if infinite.any():
        rows = listed([int(row) + 1 for row in values.index[infinite]], limit=5)
        raise TableError(
            f"Column '{name}' holds {_counted(int(infinite.sum()), 'infinite value')} "
            f"(data row {rows}): replace them, or leave them empty to have them filled in."
        )


def check_entries(column: pd.Series, name: str) -> None:
    """Raise `TableError` unless the entries are numbers, booleans or text."""
    if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
        raise _wrong_entries(name, "dates or times")
    if types.is_complex_dtype(column):
        raise _wrong_entries(name, "complex numbers")
    if column.dtype != object:
        return
    for entry in column[column.notna()]:
        if isinstance(entry, datetime.date | datetime.time | datetime.timedelta):
            raise _wrong_entries(name, "dates or times")
        # Decimal is no numbers.Real, yet a number: it is registered as numbers.Number.
        if not isinstance(entry, str | numbers.Number | np.bool_):
            raise _wrong_entries(name, f"entries of type {type(entry).__name__}")


def stray_text(column: pd.Series) -> pd.Series | None:
    """The text entries of a column that is otherwise numbers, or None if it is not such a one."""
    known = column.dropna().astype(object)
    values = pd.to_numeric(known, errors="coerce")
    share = float(values.notna().mean()) if len(known) else 0.0
    varied = values.nunique() > _FEW_NUMBERS
    if share == 1.0 or share < (_MOSTLY_NUMBERS if varied else _ALMOST_ALL_NUMBERS):
        return None
    return known[values.isna()]


def written_numbers(column: pd.Series) -> bool:
    """Whether a text column holds numbers written with commas, units or signs: `1,5` or `€ 20`."""
    known = column.dropna().astype(object)
    if known.nunique() <= _FEW_NUMBERS or pd.to_numeric(known, errors="coerce").notna().all():
        return False
    written = known.map(lambda entry: bool(_WRITTEN_NUMBER.fullmatch(str(entry))))
    return float(written.mean()) >= _MOSTLY_NUMBERS


def _label(entry: object) -> str:
    if isinstance(entry, float | np.floating) and float(entry).is_integer():
        return str(int(entry))
    return str(entry)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _wrong_entries(name: str, what: str) -> TableError:
    such = " (such as days since a date)" if "dates" in what else ""
    return TableError(
        f"Column '{name}' holds {what}, not numbers or text: turn them into numbers{such}, or "
        f"leave the column out with --drop '{name}'."
    )
