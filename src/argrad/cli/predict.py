"""`argrad predict`."""

from __future__ import annotations

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
    """Predict the target of each row of a table with a tuned model."""
    with clear_exits():
        from argrad.report import predict_table
        from argrad.report.prediction import check_predictions_file

        if output is not None:
            check_predictions_file(output)
        predictions = predict_table(model, table, probabilities)
        for note in predictions.notes:
            typer.echo(f"argrad: {note}", err=True)
        if output is None:
            typer.echo(predictions.frame.to_csv(index=False), nl=False)
        else:
            predictions.save(output)
            typer.echo(f"argrad: wrote {len(predictions.frame)} predictions to {output}", err=True)
