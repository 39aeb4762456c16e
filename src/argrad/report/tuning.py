"""`tune_table`: from a table and the name of its target to a tuned model and what it gained."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from argrad.report.columns import Columns, conform, inspect_columns
from argrad.report.errors import TableError
from argrad.report.preprocessing import build_pipeline, penalty_name
from argrad.report.progress import Progress, Silent
from argrad.report.searches import (
    Granularity,
    SearchOutcome,
    TuningProblem,
    gradient_search,
    grid_search,
    has_optuna,
    recommended,
    tpe_search,
)
from argrad.report.searches.outcome import IN_WORDS
from argrad.report.splits import split_rows
from argrad.report.table import EMBEDDED_TARGET, as_table, split_target
from argrad.report.target import Target, Task, read_target


@dataclass(frozen=True)
class TuneResult:
    """What `tune_table` found.

    `outcomes` holds one outcome a search, the gradient search first; `best` is the recommended
    one of them; `notes` are sentences on the searches (those on the data are in `columns`);
    `interrupted` says that Ctrl-C ended it early.
    """

    table: str
    target: Target
    columns: Columns
    problem: TuningProblem
    granularity: Granularity
    outcomes: list[SearchOutcome]
    notes: list[str]
    interrupted: bool

    @property
    def best(self) -> SearchOutcome:
        """The recommended search: lowest CV loss, among equal ones the one of fewest fits."""
        return recommended(self.outcomes)

    @property
    def best_granularity(self) -> Granularity:
        """Whether the recommended penalties are one shared one or one per feature."""
        return self.granularity if self.best is self.outcomes[0] else "shared"

    @property
    def optimism(self) -> float:
        """Held-out loss minus CV loss of the recommended search: what tuning flattered itself."""
        return self.best.test_loss - self.best.cv_loss

    @property
    def rows(self) -> int:
        """Rows of the table, those set aside included."""
        return len(self.problem.y) + len(self.problem.y_test)


def tune_table(
    table: str | Path | pd.DataFrame | None = None,
    target: str | None = None,
    *,
    task: Task | None = None,
    granularity: Granularity = "shared",
    folds: int = 5,
    test_size: float = 0.25,
    seed: int = 0,
    compare: bool = True,
    max_evaluations: int | None = None,
    drop: Collection[str] = (),
    categories: Collection[str] = (),
    progress: Progress | None = None,
) -> TuneResult:
    """Tune the penalty of a linear model on a table, and compare ways of doing so.

    `table` is a CSV or Parquet file, a data frame, or None for the embedded breast cancer table;
    `target` names the column to predict. Rows are set aside first (`test_size`); the searches
    share the same `folds` of the rest. Columns in `drop` are left out, those in `categories` are
    categories whatever they hold. With `compare=False` only the gradient search runs.

    Raises `TableError`, saying what to mend, if the table cannot be used. Ctrl-C ends the search
    that runs and keeps the best so far; before the first evaluation KeyboardInterrupt is raised.
    """
    progress = progress or Silent()
    progress.stage("reading the table")
    if target is None:
        if table is not None:
            raise TableError("Which column is to be predicted? Name it with --target COLUMN.")
        target = EMBEDDED_TARGET
    given = as_table(table, as_text=categories)
    features, column = split_target(given, target)
    learnt = read_target(column, target, task)
    columns = inspect_columns(features, drop, categories)
    splits = split_rows(learnt, folds, test_size, seed)
    frame = conform(features, columns.numbers, columns.categories)
    train = frame.iloc[splits.train].reset_index(drop=True)
    problem = TuningProblem(
        pipeline=build_pipeline(columns, learnt.task, train),
        penalty=penalty_name(learnt.task),
        task=learnt.task,
        X=train,
        y=learnt.values[splits.train],
        X_test=frame.iloc[splits.test].reset_index(drop=True),
        y_test=learnt.values[splits.test],
        folds=splits.folds,
        seed=seed,
    )
    outcomes = [gradient_search(problem, granularity, max_evaluations, progress)]
    notes: list[str] = []
    interrupted = outcomes[0].interrupted
    if compare and not interrupted:
        interrupted = _compare(problem, outcomes, notes, progress)
    if granularity == "per-feature":
        notes.extend(_overfitted(outcomes))
    return TuneResult(
        given.name, learnt, columns, problem, granularity, outcomes, notes, interrupted
    )


def _compare(
    problem: TuningProblem,
    outcomes: list[SearchOutcome],
    notes: list[str],
    progress: Progress,
) -> bool:
    """Add the other searches' outcomes and notes on them; whether Ctrl-C ended it."""
    try:
        outcomes.append(grid_search(problem, progress))
        if has_optuna():
            outcomes.append(tpe_search(problem, outcomes[0].seconds, progress))
        else:
            notes.append('TPE is left out: it needs pip install "argrad[optuna]"')
    except KeyboardInterrupt:
        notes.append("interrupted: a search without result is left out of the comparison")
        return True
    return outcomes[-1].interrupted


def _overfitted(outcomes: list[SearchOutcome]) -> list[str]:
    """A warning if many penalties won on the folds but a shared one wins on the held-out rows."""
    per_feature, *shared = outcomes
    if recommended(outcomes) is not per_feature or not shared:
        return []
    rival = min(shared, key=lambda outcome: outcome.test_loss)
    if rival.test_loss >= per_feature.test_loss:
        return []
    return [
        "the penalties per feature have the lowest CV loss, but on the held-out rows the shared "
        f"penalty of the {IN_WORDS[rival.name]} does better ({rival.test_loss:.4g} against "
        f"{per_feature.test_loss:.4g}): they may fit the folds rather than the data, and "
        "--granularity shared is safer"
    ]
