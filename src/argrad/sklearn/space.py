"""The search space: named hyperparameters, and where their logarithms stand in one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from argrad.sklearn.hyperparameters import Hyperparameter


@dataclass(frozen=True)
class Space:
    """Hyperparameters `tuned`, by name, whose logarithms h (s,) are one after the other.

    `units` are what they may have one number each for, the model's columns or layers, and
    `outputs` its classes or targets.

    >>> from argrad.sklearn import PerFeature, Shared
    >>> both = {"gamma": Shared(0.1, 10.0), "alpha": PerFeature(0.01, 1.0)}
    >>> space = Space(both, ["a", "b"])
    >>> space.names, space.low
    (['gamma', 'alpha[a]', 'alpha[b]'], array([0.1 , 0.01, 0.01]))
    >>> space.params(np.log([0.1, 0.5, 1.0]))
    {'gamma': 0.1, 'alpha': array([0.5, 1. ])}
    """

    tuned: Mapping[str, Hyperparameter]
    units: Sequence[str]
    outputs: Sequence[str] = ("y0",)

    @property
    def size(self) -> int:
        """s."""
        return sum(self._sizes())

    @property
    def names(self) -> list[str]:
        """What the s numbers are called in a table."""
        units = list(self.units)
        each = [kind.names(name, units, self.outputs) for name, kind in self.tuned.items()]
        return [name for names in each for name in names]

    @property
    def low(self) -> np.ndarray:
        """The lower bound (s,) of each number."""
        return np.repeat([float(kind.low) for kind in self.tuned.values()], self._sizes())

    @property
    def high(self) -> np.ndarray:
        """The upper bound (s,) of each number."""
        return np.repeat([float(kind.high) for kind in self.tuned.values()], self._sizes())

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Of each number, by its name, the interval that it is found in."""
        both = zip(self.tuned.values(), self._sizes(), strict=True)
        each = [kind.bounds for kind, size in both for _ in range(size)]
        return dict(zip(self.names, each, strict=True))

    def parts(self, log_values: Any) -> dict[str, Any]:
        """h by the names of the hyperparameters."""
        ends = np.cumsum(self._sizes())
        starts = ends - self._sizes()
        return {
            name: log_values[start:end]
            for name, start, end in zip(self.tuned, starts, ends, strict=True)
        }

    def params(self, log_values: np.ndarray) -> dict[str, Any]:
        """The hyperparameters as `set_params` would name them."""
        parts = self.parts(log_values)
        return {name: kind.value(parts[name]) for name, kind in self.tuned.items()}

    def bounded(self, log_values: np.ndarray) -> np.ndarray:
        """The exponentials of h (s,); at a bound exactly the bound."""
        parts = self.parts(log_values)
        each = [kind.bounded(parts[name]) for name, kind in self.tuned.items()]
        return np.concatenate(each)

    def positions(self) -> dict[str, np.ndarray]:
        """Of each hyperparameter the array that a model is given, as positions in h.

        A single number has no axis; one a unit has shape (len(units),), and one a group as well.
        """
        numbers = self.parts(np.arange(self.size))
        units, outputs = list(self.units), len(self.outputs)
        return {
            name: numbers[name][kind.layout(units, outputs)] for name, kind in self.tuned.items()
        }

    def given(self, log_values: np.ndarray) -> dict[str, Any]:
        """What a model is given of each hyperparameter, see `positions`, at h."""
        numbers = self.bounded(log_values)
        positions = self.positions()
        return {name: kind.given(numbers[positions[name]]) for name, kind in self.tuned.items()}

    def _sizes(self) -> list[int]:
        d, m = len(self.units), len(self.outputs)
        return [kind.size(d, m) for kind in self.tuned.values()]
