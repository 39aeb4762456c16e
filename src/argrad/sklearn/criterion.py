"""The k-fold criterion as a function of log hyperparameters, with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from argrad import SolveError
from argrad.sklearn import compiled
from argrad.sklearn.folds import Folds, Rows
from argrad.sklearn.lower import LowerError, LowerProblem, LowerSolution
from argrad.sklearn.models import Model
from argrad.sklearn.precision import double_precision

# Designs up to this size gain nothing from several threads, and lose much on a busy machine.
_ONE_THREAD = 2_000_000
# Coefficients up to which k inverse Hessians fit into memory: 200 MB each.
_MOST = 5000
# Penalty that a search starts from, relative to the curvature of the loss.
_START = 0.02


@dataclass(frozen=True)
class Evaluation:
    """The criterion at h = `log_values` (s,): F, the k losses it is the mean of, ∂F/∂h (s,).

    `curvature` is F'' where h is a single number, None otherwise.
    """

    log_values: np.ndarray
    value: float
    split_losses: np.ndarray
    gradient: np.ndarray
    curvature: float | None


@dataclass
class _Path:
    """Lower solutions (k, q) at h, and their derivatives there if h is a single number."""

    log_values: np.ndarray
    y: np.ndarray
    derivatives: tuple[np.ndarray, np.ndarray] | None

    def predict(self, log_values: np.ndarray) -> list[np.ndarray]:
        """Places to start from at other values: here, and where the path seems to lead."""
        starts = [self.y]
        if self.derivatives is not None:
            t = log_values[0] - self.log_values[0]
            starts.append(self.y + t * self.derivatives[0] + 0.5 * t**2 * self.derivatives[1])
        return starts


@dataclass
class Criterion:
    """F(h) = mean over folds of the mean validation loss of the model fitted at e^h.

    Calling it with h of shape (1,), for one hyperparameter shared by all features, or (d,), for
    one a feature, solves the k lower problems, started from the nearest ones solved before, and
    differentiates F at all of them at once.

    Raises `argrad.SolveError` where a lower problem has no solution to be found, or the
    derivative does not exist.
    """

    model: Model
    folds: Folds
    shared: bool
    _paths: list[_Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = self._zero().shape[1]
        if size > _MOST:
            raise ValueError(
                f"the model has {size} coefficients, and a search by gradient holds a Hessian of "
                f"at most {_MOST}: select or combine columns first, for example with PCA in the "
                "Pipeline."
            )
        self._problems = [
            LowerProblem(self.model, *self.folds.training.fold(i)) for i in range(self.folds.count)
        ]
        with double_precision():
            self._training = _on_device(self.folds.training)
            self._validation = _on_device(self.folds.validation)

    @property
    def features(self) -> int:
        """d, the number of penalised columns."""
        return len(self.folds.features)

    def start(self) -> np.ndarray:
        """Where to begin, h of shape (d,): a penalty of a few per cent of the loss' curvature."""
        return self.model.sign * (self._natural_log_penalty() + np.log(_START))

    def _natural_log_penalty(self) -> np.ndarray:
        """Logarithms (d,) of the curvature that the training loss has in each coefficient at 0.

        Penalties mean something in comparison with these only; they follow every change of
        units. A column that does not vary is given the mean of the others.
        """
        training = self.folds.training
        z = np.zeros((1, training.target.shape[2]))
        curvature = np.diagonal(self.model.curvature(z, self.model.mean(z))[0]).mean()
        columns = training.design[..., : self.features]
        squares = np.einsum("knj,knj,kn->j", columns, columns, training.weight)
        natural = curvature * squares / self.folds.count
        varies = natural > 0
        if not varies.any():
            return np.zeros(self.features)
        return np.log(np.where(varies, natural, natural[varies].mean()))

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        found = self._solve(h)
        program = compiled.curve if self.shared else compiled.gradient
        with double_precision():
            y, inverse = (jnp.asarray(np.stack(each)) for each in zip(*found, strict=True))
            solutions = compiled.Solutions(y, inverse)
            result = program(
                self.model, self.features, h, solutions, self._training, self._validation
            )
        return self._evaluation(h, result)

    def _evaluation(self, h: np.ndarray, result) -> Evaluation:
        if self.shared:
            (value, (losses, y)), (slope, (_, y1)), (second, (_, y2)) = result
            gradient, curvature = np.atleast_1d(np.asarray(slope)), float(second)
            derivatives = np.asarray(y1), np.asarray(y2)
        else:
            (value, (losses, y)), gradient = result
            gradient, curvature, derivatives = np.asarray(gradient), None, None
        numbers = np.concatenate([np.atleast_1d(value), gradient, np.atleast_1d(curvature or 0.0)])
        if not np.all(np.isfinite(numbers)):
            raise SolveError(
                f"the criterion has no finite derivative at {self._where(h)}: raise the lower "
                "bound of the penalty, or scale the columns."
            )
        self._paths.append(_Path(h, np.asarray(y), derivatives))
        return Evaluation(h, float(value), np.asarray(losses), gradient, curvature)

    def _solve(self, h: np.ndarray) -> list[LowerSolution]:
        log_penalty = np.broadcast_to(self.model.sign * h, (self.features,))
        if self._paths:
            nearest = min(self._paths, key=lambda path: np.linalg.norm(path.log_values - h))
            starts = nearest.predict(h)
        else:
            starts = [self._zero()]
        one = self.folds.training.design[0].size <= _ONE_THREAD
        found = []
        with threadpool_limits(limits=1 if one else None, user_api="blas"):
            for i, problem in enumerate(self._problems):
                try:
                    found.append(problem.solve(log_penalty, [start[i] for start in starts]))
                except LowerError as failure:
                    raise SolveError(
                        f"the model cannot be fitted on the training rows of fold {i} at "
                        f"{self._where(h)}: {failure}. Raise the lower bound of the penalty, or "
                        "scale the columns."
                    ) from None
        return found

    def _zero(self) -> np.ndarray:
        k, _, p = self.folds.training.design.shape
        m = self.folds.training.target.shape[2]
        pinned = self.model.shift_invariant and p > self.features
        return np.zeros((k, p * m - pinned))

    def _where(self, h: np.ndarray) -> str:
        values = np.exp(h)
        name = self.model.parameter
        if len(values) == 1:
            return f"{name}={values[0]:.6g}"
        return f"{name} between {values.min():.6g} and {values.max():.6g}"


def _on_device(rows: Rows) -> compiled.Data:
    return compiled.Data(*(jnp.asarray(a) for a in (rows.design, rows.target, rows.weight)))
