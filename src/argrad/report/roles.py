"""Columns that say something of the rows, and are no features: the target, weights, groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from argrad.report.errors import TableError, listed
from argrad.report.table import Table, split_target
from argrad.report.values import as_categories, as_numbers


@dataclass(frozen=True)
class Roles:
    """A table's columns by what they are for; rows of weight zero are left out of all of them.

    Each keeps the table's index. `weights` holds positive numbers, `groups` text; None where no
    column was named.
    """

    features: pd.DataFrame
    target: pd.Series
    weights: pd.Series | None
    groups: pd.Series | None
    notes: list[str]


def assign_roles(
    table: Table, target: str, weights_column: str | None, groups_column: str | None
) -> Roles:
    """Take target, weights and groups out of a table.

    Raises `TableError` for a column that is not there or is named for two roles, weights that are
    missing, negative, infinite or zero in every row, and missing groups.
    """
    _check_different(
        {"--target": target, "--weights-column": weights_column, "--groups-column": groups_column}
    )
    features, column = split_target(table, target)
    weights = groups = None
    notes: list[str] = []
    if weights_column is not None:
        features, given = split_target(Table(table.name, features), weights_column)
        weights = _read_weights(given, weights_column)
    if groups_column is not None:
        features, given = split_target(Table(table.name, features), groups_column)
        groups = _read_groups(given, groups_column)
    if weights is not None and (weights == 0).any():
        kept = weights > 0
        notes.append(f"{int((~kept).sum())} rows of weight 0 in '{weights_column}' are left out")
        features, column, weights = features[kept], column[kept], weights[kept]
        groups = None if groups is None else groups[kept]
    return Roles(features, column, weights, groups, notes)


def _check_different(named: dict[str, str | None]) -> None:
    options: dict[str, str] = {}
    for option, name in named.items():
        if name is not None and options.setdefault(name, option) != option:
            raise TableError(
                f"{options[name]} and {option} both name the column '{name}': name two different "
                "ones."
            )


def _read_weights(column: pd.Series, name: str) -> pd.Series:
    _check_complete(column, name, "weights")
    weights = as_numbers(column, name)
    wrong = weights.index[(weights < 0) | ~np.isfinite(weights)]
    if len(wrong):
        rows = listed([int(row) + 1 for row in wrong], limit=5)
        raise TableError(
            f"The weights '{name}' hold {weights[wrong[0]]:g} (data row {rows}): weights are "
            "finite and not negative; 0 leaves a row out."
        )
    if not weights.any():
        raise TableError(
            f"The weights '{name}' are 0 in all {len(weights)} rows: give some a positive weight, "
            "or leave out --weights-column."
        )
    return weights


def _read_groups(column: pd.Series, name: str) -> pd.Series:
    _check_complete(column, name, "groups")
    return as_categories(column)


def _check_complete(column: pd.Series, name: str, what: str) -> None:
    missing = column.index[column.isna()]
    if len(missing):
        rows = listed([int(row) + 1 for row in missing], limit=5)
        raise TableError(
            f"The {what} '{name}' are missing in {len(missing)} of {len(column)} rows "
            f"(data row {rows}): fill them in or remove those rows."
        )
