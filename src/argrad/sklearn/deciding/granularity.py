"""How many penalties the data can bear: decided on rows that the tuning has not seen.

A cross-validation loss that was minimised over many penalties is itself over-fitted, and says
nothing of what they are worth. So each candidate is tuned again without fold o, for every o, and
its unseen loss is the mean of what it then loses on those folds: nested cross-validation (Varma
and Simon 2006; Cawley and Talbot 2010). docs/overtuning.md has the measurements behind the
constants and the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.descending import lowest
from argrad.sklearn.deciding.prior import WithPrior
from argrad.sklearn.deciding.stopping import Stop, until_stopped
from argrad.sklearn.deciding.tied import Tied
from argrad.sklearn.rows.folds import Split
from argrad.sklearn.upper import FIRST, projected_descent

# Strengths of the prior, strongest first: each is tuned from the solution of the one before.
STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.0)
# Of sparse models the least of them: the mean over the columns counts those out of use as well, and
# few of many columns can over-fit.
_SPARSE_EACH = 0.5
# More freedom has to beat the shared penalty by this part of the difference's standard error; by
# more of classifiers, since a log loss has a long tail, which few folds seldom show, and of models
# that may end in one minimum or another, which adds to what they lose.
DOUBT, MUCH_DOUBT = 0.5, 3.0
# A candidate this many standard errors of the difference worse than the best ends the path.
_CLEAR = 2.0
# A part of the CV loss that nobody would miss. What freedom gains in the CV loss is the most that
# it can be expected to gain on unseen rows, so with less than this nothing has to be measured.
# What penalties can change of a loss falls as one over the number of rows.
NEGLIGIBLE = 1e-3
# Within one number the criterion is settled more closely than within many: a step costs the same.
_TOL_ONE, _TOL_EACH = 1e-6, 1e-4

_COLUMNS = ["candidate", "cv_loss", "unseen_loss", "standard_error"]

Objective = Callable[[np.ndarray], Evaluation]
# Told in words what is tried next.
Trying = Callable[[str], None]


@dataclass(frozen=True)
class Candidate:
    """A granularity, and the strength of the prior that draws the penalties together."""

    granularity: str
    prior_strength: float

    def __str__(self) -> str:
        if 0 < self.prior_strength < np.inf:
            return f"{self.granularity}, prior {self.prior_strength:g}"
        return self.granularity


SHARED = Candidate("shared", np.inf)
GROUPED = Candidate("grouped", 0.0)
PER_CLASS = Candidate("per-class", 0.0)
PER_LAYER = Candidate("per-layer", 0.0)
ADAPTIVE = Candidate("adaptive", 0.0)


class Objectives(NamedTuple):
    """What is lowered on some splits: F in h (d m,), for m outputs of each of d columns.

    `adaptive` is that of adaptive penalties, in the logarithms (2,) of those of both fits, for a
    model which has them; `first` is the longest first step in any logarithm.
    """

    each: Objective
    adaptive: Objective | None = None
    first: float = FIRST

    def losses(self, tuned: Tuned) -> np.ndarray:
        """What a candidate loses on each validation part (k,), where its tuning ended."""
        objective = self.adaptive if tuned.candidate == ADAPTIVE else self.each
        assert objective is not None
        return objective(tuned.log_values).split_losses


@dataclass(frozen=True, repr=False)
class Decision:
    """The candidate that is to be used, where its tuning ended (s,), and what all of them lost.

    `scale` is the CV loss of the shared penalty, which the strength of the prior is relative to.
    `results` has a row for each candidate that was measured and the columns `candidate`,
    `cv_loss`, `unseen_loss` and its `standard_error` over the folds; NaN where none was left out.
    `reason` says in words why it was chosen; `interrupted` is whether Ctrl-C ended it, and
    `ended` whether that or a callback did.
    """

    chosen: Candidate
    log_values: np.ndarray
    scale: float
    results: pd.DataFrame
    reason: str
    interrupted: bool = False
    ended: bool = False

    def __repr__(self) -> str:
        table = "" if self.results.empty else "\n" + self.results.to_string(index=False)
        return self.reason + table

    @property
    def optimism(self) -> float:
        """The chosen candidate's unseen loss less its CV loss."""
        if self.results.empty:
            return np.nan
        of_chosen = self.results["candidate"] == str(self.chosen)
        difference = self.results["unseen_loss"] - self.results["cv_loss"]
        return float(difference[of_chosen].to_numpy()[0])


