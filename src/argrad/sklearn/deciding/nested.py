"""Several numbers or one: judged on folds that neither was tuned on.

Nested cross-validation (Varma and Simon 2006, BMC Bioinformatics 7:91) of two ways, for any
criterion; `argrad.sklearn.deciding.granularity` compares more of them, for penalties of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from argrad import SolveError
from argrad.sklearn.deciding.descending import evaluations
from argrad.sklearn.deciding.granularity import (
    NEGLIGIBLE,
    SHARED,
    Box,
    BudgetError,
    Candidate,
    Decision,
    EndedError,
    Objective,
    Stage,
    Trying,
    Tuned,
    concluded,
    restricted,
    undecided,
)
from argrad.sklearn.deciding.tied import Tied
from argrad.sklearn.rows.folds import Split
from argrad.sklearn.upper import FIRST, projected_descent

# What is tuned to be judged only need not be tuned to the last digit.
_TOL, _LONGEST = 1e-3, 100
# The first step of the level from all folds to all but one.
_NEAR = 0.5
# More folds than these are not left out one by one.
_MOST_FOLDS = 20


@dataclass(frozen=True)
class Several:
    """Logarithms h (s,) between `low` and `high` (s,), and which of them could be one number.

    `tie` (s,) holds for each the number, from 0, of the group that it would share one with;
    `candidate` says what they are called where they do not.
    """

    candidate: Candidate
    tie: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def each(self, criterion: Objective, start: np.ndarray) -> Tuned:
        """Every number tuned by itself, from h = `start` (s,) on."""
        return self._tuned(self.candidate, np.arange(len(start)), criterion, start, FIRST)

    def shared(self, criterion: Objective, start: np.ndarray, first: float) -> Tuned:
        """One number a group, tuned from the means of `start` (s,) on; h (s,) as it then is."""
        return self._tuned(SHARED, self.tie, criterion, start, first)

    def _tuned(self, candidate, tie, criterion, start, first) -> Tuned:
        count = np.bincount(tie)
        low, high, g = (np.bincount(tie, h) / count for h in (self.low, self.high, start))
        points = projected_descent(low, high, g, _TOL, first)
        solved = islice(evaluations(points, Tied(criterion, tie)), _LONGEST)
        found = min(solved, key=lambda each: each.value)
        return Tuned(candidate, found.log_values[tie], float(found.split_losses.mean()))


def compare(
    criterion_for: Callable[[Sequence[Split]], Objective],
    splits: Sequence[Split],
    several: Several,
    start: np.ndarray,
    doubt: float,
    found: Tuned | None = None,
    trying: Trying = lambda what: None,
) -> Decision:
    """Choose between one number and several by the folds that their tuning has not seen.

    `criterion_for` makes the criterion in h (s,) of some splits. On all of them the one number is
    tuned from `start` (s,) on, and the several from there, unless it is known what was `found` for
    them. Then, for each fold, both are tuned on the others, less its rows, and measured on it.
    `doubt` is that of `granularity.choose`, and `trying` is told what is tuned next.

    Where several lower even the CV loss by less than a thousandth there is nothing to compare. It
    ends early on Ctrl-C, or when a criterion raises `BudgetError` or `EndedError`, with what is
    known of the folds that are done. With less than two of them, with one split or more than 20,
    and where a fold has no solution, nothing is known, and one number is chosen.
    """
    name = str(several.candidate)
    inner = [restricted(splits, train) for train, _ in splits]
    left_out = [o for o, others in enumerate(inner) if others]
    tuned: list[Tuned] = []
    unseen: list[list[float]] = []
    stopped = "it ended before two folds had been left out"
    interrupted = ended = False
    try:
        whole = criterion_for(splits)
        trying(str(SHARED))
        tuned.append(several.shared(whole, start, FIRST))
        if found is None:
            trying(name)
        tuned.append(found or several.each(whole, tuned[0].log_values))
        if tuned[0].cv_loss - tuned[1].cv_loss < NEGLIGIBLE * tuned[0].cv_loss:
            stopped = (
                f"{name} lowers even the CV loss, of {tuned[0].cv_loss:.4g}, by less than a "
                "thousandth"
            )
            left_out = []
        elif len(left_out) < 2:
            stopped = "with a single split no rows are left that the tuning has not seen"
            left_out = []
        elif len(left_out) > _MOST_FOLDS:
            stopped = f"of {len(left_out)} folds not every one is left out"
            left_out = []
        for o in left_out:
            trying(f"{SHARED} and {name}, without fold {o}")
            others = criterion_for(inner[o])
            one = several.shared(others, tuned[0].log_values, _NEAR)
            own = several.each(others, one.log_values)
            unseen.append([whole(way.log_values).split_losses[o] for way in (one, own)])
    except BudgetError:
        pass
    except SolveError as error:
        stopped = f"a fold had no solution ({error})"
    except EndedError:
        ended = True
    except KeyboardInterrupt:
        interrupted = ended = True
    if len(unseen) < 2:
        at = tuned[0].log_values if tuned else start
        box = Box(float(several.low.min()), float(several.high.max()), at)
        return undecided(box, stopped, interrupted, ended)
    losses = np.array(unseen).T
    stages = [Stage(way, loss) for way, loss in zip(tuned, losses, strict=True)]
    return concluded(stages, stopped, doubt, interrupted, ended)
