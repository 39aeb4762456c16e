"""Whether the numbers that a user asked for pay, where `Auto` was not to decide."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from argrad.sklearn.criteria.criterion import Criterion, Evaluation
from argrad.sklearn.criteria.sparse_criterion import SparseCriterion
from argrad.sklearn.criteria.trained_criterion import TrainedCriterion
from argrad.sklearn.deciding.allowance import Allowance
from argrad.sklearn.deciding.auto import affordable_rows_of_few, affordable_rows_of_sparse
from argrad.sklearn.deciding.candidates import SHARED, Candidate, Tuned
from argrad.sklearn.deciding.granularity import Decision
from argrad.sklearn.deciding.nested import Several, compare
from argrad.sklearn.deciding.settled import among, doubt_of, draw, shift_of
from argrad.sklearn.families import AnyCriterion
from argrad.sklearn.hyperparameters import Grouped, PerClass, PerEntry, PerFeature, PerLayer
from argrad.sklearn.limits import Budget
from argrad.sklearn.reporting.listener import Listener
from argrad.sklearn.rows.data import Data
from argrad.sklearn.rows.folds import Split
from argrad.sklearn.space import Space
from argrad.sklearn.trail import Trail

# The most fits that a comparison may take: so many times those of the search, or so many, whichever
# are more.
_TIMES, _LEAST = 5, 400

_NAMES = {
    Grouped: "grouped",
    PerFeature: "per-feature",
    PerClass: "per-class",
    PerLayer: "per-layer",
    PerEntry: "per-entry",
}


@dataclass(frozen=True)
class Verdict:
    """What was asked for beside one shared number.

    `pays` is None where that is not known. `decision` has the losses of both; its `chosen` is what
    was asked for, whatever pays, and its `reason` says which does, in words. It took `fits` and
    `seconds`.
    """

    pays: bool | None
    decision: Decision
    fits: int
    seconds: float

    def warn(self) -> None:
        """Give a UserWarning where what was asked for loses on unseen folds, or hardly gains."""
        if self.pays is False and not self.decision.results.empty:
            warnings.warn(
                f"{self.decision.reason}. Tune one number with Shared(low, high), or let Auto() "
                "decide; nested=False spares the comparison.",
                UserWarning,
                stacklevel=4,
            )


def several(space: Space, penalties: Sequence[str]) -> Several | None:
    """The numbers of a space of which some stand where one could; None if there are none such.

    Of the hyperparameters named in `penalties`, that is: weights of rows are not tied.
    """
    tie = np.empty(space.size, dtype=int)
    granularities: list[str] = []
    group = 0
    for name, part in space.parts(np.arange(space.size)).items():
        kind = _NAMES.get(type(space.tuned[name]), "")
        together = kind != "" and name in penalties and len(part) > 1
        if together and kind not in granularities:
            granularities.append(kind)
        tie[part] = group if together else group + np.arange(len(part))
        group = int(tie[part].max()) + 1
    if not granularities:
        return None
    way = {Candidate(" and ".join(granularities), 0.0): np.arange(space.size)}
    return Several(tie, way, np.log(space.low), np.log(space.high))


def judge(
    trail: Trail, data: Data, strata: np.ndarray | None, budget: Budget, listener: Listener
) -> Verdict | None:
    """Compare the best point of a search with one number, see `compare`.

    Where all rows would cost too much that is done on a part of them, drawn in proportion to the
    classes `strata` (n,). None where the search was for one number, or `Auto` had decided.
    """
    branch, splits = trail.best_branch, data.splits
    settled, best, over = branch.settled, branch.record.best, branch.settled.over
    asked = several(branch.space, list(settled.place.searched))
    if over is None or asked is None:
        return None
    allowance, begun = _allowance(trail.fits, budget, listener), time.perf_counter()
    n = len(data.y)
    rows, start = min(rows_to_compare(settled.criterion), n), best.log_values
    way = next(iter(asked.ways))
    found: Tuned | None = Tuned(way, start, float(best.split_losses.mean()))
    drawn = None
    if rows < n:
        drawn = draw(n, rows, strata)
        splits, found = among(splits, drawn), None
        shift = shift_of(settled.criterion, rows / n)
        start = start - shift
        asked = replace(asked, low=asked.low - shift, high=asked.high - shift)

    def criterion_for(some: Sequence[Split]) -> Callable[[np.ndarray], Evaluation]:
        known = drawn is None and some is splits
        objective = settled.objective if known else over(some, drawn)
        return allowance.spend(objective, len(some))

    doubt, told = doubt_of(settled.criterion, strata), allowance.begin
    decision = compare(criterion_for, splits, asked, start, doubt, found, told, rows / n)
    known = not decision.results.empty
    pays = decision.chosen == way if known else None
    reason = _in_words(decision.results, str(way), pays, decision.reason)
    if drawn is not None:
        reason += f" (judged on {rows} of {n} rows)"
    decision, seconds = replace(decision, chosen=way, reason=reason), time.perf_counter() - begun
    verdict = Verdict(pays, decision, allowance.used, seconds)
    listener.say(f"{reason}: {verdict.fits} fits")
    verdict.warn()
    return verdict


def rows_to_compare(criterion: AnyCriterion) -> int:
    """How many rows a comparison by this criterion may look at."""
    columns = len(criterion.folds.features)
    if isinstance(criterion, SparseCriterion):
        return affordable_rows_of_sparse(columns)
    numbers, condensed = columns, False
    if isinstance(criterion, Criterion):
        numbers, condensed = criterion.coefficients, criterion.condensed
    elif isinstance(criterion, TrainedCriterion):
        numbers = criterion.weights
    # Of what the user wants at least as much is looked at as can tell the two apart.
    return max(affordable_rows_of_few(numbers, condensed), -(-numbers // 2))


def _allowance(fits: int, budget: Budget, listener: Listener) -> Allowance:
    """What a comparison may take after a search of so many `fits`."""
    most = max(_TIMES * fits, _LEAST)
    if budget.max_fits is not None:
        most = min(most, budget.max_fits - fits - budget.fits_after)
    deadline = np.inf if budget.timeout is None else budget.start + budget.timeout
    return Allowance(most, deadline, listener.between(fits))


def _in_words(results: pd.DataFrame, name: str, pays: bool | None, reason: str) -> str:
    if pays is None:
        return f"{name} was not compared with {SHARED}: " + reason.removeprefix(f"{SHARED}: ")
    one, own = results["unseen_loss"]
    loses = f"it loses {own:.4g} on unseen folds where {SHARED} loses {one:.4g}"
    if pays:
        return f"{name} pays: {loses}"
    if own < one:
        return f"{name} may not pay: {loses}, which is less by too few standard errors"
    return f"{name} does not pay: {loses}"