@dataclass(frozen=True)
class Box:
    """Where log penalties h (s,) may be, the same for all, and where to begin."""

    low: float
    high: float
    start: np.ndarray


def sparse_strengths(columns: int) -> tuple[float, ...]:
    """Strengths for a sparse model, in proportion to its columns where these are many.

    >>> sparse_strengths(2000)
    (1000.0, 300.0, 100.0, 30.0, 10.0)
    """
    return tuple(float(t * max(_SPARSE_EACH * columns, 1.0)) for t in STRENGTHS[:-1])


def restricted(splits: Sequence[Split], rows: np.ndarray) -> list[Split]:
    """The splits as they are among `rows` alone; those that lose a whole part are left out.

    Restricted to the training rows of one of k folds they are the k − 1 others without its
    validation rows: inner folds, made of the folds themselves, so that whatever those respect,
    such as groups or time, these do as well.
    """
    kept = [(train[np.isin(train, rows)], valid[np.isin(valid, rows)]) for train, valid in splits]
    return [(train, valid) for train, valid in kept if len(train) and len(valid)]


def choose(unseen: np.ndarray, doubt: float = DOUBT) -> int:
    """Which row of losses (candidates, folds) to take, the first being the shared penalty's.

    The one of lowest mean, but the first unless that beats it by more than `doubt` standard
    errors of the difference between them, taken over the folds. Of fewer than two folds nothing
    can be said.

    >>> shared, better, worse = [1.0, 2.0, 3.0], [0.8, 1.7, 2.8], [1.1, 2.0, 3.0]
    >>> choose(np.array([shared, worse, better])), choose(np.array([shared, worse]))
    (2, 0)
    >>> choose(np.array([shared, [1.9, 2.0, 2.05]]))  # better by 0.0167 ± 0.53
    0
    """
    if unseen.shape[1] < 2:
        return 0
    best = int(np.argmin(unseen.mean(axis=1)))
    return best if _advantage(unseen[0], unseen[best]) > doubt else 0


