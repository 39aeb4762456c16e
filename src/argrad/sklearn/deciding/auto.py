"""Auto: the granularity of a penalty left to be decided, and what it costs to decide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from argrad.sklearn.deciding.candidates import Box, Candidate
from argrad.sklearn.hyperparameters import (
    Adaptive,
    Grouped,
    Hyperparameter,
    PerClass,
    PerFeature,
    PerLayer,
    Shared,
)

# Bounds without any given: so many factors from where the search begins, at least.
_RATIO = 1e5
# Entries of a design up to which a decision, some 500 evaluations, takes about half a minute; and
# rows times columns squared, where a few passes over all rows are all that is needed.
_ENTRIES, _SQUARES = 160_000, 300_000_000
# Of a comparison of one number with few, which takes a fifth of the evaluations: coefficients
# squared times rows and twice the coefficients, which forming and inverting Hessians takes.
_FIFTH, _PRODUCTS = 5, 800_000_000
# The same of networks, in a second: they are trained in some hundred passes over all rows, and
# their Hessians are formed column by column. That is what it takes where they train well.
_TRAINED, _TRAINED_PRODUCTS = 4_000, 10_000_000
# Of sparse models, whose evaluations read the columns of small supports.
_SPARSE = 4_000_000


@dataclass(frozen=True, init=False)
class Auto(Hyperparameter):
    """One number for all columns, one a group, class or column: decided on folds that are unseen.

    Between `low` and `high`; without, ten decades around where the search begins. `groups` are
    those of `Grouped`, if groups are to be considered; classes, or targets, are where there are
    three, or two; of a multilayer perceptron it is the layers, in place of columns. Numbers of
    their own for the columns are drawn to their common mean by a Gaussian prior on the logarithms,
    whose strength is decided as well. The shared number is kept unless more of them lose less on
    rows that their tuning has not seen; see docs/overtuning.md.

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

    def numbers(self, units: list[str]) -> np.ndarray | None:
        """The number of the group of each column, or layer, (d,), or None without groups."""
        if self.groups is None:
            return None
        return Grouped(self.groups, 0.5, 2.0).index(units, 1)[:, 0]

    def decided(self, candidate: Candidate, box: Box) -> Hyperparameter:
        """The hyperparameter that a candidate stands for."""
        low, high = math.exp(box.low), math.exp(box.high)
        if self.low is not None and self.high is not None:
            low, high = self.low, self.high
        if candidate.granularity == "shared":
            return Shared(low, high)
        if candidate.granularity == "grouped":
            return Grouped(self.groups, low, high)
        if candidate.granularity == "per-class":
            return PerClass(low, high)
        if candidate.granularity == "per-layer":
            return PerLayer(low, high)
        if candidate.granularity == "adaptive":
            return Adaptive(low, high)
        return PerFeature(low, high)


class PerCoefficient(Hyperparameter):
    """One number for each coefficient (d, m), row by row: what all candidates are ties of."""

    def index(self, features: list[str], outputs: int) -> np.ndarray:
        return np.arange(len(features) * outputs).reshape(-1, outputs)

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        return n_features * n_outputs


def affordable_rows(coefficients: int, condensed: bool) -> int:
    """How many rows a decision may look at, for p coefficients; none if it costs too much.

    An evaluation passes over all rows a few times; where a model's rows are `condensed` to about
    2 p of them that is done once a fold. With fewer than two rows a coefficient there is no
    telling, and none are looked at.
    """
    p = coefficients
    if 2 * p**2 > _ENTRIES:
        return 0
    return _SQUARES // p**2 if condensed else _ENTRIES // p


def affordable_rows_of_few(coefficients: int, condensed: bool) -> int:
    """How many rows a comparison of one number with few, some 50 evaluations, may look at.

    Between so few half a row a coefficient is enough to tell; where even that costs too much, none.

    >>> affordable_rows_of_few(640, False), affordable_rows_of_few(2000, False)
    (673, 0)
    """
    p = coefficients
    rows = _SQUARES // p**2 if condensed else _FIFTH * _ENTRIES // p
    rows = min(rows, _PRODUCTS // p**2 - 2 * p)
    return rows if 2 * rows >= p else 0


def affordable_rows_of_network(weights: int, seconds: float) -> int:
    """How many rows a comparison for a network of so many weights and intercepts may look at, in
    so many seconds of processor time.

    >>> [affordable_rows_of_network(p, 20.0) for p in (121, 400, 430)]
    [661, 200, 0]
    >>> affordable_rows_of_network(430, 60.0)
    558
    """
    p = weights
    rows = int(min(_TRAINED * seconds / p, _TRAINED_PRODUCTS * seconds / p**2 - 2 * p))
    return rows if 2 * rows >= p else 0


def affordable_rows_of_sparse(columns: int) -> int:
    """How many rows of so many columns a comparison for a sparse model may look at."""
    return _SPARSE // columns
