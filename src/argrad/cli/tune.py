"""`argrad tune`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from argrad.cli.exits import INTERRUPTED, clear_exits


class TaskOption(StrEnum):
    """What `--task` takes."""

    classification = "classification"
    regression = "regression"


class GranularityOption(StrEnum):
    """What `--granularity` takes."""

    auto = "auto"
    shared = "shared"
    grouped = "grouped"
    per_class = "per-class"
    per_layer = "per-layer"
    adaptive = "adaptive"
    per_feature = "per-feature"


def tune(
    table: Annotated[
        str | None,
        typer.Argument(help="A CSV or Parquet file. Without it: the embedded breast cancer table."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The column to predict.", metavar="COLUMN")
    ] = None,
    task: Annotated[
        TaskOption | None, typer.Option(help="Instead of inferring it from the target.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="One of those that `argrad models` lists.", metavar="NAME")
    ] = None,
    granularity: Annotated[
        GranularityOption,
        typer.Option(
            help="One shared penalty, several that `argrad models` lists for the model, or decided "
            "on unseen folds."
        ),
    ] = GranularityOption.auto,
    criterion: Annotated[
        str | None,
        typer.Option(
            help="The loss to tune for, one that `argrad models` lists for the model.",
            metavar="NAME",
        ),
    ] = None,
    cv: Annotated[int, typer.Option(help="Number of folds of the cross-validation.")] = 5,
    test_size: Annotated[float, typer.Option(help="Share of the rows set aside first.")] = 0.25,
    seed: Annotated[int, typer.Option(help="Seed of the rows' shuffling and of TPE.", min=0)] = 0,
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Leave a column out; may be repeated.", metavar="COLUMN"),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Use a column though it counts the rows.", metavar="COLUMN"),
    ] = None,
    categories: Annotated[
        list[str] | None,
        typer.Option(help="Take a column as categories; may be repeated.", metavar="COLUMN"),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            help="Columns that may share a penalty; once for each group.",
            metavar="NAME=COLUMN,COLUMN",
        ),
    ] = None,
    weights_column: Annotated[
        str | None,
        typer.Option(help="A column that says how much each row counts.", metavar="COLUMN"),
    ] = None,
    groups_column: Annotated[
        str | None,
        typer.Option(help="Rows alike in it stay together in every split.", metavar="COLUMN"),
    ] = None,
    compare: Annotated[
        bool, typer.Option(help="Also run grid search and, if Optuna is installed, TPE.")
    ] = True,
    max_fits: Annotated[
        int | None,
        typer.Option(help="The most fits of the model in gradient searches together.", min=1),
    ] = None,
    time_budget: Annotated[
        float | None,
        typer.Option(
            help="Seconds that gradient searches may take together; grid search is not limited.",
            metavar="SECONDS",
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the results.", metavar="FOLDER")] = Path(
        "argrad-results"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, the content of result.json.")
    ] = False,
) -> None:
    """Tune the hyperparameters of a model on a table, and compare ways of doing so.

    Writes result.json, model.skops and two pictures.

    Ctrl-C keeps the best so far and ends with exit code 130.

    Input that cannot be used ends with exit code 2 and nothing written.
    """
    with clear_exits():
        from rich.console import Console

        from argrad.cli.comparison import print_comparison
        from argrad.cli.progress import shown_progress
        from argrad.report import save_results, tune_table
        from argrad.report.penalty_groups import parse_groups
        from argrad.report.writing import check_folder

        check_folder(output)
        with shown_progress(Console(stderr=True)) as progress:
            result = tune_table(
                table,
                target,
                task=None if task is None else task.value,
                model=model,
                granularity=granularity.value,
                criterion=criterion,
                folds=cv,
                test_size=test_size,
                seed=seed,
                compare=compare,
                max_fits=max_fits,
                time_budget=time_budget,
                drop=drop or (),
                keep=keep or (),
                categories=categories or (),
                weights_column=weights_column,
                groups_column=groups_column,
                groups=parse_groups(groups or ()),
                progress=progress,
            )
            progress.stage("writing the results")
            content = save_results(result, output)
        if as_json:
            typer.echo(json.dumps(content, indent=2, allow_nan=False))
        else:
            print_comparison(result, content, Console())
        if result.interrupted:
            typer.echo("argrad: interrupted; the best so far was kept.", err=True)
            raise typer.Exit(INTERRUPTED)
