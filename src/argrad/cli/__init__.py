"""The command `argrad`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; the entry point that the installed `argrad` calls."""
    try:
        from argrad.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(f'argrad: the command needs {error.name}: pip install "argrad[tune]"')
    app()
