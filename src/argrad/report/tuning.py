"""`tune_table`: from a table and the name of its target to a tuned model and what it gained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from argrad.report.catalogue import Task, choice_of, named
from argrad.report.columns import Columns, conform, inspect_columns
from argrad.report.dates import with_dates
from argrad.report.doubts import copies, doubts
from argrad.report.errors import InputError, TableError
from argrad.report.penalty_groups import feature_groups
from argrad.report.preprocessing import build_pipeline
from argrad.report.progress import Progress, Silent
from argrad.report.roles import assign_roles
from argrad.report.searches import (
    Budget,
    Granularity,
    SearchOutcome,
    TuningProblem,
    deciding_search,
    gradient_search,
    grid_search,
    has_optuna,
    recommended,
    tpe_search,
)
from argrad.report.searches.outcome import IN_WORDS
from argrad.report.splits import split_rows
from argrad.report.table import EMBEDDED_TARGET, as_table
from argrad.report.target import Target, check_classes, check_range, read_target


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
    outcomes: list[SearchOutcome]
    notes: list[str]
    interrupted: bool

    @property
    def best(self) -> SearchOutcome:
        """The recommended search, see `argrad.report.searches.recommended`."""
        return recommended(self.outcomes)

    @property
    def decided(self) -> SearchOutcome | None:
        """The search that decided on the granularity, if one did."""
        return next((each for each in self.outcomes if each.candidates is not None), None)

    @property
    def drawn(self) -> list[SearchOutcome]:
        """The outcomes for pictures: a decision for what the first one tuned adds nothing."""
        first = self.outcomes[0]
        return [
            each
            for each in self.outcomes
            if each.candidates is None or each.granularity != first.granularity
        ]

    @property
    def optimism(self) -> float:
        """Held-out loss minus CV loss of the recommended search: what tuning flattered itself."""
        return self.best.test_loss - self.best.cv_loss

    @property
    def rows(self) -> int:
        """Rows of the table, those set aside included and those of weight zero not."""
        return len(self.problem.y) + len(self.problem.y_test)


def tune_table(
    table: str | Path | pd.DataFrame | None = None,
    target: str | None = None,
    *,
    task: Task | None = None,
    model: str | None = None,
    granularity: Granularity | Literal["auto"] = "auto",
    criterion: str | None = None,
    folds: int = 5,
    test_size: float = 0.25,
    seed: int = 0,
    compare: bool = True,
    max_fits: int | None = None,
    time_budget: float | None = None,
    drop: Collection[str] = (),
    keep: Collection[str] = (),
    categories: Collection[str] = (),
    weights_column: str | None = None,
    groups_column: str | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    progress: Progress | None = None,
) -> TuneResult:
    """Tune the hyperparameters of a model on a table, and compare ways of doing so.

    `table` is a CSV or Parquet file, a data frame, or None for the embedded breast cancer table;
    `target` names the column to predict, `model` one of `argrad.report.catalogue`, `criterion` one
    of its losses, by which all is tuned and judged. Rows are set aside first (`test_size`); the
    searches share the same `folds` of the rest. Columns in `drop` are left out, those in `keep` are
    not though they count the rows, those in `categories` are categories whatever they hold; dates
    are used as `with_dates` says. `weights_column` counts rows in fits and losses;
    rows of the same group in `groups_column` stay on one side of every split; columns of the same
    group in `groups` may share a penalty. With `granularity="auto"` a last search decides on folds
    it has not seen whether more than one penalty pays. `max_fits` and the seconds of `time_budget`
    limit the gradient searches together; with `compare=False` no others run.

    Raises `TableError` (an `InputError`), saying what to mend, if the table cannot be used. Ctrl-C
    ends the search that runs and keeps the best so far; before the first evaluation
    KeyboardInterrupt is raised.
    """
    progress = progress or Silent()
    budget = _budget(max_fits, time_budget, folds)
    if groups and granularity not in ("auto", "grouped"):
        raise InputError(
            f"--groups has no use with --granularity {granularity}: use auto or grouped."
        )
    if granularity == "grouped" and not groups:
        raise InputError("--granularity grouped needs --groups: name the columns of each.")
    asked = None
    if model is not None:
        asked = choice_of(model, task or named(model).task)
        asked.criterion(criterion)
        asked.check_granularity(granularity, bool(groups))
    progress.stage("reading the table")
    if target is None:
        if table is not None:
            raise TableError("Which column is to be predicted? Name it with --target COLUMN.")
        target = EMBEDDED_TARGET
    given = as_table(table, as_text=categories)
    roles = assign_roles(given, target, weights_column, groups_column)
    if asked is not None and task is None:
        check_classes(roles.target, target, asked)
        task = asked.task
    learnt = read_target(roles.target, target, task)
    choice = choice_of(model, learnt.task)
    choice.check_granularity(granularity, bool(groups))
    choice.check_classes(len(set(learnt.values)), granularity)
    criterion = choice.criterion(criterion)
    check_range(pd.Series(learnt.values, roles.target.index), target, choice)
    features, notes_on_dates = with_dates(roles.features, {*drop, *categories})
    columns = inspect_columns(features, drop, categories, keep)
    columns.notes.extend([*given.notes, *notes_on_dates, *roles.notes])
    together = None if roles.groups is None else roles.groups.to_numpy()
    splits = split_rows(learnt, folds, test_size, seed, together)
    frame = conform(features, columns.numbers, columns.categories)
    if together is None:
        columns.notes.extend(copies(frame, learnt.values, columns.numbers))
    train = frame.iloc[splits.train].reset_index(drop=True)
    weights = None if roles.weights is None else roles.weights.to_numpy()
    pipeline = build_pipeline(columns, choice, train)
    problem = TuningProblem(
        pipeline=pipeline,
        choice=choice,
        X=train,
        y=learnt.values[splits.train],
        X_test=frame.iloc[splits.test].reset_index(drop=True),
        y_test=learnt.values[splits.test],
        folds=splits.folds,
        seed=seed,
        criterion=criterion,
        weights=_of(weights, splits.train),
        weights_test=_of(weights, splits.test),
        groups=feature_groups(groups, columns, pipeline) if groups else None,
    )
    first: Granularity = "shared" if granularity == "auto" else granularity
    outcomes = [gradient_search(problem, first, budget, progress)]
    notes: list[str] = []
    interrupted = outcomes[0].interrupted
    if compare and not interrupted:
        interrupted = _compare(problem, outcomes, notes, progress)
    if granularity == "auto" and len(choice.granularities) > 1 and not interrupted:
        interrupted = _decide(problem, outcomes, notes, budget.less(outcomes[0]), progress)
    if granularity not in ("auto", "shared"):
        notes.extend(_overfitted(outcomes))
    notes.extend(doubts(problem, recommended(outcomes)))
    return TuneResult(given.name, learnt, columns, problem, outcomes, notes, interrupted)


def _budget(max_fits: int | None, time_budget: float | None, folds: int) -> Budget:
    budget = Budget(max_fits, time_budget)
    if time_budget is not None and not 0 < time_budget < np.inf:
        raise InputError(
            f"A time budget of {time_budget:g} seconds leaves no time: use --time-budget with a "
            "positive number of seconds."
        )
    if not budget.allows(folds):
        raise InputError(
            f"{max_fits} fits are too few: one evaluation takes one a fold, and one more is made "
            f"at the end. Use --max-fits {folds + 1} or more."
        )
    return budget


def _of(weights: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if weights is None else weights[rows]


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


def _decide(
    problem: TuningProblem,
    outcomes: list[SearchOutcome],
    notes: list[str],
    budget: Budget,
    progress: Progress,
) -> bool:
    """Add the outcome of the granularity that is decided on; whether Ctrl-C ended it."""
    if not budget.allows(len(problem.folds)):
        notes.append("nothing of the budget was left to decide on the granularity: it is shared")
        return False
    try:
        outcomes.append(deciding_search(problem, budget, progress))
    except KeyboardInterrupt:
        notes.append("interrupted before the granularity was decided on: it is shared")
        return True
    return outcomes[-1].interrupted


def _overfitted(outcomes: list[SearchOutcome]) -> list[str]:
    """A warning if many penalties won on the folds but a shared one wins on the held-out rows."""
    several, *shared = outcomes
    if recommended(outcomes) is not several or not shared:
        return []
    rival = min(shared, key=lambda outcome: outcome.test_loss)
    if rival.test_loss >= several.test_loss:
        return []
    return [
        f"the {several.granularity} penalties have the lowest CV loss, but on the held-out rows "
        f"the shared penalty of the {IN_WORDS[rival.name]} does better ({rival.test_loss:.4g} "
        f"against {several.test_loss:.4g}): they may fit the folds rather than the data, and "
        "--granularity auto is safer"
    ]
