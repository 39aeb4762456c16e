"""What `argrad tune` prints for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from argrad.report import TuneResult
from argrad.report.searches.outcome import IN_WORDS


def print_comparison(result: TuneResult, content: dict[str, Any], console: Console) -> None:
    """Print the data, one row a search, what is recommended, and where the files are."""
    data = content["data"]
    problem = result.problem
    say = lambda text: console.print(text, highlight=False, soft_wrap=True)
    say(f"\n[bold]{escape(data['table'])}[/]: {data['rows']} rows, target {_name(data['target'])}")
    say(f"{content['task']}, since {escape(result.target.reason)}; --task overrides this.")
    say(
        f"{data['test_rows']} rows were set aside first; the searches share {data['folds']} folds "
        f"of the other {data['train_rows']}."
    )
    for note in result.columns.notes:
        say(f"Note: {escape(note)}.")
    console.print(_table(result))
    say(
        f"Losses are {problem.loss_name}, lower is better; {problem.score_name} is on the held-out "
        "rows.\nSeconds are wall time with the final fit; the gradient search's include JAX's "
        "compilation,\nnot the import of JAX."
    )
    for note in result.notes:
        say(f"Note: {escape(note)}.")
    best = content["recommended"]
    say(
        f"\nRecommended: the [bold]{IN_WORDS[best['search']]}[/], {best['granularity']} penalty"
        f"{_value(best['params'])}."
    )
    if content["optimism"] is not None:
        say(f"Its held-out loss minus its CV loss, the optimism, is {content['optimism']:+.4g}.")
    if result.interrupted:
        say("Interrupted: this is the best so far.")
    say("\nWritten:")
    for path in content["files"].values():
        say(f"  {escape(path)}")


def _table(result: TuneResult) -> Table:
    table = Table()
    table.add_column("search", no_wrap=True)
    for heading in ("fits", "seconds", "CV loss", "held-out loss"):
        table.add_column(heading, justify="right")
    table.add_column(result.problem.score_name, justify="right")
    for outcome in result.outcomes:
        score = "" if outcome.test_score is None else f"{outcome.test_score:.4f}"
        table.add_row(
            IN_WORDS[outcome.name],
            str(outcome.fits),
            f"{outcome.seconds:.2f}",
            f"{outcome.cv_loss:#.6g}",
            f"{outcome.test_loss:#.6g}",
            score,
            style="bold" if outcome is result.best else None,
        )
    return table


def _name(column: str) -> str:
    return f"'{escape(column)}'"


def _value(params: dict[str, Any]) -> str:
    shared = [
        f"{name.removeprefix('model__')} = {value:.4g}"
        for name, value in params.items()
        if isinstance(value, float)
    ]
    return f" ({', '.join(shared)})" if shared else ""
