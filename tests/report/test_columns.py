from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from argrad.report.columns import conform, inspect_columns
from argrad.report.errors import TableError

NUMBERS = np.linspace(0.0, 1.0, 40)


def test_numbers_flags_and_text_are_told_apart():
    frame = pd.DataFrame(
        {
            "real": NUMBERS,
            "whole": pd.array([1, None] * 20, dtype="Int64"),
            "flag": [True, False] * 20,
            "flag with gaps": [True, None] * 20,
            "decimal": [Decimal("1.5"), Decimal("2")] * 20,
            "text": ["x", "y"] * 20,
            "label": pd.Categorical([1, 2] * 20),
        }
    )
    columns = inspect_columns(frame)
    assert columns.numbers == ["real", "whole", "flag", "flag with gaps", "decimal"]
    assert columns.categories == ["text", "label"]
    ready = conform(frame, columns.numbers, columns.categories)
    assert (ready[columns.numbers].dtypes == "float64").all()
    assert ready["whole"].isna().sum() == ready["flag with gaps"].isna().sum() == 20
    assert set(ready["label"]) == {"1", "2"}


def test_whole_numbers_are_the_same_category_with_and_without_gaps():
    frame = pd.DataFrame({"a": NUMBERS, "floor": [1.0, 2.0, np.nan, 3.0] * 10})
    ready = conform(frame, ["a"], ["floor"])
    assert set(ready["floor"].dropna()) == {"1", "2", "3"}


def test_a_few_numbers_beside_text_are_categories():
    doors = ["2", "3", "4", "5 or more"] * 10
    assert inspect_columns(pd.DataFrame({"doors": doors})).categories == ["doors"]


def test_text_among_numbers_is_refused_with_entries_and_rows():
    entries = [str(value) for value in NUMBERS]
    entries[6], entries[30] = "n/a?", "unknown"
    message = r"'size' .*text in 2 rows: 'n/a\?' and 'unknown' \(data row 7 and 31\)"
    with pytest.raises(TableError, match=message):
        inspect_columns(pd.DataFrame({"size": entries}))
    accepted = inspect_columns(pd.DataFrame({"size": entries}), categories=["size"])
    assert accepted.categories == ["size"]


def test_one_slip_among_few_numbers_is_refused():
    with pytest.raises(TableError, match=r"text in 1 row: '\?'"):
        inspect_columns(pd.DataFrame({"grade": ["1", "2", "3", "4"] * 10 + ["?"]}))


@pytest.mark.parametrize("pattern", ["{},5", "€ {}", "{} %", "1,{:03}.0"])
def test_numbers_written_otherwise_are_refused(pattern):
    with pytest.raises(TableError, match="should hold numbers but has text"):
        inspect_columns(pd.DataFrame({"price": [pattern.format(place) for place in range(40)]}))


def test_columns_without_values_are_named():
    frame = pd.DataFrame({"a": NUMBERS, "b": np.nan, "c": pd.Series([None] * 40, dtype=object)})
    with pytest.raises(TableError, match="No value at all in column 'b' and 'c': drop it"):
        inspect_columns(frame)
    assert inspect_columns(frame, drop=["b", "c"]).numbers == ["a"]


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e200])
def test_infinite_values_are_counted(value):
    frame = pd.DataFrame({"a": np.append(NUMBERS, [value, value])})
    with pytest.raises(TableError, match=r"'a' holds 2 infinite values \(data row 41 and 42\)"):
        inspect_columns(frame)


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        (pd.date_range("2026-01-01", periods=40), "dates"),
        ([datetime.date(2026, 1, 1)] * 40, "dates"),
        ([[1, 2]] * 40, "entries of type list"),
        (NUMBERS * 1j, "complex numbers"),
    ],
)
def test_other_entries_are_refused(entries, what):
    with pytest.raises(TableError, match=f"'a' holds {what}.*--drop 'a'"):
        inspect_columns(pd.DataFrame({"a": entries}))


def test_text_that_names_the_rows_is_left_out_and_said():
    frame = pd.DataFrame({"a": NUMBERS, "name": [f"house {place}" for place in range(40)]})
    columns = inspect_columns(frame)
    assert columns.dropped == ["name"]
    assert "40 different texts in 40 rows" in columns.notes[0]
    assert inspect_columns(frame, categories=["name"]).categories == ["name"]


def test_nameless_row_numbers_are_left_out_and_said():
    frame = pd.DataFrame({"unnamed 1": range(40), "a": NUMBERS})
    columns = inspect_columns(frame)
    assert columns.dropped == ["unnamed 1"]
    assert "counts the rows" in columns.notes[0]


@pytest.mark.parametrize("kind", ["int64", "Int64", "uint8"])
def test_whole_numbers_that_count_the_rows_are_left_out_unless_kept(rng, kind):
    counted = pd.Series(rng.permutation(np.arange(5, 45)), dtype=kind)
    frame = pd.DataFrame({"a": NUMBERS, "ID": counted})
    columns = inspect_columns(frame)
    assert (columns.numbers, columns.dropped) == (["a"], ["ID"])
    assert columns.notes == ["column 'ID' left out: it counts the rows (keep it with --keep 'ID')"]
    kept = inspect_columns(frame, keep=["ID"])
    assert (kept.numbers, kept.notes) == (["a", "ID"], [])
    assert inspect_columns(frame.assign(ID=2 * counted)).numbers == ["a", "ID"]
    assert inspect_columns(frame.assign(ID=[*counted[:-1], 200])).numbers == ["a", "ID"]
    assert inspect_columns(frame.rename(columns={"ID": "Year"})).numbers == ["a", "Year"]
    with pytest.raises(TableError, match=r"No feature column is left.*keep it with --keep 'ID'"):
        inspect_columns(frame[["ID"]])
    with pytest.raises(TableError, match=r"--keep and --drop both name 'ID'"):
        inspect_columns(frame, drop=["ID"], keep=["ID"])


def test_notes_say_what_a_user_should_know():
    frame = pd.DataFrame(
        {
            "id": 7 * np.arange(300, 0, -1),
            "one": 1.0,
            "gaps": [1.0, 2.0, np.nan] * 100,
            "city": [f"city {place % 120}" for place in range(300)],
        }
    )
    notes = " | ".join(inspect_columns(frame).notes)
    assert "'id' holds a different whole number in each row" in notes
    assert "constant, so without effect: 'one'" in notes
    assert "missing entries in 'gaps'" in notes
    assert "100 commonest categories are told apart in 'city'" in notes


def test_a_table_of_only_the_target_is_refused():
    with pytest.raises(TableError, match="No feature column is left"):
        inspect_columns(pd.DataFrame({"a": NUMBERS}), drop=["a"])


def test_options_that_name_no_column_are_refused():
    with pytest.raises(TableError, match="--drop: the table has no feature column 'b'"):
        inspect_columns(pd.DataFrame({"a": NUMBERS}), drop=["b"])
    with pytest.raises(TableError, match="--keep: the table has no feature column 'b'"):
        inspect_columns(pd.DataFrame({"a": NUMBERS}), keep=["b"])
    with pytest.raises(TableError, match="--categories: the table has no feature column 'b'"):
        inspect_columns(pd.DataFrame({"a": NUMBERS}), categories=["b"])
