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
        from argrad.report.catalogue import CATALOGUE, IN_PYTHON

        if as_json:
            typer.echo(json.dumps([_content(each) for each in CATALOGUE], indent=2))
            return

        rows = [("--model", "scikit-learn's", "predicts", "tuned", "--criterion")]
        rows += [
            (each.name, each.estimator, each.targets, each.parameter, ", ".join(each.criteria))
            for each in CATALOGUE
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            typer.echo("  ".join(cells).rstrip())
        typer.echo(
            "\nalpha is a penalty, C an inverse one: one for all features, a group or each, "
            "or decided\n(--granularity). Without --model: logistic for classes, ridge for "
            "numbers. Without\n--criterion: the first."
        )
        typer.echo("\nIn Python, with argrad.sklearn.GradientSearchCV, also:")
        for estimator, tuned in IN_PYTHON.items():
            each = ", ".join(f"{name} ({', '.join(kinds)})" for name, kinds in tuned.items())
            typer.echo(f"  {estimator}: {each}")
        typer.echo("  from_objective(...): a model of your own, and its hyperparameters by name")


def _content(choice: Any) -> dict[str, Any]:
    return {
        "name": choice.name,
        "estimator": choice.estimator,
        "task": choice.task,
        "hyperparameters": [choice.parameter],
        "granularities": ["shared", "grouped", "per-feature"],
        "targets": choice.targets,
        "loss": choice.loss_name,
        "criteria": list(choice.criteria),
    }
