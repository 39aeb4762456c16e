"""The k-fold criterion as a function of log hyperparameters, with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np

from argrad import SolveError
from argrad.sklearn.criteria import compiled
from argrad.sklearn.criteria.condensed import condense
from argrad.sklearn.criteria.device import OnDevice
from argrad.sklearn.criteria.lower import LowerError, LowerProblem, LowerSolution
from argrad.sklearn.criteria.precision import double_precision
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.criteria.together import ManyRows
from argrad.sklearn.fixed import Fixed
from argrad.sklearn.hyperparameters import Hyperparameter
from argrad.sklearn.models import Model
from argrad.sklearn.row_weights import NO_FACTORS, RowFactors, reweighted
from argrad.sklearn.rows.folds import Fold, Folds

# Coefficients up to which k inverse Hessians fit into memory: 200 MB each.
_MOST = 5000
# Penalty that a search starts from, relative to the curvature of the loss.
_START = 0.02
# A change of the log penalty up to which solutions are foreseen by their derivatives alone.
_FORESEEN = 1.5


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

    `hyperparameter` says which of the numbers e^h penalises which coefficient; after them h has
    those of `factors`, which multiply the weights of training rows. Calling the criterion with h
    of shape (s,) solves the k lower problems, started from the nearest ones
    solved before, and differentiates F at all of them at once. Means are weighted where rows have
    weights.

    Raises `argrad.SolveError` where a lower problem has no solution to be found, or the
    derivative does not exist; ValueError where the hyperparameter does not fit the columns, or
    there are more than 5000 coefficients.
    """

    model: Model
    folds: Folds
    hyperparameter: Hyperparameter
    factors: RowFactors = NO_FACTORS
    _paths: list[_Path] = field(default_factory=list)
    # The inverse Hessian of the lower problem solved last.
    _near: np.ndarray | None = None

    def __post_init__(self) -> None:
        d, t = len(self.folds.features), self.folds.each[0].target.shape[1]
        m = self.model.outputs(t)
        self._free = self.model.free(d, m, self.folds.fit_intercept)
        if self._free.sum() > _MOST:
            raise ValueError(
                f"the model has {self._free.sum()} coefficients, and a search by gradient holds a "
                f"Hessian of at most {_MOST}: select or combine columns first, for example with "
                "PCA in the Pipeline."
            )
        self._penalties = self.hyperparameter.size(d, t)
        index = self.hyperparameter.index(self.folds.features, t)
        # A value that is not tuned comes last, behind all that is.
        self._fixed = np.empty(0)
        if isinstance(self.hyperparameter, Fixed):
            index, self._fixed = index + self.size, self.hyperparameter.log_value
        self._number = np.broadcast_to(index, (d, m))
        each = [_weighed(fold, self.model, i) for i, fold in enumerate(self.folds.each)]
        self._start = np.stack([self._begin(fold) for fold in each])
        folds = replace(self.folds, each=each)
        if self.condensed:
            folds = condense(folds)
        self._natural = _natural_log_penalty(folds, self.model)
        self._many = None if self.factors.size else ManyRows.of(self.model, folds)
        if self._many is not None:
            return
        self._problems = [
            LowerProblem(self.model, fold.design, fold.target, fold.training, self._free)
            for fold in folds.each
        ]
        self._one_design = folds.one_design
        entry = np.full(self._free.shape, self._free.sum())
        entry[self._free] = np.arange(self._free.sum())
        with double_precision():
            self._layout = compiled.Layout(jnp.asarray(entry), jnp.asarray(self._number))
            self._device = OnDevice(folds, self._factor_numbers())

    @property
    def features(self) -> int:
        """d, the number of penalised columns."""
        return len(self.folds.features)

    @property
    def size(self) -> int:
        """s, the number of hyperparameters."""
        return self._penalties + self.factors.size

    @property
    def coefficients(self) -> int:
        """How many of them are penalised, d times the outputs of the model."""
        return self._number.size

    @property
    def condensed(self) -> bool:
        """Whether rows are read only once, as there are sums of squares alone."""
        return self.model.squares and not self.factors.size

    @property
    def many_rows(self) -> bool:
        """Whether reading the rows is what takes the time."""
        return self._many is not None

    @property
    def shared(self) -> bool:
        """Whether there is a single one, and evaluations have a curvature."""
        return self.size == 1

    def start(self) -> np.ndarray:
        """Where to begin, h of shape (s,): a penalty of a few per cent of the loss' curvature.

        Weights of rows begin as they are.
        """
        weights = np.zeros(self.factors.size)
        if not self._penalties:
            return weights
        numbers = self._number[:, : self._natural.shape[1]].ravel()
        sums = np.bincount(numbers, self._natural.ravel(), minlength=self._penalties)
        mean = sums / np.bincount(numbers, minlength=self._penalties)
        return np.concatenate([self.model.sign * (mean + np.log(_START)), weights])

    def begin_with(self, other: Criterion) -> None:
        """Start the first lower problems at the last solutions of `other`, where these fit.

        It must be made of the same splits.
        """
        if other._paths and other._paths[-1].y.shape == self._start.shape:
            self._start = other._paths[-1].y

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        full = self._full(h)
        if self._many is not None:
            return self._evaluation(h, self._by_passes(self._many, h))
        found = self._solve(h, full)
        program = compiled.curve if self.shared else compiled.gradient
        results = []
        with double_precision():
            for part, rows in self._device.batches():
                y, inverse = (
                    jnp.asarray(np.stack(each)) for each in zip(*found[part], strict=True)
                )
                solutions = compiled.Solutions(y, inverse)
                result = program(
                    self._device.few,
                    self.model,
                    self._one_design,
                    full,
                    self._layout,
                    solutions,
                    rows,
                )
                results.append(jax.tree.map(np.asarray, result))
        return self._evaluation(h, _joined(results, self.shared))

    def _evaluation(self, h: np.ndarray, result) -> Evaluation:
        if self.shared:
            (value, (losses, y)), (slope, (_, y1)), (second, (_, y2)) = result
            gradient, curvature = np.atleast_1d(slope), float(second)
            derivatives = y1, y2
        else:
            (value, (losses, y)), gradient = result
            gradient = self._tuned(gradient)
            curvature, derivatives = None, None
        numbers = np.concatenate([np.atleast_1d(value), gradient, np.atleast_1d(curvature or 0.0)])
        if not np.all(np.isfinite(numbers)):
            raise SolveError(
                f"the criterion has no finite derivative at {self._where(h)}. {self._remedy}"
            )
        self._paths.append(_Path(h, y, derivatives))
        return Evaluation(h, float(value), losses, gradient, curvature)

    def _by_passes(self, many: ManyRows, h: np.ndarray):
        """What the compiled criterion returns, where there are many rows."""
        number, sign = self._number[:, 0], self.model.sign
        log_penalty = sign * h[number]
        try:
            if self._paths:
                nearest = min(self._paths, key=lambda path: np.linalg.norm(path.log_values - h))
                near = np.linalg.norm(nearest.log_values - h) <= _FORESEEN
                start = nearest.predict(h)[-1 if near else 0]
            else:
                start = many.first(log_penalty, self._start)
            if self.shared:
                value, (slope, (s1, y1)), second = many.curve(log_penalty, start)
                return value, (sign * slope, (sign * s1, sign * y1)), second
            value, gradient = many.gradient(log_penalty, start)
        except LowerError as failure:
            raise SolveError(
                f"the model cannot be fitted on the training rows of some fold at "
                f"{self._where(h)}: {failure}. {self._remedy}"
            ) from None
        return value, sign * np.bincount(number, gradient, self.size)

    def _full(self, h: np.ndarray) -> np.ndarray:
        """What the compiled criterion is given for h: factors centred, and what is not tuned."""
        p = self._penalties
        return np.concatenate([h[:p], self.factors.centred(h[p:]), self._fixed])

    def _tuned(self, gradient: np.ndarray) -> np.ndarray:
        """∂F/∂h from the gradient in that."""
        p, s = self._penalties, self.size
        return np.concatenate([gradient[:p], self.factors.centred(gradient[p:s])])

    def _factor_numbers(self) -> list[np.ndarray] | None:
        """Where in that are the factors of the rows (n, j) of each fold, if any are tuned."""
        if self.factors.numbers is None:
            return None
        return [self._penalties + self.factors.numbers[fold.rows] for fold in self.folds.each]

    def _problem(self, i: int, full: np.ndarray) -> LowerProblem:
        """The lower problem of fold i, its rows weighted as `full` says."""
        problem = self._problems[i]
        if not self.factors.size:
            return problem
        v, rows = full[self._penalties : self.size], self.folds.each[i].rows
        assert rows is not None
        log_factor = self.factors.log_factors(v, rows)
        weight = reweighted(problem.weight, log_factor, self.model.averaged, np)
        return replace(problem, weight=weight)

    def _solve(self, h: np.ndarray, full: np.ndarray) -> list[LowerSolution]:
        log_penalty = self.model.sign * full[self._number]
        if self._paths:
            nearest = min(self._paths, key=lambda path: np.linalg.norm(path.log_values - h))
            starts = [*nearest.predict(h), self._start]
        else:
            starts = [self._start]
        found: list[LowerSolution] = []
        # Products are made a block at a time, which several threads would share out too finely.
        with one_thread():
            for i in range(len(self._problems)):
                places = [start[i] for start in starts]
                if found and not self._paths:  # folds have most of their rows in common
                    places.append(found[-1].y)
                try:
                    problem = self._problem(i, full)
                    found.append(problem.solve(log_penalty, places, self._near))
                    self._near = found[-1].inverse_hessian
                except LowerError as failure:
                    raise SolveError(
                        f"the model cannot be fitted on the training rows of fold {i} at "
                        f"{self._where(h)}: {self._why(i, failure)}"
                    ) from None
        return found

    def _begin(self, fold: Fold) -> np.ndarray:
        """Coefficients of zero, and what the model says of the intercepts: y (q,)."""
        w = np.zeros(self._free.shape)
        w[-1] = self.model.start(fold.target, fold.training)
        return w[self._free]

    def _why(self, i: int, failure: LowerError) -> str:
        fold = self.folds.each[i]
        trained = fold.target[fold.training > 0]
        return self.model.unbounded(trained, self.folds.fit_intercept) or (
            f"{failure}. {self._remedy}"
        )

    @property
    def _remedy(self) -> str:
        bound = "Raise the lower" if self.model.sign > 0 else "Lower the upper"
        return f"{bound} bound of {self.model.parameter}, or scale the columns."

    def _where(self, h: np.ndarray) -> str:
        name, values = self.model.parameter, np.exp(self._full(h)[np.unique(self._number)])
        if np.ptp(values) <= 1e-6 * values.max():
            return f"{name}={values[0]:.6g}"
        return f"{name} between {values.min():.6g} and {values.max():.6g}"


