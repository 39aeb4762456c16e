"""What `argrad tune` prints for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from argrad.report import TuneResult
from argrad.report.searches.outcome import IN_WORDS, SearchOutcome

GRANULARITIES = {
    "shared": "one shared penalty",
    "grouped": "one penalty per group",
    "per-class": "one penalty per class",
    "per-layer": "one penalty per layer",
    "adaptive": "penalties by the coefficients of a first fit",
    "per-feature": "one penalty per feature",
}


def print_comparison(result: TuneResult, content: dict[str, Any], console: Console) -> None:
    """Print the data, one row a search, what is recommended, and where the files are."""
    data = content["data"]
    problem = result.problem
    say = lambda text: console.print(text, highlight=False, soft_wrap=True)
    say(f"\n[bold]{escape(data['table'])}[/]: {data['rows']} rows, target {_name(data['target'])}")
    say(f"{content['task']}, {escape(result.target.reason)}. Model: {data['model']}.")
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
    for outcome in result.outcomes:
        if outcome.verdict is not None:
            say(f"Whether more than one penalty pays: {escape(outcome.verdict)}.")
    if result.decided is not None:
        _print_decision(result.decided, result.problem.loss_name, console)
    best = content["recommended"]
    say(
        f"\nRecommended: the [bold]{IN_WORDS[best['search']]}[/], "
        f"{GRANULARITIES[best['granularity']]}{_value(best['params'])}."
    )
    if content["optimism"] is not None:
        say(f"Its held-out loss minus its CV loss, the optimism, is {content['optimism']:+.4g}.")
    if result.interrupted:
        say("Interrupted: this is the best so far.")
    say("\nWritten:")
    for path in content["files"].values():
        say(f"  {escape(path)}")


def _print_decision(decided: SearchOutcome, loss_name: str, console: Console) -> None:
    """Print what each candidate loses on the folds it was tuned on, and on unseen ones."""
    say = lambda text: console.print(text, highlight=False, soft_wrap=True)
    candidates = decided.candidates
    if candidates is None or candidates["unseen_loss"].isna().all():
        say("\nThe granularity was not compared.")
        say(f"Why {escape(decided.reason or '')}.")
        return
    say(f"\nGranularity, decided on folds that the tuning had not seen ({loss_name}):")
    table = Table()
    table.add_column("candidate", no_wrap=True)
    for heading in ("CV loss", "unseen loss", "± s.e.", "optimism"):
        table.add_column(heading, justify="right")
    for row in candidates.to_dict("records"):
        table.add_row(
            escape(row["candidate"]),
            f"{row['cv_loss']:#.6g}",
            f"{row['unseen_loss']:#.6g}",
            f"{row['standard_error']:.2g}",
            f"{row['unseen_loss'] - row['cv_loss']:+.4g}",
        )
    console.print(table)
    say(f"Chosen: {GRANULARITIES[decided.granularity]}.")
    say(f"Why {escape(decided.reason or '')}.")


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
