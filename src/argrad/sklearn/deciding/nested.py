"""One number or several: judged on folds that neither was tuned on.

Nested cross-validation (Varma and Simon 2006, BMC Bioinformatics 7:91) of few ways, for any
criterion; `argrad.sklearn.deciding.granularity` compares more of them, for penalties of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from argrad import SolveError
from argrad.sklearn.deciding.candidates import SHARED, Candidate, Objective, Trying, Tuned
from argrad.sklearn.deciding.descending import lowest
from argrad.sklearn.deciding.granularity import (
    NEGLIGIBLE,
    Decision,
    Stage,
    concluded,
    in_words,
    restricted,
    undecided,
    unseen_loss,
)
from argrad.sklearn.deciding.stopping import until_stopped
from argrad.sklearn.deciding.tied import Tied
from argrad.sklearn.rows.folds import Split
from argrad.sklearn.upper import FIRST, projected_descent

# What is tuned to be judged only need not be tuned to the last digit.
_TOL = 3e-3
# The first step of the level from all folds to all but one.
_NEAR = 0.5
# More folds than these are not left out one by one.
_MOST_FOLDS = 20


@dataclass(frozen=True)
class Several:
    """Logarithms h (s,) between `low` and `high` (s,), and which of them could be one number.

    `tie` (s,) holds for each the number, from 0, of the group that it would share one with;
    `ways` are the candidates with more numbers, each with the groups (s,) that it has instead.
    """

    tie: np.ndarray
    ways: Mapping[Candidate, np.ndarray]
    low: np.ndarray
    high: np.ndarray

    def tuned(self, way: Candidate, criterion: Objective, start: np.ndarray) -> Tuned:
        """The numbers of a way tuned from the means of `start` (s,) on; h (s,) as it then is."""
        return self._lowest(way, self.ways[way], criterion, start, FIRST)

    def shared(self, criterion: Objective, start: np.ndarray, first: float) -> Tuned:
        """One number a group of `tie`, from there, with a first step of the length `first`."""
        return self._lowest(SHARED, self.tie, criterion, start, first)

    def _lowest(self, candidate, groups, criterion, start, first) -> Tuned:
        count = np.bincount(groups)
        low, high, g = (np.bincount(groups, h) / count for h in (self.low, self.high, start))
        points = projected_descent(low, high, g, _TOL, first)
        found = lowest(points, Tied(criterion, groups), low, high)
        return Tuned(candidate, found.log_values[groups], float(found.split_losses.mean()))


def can_win(gains: Sequence[float], folds: int, doubt: float) -> bool:
    """Whether gains on some of the `folds` leave a mean of more than `doubt` standard errors open.

    The mean of all gains over its standard error grows with the cosine c between them and
    (1, ..., 1), being c √(k − 1) / √(1 − c²) for k folds; and c is largest where those that are
    not known are alike, Σ g² / Σ g if that is positive, else beyond all bounds.

    >>> can_win([0.1, 0.2], 5, 3.0), can_win([-0.1, -0.2], 5, 3.0), can_win([-0.1, -0.2], 5, 0.5)
    (True, False, True)
    """
    g, rest = np.asarray(gains, dtype=float), folds - len(gains)
    if not g.any():
        return rest > 0
    total, squares = g.sum(), g @ g
    if total > 0:  # Cauchy and Schwarz, with r of them at Σ g² / Σ g
        cosine = np.sqrt((total**2 / squares + rest) / folds)
    else:
        cosine = np.sqrt(rest / folds) if rest else total / np.sqrt(squares * folds)
    cosine = min(float(cosine), 1.0)
    return bool(cosine * np.sqrt(folds - 1) > doubt * np.sqrt(1.0 - cosine**2))


def compare(
    criterion_for: Callable[[Sequence[Split]], Objective],
    splits: Sequence[Split],
    several: Several,
    start: np.ndarray,
    doubt: float,
    found: Tuned | None = None,
    trying: Trying = lambda what: None,
    part: float = 1.0,
    early: bool = False,
) -> Decision:
    """Choose between one number and several by the folds that their tuning has not seen.

    `criterion_for` makes the criterion in h (s,) of some splits. On all of them the one number is
    tuned from `start` (s,) on, and every way from there, but for one that is known to have been
    `found`. Then, for each fold, they are tuned on the others, less its rows, and measured on it;
    with `early` the other folds are not looked at when no way has a chance left to be chosen.
    `doubt` is that of `granularity.choose`, `part` that of all rows which the splits are made of,
    and `trying` is told what is tuned next.

    Ways that lower even the CV loss by less than a thousandth, or would on all rows, are not
    compared, and neither are those that a fold has no solution with, nor is anything measured on a
    fold that the one number cannot be tuned without. It ends early on Ctrl-C, or
    when a criterion raises `BudgetError` or `EndedError`, with what is known of the folds that are
    done. With less than two of them, and with one split or more than 20, nothing is known, and one
    number is chosen.
    """
    inner = [restricted(splits, train) for train, _ in splits]
    left_out = [o for o, others in enumerate(inner) if others]
    tuned: list[Tuned] = []
    unseen: list[dict[Candidate, float]] = []
    ways: list[Candidate] = []
    unsolved: dict[str, SolveError] = {}
    skipped: dict[int, SolveError] = {}
    stopped, enough = "it ended before two folds had been left out", ""
    with until_stopped() as stop:
        whole = criterion_for(splits)
        trying(str(SHARED))
        tuned.append(several.shared(whole, start, FIRST))
        for way in several.ways:
            if found is not None and way == found.candidate:
                tuned.append(found)
                continue
            trying(str(way))
            try:
                tuned.append(several.tuned(way, whole, tuned[0].log_values))
            except SolveError as error:
                unsolved[str(way)] = error
        one = tuned[0]
        tuned = [one, *(each for each in tuned[1:] if _gain(one, each) * part >= NEGLIGIBLE)]
        if len(tuned) == 1:
            compared = [str(way) for way in several.ways if str(way) not in unsolved]
            stopped = (
                f"{' or '.join(compared)} lowers even the CV loss, of "
                f"{one.cv_loss:.4g}, by less than a thousandth"
            )
            if not compared:
                stopped = f"a fold had no solution with {in_words(unsolved)}"
            left_out = []
        elif len(left_out) < 2:
            stopped = "with a single split no rows are left that the tuning has not seen"
            left_out = []
        elif len(left_out) > _MOST_FOLDS:
            stopped = f"of {len(left_out)} folds not every one is left out"
            left_out = []
        ways = [each.candidate for each in tuned[1:]]
        for o in left_out:
            trying(f"{' and '.join(map(str, [SHARED, *ways]))}, without fold {o}")

            def loss(each: Tuned, fold: int = o) -> float:
                return unseen_loss(criterion_for, whole, splits, fold, each)

            try:
                others = criterion_for(inner[o])
                level = several.shared(others, one.log_values, _NEAR)
                losses = {SHARED: loss(level)}
            except SolveError as error:
                skipped[o] = error
                stopped = f"a fold had no solution ({error})"
                continue
            for way in list(ways):
                try:
                    losses[way] = loss(several.tuned(way, others, level.log_values))
                except SolveError as error:
                    unsolved[str(way)] = error
                    ways.remove(way)
            if not ways:
                stopped = f"a fold had no solution with {in_words(unsolved)}"
                break
            unseen.append(losses)
            gains = [[each[SHARED] - each[way] for each in unseen] for way in ways]
            most = len(left_out) - len(skipped)
            hope = any(can_win(g, most, doubt) for g in gains)
            if early and len(unseen) > 1 and not hope and len(unseen) < most:
                enough = f" (the first {len(unseen)} of {most} folds left no doubt)"
                break
    if stop.unsolved is not None:
        stopped = f"a fold had no solution ({stop.unsolved})"
    if len(unseen) < 2 or not ways:
        return undecided(tuned[0].log_values if tuned else start, stopped, stop)
    stages = [
        Stage(each, np.array([losses[each.candidate] for losses in unseen]))
        for each in tuned
        if each.candidate in (SHARED, *ways)
    ]
    decision = concluded(stages, stopped, doubt, stop, unsolved, skipped)
    return replace(decision, reason=decision.reason + enough)


def _gain(one: Tuned, other: Tuned) -> float:
    """The part of the CV loss of one number that another way is without."""
    gain = one.cv_loss - other.cv_loss
    return gain / one.cv_loss if gain > 0 else 0.0
