from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from argrad.report.errors import TableError
from argrad.report.target import read_target


@pytest.mark.parametrize(
    ("entries", "task", "reason"),
    [
        (["yes", "no"] * 20, "classification", "holds text"),
        ([True, False] * 20, "classification", "true or false"),
        (pd.Categorical([3, 4] * 20), "classification", "holds text"),
        ([0, 1] * 20, "classification", "2 different whole numbers"),
        ([0.0, 1.0, 2.0, 2.0] * 20, "classification", "3 different whole numbers"),
        (range(40), "regression", "40 different whole numbers"),
        ([1, 2, 3, 4, 5, 6, 7, 8] * 5, "regression", "8 different whole numbers"),
        ([0.5, 1.5] * 20, "regression", "2 different numbers"),
    ],
)
def test_task_is_inferred_and_said(entries, task, reason):
    target = read_target(pd.Series(entries), "y")
    assert target.task == task
    assert reason in target.reason


def test_counts_with_a_tail_are_no_classes():
    """Nine different numbers in 200 rows, the highest of them in few."""
    counts = np.repeat(np.arange(9), [140, 22, 10, 8, 8, 5, 4, 2, 1])
    target = read_target(pd.Series(counts), "y")
    assert target.task == "regression"
    assert "9 different whole numbers, the rarest in few rows" in target.reason
    ratings = read_target(pd.Series(np.repeat([1, 2, 3], [100, 30, 8])), "y")
    assert ratings.task == "classification"
    assert read_target(pd.Series([0] * 197 + [1] * 3), "y").task == "classification"


def test_task_can_be_given():
    assert read_target(pd.Series([0, 1] * 20), "y", "regression").values.dtype == "float64"
    given = read_target(pd.Series([0.5, 1.5] * 20), "y", "classification")
    assert set(given.values) == {"0.5", "1.5"}


def test_labels_keep_whole_numbers_and_name_the_rest():
    assert read_target(pd.Series([0.0, 1.0] * 20), "y").values.dtype == np.int64
    assert set(read_target(pd.Series([True, False]), "y").values) == {"True", "False"}


@pytest.mark.parametrize(
    ("entries", "task", "message"),
    [
        ([1.5] * 9, None, "target 'y' is constant: each of its 9 rows is 1.5"),
        ([1] * 9, "regression", "is constant"),
        (["yes"] * 9, None, "target 'y' has one class only: each of its 9 rows is yes"),
        ([1, None, 2, 3], None, r"missing in 1 of 4 rows \(data row 2\)"),
        ([1.0, np.inf, 2.5], None, r"'y' holds 1 infinite value \(data row 2\)"),
        (["a", "b", "a"], "regression", r"'y' should hold numbers but has text in 3 rows"),
        ([*map(str, range(30)), "n/a?"], None, r"text in 1 row: 'n/a\?' \(data row 31\)"),
        ([f"{place},5" for place in range(30)], None, "should hold numbers but has text"),
        (pd.date_range("2026-01-01", periods=5), None, "'y' holds dates"),
    ],
)
def test_unusable_targets_are_refused(entries, task, message):
    with pytest.raises(TableError, match=message):
        read_target(pd.Series(entries), "y", task)
