"""Weights of the training rows as hyperparameters: one factor a class, a group of rows, or a row.

Row i of a fold's training part, of weight r_i, counts e^v_i r_i times, and its validation rows
count as they are. A common factor of all rows would only stand in for the penalty, so that
factors are divided by their geometric mean: v = g − mean(g) for the numbers g that are searched.

Source: weights of training rows and classes by hypergradients, Ren, Zeng, Yang and Urtasun 2018,
arXiv:1803.09050; Franceschi et al. 2017, arXiv:1703.01785, section 5.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from argrad.sklearn.hyperparameters import Hyperparameter

# Of the prior on factors of all rows: of digits with half of their labels wrong (docs/search.md).
_STRENGTH = 1.0


class RowWeights(Hyperparameter):
    """Factors of the weights of training rows, by groups of rows."""

    # The parameter of an estimator, or of its `fit`, that they are given as.
    parameter: str

    @property
    def prior_strength(self) -> float:
        """τ, by which the logarithms of the factors are drawn together; 0 where they are not."""
        return 0.0

    def groups_of(self, y: np.ndarray, classes: np.ndarray | None) -> tuple[np.ndarray, list[Any]]:
        """The number of the group of each row (n,), and what the groups are called.

        ValueError where that does not fit the rows.
        """
        raise NotImplementedError

    def value_of(self, labels: list[Any], factors: np.ndarray) -> Any:
        """Factors (s,) of the groups, as a user knows them."""
        return dict(zip(labels, factors.tolist(), strict=True))


@dataclass(frozen=True)
class ClassWeights(RowWeights):
    """The `class_weight` of a classifier: a positive factor a class, of geometric mean 1.

    Each is searched for anywhere in [low, high] and then divided by the geometric mean of all, so
    that they do not trade with the penalty; two of them differ by high/low at most. Takes the
    place of the estimator's own `class_weight`. Its value is a dictionary by class.

    Raises what `Shared` raises for such bounds.

    >>> from argrad.sklearn import ClassWeights
    >>> ClassWeights()
    ClassWeights(low=0.1, high=10.0)
    """

    low: float = 0.1
    high: float = 10.0

    parameter = "class_weight"

    def groups_of(self, y: np.ndarray, classes: np.ndarray | None) -> tuple[np.ndarray, list[Any]]:
        assert classes is not None
        return np.searchsorted(classes, y), classes.tolist()

    def by_class(self, y: np.ndarray, factors: np.ndarray) -> dict[Any, float]:
        """The parameter of an estimator, from factors (n,) of rows with labels y."""
        classes, first = np.unique(y, return_index=True)
        return dict(zip(classes.tolist(), factors[first].tolist(), strict=True))


@dataclass(frozen=True, init=False)
class SampleWeights(RowWeights):
    """The `sample_weight` of the training rows: a positive factor a group of rows, or a row.

    `groups` is a label for each row of X, in their order, or a dictionary from a label to the
    positions of its rows, every row in one group; without, each row has a factor of its own. Each
    is searched for anywhere in [low, high] and then divided by the geometric mean of all, so that
    they do not trade with the penalty; two of them differ by high/low at most. They multiply the
    weights that `fit` is given, but not those of the validation rows. The value is a dictionary by
    label, or an array (n,) where each row has its own.

    So many factors as rows would end at their bounds, so τ F₀ · mean((log w_i)²) is added to the
    criterion, F₀ its value at the first point: the Gaussian prior of `strength` τ. None is 1 where
    each row has its own factor and 0, no prior, with groups.

    Raises what `Shared` raises for such bounds, TypeError for groups that are neither, and
    ValueError for fewer than two, or a strength that is no number from 0 on; what does not fit
    the rows is refused once they are known.

    >>> from argrad.sklearn import SampleWeights
    >>> SampleWeights(["old", "new", "new"]).groups_of(np.zeros(3), None)
    (array([0, 1, 1]), ['old', 'new'])
    >>> SampleWeights({"old": [0], "new": [2]}).groups_of(np.zeros(3), None)
    Traceback (most recent call last):
    ValueError: SampleWeights leaves row 1 without a group: put every row of X into one.
    """

    groups: tuple[Any, ...] | dict[Any, tuple[int, ...]] | None
    strength: float | None

    parameter = "sample_weight"

    def __init__(
        self,
        groups: Sequence[Any] | Mapping[Any, Sequence[int]] | None = None,
        low: float = 0.1,
        high: float = 10.0,
        strength: float | None = None,
    ):
        object.__setattr__(self, "groups", _as_groups(groups))
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "strength", strength)
        self.__post_init__()
        if strength is not None and not (isinstance(strength, Real) and 0 <= strength < np.inf):
            raise ValueError(
                f"SampleWeights needs a strength of its prior from 0 on, got {strength!r}: leave "
                "it out, or write for example SampleWeights(strength=1.0)."
            )

    def __hash__(self) -> int:
        groups = tuple(self.groups.items()) if isinstance(self.groups, dict) else self.groups
        return hash((groups, self.low, self.high, self.strength))

    @property
    def prior_strength(self) -> float:
        if self.strength is not None:
            return float(self.strength)
        return _STRENGTH if self.groups is None else 0.0

    def groups_of(self, y: np.ndarray, classes: np.ndarray | None) -> tuple[np.ndarray, list[Any]]:
        del classes
        n = len(y)
        if self.groups is None:
            return np.arange(n), list(range(n))
        labels = list(dict.fromkeys(self.groups))
        if isinstance(self.groups, dict):
            return self._by_position(labels, n), labels
        if len(self.groups) != n:
            raise ValueError(
                f"SampleWeights has labels for {len(self.groups)} rows, but X has {n}: give one "
                "label a row."
            )
        position = {label: i for i, label in enumerate(labels)}
        return np.array([position[label] for label in self.groups]), labels

    def _by_position(self, labels: list[Any], n: int) -> np.ndarray:
        assert isinstance(self.groups, dict)
        number = np.full(n, -1)
        for i, label in enumerate(labels):
            for row in self.groups[label]:
                if not -n <= row < n:
                    raise ValueError(
                        f"SampleWeights names row {row} in {label!r}, but X has {n} rows: give "
                        f"positions from 0 to {n - 1}."
                    )
                if number[row] not in (-1, i):
                    raise ValueError(
                        f"SampleWeights has row {row} in two groups, {labels[number[row]]!r} and "
                        f"{label!r}: leave it in one."
                    )
                number[row] = i
        bare = np.flatnonzero(number < 0)
        if len(bare):
            more = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
            raise ValueError(
                f"SampleWeights leaves row {bare[0]}{more} without a group: put every row of X "
                "into one."
            )
        return number

    def value_of(self, labels: list[Any], factors: np.ndarray) -> Any:
        return factors if self.groups is None else super().value_of(labels, factors)


def _as_groups(groups: Any) -> Any:
    if groups is None:
        return None
    example = "write for example SampleWeights(['old', 'old', 'new'])."
    if isinstance(groups, str) or not isinstance(groups, Iterable):
        raise TypeError(
            "SampleWeights needs a label for each row, or a dictionary of row positions by label, "
            f"got {groups!r}: {example}"
        )
    if isinstance(groups, Mapping):
        found: Any = {label: _positions(label, rows) for label, rows in groups.items()}
        empty = [label for label, rows in found.items() if not rows]
        if empty:
            raise ValueError(f"SampleWeights has no rows in the group {empty[0]!r}: leave it out.")
    else:
        found = tuple(np.asarray(groups).tolist() if hasattr(groups, "dtype") else groups)
    if len(set(found)) < 2:
        raise ValueError(
            f"SampleWeights needs two groups or more, got {list(set(found))!r}: a factor of all "
            "rows would only stand in for the penalty."
        )
    return found


def _positions(label: Any, rows: Any) -> tuple[int, ...]:
    known = isinstance(rows, Iterable) and not isinstance(rows, str)
    listed = np.asarray(rows).tolist() if hasattr(rows, "dtype") else list(rows) if known else []
    if not known or not all(
        isinstance(row, Integral) and not isinstance(row, bool) for row in listed
    ):
        raise TypeError(
            f"SampleWeights needs a list of row positions for the group {label!r}, got {rows!r}."
        )
    return tuple(int(row) for row in listed)


@dataclass(frozen=True)
class RowFactors:
    """The factors e^v of all rows (n,) by numbers g (s,), of several hyperparameters in turn.

    `sizes` are how many numbers each has; `numbers` (n, j) says which of each a row is in;
    `strengths` are those of their priors. None are tuned where `sizes` is empty.
    """

    sizes: tuple[int, ...] = ()
    numbers: np.ndarray | None = None
    strengths: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """s."""
        return sum(self.sizes)

    def of(self, rows: np.ndarray | None) -> RowFactors:
        """Those of the rows at some positions alone, or of all for None."""
        if rows is None or self.numbers is None:
            return self
        return replace(self, numbers=self.numbers[rows])

    def centred(self, g: np.ndarray) -> np.ndarray:
        """v: each hyperparameter's numbers less their mean. This matrix is its own transpose."""
        if not self.sizes:
            return g
        ends = np.cumsum(self.sizes)[:-1]
        return np.concatenate([part - part.mean() for part in np.split(g, ends)])

    def log_factors(self, v: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Those of the rows at some positions, from centred numbers."""
        assert self.numbers is not None
        return v[self.numbers[rows]].sum(axis=1)


NO_FACTORS = RowFactors()


@dataclass(frozen=True)
class OnRows(Hyperparameter):
    """Weights of rows that are known: a number for each of the groups called `labels`."""

    weights: RowWeights
    labels: tuple[Any, ...]

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low / self.high, self.high / self.low

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        del n_features, n_outputs
        return len(self.labels)

    def names(self, name: str, features: list[str], outputs: Sequence[str] = ("y0",)) -> list[str]:
        del features, outputs
        return [f"{name}[{label}]" for label in self.labels]

    def value(self, log_value: np.ndarray) -> Any:
        return self.weights.value_of(list(self.labels), self.bounded(log_value))

    def bounded(self, log_value: np.ndarray) -> np.ndarray:
        return np.exp(log_value - log_value.mean())


def row_factors(
    tuned: Mapping[str, RowWeights], y: np.ndarray, classes: np.ndarray | None
) -> tuple[RowFactors, dict[str, Hyperparameter]]:
    """The factors that some hyperparameters stand for on these rows, and they themselves there."""
    if not tuned:
        return NO_FACTORS, {}
    numbers, labels = zip(*(each.groups_of(y, classes) for each in tuned.values()), strict=True)
    sizes = tuple(len(each) for each in labels)
    first = np.cumsum([0, *sizes[:-1]])
    known: dict[str, Hyperparameter] = {
        name: OnRows(each.low, each.high, each, tuple(of_it))
        for (name, each), of_it in zip(tuned.items(), labels, strict=True)
    }
    strengths = tuple(each.prior_strength for each in tuned.values())
    return RowFactors(sizes, np.stack(numbers, axis=1) + first, strengths), known


def reweighted(weight: Any, log_factor: Any, averaged: bool, xp: Any) -> Any:
    """Weights (n,) of a lower problem times e^v; with a sum of 1, as before, if `averaged`."""
    found = weight * xp.exp(log_factor)
    return found / xp.sum(found) if averaged else found
