"""Columns of dates, and the numbers and categories that a model is given of them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Sequence

import pandas as pd
from pandas.api import types

from argrad.report.errors import TableError, listed

# ISO 8601: the only way of writing dates in which day and month cannot be mistaken.
_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
# Text is a slip among dates when this share of a column are dates.
_MOSTLY_DATES = 0.8
_YEAR, _WEEKS = pd.Timedelta(days=366), pd.Timedelta(days=14)
_EPOCH = pd.Timestamp("1970-01-01")

_PARTS = ("days", "month", "weekday")
_OF_DATE = re.compile(rf"(.+): ({'|'.join(_PARTS)})", re.DOTALL)


def with_dates(
    features: pd.DataFrame, apart: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """The features with numbers and categories in the place of dates, and notes on what was done.

    A column 'when' of dates becomes 'when: days', the days since 1970-01-01 with the time of day as
    a fraction; 'when: month', where it spans more than a year, and 'when: weekday', where it spans
    more than two weeks, in words. Columns named in `apart` stay as they are. Raises `TableError`
    for text among dates, and for a name that is taken.
    """
    dated: dict[str, pd.Series] = {}
    notes = []
    for name in features.columns:
        if name in apart or not _holds_dates(features[name]):
            dated[name] = features[name]
            continue
        when = _as_dates(features[name], name)
        parts = [f"{name}: {part}" for part in _worth(when)]
        taken = [part for part in parts if part in features.columns]
        if taken:
            raise TableError(
                f"Column '{name}' holds dates, which would be used as {listed(parts)}, but there "
                f"is a column {listed(taken)} already: rename it, or use --drop '{name}'."
            )
        dated |= {part: _part(when, part) for part in parts}
        notes.append(
            f"column '{name}' holds dates, {when.min():%Y-%m-%d} to {when.max():%Y-%m-%d}, used as "
            f"{listed(parts)}; folds are drawn at random, so that no loss tells how well later "
            "dates are predicted"
        )
    if not notes:
        return features, notes
    return pd.DataFrame(dated, index=features.index), notes


def source_of(name: str, columns: Collection[str]) -> str:
    """The column of a table that a feature is read from: the dates, of one that stands for them."""
    found = _OF_DATE.fullmatch(name)
    return found[1] if found and name not in columns else name


def dated_features(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The named features of a table, of which those that it lacks stand for dates in it.

    Raises `TableError` for entries that are no dates.
    """
    given = {}
    for name in names:
        source = source_of(name, frame.columns)
        given[name] = (
            frame[name] if source == name else _part(_as_dates(frame[source], source), name)
        )
    return pd.DataFrame(given, index=frame.index)


def _worth(when: pd.Series) -> list[str]:
    """What of dates can be learnt from: what comes again."""
    span = when.max() - when.min()
    return [
        part
        for part, least in zip(_PARTS, (pd.Timedelta(0), _YEAR, _WEEKS), strict=True)
        if span >= least
    ]


def _part(when: pd.Series, name: str) -> pd.Series:
    part = name.rpartition(": ")[2]
    if part == "days":
        return (when - _EPOCH) / pd.Timedelta(days=1)
    return when.dt.month_name() if part == "month" else when.dt.day_name()


def _holds_dates(column: pd.Series) -> bool:
    if types.is_datetime64_any_dtype(column):
        return bool(column.notna().any())
    if column.dtype != object and not isinstance(column.dtype, pd.StringDtype):
        return False
    known = column.dropna()
    return len(known) > 0 and float(known.map(_is_date).mean()) >= _MOSTLY_DATES


def _is_date(entry: object) -> bool:
    if isinstance(entry, str):
        return _WRITTEN.fullmatch(entry.strip()) is not None
    return isinstance(entry, datetime.date)


def _as_dates(column: pd.Series, name: str) -> pd.Series:
    """A column as dates without a time zone, missing entries NaT; times with offsets are UTC's."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_localize(None)
    if types.is_datetime64_any_dtype(column):
        return column
    text = column.astype(object).where(column.notna(), None)
    dates = text.where(text.map(_is_date), None)
    when = pd.to_datetime(dates, format="ISO8601", errors="coerce", utc=True)
    wrong = column[when.isna() & column.notna()]
    if len(wrong):
        rows = listed([int(row) + 1 for row in wrong.index], limit=5)
        raise TableError(
            f"Column '{name}' should hold dates such as 2024-12-31 but has "
            f"{listed(wrong.unique(), limit=5)} (data row {rows}): mend those rows, leave missing "
            f"entries empty, or leave the column out (--drop '{name}')."
        )
    return when.dt.tz_localize(None)
