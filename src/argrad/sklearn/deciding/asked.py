"""Whether the numbers that a user asked for pay, where `Auto` was not to decide."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.granularity import SHARED, Candidate, Decision, Tuned
from argrad.sklearn.deciding.nested import Several, compare
from argrad.sklearn.deciding.settled import Allowance
from argrad.sklearn.hyperparameters import Grouped, PerClass, PerEntry, PerFeature, PerLayer
from argrad.sklearn.rows.folds import Split
from argrad.sklearn.space import Space
from argrad.sklearn.trail import Branch

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
    was asked for, whatever pays, and its `reason` says which does, in words. It took `fits`.
    """

    pays: bool | None
    decision: Decision
    fits: int

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
    low, high = np.log(space.low), np.log(space.high)
    return Several(Candidate(" and ".join(granularities), 0.0), tie, low, high)


def allowed(
    fits: int, left: int | None, timeout: float | None, start: float, listen: Any
) -> Allowance:
    """What a comparison may take after a search of so many `fits`, with `left` of `max_fits`.

    `start` is when the search began, and `listen` that of the allowance.
    """
    most = max(_TIMES * fits, _LEAST)
    deadline = np.inf if timeout is None else start + timeout
    return Allowance(most if left is None else min(most, left), deadline, listen)


def judge(
    branch: Branch, splits: Sequence[Split], doubt: float, allowance: Allowance
) -> Verdict | None:
    """Compare the best point of a search with one number, see `compare`.

    None where it was for one number, or `Auto` had decided.
    """
    settled, best, over = branch.settled, branch.record.best, branch.settled.over
    asked = several(branch.space, list(settled.place.searched))
    if over is None or asked is None:
        return None

    def criterion_for(some: Sequence[Split]) -> Callable[[np.ndarray], Evaluation]:
        return allowance.spend(settled.objective if some is splits else over(some), len(some))

    found = Tuned(asked.candidate, best.log_values, float(best.split_losses.mean()))
    told = allowance.begin
    decision = compare(criterion_for, splits, asked, best.log_values, doubt, found, told)
    known = not decision.results.empty
    pays = decision.chosen == asked.candidate if known else None
    reason = _in_words(decision.results, str(asked.candidate), pays, decision.reason)
    decision = replace(decision, chosen=asked.candidate, reason=reason)
    return Verdict(pays, decision, allowance.used)


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
