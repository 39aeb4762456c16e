"""Support vector machines: what they have in common, as binary problems or one of numbers.

A row's outcome f is judged by a smooth loss: for a class u = ±1 of the margin u f, for a number u
of the error f − u. Of several classes there is a problem for each pair, or one for each class
against the rest, and a row's loss is the mean over the problems that its class is part of.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import expit
from sklearn.utils.class_weight import compute_class_weight

from argrad import SolveError
from argrad.sklearn.hyperparameters import Hyperparameter, Shared
from argrad.sklearn.models.base import Encoded, Tunable, refuse
from argrad.sklearn.models.judging import named
from argrad.sklearn.models.labels import ClassWeight, as_class_weight, as_labels, by_position
from argrad.sklearn.models.numbers import as_numbers

# From f and u (v,) the loss of each row and its derivative in f.
MarginLoss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def squared_hinge(f: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """max(0, 1 − u f)².

    >>> squared_hinge(np.array([2.0, 0.5, -1.0]), np.array([1.0, 1.0, 1.0]))
    (array([0.  , 0.25, 4.  ]), array([-0., -1., -4.]))
    """
    short = np.maximum(1.0 - u * f, 0.0)
    return short**2, -2.0 * u * short


def logistic(f: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log(1 + e^(−u f))."""
    return np.logaddexp(0.0, -u * f), -u * expit(-u * f)


def squared_error(f: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(f − u)²."""
    return (f - u) ** 2, 2.0 * (f - u)


class Problem(NamedTuple):
    """One problem of a fold: positions of its rows among the fold's, and what is known of them.

    Training rows have a `target`, and `cost` by which C is multiplied; validation rows have
    the `truth`, and the `share` that their loss has in the fold's.
    """

    train: np.ndarray
    target: np.ndarray
    cost: np.ndarray
    valid: np.ndarray
    truth: np.ndarray
    share: np.ndarray


class Rows(NamedTuple):
    """A fold's rows: the encoded target (n,), weights of both parts, how often each is drawn."""

    target: np.ndarray
    training: np.ndarray
    validation: np.ndarray
    drawn: np.ndarray


@dataclass(frozen=True)
class MarginModel(Tunable):
    """`settings` are C, gamma and epsilon as the estimator has them where they are not tuned."""

    settings: Mapping[str, Any] = field(compare=False)
    judged: str | None = field(default=None, kw_only=True)

    # Which settings the estimator has.
    names: ClassVar[tuple[str, ...]]
    losses: ClassVar[dict[str, MarginLoss]]
    # Whether targets are the signs of classes.
    signed: ClassVar[bool]

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        traits = cls.traits(estimator)
        return cls(_settings(estimator, cls.names), **traits)

    @classmethod
    def traits(cls, estimator: Any) -> dict[str, Any]:
        """What of the estimator is kept beside its settings; each base adds what is its own."""
        del estimator
        return {}

    @property
    def loss(self) -> MarginLoss:
        """The loss of validation rows."""
        return self.losses[self.judged or self.criterion]

    def judged_by(self, name: str | None) -> Tunable:
        others: dict[str, Any] = {
            key: value for key, value in self.losses.items() if key != self.criterion
        }
        named(self.criterion, others, name, self.estimator.__name__)
        return replace(self, judged=name)

    @property
    def kinds(self) -> Mapping[str, tuple[type[Hyperparameter], ...]]:
        return {name: (Shared,) for name in self.settings if self.tunable(name)}

    def tunable(self, name: str) -> bool:
        """Whether the setting `name` can be tuned."""
        del name
        return True

    @abstractmethod
    def problems(self, rows: Rows) -> list[Problem]:
        """The problems of one fold."""


@dataclass(frozen=True)
class OfClasses(MarginModel):
    """`class_weight` multiplies C on the training rows: None, "balanced", or pairs."""

    class_weight: ClassWeight = None

    loss_name = "squared hinge loss"
    losses: ClassVar = {"squared_hinge_loss": squared_hinge, "logistic_loss": logistic}
    signed = True
    # Whether several classes are told apart pair by pair, or each from all others.
    pairs: ClassVar[bool]

    @classmethod
    def traits(cls, estimator: Any) -> dict[str, Any]:
        return {"class_weight": as_class_weight(estimator), **super().traits(estimator)}

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        classes, codes = as_labels(y, self.estimator.__name__)
        weights = by_position(self.class_weight, classes)
        model = replace(self, class_weight=weights)
        return model, Encoded(codes[:, None].astype(float), classes)

    def multiples(self, codes: np.ndarray, rows: Rows, count: int) -> np.ndarray:
        """What the class of each row (n,) multiplies its weight by."""
        if self.class_weight is None:
            return np.ones(len(codes))
        given = self.class_weight if isinstance(self.class_weight, str) else dict(self.class_weight)
        seen = np.repeat(codes, np.where(rows.training > 0, rows.drawn, 0))
        return compute_class_weight(given, classes=np.arange(count), y=seen)[codes]

    def problems(self, rows: Rows) -> list[Problem]:
        codes = rows.target.astype(int)
        count = int(codes.max()) + 1
        train, valid = np.flatnonzero(rows.training), np.flatnonzero(rows.validation)
        missing = np.setdiff1d(np.arange(count), codes[train])
        if len(missing):
            raise SolveError(
                f"no training row of class number {missing[0]} has a positive weight: use "
                "StratifiedKFold, fewer folds, or leave out rare classes."
            )
        cost = rows.training * self.multiples(codes, rows, count)
        kinds: list[tuple[tuple[int, ...], tuple[int]]]
        if count == 2:
            kinds = [((0,), (1,))]
        elif self.pairs:
            kinds = [((a,), (b,)) for a, b in combinations(range(count), 2)]
        else:
            each = range(count)
            kinds = [(tuple(b for b in each if b != a), (a,)) for a in each]
        seen = sum(np.isin(codes[valid], [*low, *high]).astype(float) for low, high in kinds)
        share = np.zeros(len(codes))
        share[valid] = rows.validation[valid] / seen
        made = []
        for low, high in kinds:
            of_these = np.isin(codes, [*low, *high])
            sign = np.where(np.isin(codes, high), 1.0, -1.0)
            i, j = train[of_these[train]], valid[of_these[valid]]
            made.append(Problem(i, sign[i], cost[i], j, sign[j], share[j]))
        return made


@dataclass(frozen=True)
class OfNumbers(MarginModel):
    """Validated by the squared error."""

    loss_name = "mean squared error"
    losses: ClassVar = {"mean_squared_error": squared_error}
    signed = False

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        return self, Encoded(as_numbers(y, self.estimator.__name__))

    def problems(self, rows: Rows) -> list[Problem]:
        i, j = np.flatnonzero(rows.training), np.flatnonzero(rows.validation)
        target = rows.target
        return [Problem(i, target[i], rows.training[i], j, target[j], rows.validation[j])]


def _settings(estimator: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The settings of an estimator by name; ValueError for one that it could not be fitted with."""
    settings = {name: getattr(estimator, name) for name in names}
    for name, value in settings.items():
        if name == "gamma" and isinstance(value, str):
            if value not in ("scale", "auto"):
                refuse(estimator, name, "it is no width", "Set gamma='scale', 'auto' or a number.")
        elif not (np.isreal(value) and np.isfinite(value) and value >= 0) or (
            name == "C" and value == 0
        ):
            refuse(estimator, name, "it must be a positive number", f"Set {name}=1.0.")
    return settings
