"""Models with an objective of their own, trained to a point where its gradient is zero.

For parameters w, any pytree, rows X (n, d) with targets and weights r (n,), and named
hyperparameters θ the lower problem is

    min over w   f(w; X, y, r, θ),

of which nothing is known but that it is smooth. Rows of weight zero must not count.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from argrad.sklearn.models.base import Tunable


class Rows(NamedTuple):
    """X (n, d), the encoded target (n, t), and weights (n,), which are zero elsewhere."""

    X: Any
    target: Any
    weight: Any


class Trained(Tunable):
    """A model whose objective, prediction and start are functions in JAX."""

    @abstractmethod
    def init(self, features: int, outputs: int) -> Any:
        """w to start from."""

    @abstractmethod
    def objective(self, w: Any, rows: Rows, values: Mapping[str, Any]) -> Any:
        """f, a number."""

    @abstractmethod
    def validation_losses(self, w: Any, rows: Rows) -> Any:
        """The loss of each row (n,)."""

    def settings(self, units: list[str], outputs: Sequence[str]) -> Mapping[str, np.ndarray]:
        """The hyperparameters as they are where nothing is tuned, if the objective needs them."""
        del units, outputs
        return {}

    def start(self, name: str, rows: Rows) -> float | None:
        """A value of the hyperparameter `name` to begin the search at, None for any."""
        del name, rows
        return None

    @abstractmethod
    def settle(
        self,
        final: Any,
        w: Any,
        value: float,
        values: Mapping[str, np.ndarray],
        X: Any,
        y: np.ndarray,
    ) -> None:
        """Make `final` the estimator fitted to w, where f is `value`, with hyperparameters."""
