"""The k-fold criterion of support vector machines, exact on the piece that the solution is on.

Each fold's solution is a smooth function of the log hyperparameters as long as no row enters or
leaves the margin; where one does, F is continuous and its gradient jumps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.criteria.kernel_criterion import Products
from argrad.sklearn.criteria.kernel_machine import FoldKernel, Outcome, solve_duals
from argrad.sklearn.criteria.linear_machine import Squared, guess, solve_squared
from argrad.sklearn.criteria.margin_dual import DualError
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.models.kernel import Kernel
from argrad.sklearn.models.linear_svm import LinearMachine
from argrad.sklearn.models.margins import MarginModel, Rows
from argrad.sklearn.models.svm import KernelMachine
from argrad.sklearn.rows.designs import Matrix
from argrad.sklearn.rows.folds import Fold, Folds
from argrad.sklearn.space import Space

# Where a search begins: C relative to the spread of the targets over that of the kernel, γ to one
# over the extent of the rows, ε to the spread of the targets.
_COST, _WIDTH, _EPSILON = 4.0, 0.45, 0.2
# What is looked at before it descends, as changes of log C, γ and ε from there: nearer to a linear
# machine, with a lower and a higher C; without a width, C alone. With a width it descends from the
# lower C too: at a high one all rows may be apart, C without effect, and F flat.
_WITH_WIDTH = ((0.0, 0.0, 0.0), (-2.0, -0.8, 0.0), (2.0, -2.0, 0.5))
_WITHOUT = ((0.0, 0.0, 0.0), (-1.5, 0.0, 0.0), (1.5, 0.0, 0.3))
_LOWER = 1
_NAMES = ("C", "gamma", "epsilon")
_LINEAR = Kernel("linear")


@dataclass
class MarginCriterion:
    """F(h) = mean over folds of the mean loss of validation rows at e^h, with ∂F/∂h.

    Calling it raises `argrad.SolveError` where a fold is not solved to rounding.
    """

    model: MarginModel
    folds: Folds
    space: Space

    shared = False  # evaluations have no curvature

    def __post_init__(self) -> None:
        self._problems = [
            self.model.problems(Rows(f.target[:, 0], f.training, f.validation, self._drawn(f)))
            for f in self.folds.each
        ]
        self._positions = self.space.positions()
        self._settings = [self._untuned(fold) for fold in self.folds.each]
        self._columns: list[Matrix] = []
        self._products: list[np.ndarray] = []
        self._last: tuple[tuple[int, float], FoldKernel] | None = None
        for fold in self.folds.each[:1] if self.folds.one_design else self.folds.each:
            columns = fold.design.columns
            if isinstance(self.model, LinearMachine):
                columns = self.model.extended(columns)
            self._columns.append(columns)
            if not (isinstance(self.model, LinearMachine) and self.model.squared):
                kernel = getattr(self.model, "kernel", _LINEAR)
                self._products.append(kernel.product(*Products.of(columns)))

    @property
    def size(self) -> int:
        """s."""
        return self.space.size

    def start(self) -> np.ndarray:
        """Where to begin, h (s,): where the kernel neither tells all rows apart nor none.

        C and ε are in proportion to the targets' spread and, of C, one over the kernel's.
        """
        fold = self.folds.each[0]
        used = np.flatnonzero(fold.training)
        scale = 1.0 if self.model.signed else float(np.std(fold.target[used]))
        gamma, cost = 1.0, 1.0
        if isinstance(self.model, KernelMachine):
            gamma, spread = self._width_and_spread(self.model.kernel, used)
            cost = _COST if self.model.kernel.has_width else 1.0
        else:
            spread = _variance(self._columns[0][used])
        if not (isinstance(self.model, LinearMachine) and self.model.squared):
            cost *= scale
        begin = {
            "C": cost / spread if spread > 0 else cost,
            "gamma": gamma,
            "epsilon": _EPSILON * scale,
        }
        return np.log([begin[name] for name in self.space.tuned])

    def shifts(self) -> list[np.ndarray]:
        """What to look at before a descent, as changes of h (s,) from its beginning."""
        chosen = _WITH_WIDTH if "gamma" in self.space.tuned else _WITHOUT
        places = [_NAMES.index(name) for name in self.space.tuned]
        each = dict.fromkeys(tuple(np.array(shift)[places]) for shift in chosen)
        return [np.array(shift) for shift in each]

    def again(self) -> int | None:
        """Which of these to descend from in any case."""
        return _LOWER if {"C", "gamma"} <= set(self.space.tuned) else None

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        with one_thread():
            each = [self._fold(h, i) for i in range(self.folds.count)]
        losses = np.array([loss for loss, _ in each])
        gradient = np.mean([slope for _, slope in each], axis=0)
        return Evaluation(h, float(losses.mean()), losses, gradient, None)

    def _fold(self, h: np.ndarray, i: int) -> tuple[float, np.ndarray]:
        tuned = {name: float(np.exp(h[at])) for name, at in self._positions.items()}
        values = {**self._settings[i], **tuned}
        try:
            solved = self._solve(i, values)
        except DualError as failure:
            where = ", ".join(f"{name}={value:.6g}" for name, value in values.items())
            raise SolveError(
                f"the machine cannot be fitted to rounding on the training rows of fold {i} "
                f"at {where}: {failure}. Lower the upper bound of C, or scale the columns."
            ) from None
        loss, gradient = 0.0, np.zeros(self.size)
        for problem, found in zip(self._problems[i], solved, strict=True):
            lost, slope = self.model.loss(found.values, problem.truth)
            loss += float(problem.share @ lost)
            derivatives = found.gradient(problem.share * slope)
            for name, at in self._positions.items():
                gradient[at] += derivatives[name]
        return loss, gradient

    def _solve(self, i: int, values: Mapping[str, float]) -> Sequence[Outcome | Squared]:
        model, problems = self.model, self._problems[i]
        kept = 0 if self.folds.one_design else i
        if not self._products:
            columns = self._columns[kept]
            return [solve_squared(columns, each, values, model.signed) for each in problems]
        codes = self.folds.each[i].target[:, 0] if model.signed else None
        kernel = self._kernel(kept, values.get("gamma", 1.0))
        if isinstance(model, KernelMachine):
            return solve_duals(kernel, problems, values, codes)
        guessed = partial(guess, self._columns[kept], signed=model.signed)
        return solve_duals(kernel, problems, values, codes, guessed)

    def _kernel(self, kept: int, gamma: float) -> FoldKernel:
        """That of folds which are of one design and have one γ is the same."""
        if self._last is None or self._last[0] != (kept, gamma):
            kernel = getattr(self.model, "kernel", _LINEAR)
            self._last = (kept, gamma), FoldKernel.of(kernel, self._products[kept], gamma)
        return self._last[1]

    def _width_and_spread(self, kernel: Kernel, used: np.ndarray) -> tuple[float, float]:
        """A γ to begin with, and the variance of the rows under the kernel with that used."""
        product = self._products[0][np.ix_(used, used)]
        extent = product.mean() / 2 if kernel.name == "rbf" else np.diag(product).mean()
        gamma = _WIDTH / extent if extent > 0 else 1.0
        at = gamma if "gamma" in self._positions else self._settings[0].get("gamma", 1.0)
        found = kernel.jets(product, at, 0)[0]
        return gamma, float(np.diag(found).mean() - found.mean())

    def _untuned(self, fold: Fold) -> dict[str, float]:
        """The settings of the estimator on one fold's training rows."""
        settings = {name: value for name, value in self.model.settings.items() if name != "gamma"}
        if isinstance(self.model, KernelMachine) and self.model.kernel.has_width:
            rows = np.flatnonzero(fold.training)
            settings["gamma"] = self.model.width(fold.design.columns[rows], self._drawn(fold)[rows])
        return {name: float(value) for name, value in settings.items()}

    def _drawn(self, fold: Fold) -> np.ndarray:
        """How often each row is in the training part."""
        if self.folds.weight is None:
            return (fold.training > 0).astype(int)
        weight = np.where(self.folds.weight > 0, self.folds.weight, 1.0)
        return np.rint(fold.training / weight).astype(int)


def _variance(columns: Matrix) -> float:
    """The sum of the columns' variances."""
    squares = columns.multiply(columns) if sparse.issparse(columns) else columns**2
    return float(np.sum(squares.mean(axis=0) - np.asarray(columns.mean(axis=0)) ** 2))
