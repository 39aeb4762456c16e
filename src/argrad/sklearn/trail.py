"""The searches within all combinations of discrete hyperparameters, joined into one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.deciding.settled import Settled
from argrad.sklearn.reporting.results import Record, ranks
from argrad.sklearn.space import Space


class Branch(NamedTuple):
    """The search within one combination: its record, what it tunes, how it fits points."""

    record: Record
    settled: Settled
    space: Space
    fit: Callable[[np.ndarray, Any], Any]

    @property
    def optimism(self) -> float:
        """By how much its losses are too low, where that was estimated on unseen folds."""
        decision = self.settled.decision
        return np.nan if decision is None else decision.optimism


class Trail:
    """Branches in the order in which they are searched, the last one perhaps not to its end.

    Points are compared by what a search lowers; those of branches that were tuned with different
    freedom, by that and the optimism of their branch, if it is known of all.
    """

    def __init__(self) -> None:
        self.branches: list[Branch] = []

    @property
    def any_solved(self) -> bool:
        """Whether there is a best point."""
        return any(branch.record.any_solved for branch in self.branches)

    @property
    def fits(self) -> int:
        """Fits of the model until now."""
        return self.branches[-1].record.fits if self.branches else 0

    @property
    def evaluations(self) -> int:
        """Points until now."""
        return sum(len(branch.record) for branch in self.branches)

    @property
    def best_index(self) -> int:
        """Which of all points is the best, the first of several."""
        return int(np.nanargmin(self._objectives()))

    @property
    def best_branch(self) -> Branch:
        """The branch that has it."""
        ends = np.cumsum([len(branch.record) for branch in self.branches])
        return self.branches[int(np.searchsorted(ends, self.best_index, side="right"))]

    def fit_best(self) -> Any:
        """The estimator at the best point, fitted on all rows."""
        best = self.best_branch
        return best.fit(best.record.best.log_values, None)

    def warmed(self, settled: Settled, space: Space) -> Settled:
        """What is to be searched next, begun at the best point of the last branch if that fits.

        It fits where the same numbers are tuned; lower solutions do where they have as many
        coefficients.
        """
        before = next((each for each in self.branches[::-1] if each.record.any_solved), None)
        if before is None or settled.decision is not None:
            return settled
        ours, theirs = settled.criterion, before.settled.criterion
        if isinstance(ours, Criterion) and isinstance(theirs, Criterion):
            ours.begin_with(theirs)
        if before.space.names != space.names:
            return settled
        return replace(settled, start=before.record.best.log_values, shifts=())

    def choices(self) -> dict[str, list[Any]]:
        """Of each discrete hyperparameter the values that were searched, in their order."""
        choices: dict[str, list[Any]] = {}
        for branch in self.branches:
            for name, value in branch.record.values.items():
                seen = choices.setdefault(name, [])
                if not any(value is each or value == each for each in seen):
                    seen.append(value)
        return choices

    def history(self) -> pd.DataFrame:
        """The histories one after the other; NaN in columns that a branch does not have."""
        tables = [branch.record.history() for branch in self.branches]
        return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Of each number tuned in any branch, the smallest interval with all that it is from."""
        bounds: dict[str, tuple[float, float]] = {}
        for branch in self.branches:
            for name, (low, high) in branch.record.bounds().items():
                known = bounds.get(name, (low, high))
                bounds[name] = min(low, known[0]), max(high, known[1])
        return bounds

    def cv_results(self) -> dict[str, Any]:
        """`Record.cv_results` of all branches, ranked together; masked where one has no value."""
        parts = [branch.record.cv_results() for branch in self.branches]
        keys = dict.fromkeys(key for part in parts for key in part)
        joined: dict[str, Any] = {key: _joined(key, parts) for key in keys}
        for key in keys:
            if key.startswith("rank_test_"):
                name = key.removeprefix("rank_test_")
                order = -self._objectives() if name == "score" else joined[f"mean_test_{name}"]
                joined[key] = ranks(order, ~np.isnan(self._objectives()))
        return joined

    def _objectives(self) -> np.ndarray:
        optimism = np.array([branch.optimism for branch in self.branches])
        if np.isnan(optimism).any():
            optimism = np.zeros(len(optimism))
        both = zip(self.branches, optimism, strict=True)
        return np.concatenate([branch.record.objectives + more for branch, more in both])


def _joined(key: str, parts: list[dict[str, Any]]) -> Any:
    if key == "params":
        return [params for part in parts for params in part[key]]
    if key.startswith("param_"):
        columns = [part.get(key, np.ma.masked_all(len(part["params"]), object)) for part in parts]
        return np.ma.concatenate(columns)
    missing = [np.full(len(part["params"]), np.nan) for part in parts]
    each = zip(parts, missing, strict=True)
    return np.concatenate([part.get(key, without) for part, without in each])
