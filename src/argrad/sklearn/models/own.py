"""A model of one's own, see `argrad.sklearn.own.from_objective`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argrad.sklearn.hyperparameters import (
    Grouped,
    Hyperparameter,
    PerClass,
    PerEntry,
    PerFeature,
    Shared,
)
from argrad.sklearn.models.base import Encoded
from argrad.sklearn.models.labels import as_labels
from argrad.sklearn.models.numbers import as_numbers
from argrad.sklearn.models.trained import Rows, Trained
from argrad.sklearn.space import Space

EVERY_KIND = (Shared, Grouped, PerFeature, PerClass, PerEntry)


@dataclass(frozen=True)
class OwnModel(Trained):
    """What a user states of a model, with the loss of validation rows.

    `begin` is the pytree to start from, or a function that makes it; `ranges` are those of the
    hyperparameters, `values` what they are set to.
    """

    function: Callable[..., Any]
    predictor: Callable[..., Any]
    loss: Callable[..., Any] | None
    called: str
    classifier: bool
    several: bool = False
    begin: Any = field(default=None, compare=False)
    ranges: Mapping[str, Hyperparameter] = field(default_factory=dict, compare=False)
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def loss_name(self) -> str:  # type: ignore[override]
        """What validation rows lose, in words."""
        if self.loss is not None:
            return getattr(self.loss, "__name__", "loss")
        return "log loss" if self.classifier else "mean squared error"

    @property
    def kinds(self) -> Mapping[str, tuple[type[Hyperparameter], ...]]:
        return dict.fromkeys(self.ranges, EVERY_KIND)

    @property
    def declared(self) -> Mapping[str, Hyperparameter]:
        """What is tuned, and how, where the user does not say."""
        return self.ranges

    def for_target(self, y: np.ndarray) -> tuple[OwnModel, Encoded]:
        if self.classifier:
            classes, codes = as_labels(y, self.called)
            return self, Encoded(np.eye(len(classes))[codes], classes)
        values = as_numbers(y, self.called, several=True)
        return replace(self, several=np.ndim(y) == 2), Encoded(values)

    def init(self, features: int, outputs: int) -> Any:
        return self.begin(features, outputs) if callable(self.begin) else self.begin

    def objective(self, w: Any, rows: Rows, values: Mapping[str, Any]) -> Any:
        return self.function(w, rows.X, self._given(rows.target), rows.weight, **values)

    def validation_losses(self, w: Any, rows: Rows) -> Any:
        y, predicted = self._given(rows.target), self.predictor(w, rows.X)
        if self.loss is not None:
            return self.loss(predicted, y)
        if not self.classifier:
            errors = (predicted - y) ** 2
            return jnp.mean(errors, axis=-1) if self.several else errors
        scores = of_each_class(predicted)
        own = jnp.take_along_axis(scores, y[:, None], axis=1)[:, 0]
        return jax.nn.logsumexp(scores, axis=1) - own

    def settings(self, units: list[str], outputs: Sequence[str]) -> Mapping[str, np.ndarray]:
        positions = Space(self.ranges, units, outputs).positions()
        settings = {}
        for name, each in positions.items():
            value = np.asarray(self.values[name], dtype=float)
            if value.ndim and value.shape != each.shape:
                raise ValueError(
                    f"{name} has shape {value.shape}, but its range is for {each.shape}: set it to "
                    "one number, or to an array of that shape."
                )
            settings[name] = np.broadcast_to(value, each.shape)
        return settings

    def settle(self, final, w, value, values, X, y):
        del value
        final.set_params(**{name: _plain(each) for name, each in values.items()})
        final.adopt(w, X, y)

    def _given(self, target: Any) -> Any:
        """The target as the user's functions know it."""
        if self.classifier:
            return jnp.argmax(target, axis=1)
        return target if self.several else target[:, 0]


def of_each_class(scores: Any) -> Any:
    """Scores (n, classes) of scores that may be the log odds (n,) of the second of two classes."""
    if scores.ndim == 2:
        return scores
    return jnp.stack([jnp.zeros_like(scores), scores], axis=1)


def _plain(value: np.ndarray) -> Any:
    return float(value) if np.ndim(value) == 0 else value
