"""Auto: the granularity of a penalty left to be decided, and what it costs to decide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from argrad.sklearn.granularity import Box, Candidate
from argrad.sklearn.hyperparameters import Grouped, Hyperparameter, PerFeature, Shared

# Bounds without any given: so many factors from where the search begins, at least.
_RATIO = 1e5
# Evaluations that a decision takes, with so many fits each, and multiplications that it may: half
# a minute's.
_EVALUATIONS, _FOLDS, _WORK = 800, 5, 5e10
# Criteria a decision makes, each with one Gram matrix a fold where that is all a model needs.
_CRITERIA = 6


@dataclass(frozen=True, init=False)
class Auto(Hyperparameter):
    """One number for all columns, one a group or one a column: decided on folds that are unseen.

    Between `low` and `high`; without, ten decades around where the search begins. `groups` are
    those of `Grouped`, if groups are to be considered. Numbers of their own for the columns are
    drawn to their common mean by a Gaussian prior on the logarithms, whose strength is decided
    as well. The shared number is kept unless more of them lose less on rows that their tuning has
    not seen; see docs/overtuning.md.

    Raises what `Grouped` and `Shared` raise for such groups and bounds, and ValueError for one
    bound without the other.

    >>> from argrad.sklearn import Auto
    >>> Auto()
    Auto(low=None, high=None, groups=None)
    >>> Auto(1e-3)
    Traceback (most recent call last):
    ValueError: Auto needs both bounds or neither, got low=0.001, high=None: ...
    """

    low: float | None  # type: ignore[assignment]
    high: float | None  # type: ignore[assignment]
    groups: Any

    def __init__(
        self,
        low: float | None = None,
        high: float | None = None,
        groups: Sequence[Any] | Mapping[Any, Sequence[str]] | None = None,
    ):
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "groups", groups)
        if (low is None) != (high is None):
            raise ValueError(
                f"Auto needs both bounds or neither, got low={low!r}, high={high!r}: write "
                "Auto(1e-4, 1e4), or Auto() to have them chosen."
            )
        if low is not None:
            self.__post_init__()
        if groups is not None:
            Grouped(groups, 0.5, 2.0)  # raises for what is not groups

    def box(self, start: np.ndarray) -> Box:
        """Bounds of the logarithms, and where in them to begin, from starts (d,) of all columns."""
        if self.low is None or self.high is None:
            reach = math.log(_RATIO)
            return Box(float(start.min()) - reach, float(start.max()) + reach, start)
        low, high = math.log(self.low), math.log(self.high)
        return Box(low, high, np.clip(start, low, high))

    def numbers(self, features: list[str]) -> np.ndarray | None:
        """The number of each column's group (d,), or None without groups."""
        if self.groups is None:
            return None
        return Grouped(self.groups, 0.5, 2.0).index(features, 1)[:, 0]

    def decided(self, candidate: Candidate, box: Box) -> Hyperparameter:
        """The hyperparameter that a candidate stands for."""
        low, high = math.exp(box.low), math.exp(box.high)
        if self.low is not None and self.high is not None:
            low, high = self.low, self.high
        if candidate.granularity == "shared":
            return Shared(low, high)
        if candidate.granularity == "grouped":
            return Grouped(self.groups, low, high)
        return PerFeature(low, high)


def affordable_rows(coefficients: int, one_gram: bool) -> int:
    """How many rows a decision may look at, for so many coefficients; none if it costs too much.

    An evaluation takes about n p² + p³ multiplications a fold, without the first term where Gram
    matrices are made once (`one_gram`). With fewer than two rows a coefficient there is no
    telling, and none are looked at.
    """
    p = float(coefficients)
    left = _WORK / (_EVALUATIONS * _FOLDS) - p**3
    passes = _CRITERIA / _EVALUATIONS if one_gram else 1.0
    rows = left / (p**2 * passes)
    return int(rows) if rows >= 2 * p else 0
