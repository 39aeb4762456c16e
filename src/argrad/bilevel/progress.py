"""A progress bar for the double loop, where Rich is installed."""

import contextlib
from collections.abc import Callable, Iterator

from argrad.bilevel.history import Record


@contextlib.contextmanager
def progress_bar(shown: bool, max_steps: int) -> Iterator[Callable[[Record], None]]:
    """A function to be called with each record. ImportError where Rich is missing."""
    if not shown:
        yield lambda record: None
        return
    try:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed
    except ImportError as error:
        raise ImportError(
            'progress=True needs Rich: install it with pip install "argrad[progress]".'
        ) from error

    columns = (
        TextColumn("upper step"),
        MofNCompleteColumn(),
        BarColumn(bar_width=24),
        TextColumn("best {task.fields[best]:.6g}  gradient {task.fields[gradient]:.2e}"),
        Elapsed(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("", total=max_steps, best=float("inf"), gradient=float("nan"))
        best = float("inf")

        def update(record: Record) -> None:
            nonlocal best
            best = min(best, record.value)
            progress.update(
                task, completed=record.step + 1, best=best, gradient=record.gradient_norm
            )

        yield update