def decide(
    objectives_for: Callable[[Sequence[Split]], Objectives],
    splits: Sequence[Split],
    box: Box,
    groups: np.ndarray | None = None,
    part: float = 1.0,
    outputs: int = 1,
    trying: Trying = lambda what: None,
    doubt: float = DOUBT,
    strengths: Sequence[float] = STRENGTHS,
) -> Decision:
    """Choose between one penalty, one a group, one a class, adaptive ones, and one a column.

    `objectives_for` makes what is lowered on some splits, for m `outputs` of each of d columns;
    `groups` (d,) holds the number of each column's group, or is None; `part` is that of
    all rows which the splits are made of; `trying` is told what is tuned next; `doubt` is that of
    `choose`.

    Where even the CV loss hardly gains by freedom, or would not on all rows, the shared penalty is
    taken. Otherwise all splits and those without a fold go through the candidates together, from
    the least freedom to the most, and stop once a penalty a column has clearly hurt, on Ctrl-C, or
    when the criterion raises `BudgetError` or `EndedError`. Without two folds that can be left out
    nothing is known of unseen rows, and the shared penalty is taken, as it is where the first
    lower problem of one of them has no solution.
    """
    inner = [restricted(splits, train) for train, _ in splits]
    left_out = [o for o, others in enumerate(inner) if others]
    if len(left_out) < 2:
        left_out = []

    def ways(some: Sequence[Split], where: str) -> Generator[Tuned, None, None]:
        def told(candidate: str) -> None:
            trying(candidate + where)

        return path(objectives_for(some), box, groups, outputs, told, strengths)

    stages: list[Stage] = []
    candidates: list[Tuned] = []
    stopped = "nothing was measured on unseen folds before the decision ended"
    with until_stopped() as stop:
        whole = objectives_for(splits)
        coming = path(whole, box, groups, outputs, trying, strengths)
        worth = False
        for tuned in coming:
            candidates.append(tuned)
            if not left_out:
                stopped = "with a single split no rows are left that the tuning has not seen"
                break
            worth = part * _gain(candidates) >= NEGLIGIBLE
            if worth:  # the others are tuned as long as they are compared
                break
        if not worth:
            coming.close()
            candidates = candidates[:1]
            if left_out:
                stopped = (
                    "more freedom would lower even the CV loss, of "
                    f"{candidates[0].cv_loss:.4g}, by less than a thousandth"
                )
        paths = [ways(inner[o], f", without fold {o}") for o in left_out]
        for tuned, *others in zip(chain(candidates, coming), *paths, strict=False):
            unseen = [whole.losses(each)[o] for o, each in zip(left_out, others, strict=True)]
            stages.append(Stage(tuned, np.array(unseen)))
            hurts = _hurts([stage.unseen for stage in stages]) if left_out else False
            if hurts and tuned.candidate.granularity == "per-feature":
                break
    if stop.unsolved is not None:
        freer = f"with more freedom a fold had no solution ({stop.unsolved})"
        stopped = freer if stages else f"{stop.unsolved}"
    if not stages:
        start = candidates[0].log_values if candidates else box.start
        return undecided(start, stopped, stop)
    return concluded(stages, stopped, doubt, stop)


def concluded(stages: list[Stage], stopped: str, doubt: float, stop: Stop) -> Decision:
    """The decision that these stages come to, the first of them that of the shared penalty.

    `stopped` says why there are no others, if there are none; `stop` is what ended it.
    """
    table = pd.DataFrame([stage.row() for stage in stages], columns=_COLUMNS)
    number = choose(np.array([stage.unseen for stage in stages]), doubt)
    chosen, scale = stages[number].tuned, stages[0].tuned.cv_loss
    reason = _reason(stages, number) if len(stages) > 1 else f"{SHARED}: {stopped}"
    how = chosen.candidate, chosen.log_values, scale, table, reason
    return Decision(*how, stop.interrupted, stop.ended)


def undecided(start: np.ndarray, why: str, stop: Stop | None = None) -> Decision:
    """The shared penalty at `start` (s,), for want of any comparison."""
    nothing, stop = pd.DataFrame(columns=_COLUMNS), stop or Stop()
    how = SHARED, start, np.nan, nothing, f"{SHARED}: {why}"
    return Decision(*how, stop.interrupted, stop.ended)


def _reason(stages: list[Stage], chosen: int) -> str:
    """Why the one was chosen, by what it and the shared penalty lose, or the best of the others."""
    loss = [float(stage.unseen.mean()) for stage in stages]
    names = [str(stage.tuned.candidate) for stage in stages]
    if chosen:
        errors = _advantage(stages[0].unseen, stages[chosen].unseen)
        return (
            f"{names[chosen]}: loses {loss[chosen]:.4g} on unseen folds where shared loses "
            f"{loss[0]:.4g}, by {errors:.1f} standard errors of the difference"
        )
    other = 1 + int(np.argmin(loss[1:]))
    reason = f"{SHARED}: loses {loss[0]:.4g} on unseen folds; {names[other]}, {loss[other]:.4g}"
    if loss[other] < loss[0]:
        errors = _advantage(stages[0].unseen, stages[other].unseen)
        reason += f", which is less by {errors:.1f} standard errors of the difference only"
    return reason


