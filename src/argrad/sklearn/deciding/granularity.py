"""How many penalties the data can bear: decided on rows that the tuning has not seen.

A cross-validation loss that was minimised over many penalties is itself over-fitted, and says
nothing of what they are worth. So each candidate is tuned again without fold o, for every o, and
its unseen loss is the mean of what it then loses on those folds: nested cross-validation (Varma
and Simon 2006; Cawley and Talbot 2010). docs/overtuning.md has the measurements behind the
constants and the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from argrad import SolveError
from argrad.sklearn.deciding.candidates import (
    SHARED,
    STRENGTHS,
    Box,
    Candidate,
    Objective,
    Objectives,
    Trying,
    Tuned,
    Unsolved,
    path,
    solved,
)
from argrad.sklearn.deciding.stopping import Stop, until_stopped
from argrad.sklearn.rows.folds import Split

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
_COLUMNS = ["candidate", "cv_loss", "unseen_loss", "standard_error"]


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
    when the criterion raises `BudgetError` or `EndedError`. A candidate that some fold has no
    solution with, where it was tuned or at any point looked at, is left out, and the reason says
    so, as it does of folds that the shared penalty has no solution without. With less than two
    folds that can be left out nothing is known of unseen rows, and the shared penalty is taken.
    """
    inner = [restricted(splits, train) for train, _ in splits]
    left_out = [o for o, others in enumerate(inner) if others]
    if len(left_out) < 2:
        left_out = []

    def ways(some: Sequence[Split], where: str) -> Generator[Tuned | Unsolved, None, None]:
        def told(candidate: str) -> None:
            trying(candidate + where)

        return path(objectives_for(some), box, groups, outputs, told, strengths)

    def unseen(fold: int, other: Tuned | Unsolved) -> float:
        """What a candidate loses on the fold that it was tuned without."""
        tuned = solved(other)

        def objective_for(some: Sequence[Split]) -> Objective:
            return objectives_for(some).of(tuned.candidate)

        return unseen_loss(objective_for, whole.of(tuned.candidate), splits, fold, tuned)

    stages: list[Stage] = []
    candidates: list[Tuned | Unsolved] = []
    unsolved: dict[str, SolveError] = {}
    skipped: dict[int, SolveError] = {}
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
            worth = part * _gain([c for c in candidates if isinstance(c, Tuned)]) >= NEGLIGIBLE
            if worth:  # the others are tuned as long as they are compared
                break
        if not worth:
            coming.close()
            unsolved = {str(c.candidate): c.error for c in candidates if isinstance(c, Unsolved)}
            if left_out and 1 + len(unsolved) == len(candidates):
                stopped = "nothing else could be compared"
            elif left_out:
                stopped = (
                    "more freedom would lower even the CV loss, of "
                    f"{solved(candidates[0]).cv_loss:.4g}, by less than a thousandth"
                )
            candidates = candidates[:1]
        paths = {o: ways(inner[o], f", without fold {o}") for o in left_out}
        for tuned in chain(candidates, coming):
            if tuned.candidate == SHARED:
                one, skipped = _first(paths, unseen)
                if left_out and len(one) < 2:
                    raise next(iter(skipped.values()))
                stages.append(Stage(solved(tuned), np.array(list(one.values()))))
                continue
            others = {o: next(each) for o, each in paths.items()}
            try:
                losses = [unseen(o, other) for o, other in others.items()]
                stages.append(Stage(solved(tuned), np.array(losses)))
            except SolveError as error:
                unsolved[str(tuned.candidate)] = error
                continue
            hurts = _hurts([stage.unseen for stage in stages]) if left_out else False
            if hurts and tuned.candidate.granularity == "per-feature":
                break
    if stop.unsolved is not None:
        stopped = f"nothing could be compared, as a fold had no solution ({stop.unsolved})"
    if not stages:
        known = candidates[0] if candidates else None
        start = known.log_values if isinstance(known, Tuned) else box.start
        return undecided(start, stopped, stop)
    return concluded(stages, stopped, doubt, stop, unsolved, skipped)


def concluded(
    stages: list[Stage],
    stopped: str,
    doubt: float,
    stop: Stop,
    unsolved: Mapping[str, SolveError] = MappingProxyType({}),
    skipped: Mapping[int, SolveError] = MappingProxyType({}),
) -> Decision:
    """The decision that these stages come to, the first of them that of the shared penalty.

    `stopped` says why there are no others, if there are none; `stop` is what ended it; `unsolved`
    has the candidates that were left out, with the errors of their folds, and `skipped` the folds
    that the shared penalty could not be tuned without.
    """
    table = pd.DataFrame([stage.row() for stage in stages], columns=_COLUMNS)
    number = choose(np.array([stage.unseen for stage in stages]), doubt)
    chosen, scale = stages[number].tuned, stages[0].tuned.cv_loss
    reason = _reason(stages, number) if len(stages) > 1 else f"{SHARED}: {stopped}"
    if unsolved:
        reason += f"; left out, as a fold had no solution: {in_words(unsolved)}"
    if skipped:
        reason += f"; not judged by what cannot be tuned without it: fold {in_words(skipped)}"
    how = chosen.candidate, chosen.log_values, scale, table, reason
    return Decision(*how, stop.interrupted, stop.ended)


def undecided(start: np.ndarray, why: str, stop: Stop | None = None) -> Decision:
    """The shared penalty at `start` (s,), for want of any comparison."""
    nothing, stop = pd.DataFrame(columns=_COLUMNS), stop or Stop()
    how = SHARED, start, np.nan, nothing, f"{SHARED}: {why}"
    return Decision(*how, stop.interrupted, stop.ended)


def in_words(unsolved: Mapping[Any, SolveError]) -> str:
    """What was left out, and what was wrong with the first of it."""
    return f"{', '.join(map(str, unsolved))} ({next(iter(unsolved.values()))})"


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


def unseen_loss(
    objective_for: Callable[[Sequence[Split]], Objective],
    whole: Objective,
    splits: Sequence[Split],
    fold: int,
    tuned: Tuned,
) -> float:
    """What was tuned without a fold loses there. Raises SolveError if that has no solution.

    It is read off the criterion of all `splits`, `whole`, which has most of the fits at hand; where
    another fold has no solution there, that is no matter here.
    """
    try:
        return float(whole(tuned.log_values).split_losses[fold])
    except SolveError:
        return float(objective_for([splits[fold]])(tuned.log_values).split_losses[0])


def _first(
    paths: dict[int, Generator[Tuned | Unsolved, None, None]],
    unseen: Callable[[int, Tuned | Unsolved], float],
) -> tuple[dict[int, float], dict[int, SolveError]]:
    """What the shared penalty loses on each fold left out; those without a solution leave `paths`.

    So can be a fold that has all the rows of a class but a few, or all that is not zero.
    """
    losses: dict[int, float] = {}
    skipped: dict[int, SolveError] = {}
    for fold in list(paths):
        try:
            losses[fold] = unseen(fold, next(paths[fold]))
        except SolveError as error:
            skipped[fold] = error
            del paths[fold]
    return losses, skipped


def _gain(candidates: list[Tuned]) -> float:
    """The part of the shared penalty's CV loss that any of the others is without."""
    losses = [tuned.cv_loss for tuned in candidates]
    gain = losses[0] - min(losses)
    return gain / losses[0] if gain > 0 else 0.0


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
