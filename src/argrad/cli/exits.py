"""How the command ends: one message and a code, never a traceback for what a user can mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

# As shells count it: 128 and the number of the signal.
INTERRUPTED = 130
BAD_INPUT = 2
FAILED = 1


@contextmanager
def clear_exits() -> Iterator[None]:
    """Turn bad input into a message and code 2, Ctrl-C without a result into code 130."""
    try:
        with _messages():
            yield
    except KeyboardInterrupt:
        typer.echo("argrad: interrupted before there was a result; nothing was written.", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _messages() -> Iterator[None]:
    try:
        from argrad.report.errors import InputError
    except ImportError as error:
        typer.echo(f"argrad: {error}", err=True)
        raise typer.Exit(FAILED) from None
    try:
        yield
    except InputError as error:
        typer.echo(f"argrad: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    except BrokenPipeError:  # whoever read the output has seen enough
        raise
    except OSError as error:  # such as a full disk
        typer.echo(f"argrad: {error}", err=True)
        raise typer.Exit(FAILED) from None