def _weighed(fold: Fold, model: Model, i: int) -> Fold:
    """A fold whose training weights are those of the lower problem."""
    try:
        return replace(fold, training=model.row_weights(fold.target, fold.training))
    except SolveError as error:
        raise SolveError(f"fold {i}: {error}") from None


def _natural_log_penalty(folds: Folds, model: Model) -> np.ndarray:
    """Logarithms (d, t) of the curvature that the training loss has in each coefficient at 0.

    Penalties mean something in comparison with these only; they follow every change of units. A
    column that does not vary is given the mean of the others.
    """
    weights = [_loss_curvature(fold, model) for fold in folds.each]
    if folds.one_design:
        natural = _squares_of_all(folds, weights)
    else:
        each = zip(folds.each, weights, strict=True)
        natural = np.mean([fold.design.squares(weight) for fold, weight in each], axis=0)
    varies = natural > 0
    if not varies.any():
        return np.zeros(natural.shape)
    return np.log(np.where(varies, natural, natural[varies].mean()))


def _squares_of_all(folds: Folds, weights: list[np.ndarray]) -> np.ndarray:
    """The mean over folds of `design.squares(weight)` (d, t), in two passes over rows in common.

    Σ r (x − c)² = Σ r (x − c̄)² − 2 (c − c̄) Σ r (x − c̄) + (c − c̄)² Σ r, for the mean c̄ of centres.
    """
    centres = [fold.design.centre for fold in folds.each]
    design = replace(folds.each[0].design, centre=np.mean(centres, axis=0))
    natural = design.squares(np.mean(weights, axis=0))
    crosses = design.transposed_times(design.ones[:, None] * np.hstack(weights))
    for centre, cross in zip(centres, np.split(crosses, len(centres), axis=1), strict=True):
        away = (centre - design.centre)[:, None]
        natural += (away**2 * cross[-1] - 2 * away * cross[:-1]) / len(centres)
    return np.maximum(natural, 0.0)


def _loss_curvature(fold: Fold, model: Model) -> np.ndarray:
    """Of each row (n, t), at coefficients of zero, weighted."""
    t = fold.target.shape[1]
    intercepts = model.start(fold.target, fold.training)
    z = np.broadcast_to(intercepts, (len(fold.target), len(intercepts)))
    curvature = model.expected_curvature(z, fold.target)
    return fold.training[:, None] * np.einsum("naa->na", curvature)[:, :t]


def _joined(results: list, shared: bool) -> tuple:
    """The result for all folds from those of batches of as many folds each."""
    if shared:
        return tuple(_mean(order) for order in zip(*results, strict=True))
    pairs, gradients = zip(*results, strict=True)
    return _mean(pairs), np.mean(gradients, axis=0)


def _mean(pairs) -> tuple:
    """Of pairs (F, (losses, y*)) of batches: that of all folds."""
    values, parts = zip(*pairs, strict=True)
    losses, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    return np.mean(values), (losses, y)
