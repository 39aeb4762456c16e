"""`argrad predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from argrad.cli.exits import clear_exits


def predict(
    model: Annotated[
        Path, typer.Argument(help="The model.skops that `argrad tune` wrote, or its folder.")
    ],
    table: Annotated[str, typer.Argument(help="A CSV or Parquet file with the model's columns.")],
    output: Annotated[
        Path | None,
        typer.Option(help="A CSV or Parquet file to write. Without it: CSV on standard output."),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Add each class's probability.")
    ] = False,
) -> None:
    """Predict the target of each row of a table with a tuned model.

    The table may be larger than memory. All predictions are written, or none.
    """
    with clear_exits():
        from argrad.report import predict_file

        rows, notes = predict_file(model, table, output or sys.stdout, probabilities)
        for note in notes:
            typer.echo(f"argrad: {note}", err=True)
        if output is not None:
            typer.echo(f"argrad: wrote {rows} predictions to {output}", err=True)
