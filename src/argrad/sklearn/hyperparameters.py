"""What may be tuned, and between which bounds: the vocabulary of `GradientSearchCV`'s `params`."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Hyperparameter:
    """A positive hyperparameter between `low` and `high`, searched for by its logarithm.

    Raises TypeError for bounds that are not numbers, and ValueError unless
    0 < low < high < infinity.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        kind = type(self).__name__
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise TypeError(
                    f"{kind} needs numbers as bounds, got {name}={value!r}: write for example "
                    f"{kind}(1e-4, 1e4)."
                )
            if not math.isfinite(value) or value <= 0:
                raise ValueError(
                    f"{kind} needs positive, finite bounds, because it is searched for on a "
                    f"logarithmic scale, got {name}={value!r}: write for example {kind}(1e-4, 1e4)."
                )
        if not self.low < self.high:
            remedy = "swap them" if self.low > self.high else "give it room"
            raise ValueError(
                f"{kind} needs its lower bound first and below its upper bound, got "
                f"low={self.low!r}, high={self.high!r}: {remedy}."
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which its numbers are found."""
        return float(self.low), float(self.high)

    def index(self, features: list[str], outputs: int) -> np.ndarray:
        """Which of its numbers penalises each coefficient: (d, m), for m outputs of the model.

        ValueError where it does not fit a model with these columns and outputs.
        """
        raise NotImplementedError

    def layout(self, units: list[str], outputs: int) -> np.ndarray:
        """Which of its numbers stand where in the array that a model of several is given.

        `units` are the columns of a model, or its layers; see `argrad.sklearn.space`.
        """
        del outputs
        return self.index(units, 1)[:, 0]

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        """How many numbers it stands for in a model of `n_features` columns."""
        raise NotImplementedError

    def names(self, name: str, features: list[str], outputs: Sequence[str] = ("y0",)) -> list[str]:
        """What to call those numbers in a table, for a parameter `name`."""
        raise NotImplementedError

    def value(self, log_value: np.ndarray) -> Any:
        """The hyperparameter as its user knows it, from its logarithms of shape (size,)."""
        raise NotImplementedError

    def given(self, numbers: np.ndarray) -> Any:
        """What a model is given, from its numbers as `layout` has them."""
        return numbers

    def bounded(self, log_value: np.ndarray) -> np.ndarray:
        """The exponential of `log_value`; at a bound exactly the bound, in spite of rounding."""
        value = np.clip(np.exp(log_value), self.low, self.high)
        value = np.where(log_value <= np.log(self.low), self.low, value)
        return np.where(log_value >= np.log(self.high), self.high, value)


class Shared(Hyperparameter):
    """One number for all features, anywhere in [low, high].

    >>> from argrad.sklearn import Shared
    >>> Shared(1e-4, 1e4)
    Shared(low=0.0001, high=10000.0)
    >>> Shared(1.0, 0.1)
    Traceback (most recent call last):
    ValueError: Shared needs its lower bound first and below its upper bound, got low=1.0, ...
    """

    def index(self, features: list[str], outputs: int) -> np.ndarray:
        return np.zeros((len(features), outputs), dtype=int)

    def layout(self, units: list[str], outputs: int) -> np.ndarray:
        del units, outputs
        return np.array(0)

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        del n_features, n_outputs
        return 1

    def names(self, name: str, features: list[str], outputs: Sequence[str] = ("y0",)) -> list[str]:
        del features, outputs
        return [name]

    def value(self, log_value: np.ndarray) -> float:
        return float(self.bounded(log_value)[0])


class _OneEach(Hyperparameter):
    """One number for each of what the model is made of: its columns, or its layers."""

    def index(self, features: list[str], outputs: int) -> np.ndarray:
        return np.repeat(np.arange(len(features))[:, None], outputs, axis=1)

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        del n_outputs
        return n_features

    def names(self, name: str, features: list[str], outputs: Sequence[str] = ("y0",)) -> list[str]:
        del outputs
        return [f"{name}[{unit}]" for unit in features]

    def value(self, log_value: np.ndarray) -> np.ndarray:
        return self.bounded(log_value)


class PerFeature(_OneEach):
    """One number for each column that the model sees, each anywhere in [low, high].

    Within a `Pipeline` these are the columns after preprocessing. A model with a penalty per
    feature, Σ_j λ_j w_j², is the model with one penalty on columns multiplied by 1/√λ_j.

    >>> from argrad.sklearn import PerFeature
    >>> PerFeature(1e-4, 1e4)
    PerFeature(low=0.0001, high=10000.0)
    """


@dataclass(frozen=True, init=False)
class Grouped(Hyperparameter):
    """One number a group of columns, each anywhere in [low, high].

    `groups` is a label for each column that the model sees, in their order, or a dictionary from
    a label to the names of its columns, x0, x1, ... where they have none. Every column belongs to
    one group. Its value is an array in the order of `labels`.

    Raises TypeError for groups that are neither, and ValueError for an empty one; what does not
    fit the columns is refused, by name, once they are known.

    >>> from argrad.sklearn import Grouped
    >>> Grouped({"size": ["length", "width"], "age": ["years"]}, 1e-2, 1e2).labels
    ('size', 'age')
    >>> Grouped(["a", "a", "b"], 1e-2, 1e2).index(["length", "width", "years"], 1).ravel()
    array([0, 0, 1])
    """

    groups: tuple[Any, ...] | dict[Any, tuple[str, ...]]

    def __init__(
        self, groups: Sequence[Any] | Mapping[Any, Sequence[str]], low: float, high: float
    ):
        object.__setattr__(self, "groups", _as_groups(groups))
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        self.__post_init__()

    def __hash__(self) -> int:
        return hash((self.labels, self.low, self.high))

    @property
    def labels(self) -> tuple[Any, ...]:
        """The groups, in the order in which they are first met."""
        return tuple(dict.fromkeys(self.groups))

    def index(self, features: list[str], outputs: int) -> np.ndarray:
        position = {label: i for i, label in enumerate(self.labels)}
        each = [position[label] for label in self._labels_of(features)]
        return np.repeat(np.array(each)[:, None], outputs, axis=1)

    def _labels_of(self, features: list[str]) -> list[Any]:
        if isinstance(self.groups, tuple):
            if len(self.groups) != len(features):
                more = features[len(self.groups) :]
                rest = f" {_listed(more)} would have none:" if more else ""
                raise ValueError(
                    f"Grouped has labels for {len(self.groups)} columns, but the model sees "
                    f"{len(features)}:{rest} give one label a column."
                )
            return list(self.groups)
        label_of: dict[str, Any] = {}
        for label, columns in self.groups.items():
            for column in columns:
                if label_of.setdefault(column, label) != label:
                    raise ValueError(
                        f"Grouped has the column {column!r} in two groups, {label_of[column]!r} "
                        f"and {label!r}: leave it in one."
                    )
        unknown = [column for column in label_of if column not in features]
        if unknown:
            near = difflib.get_close_matches(unknown[0], features, n=1)
            hint = f"do you mean {near[0]!r}?" if near else f"there are {_listed(features)}."
            raise ValueError(f"Grouped names a column {unknown[0]!r} that the model lacks: {hint}")
        bare = [feature for feature in features if feature not in label_of]
        if bare:
            raise ValueError(
                f"Grouped leaves {_listed(bare)} without a group: put every column that the model "
                "sees into one."
            )
        return [label_of[feature] for feature in features]

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        del n_features, n_outputs
        return len(self.labels)

    def names(self, name: str, features: list[str], outputs: Sequence[str] = ("y0",)) -> list[str]:
        del features, outputs
        return [f"{name}[{label}]" for label in self.labels]

    def value(self, log_value: np.ndarray) -> np.ndarray:
        return self.bounded(log_value)


class PerClass(Hyperparameter):
    """One number a class of a multinomial logistic regression, or a target of Ridge with several.

    Each anywhere in [low, high], for all the coefficients of that class or target. Two classes
    have one set of coefficients only, so there have to be three, or two targets.

    >>> from argrad.sklearn import PerClass
    >>> PerClass(1e-4, 1e4)
    PerClass(low=0.0001, high=10000.0)
    """

    def index(self, features: list[str], outputs: int) -> np.ndarray:
        if outputs < 2:
            raise ValueError(
                "PerClass needs three classes or more, or several targets, but this model has one "
                "set of coefficients: use Shared, Grouped or PerFeature."
            )
        return np.repeat(np.arange(outputs)[None, :], len(features), axis=0)

    def layout(self, units: list[str], outputs: int) -> np.ndarray:
        return self.index([""], outputs)[0]

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        del n_features
        return n_outputs

    def names(self, name: str, features: list[str], outputs: Sequence[str] = ("y0",)) -> list[str]:
        del features
        return [f"{name}[{output}]" for output in outputs]

    def value(self, log_value: np.ndarray) -> np.ndarray:
        return self.bounded(log_value)


class Adaptive(Hyperparameter):
    """A penalty a column by its coefficient in a first fit: the adaptive lasso. In [low, high].

    Two numbers stand for all: λ₁, of a first fit with one penalty, whose coefficients are w, and
    λ₂. The second fit has the penalties λ₂ max_k |w_k| / |w_j|: what is large is hardly shrunk,
    and what the first has left out stays out. With λ₂ towards zero it is least squares on what
    the first has chosen, with λ₁ towards zero it goes by least squares. In every fold both fits
    see the training rows alone.

    Source: Zou 2006, The adaptive lasso and its oracle properties, JASA 101:1418–1429; the lasso
    as the first fit, Bühlmann and van de Geer 2011, Statistics for High-Dimensional Data, 2.8.

    >>> from argrad.sklearn import Adaptive
    >>> Adaptive(1e-4, 1e2).value(np.log([1.0, 0.5]))
    {'first': 1.0, 'second': 0.5}
    """

    _STAGES = ("first", "second")

    def layout(self, units: list[str], outputs: int) -> np.ndarray:
        del units, outputs
        return np.arange(2)

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        del n_features, n_outputs
        return 2

    def names(self, name: str, features: list[str], outputs: Sequence[str] = ("y0",)) -> list[str]:
        del features, outputs
        return [f"{name}[{stage}]" for stage in self._STAGES]

    def value(self, log_value: np.ndarray) -> dict[str, float]:
        return self.given(self.bounded(log_value))

    def given(self, numbers: np.ndarray) -> dict[str, float]:
        return dict(zip(self._STAGES, map(float, numbers), strict=True))


class PerLayer(_OneEach):
    """One number for each layer of weights of a multilayer perceptron, each in [low, high].

    With h hidden layers there are h + 1: into each of these, and into the output.

    >>> from argrad.sklearn import PerLayer
    >>> PerLayer(1e-4, 1e2)
    PerLayer(low=0.0001, high=100.0)
    """


@dataclass(frozen=True, init=False)
class PerEntry(Hyperparameter):
    """One number for each of `count` entries of a hyperparameter that is a vector.

    For models of one's own, see `from_objective`. Raises ValueError unless `count` is a positive
    integer.

    >>> from argrad.sklearn import PerEntry
    >>> PerEntry(3, 1e-4, 1e2)
    PerEntry(low=0.0001, high=100.0, count=3)
    """

    count: int

    def __init__(self, count: int, low: float, high: float):
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise ValueError(
                f"PerEntry needs the number of entries first, a positive integer, got {count!r}: "
                "write for example PerEntry(3, 1e-4, 1e4)."
            )
        object.__setattr__(self, "count", int(count))
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        self.__post_init__()

    def layout(self, units: list[str], outputs: int) -> np.ndarray:
        del units, outputs
        return np.arange(self.count)

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        del n_features, n_outputs
        return self.count

    def names(self, name: str, features: list[str], outputs: Sequence[str] = ("y0",)) -> list[str]:
        del features, outputs
        return [f"{name}[{i}]" for i in range(self.count)]

    def value(self, log_value: np.ndarray) -> np.ndarray:
        return self.bounded(log_value)


def _as_groups(groups: Any) -> tuple[Any, ...] | dict[Any, tuple[str, ...]]:
    if isinstance(groups, Mapping):
        for label, columns in groups.items():
            if isinstance(columns, str) or not isinstance(columns, Iterable):
                raise TypeError(
                    f"Grouped needs a list of column names for the group {label!r}, got "
                    f"{columns!r}."
                )
        named = {label: tuple(str(column) for column in groups[label]) for label in groups}
        empty = [label for label, columns in named.items() if not columns]
        if empty or not named:
            which = f"the group {empty[0]!r} has no columns" if empty else "there are no groups"
            raise ValueError(f"Grouped needs columns in every group, but {which}.")
        return named
    if isinstance(groups, str) or not isinstance(groups, Iterable):
        raise TypeError(
            f"Grouped needs a label for each column, or a dictionary of columns by label, got "
            f"{groups!r}: write for example Grouped(['a', 'a', 'b'], 1e-4, 1e4)."
        )
    labels = tuple(np.asarray(groups).tolist() if isinstance(groups, np.ndarray) else groups)
    if not labels:
        raise ValueError("Grouped needs a label for each column, got none.")
    return labels


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
