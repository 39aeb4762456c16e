from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from argrad.report import TableError
from argrad.report.roles import assign_roles
from argrad.report.table import Table


@pytest.fixture
def table() -> Table:
    frame = pd.DataFrame(
        {"a": range(4), "y": [0.5, 1.5, 2.5, 3.5], "w": [1, 0, 2, 0.5], "g": [1, 1, 2, 2]}
    )
    return Table("t", frame)


def test_columns_with_a_role_are_no_features_and_rows_of_weight_zero_are_left_out(table):
    roles = assign_roles(table, "y", "w", "g")
    assert list(roles.features) == ["a"]
    assert roles.weights is not None
    assert roles.groups is not None
    assert list(roles.weights) == [1, 2, 0.5]
    assert list(roles.groups) == ["1", "2", "2"]
    assert list(roles.target) == [0.5, 2.5, 3.5]
    assert list(roles.target.index) == [0, 2, 3]
    assert roles.notes == ["1 rows of weight 0 in 'w' are left out"]


def test_without_roles_all_but_the_target_are_features(table):
    roles = assign_roles(table, "y", None, None)
    assert list(roles.features) == ["a", "w", "g"]
    assert roles.weights is None
    assert roles.groups is None


@pytest.mark.parametrize(
    ("change", "names", "message"),
    [
        ({"w": [1, -2, 1, 1]}, ("w", None), r"weights 'w' hold -2 \(data row 2\)"),
        ({"w": [0, 0, 0, 0]}, ("w", None), "weights 'w' are 0 in all 4 rows"),
        ({"w": [1, None, 1, 1]}, ("w", None), r"weights 'w' are missing in 1 of 4 rows"),
        ({"w": [1, np.inf, 1, 1]}, ("w", None), "weights 'w' hold inf"),
        ({"w": ["a", "b", "c", "d"]}, ("w", None), "'w' should hold numbers"),
        ({"g": ["x", None, "y", "y"]}, (None, "g"), r"groups 'g' are missing .*\(data row 2\)"),
        ({}, ("weight", None), "no column 'weight'"),
        ({}, (None, "y"), "--target and --groups-column both name the column 'y'"),
        ({}, ("w", "w"), "--weights-column and --groups-column both name"),
    ],
)
def test_what_cannot_be_weights_or_groups_is_refused_by_name(table, change, names, message):
    with pytest.raises(TableError, match=message):
        assign_roles(Table("t", table.frame.assign(**change)), "y", *names)
