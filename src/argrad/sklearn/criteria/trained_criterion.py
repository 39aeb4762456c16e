"""The k-fold criterion of models with an objective of their own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse

from argrad import SolveError, implicit, stationarity
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.criteria.known_inverse import KnownInverse
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.matrix_free import Accuracy, gradient_of, train_nearly
from argrad.sklearn.criteria.precision import double_precision
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.criteria.training import (
    MOST,
    Problem,
    Stationary,
    beginning,
    exponentials,
    flattened,
    objective,
    train,
    unflattened,
    value_and_gradient,
)
from argrad.sklearn.models.trained import Rows, Trained
from argrad.sklearn.rows.folds import Fold, Folds
from argrad.sklearn.space import Space

# Part of a validation gradient along flat directions that rounding may put there.
_NOTHING = 1e-6


class FlatWarning(RuntimeWarning):
    """A solution is not unique, and what validation rows lose depends on which one is taken."""


@dataclass
class TrainedCriterion:
    """F(h) = mean over folds of the mean validation loss of the model trained at e^h.

    Each fold is trained from where the nearest h solved before has left it, the first from the
    model's own start: with an objective that is not convex this follows one branch of minima,
    along which F is smooth, instead of a new one for each h. The gradient is that of the implicit
    function theorem at the minimum that was found. Where the minimum is not unique it is that of
    the shortest change of w, which is exact if validation rows lose the same at all of them; if
    not, `FlatWarning` is given, once.

    With more parameters than `dense` no Hessian is formed, and folds are trained as far as
    `accuracy` says (see `argrad.sklearn.criteria.matrix_free`).

    Calling it raises `argrad.SolveError` where training finds no minimum.
    """

    model: Trained
    folds: Folds
    space: Space
    dense: int = MOST
    accuracy: Accuracy = field(default_factory=Accuracy)
    _found: list[tuple[np.ndarray, list[np.ndarray]]] = field(default_factory=list)
    _warned: bool = False

    shared = False  # evaluations have no curvature

    def __post_init__(self) -> None:
        with double_precision():
            self._positions = {
                name: jnp.asarray(each) for name, each in self.space.positions().items()
            }
            settings = self.model.settings(list(self.space.units), self.space.outputs)
            self._settings = {
                name: jnp.asarray(value)
                for name, value in settings.items()
                if name not in self.space.tuned
            }
            features, outputs = len(self.folds.features), len(self.space.outputs)
            self._like = beginning(self.model, features, outputs)
            self._start = flattened(self._like)
            self._rows = _rows(self.folds)
        self._check_weights()

    @property
    def size(self) -> int:
        """s, the number of hyperparameters."""
        return self.space.size

    @property
    def weights(self) -> int:
        """How many numbers are trained."""
        return self._start.size

    def start(self) -> np.ndarray:
        """Where to begin, h (s,): as the model says, or between the bounds."""
        numbers, each = self.space.parts(np.arange(self.size)), []
        for name, kind in self.space.tuned.items():
            with double_precision():
                value = self.model.start(name, self._rows[0][0]) or np.sqrt(kind.low * kind.high)
            each.append(np.full(len(numbers[name]), np.log(value)))
        return np.concatenate(each)

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        losses, gradients, ends = [], [], []
        with double_precision(), one_thread():
            values = self._values(h)
            for i, (rows, validation) in enumerate(self._rows):
                problem = Problem(self._like, rows, values)
                try:
                    loss, gradient, w = self._fold(h, problem, validation, i)
                except LowerError as failure:
                    raise SolveError(
                        f"the model cannot be trained on the training rows of fold {i} at "
                        f"{self._where(h)}: {failure}. Raise the lower bounds, or scale the "
                        "columns."
                    ) from None
                losses.append(loss)
                gradients.append(gradient)
                ends.append(w)
        gradient = np.mean(gradients, axis=0)
        if not np.all(np.isfinite([*losses, *gradient])):
            raise SolveError(
                f"the criterion has no finite derivative at {self._where(h)}: raise the lower "
                "bounds, or scale the columns."
            )
        self._found.append((h, ends))
        return Evaluation(h, float(np.mean(losses)), np.array(losses), gradient, None)

    def _values(self, h: np.ndarray) -> dict[str, Any]:
        return {**self._settings, **exponentials(jnp.asarray(h), self._positions)}

    def _fold(
        self, h: np.ndarray, problem: Problem, validation: Any, fold: int
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """The loss of a fold, its gradient (s,), and w."""
        start, near = self._start, False
        if self._found:
            nearest = min(self._found, key=lambda each: np.linalg.norm(each[0] - h))
            start, near = nearest[1][fold], True
        of_h = jnp.asarray(h), self._positions, self._settings
        if len(start) > self.dense:
            nearly = train_nearly(self.model, problem, validation, start, self.accuracy)
            gradient = gradient_of(self.model, *of_h, nearly.w, nearly.u, problem)
            return nearly.value, np.asarray(gradient), nearly.w
        found = train(self.model, problem, start, near)
        loss, gradient, slope = _split(
            self.model, *of_h, found.w, found.inverse_hessian, self._like, problem.rows, validation
        )
        self._look_at_flat(found, np.asarray(slope), fold)
        return float(loss), np.asarray(gradient), found.w

    def _look_at_flat(self, found: Stationary, slope: np.ndarray, fold: int) -> None:
        along = float(np.linalg.norm(found.flat.T @ slope))
        if self._warned or along <= _NOTHING * float(np.linalg.norm(slope)):
            return
        self._warned = True
        warnings.warn(
            f"the minimum on the training rows of fold {fold} is not unique, in "
            f"{found.flat.shape[1]} directions, and the validation loss differs along them: the "
            "gradient is that of the shortest change of the parameters. Penalise all of them, or "
            "raise the lower bounds.",
            FlatWarning,
            stacklevel=2,
        )

    def _check_weights(self) -> None:
        """ValueError where the objective counts rows of weight zero, which are not to be seen."""
        rows, _ = self._rows[0]
        unseen = np.flatnonzero(np.asarray(rows.weight) == 0)
        if not len(unseen):
            return
        seen = int(np.argmax(np.asarray(rows.weight)))
        with double_precision():
            other = rows._replace(
                X=rows.X.at[unseen].set(rows.X[seen]),
                target=rows.target.at[unseen].set(rows.target[seen]),
            )
            values = self._values(self.start())
            problems = [Problem(self._like, each, values) for each in (rows, other)]
            one, two = (
                np.hstack(value_and_gradient(self.model, self._start, problem))
                for problem in problems
            )
        same = np.allclose(one, two, rtol=1e-9, atol=1e-9 * np.max(np.abs(one)))
        if np.all(np.isfinite(one)) and not same:
            raise ValueError(
                "the objective changes with rows whose sample_weight is 0, so that validation "
                "rows would be trained on: multiply the loss of each row by its sample_weight."
            )

    def _where(self, h: np.ndarray) -> str:
        return ", ".join(
            f"{name}={float(part[0]):.6g}"
            if len(part) == 1
            else f"{name} between {part.min():.6g} and {part.max():.6g}"
            for name, part in self.space.parts(np.exp(h)).items()
        )


def _rows(folds: Folds) -> list[tuple[Rows, Any]]:
    """Each fold's rows with the weights of training, and those of validation."""
    shared: Any = None
    if folds.one_design:
        shared = _columns(folds.each[0]), jnp.asarray(folds.each[0].target)
    made = []
    for fold in folds.each:
        X, target = shared or (_columns(fold), jnp.asarray(fold.target))
        made.append((Rows(X, target, jnp.asarray(fold.training)), jnp.asarray(fold.validation)))
    return made


def _columns(fold: Fold) -> Any:
    if sparse.issparse(fold.design.columns):
        raise ValueError(
            "X is sparse, which models with an objective of their own are not given: use "
            "X.toarray(), or fewer columns."
        )
    return jnp.asarray(fold.design.columns)


def _already_solved(values, w, *data):
    del values, data
    return w


@partial(jax.jit, static_argnums=0)
def _split(model: Trained, h, positions, settings, w, inverse_hessian, like, rows, validation):
    """Validation loss of one fold, its gradient in h (s,), and that in w (p,)."""

    def lower(w, values, like, rows):
        return objective(model, w, Problem(like, rows, values))

    def upper(w):
        losses = model.validation_losses(unflattened(like, w), rows)
        # A row that is not for validation may have no finite loss.
        return jnp.sum(jnp.where(validation > 0, validation * losses, 0.0))

    def loss(h):
        solve = implicit(
            _already_solved,
            stationarity(lower),
            linear_solver=KnownInverse(inverse_hessian),
            host=False,
            throw=False,
        )
        return upper(solve({**settings, **exponentials(h, positions)}, w, like, rows))

    value, gradient = jax.value_and_grad(loss)(h)
    return value, gradient, jax.grad(upper)(w)