class Tuned(NamedTuple):
    """A candidate, the log penalties (s,) where its tuning ended, and their CV loss."""

    candidate: Candidate
    log_values: np.ndarray
    cv_loss: float


class Stage(NamedTuple):
    """A candidate tuned on all splits, and its losses (folds,) on those it was tuned without."""

    tuned: Tuned
    unseen: np.ndarray

    def row(self) -> dict[str, Any]:
        known = self.unseen.size > 0
        error = self.unseen.std(ddof=1) / np.sqrt(self.unseen.size) if known else np.nan
        return {
            "candidate": str(self.tuned.candidate),
            "cv_loss": self.tuned.cv_loss,
            "unseen_loss": self.unseen.mean() if known else np.nan,
            "standard_error": error,
        }


def _gain(candidates: list[Tuned]) -> float:
    """The part of the shared penalty's CV loss that any of the others is without."""
    losses = [tuned.cv_loss for tuned in candidates]
    return (losses[0] - min(losses)) / losses[0]


def _hurts(unseen: list[np.ndarray]) -> bool:
    """Whether the last candidate is clearly worse than the best one, fold by fold."""
    best = min(unseen, key=lambda losses: float(losses.mean()))
    return bool(_advantage(unseen[-1], best) > _CLEAR)


def _advantage(losses: np.ndarray, best: np.ndarray) -> float:
    """How much lower `best` is in the mean over folds, in standard errors of the difference."""
    gain = losses - best
    if not gain.any():
        return 0.0
    error = gain.std(ddof=1) / np.sqrt(gain.size)
    return float(gain.mean() / error) if error > 0 else float(np.sign(gain.mean()) * np.inf)


def path(
    objectives: Objectives,
    box: Box,
    groups: np.ndarray | None,
    outputs: int = 1,
    trying: Trying = lambda what: None,
    strengths: Sequence[float] = STRENGTHS,
) -> Generator[Tuned, None, None]:
    """Every candidate, tuned from the one before. Raises SolveError as the objectives do.

    One of an own a group or class is tuned from the shared one, and so are adaptive penalties and
    the first of a column.
    """
    numbers = np.arange(len(box.start)).reshape(-1, outputs)
    column, output = numbers // outputs, numbers % outputs
    ways = [(SHARED, np.zeros(numbers.shape, dtype=int))]
    if groups is not None:
        ways.append((GROUPED, groups[column]))
    if outputs > 1:
        ways.append((PER_CLASS, output))
    level, first = box.start.mean(), objectives.first
    for candidate, number in ways:
        trying(str(candidate))
        tied = Tied(objectives.each, number.ravel())
        tol = _TOL_ONE if tied.size == 1 else _TOL_EACH
        each, value = _tuned(tied, box, np.full(tied.size, level), tol, first)
        if candidate is SHARED:
            level, scale = each[0], value
        yield Tuned(candidate, each[number.ravel()], value)
    if objectives.adaptive is not None:
        trying(str(ADAPTIVE))
        both = np.full(2, level)
        yield Tuned(ADAPTIVE, *_tuned(objectives.adaptive, box, both, _TOL_EACH, first))
    each_column = objectives.each if outputs == 1 else Tied(objectives.each, column.ravel())
    h = np.full(len(numbers), level)
    for strength in strengths:
        candidate = Candidate("per-feature", strength)
        trying(str(candidate))
        h, value = _tuned(WithPrior(each_column, strength, scale), box, h, _TOL_EACH, first)
        yield Tuned(candidate, h[column.ravel()], value)


def _tuned(
    objective: Objective, box: Box, start: np.ndarray, tol: float, first: float
) -> tuple[np.ndarray, float]:
    """Where an objective is lowest, and the mean of the losses of the folds there."""
    size = np.ones(len(start))
    points = projected_descent(box.low * size, box.high * size, start, tol, first)
    best = lowest(points, objective)
    return best.log_values, float(best.split_losses.mean())
