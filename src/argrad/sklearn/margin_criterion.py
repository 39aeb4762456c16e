"""The k-fold criterion of support vector machines, exact on the piece that the solution is on.

Each fold's solution is a smooth function of the log hyperparameters as long as no row enters or
leaves the margin; where one does, F is continuous and its gradient jumps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from argrad import SolveError
from argrad.sklearn.criterion import Evaluation
from argrad.sklearn.folds import Fold, Folds
from argrad.sklearn.kernel_criterion import Products
from argrad.sklearn.kernel_machine import solve
from argrad.sklearn.margin_dual import DualError
from argrad.sklearn.models.margins import Rows
from argrad.sklearn.models.svm import KernelMachine
from argrad.sklearn.space import Space
from argrad.sklearn.threads import one_thread

# An insensitivity to begin with, and C, relative to the targets' spread.
_EPSILON, _COST = 0.1, 1.0


@dataclass
class MarginCriterion:
    """F(h) = mean over folds of the mean loss of validation rows at e^h, with ∂F/∂h.

    Calling it raises `argrad.SolveError` where a fold is not solved to rounding.
    """

    model: KernelMachine
    folds: Folds
    space: Space

    shared = False  # evaluations have no curvature

    def __post_init__(self) -> None:
        kept = self.folds.each[:1] if self.folds.one_design else self.folds.each
        self._products = [Products.of(fold) for fold in kept]
        self._problems = [
            self.model.problems(Rows(f.target[:, 0], f.training, f.validation, self._drawn(f)))
            for f in self.folds.each
        ]
        self._positions = self.space.positions()
        self._settings = [self._untuned(fold) for fold in self.folds.each]

    @property
    def size(self) -> int:
        """s."""
        return self.space.size

    def start(self) -> np.ndarray:
        """Where to begin, h (s,): where the kernel neither tells all rows apart nor none.

        C and ε are in proportion to the targets' spread and, of C, one over the kernel's.
        """
        gram, squares = self._products[0]
        fold, kernel = self.folds.each[0], self.model.kernel
        used = np.flatnonzero(fold.training)
        gram, squares = gram[np.ix_(used, used)], squares[np.ix_(used, used)]
        extent = squares.mean() / 2 if kernel.name == "rbf" else np.diag(gram).mean()
        gamma = 1.0 / extent if extent > 0 else 1.0
        at = gamma if "gamma" in self._positions else self._settings[0].get("gamma", 1.0)
        found = kernel.jets(gram, squares, at, 0)[0]
        spread = np.diag(found).mean() - found.mean()
        scale = 1.0 if self.model.signed else float(np.std(fold.target[used]))
        begin = {
            "C": _COST * scale / spread if spread > 0 else scale,
            "gamma": gamma,
            "epsilon": _EPSILON * scale,
        }
        return np.log([begin[name] for name in self.space.tuned])

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        with one_thread():
            each = [self._fold(h, i) for i in range(self.folds.count)]
        losses = np.array([loss for loss, _ in each])
        gradient = np.mean([slope for _, slope in each], axis=0)
        return Evaluation(h, float(losses.mean()), losses, gradient, None)

    def _fold(self, h: np.ndarray, i: int) -> tuple[float, np.ndarray]:
        products = self._products[0 if self.folds.one_design else i]
        tuned = {name: float(np.exp(h[at])) for name, at in self._positions.items()}
        values = {**self._settings[i], **tuned}
        loss, gradient = 0.0, np.zeros(self.size)
        for problem in self._problems[i]:
            try:
                found = solve(self.model.kernel, products, problem, values, self.model.signed)
            except DualError as failure:
                where = ", ".join(f"{name}={value:.6g}" for name, value in values.items())
                raise SolveError(
                    f"the training rows of fold {i} are not separated to rounding at {where}: "
                    f"{failure}. Lower the upper bound of C, or scale the columns."
                ) from None
            lost, slope = self.model.loss(found.values, problem.truth)
            loss += float(problem.share @ lost)
            derivatives = found.gradient(problem.share * slope)
            for name, at in self._positions.items():
                gradient[at] += derivatives[name]
        return loss, gradient

    def _untuned(self, fold: Fold) -> dict[str, float]:
        """The settings of the estimator on one fold's training rows."""
        settings = {name: value for name, value in self.model.settings.items() if name != "gamma"}
        if self.model.kernel.has_width:
            rows = np.flatnonzero(fold.training)
            settings["gamma"] = self.model.width(fold.design.columns[rows], self._drawn(fold)[rows])
        return {name: float(value) for name, value in settings.items()}

    def _drawn(self, fold: Fold) -> np.ndarray:
        """How often each row is in the training part."""
        if self.folds.weight is None:
            return (fold.training > 0).astype(int)
        weight = np.where(self.folds.weight > 0, self.folds.weight, 1.0)
        return np.rint(fold.training / weight).astype(int)
