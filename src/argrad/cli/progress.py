"""Progress on standard error: a moving line on a terminal, one line a stage elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Line:
    """Shows the stage, and the step it has reached, on one line of a terminal."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status
        self._stage = ""

    def stage(self, text: str) -> None:
        """Begin a new part of the work."""
        self._stage = escape(text)
        if self._console.is_terminal:
            self._status.update(self._stage)
        else:
            self._console.print(self._stage, highlight=False, soft_wrap=True)

    def step(self, text: str) -> None:
        """Move on within it."""
        if self._console.is_terminal:
            self._status.update(f"{self._stage} · {escape(text)}")


@contextmanager
def shown_progress(console: Console) -> Iterator[Line]:
    """A `Line` on the console while the block runs."""
    status = console.status("")
    if not console.is_terminal:
        yield Line(console, status)
        return
    with status:
        yield Line(console, status)
