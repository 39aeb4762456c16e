"""`argrad models`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from argrad.cli.exits import clear_exits


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """List the models that can be tuned, and by which hyperparameters."""
    with clear_exits():
        from argrad.report.catalogue import CATALOGUE

        if as_json:
            typer.echo(json.dumps([_content(each) for each in CATALOGUE], indent=2))
            return

        rows = [("--model", "scikit-learn's", "predicts", "tuned", "--granularity", "--criterion")]
        rows += [
            (
                each.name,
                each.estimator,
                each.targets,
                ", ".join(each.ranges),
                ", ".join(each.granularities),
                ", ".join(each.criteria),
            )
            for each in CATALOGUE
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            typer.echo("  ".join(cells).rstrip())
        typer.echo(
            "\nalpha is a penalty, C an inverse one: one (shared), one for each group of columns,\n"
            "feature, class (of three or more) or layer of weights, or one for each feature by\n"
            "the coefficients of a first fit (adaptive). Without --granularity unseen folds\n"
            "decide, without --model it is logistic for classes and ridge for numbers, without\n"
            "--criterion the first."
        )
        typer.echo(
            "\nargrad.sklearn.GradientSearchCV tunes them in Python, with settings of your own,\n"
            "and models of your own with argrad.sklearn.from_objective."
        )


def _content(choice: Any) -> dict[str, Any]:
    return {
        "name": choice.name,
        "estimator": choice.estimator,
        "task": choice.task,
        "hyperparameters": list(choice.ranges),
        "granularities": list(choice.granularities),
        "targets": choice.targets,
        "loss": choice.loss_name,
        "criteria": list(choice.criteria),
    }
