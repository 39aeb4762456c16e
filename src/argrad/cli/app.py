"""The command's parts put together. Nothing here may import JAX: `--help` answers at once."""

from __future__ import annotations

from typing import Annotated

import typer

from argrad.cli.models import models
from argrad.cli.predict import predict
from argrad.cli.tune import tune

app = typer.Typer(
    name="argrad",
    help="Tune models on a table by gradient, and predict with what was tuned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(tune)
app.command()(predict)
app.command()(models)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"argrad {version('argrad')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options that come before a command's name."""
