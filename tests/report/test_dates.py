"""Dates as numbers and categories: against the calendar, from tables to predictions."""

from __future__ import annotations

import calendar
import datetime

import numpy as np
import pandas as pd
import pytest

from argrad.report import predict_table, tune_table
from argrad.report.dates import dated_features, source_of, with_dates
from argrad.report.errors import TableError
from argrad.report.model import save_model

DAYS = [datetime.date(2019, 12, 28) + datetime.timedelta(days=9 * i) for i in range(60)]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(DAYS),
        pd.Series([day.isoformat() for day in DAYS]),
        pd.Series([f" {day}T00:00:00Z" for day in DAYS]),
        pd.to_datetime(pd.Series(DAYS)),
        pd.to_datetime(pd.Series(DAYS)).dt.tz_localize("Asia/Tokyo"),
    ],
    ids=["objects", "text", "text with time", "datetime64", "with a time zone"],
)
def test_days_months_and_weekdays_are_the_calendars(column):
    frame, notes = with_dates(pd.DataFrame({"a": 1.0, "when": column, "b": 2.0}))
    assert list(frame) == ["a", "when: days", "when: month", "when: weekday", "b"]
    epoch = datetime.date(1970, 1, 1)
    np.testing.assert_array_equal(frame["when: days"], [(day - epoch).days for day in DAYS])
    assert frame["when: month"].tolist() == [calendar.month_name[day.month] for day in DAYS]
    assert frame["when: weekday"].tolist() == [calendar.day_name[day.weekday()] for day in DAYS]
    assert "2019-12-28 to 2021-06-11" in notes[0]
    again = dated_features(pd.DataFrame({"when": column, "a": 1.0, "b": 2.0}), list(frame))
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)


def test_months_need_a_year_and_weekdays_two_weeks():
    for days, parts in ((5, ["days"]), (300, ["days", "weekday"])):
        when = pd.Series(pd.date_range("2024-01-01", periods=days))
        frame, _ = with_dates(pd.DataFrame({"when": when}))
        assert list(frame) == [f"when: {part}" for part in parts]


def test_the_time_of_day_is_a_fraction_and_what_is_missing_stays_so():
    when = pd.Series(["1970-01-01 06:00", None, "1970-01-02T12:00:00"])
    frame, _ = with_dates(pd.DataFrame({"when": when}))
    np.testing.assert_array_equal(frame["when: days"], [0.25, np.nan, 1.5])


def test_what_is_no_date_is_left_alone():
    frame = pd.DataFrame({"day": ["31.12.2024", "1.1.2025"], "n": [20240101, 20240102], "x": "a"})
    same, notes = with_dates(frame)
    assert same is frame
    assert notes == []
    dates = pd.DataFrame({"when": [day.isoformat() for day in DAYS]})
    assert with_dates(dates, apart=["when"])[0] is dates


@pytest.mark.parametrize("slip", ["soon", "2024-02-30", "2024-13-01"])
def test_a_slip_among_dates_is_named_with_its_row(slip):
    texts = [day.isoformat() for day in DAYS]
    texts[7] = slip
    with pytest.raises(TableError, match=rf"'when' .*'{slip}' \(data row 8\).*--drop 'when'"):
        with_dates(pd.DataFrame({"when": texts}))


def test_a_name_that_is_taken_is_said():
    with pytest.raises(TableError, match=r"a column 'when: days' already"):
        with_dates(pd.DataFrame({"when": pd.to_datetime(DAYS), "when: days": 1.0}))


def test_which_column_a_feature_is_read_from():
    assert source_of("when: days", ["when"]) == "when"
    assert source_of("a: b: month", ["x"]) == "a: b"
    assert source_of("when: days", ["when: days", "when"]) == "when: days"
    assert source_of("when: hour", ["when"]) == "when: hour"


def test_predictions_use_dates_as_the_model_did(rng, tmp_path):
    """A trend, and more on Sundays: both are found again for dates that were not in the table."""
    when = pd.Series(pd.date_range("2023-01-01", periods=150))
    y = 0.5 * np.arange(150) + 20.0 * (when.dt.dayofweek == 6) + rng.normal(size=150)
    table = pd.DataFrame({"when": when.dt.strftime("%Y-%m-%d"), "y": y})
    result = tune_table(table, "y", compare=False, granularity="shared", folds=3)
    assert result.columns.used == ["when: days", "when: weekday"]
    save_model(result.best.estimator, tmp_path / "model.skops")
    new = pd.DataFrame({"when": pd.date_range("2023-06-01", periods=28).date, "other": 1})
    found = predict_table(tmp_path / "model.skops", new)
    days = np.arange(151, 179)
    np.testing.assert_allclose(
        found.frame["prediction"],
        0.5 * days + 20.0 * (pd.to_datetime(new["when"]).dt.dayofweek == 6),
        atol=4.0,
    )
    assert found.notes == ["ignored, as the model does not use them: 'other'"]
    with pytest.raises(TableError, match=r"lacks 'when', which"):
        predict_table(tmp_path / "model.skops", new.drop(columns="when"))
    with pytest.raises(TableError, match=r"should hold dates such as .*'tomorrow' \(data row 1\)"):
        predict_table(tmp_path / "model.skops", pd.DataFrame({"when": ["tomorrow"]}))
