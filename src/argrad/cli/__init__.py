"""The command `argrad`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; the entry point that the installed `argrad` calls."""
    try:
        from argrad.cli.app import app
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.exit('argrad: the command needs Typer: pip install "argrad[tune]"')
    app()
