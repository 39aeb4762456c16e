"""Groups of columns that share a penalty, and the features that each column becomes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from argrad.report.columns import Columns
from argrad.report.errors import InputError, TableError, listed


def parse_groups(texts: Sequence[str]) -> dict[str, list[str]]:
    """Groups from what `--groups` was given, each as NAME=COLUMN,COLUMN.

    Raises `InputError` for a text of another form, and a name that was given before.
    """
    groups: dict[str, list[str]] = {}
    for text in texts:
        name, equals, columns = text.partition("=")
        members = [column.strip() for column in columns.split(",")]
        if not equals or not name.strip() or not all(members):
            raise InputError(
                f"--groups '{text}' is no group: write NAME=COLUMN,COLUMN, once for each group."
            )
        if name.strip() in groups:
            raise InputError(f"--groups has '{name.strip()}' twice: put its columns into one.")
        groups[name.strip()] = members
    return groups


def feature_groups(
    groups: Mapping[str, Sequence[str]], columns: Columns, pipeline: Any
) -> list[str]:
    """The group of each feature that the pipeline prepares; a category's features stay together.

    Raises `TableError` unless every feature column is in one group, naming those that are not.
    """
    group_of: dict[str, str] = {}
    for name, members in groups.items():
        for column in members:
            if column not in columns.used:
                near = difflib.get_close_matches(column, columns.used, n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                raise TableError(
                    f"--groups: '{column}' in '{name}' is no feature column.{hint} They are "
                    f"{listed(columns.used, limit=40)}."
                )
            if group_of.setdefault(column, name) != name:
                raise TableError(
                    f"--groups: the column '{column}' is in '{group_of[column]}' and '{name}': "
                    "leave it in one."
                )
    bare = [column for column in columns.used if column not in group_of]
    if bare:
        raise TableError(
            f"--groups leaves {listed(bare, limit=20)} without a group: put every feature column "
            "into one, or leave it out with --drop."
        )
    labels = [group_of[column] for column in columns.numbers]
    for kind, step, names in pipeline.named_steps["prepare"].transformers:
        if kind == "categories":
            for column, known in zip(names, step.named_steps["encode"].categories, strict=True):
                labels += [group_of[column]] * len(known)
    return labels
