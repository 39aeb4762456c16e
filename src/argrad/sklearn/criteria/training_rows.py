"""The training rows of one fold as sparse models need them: a few columns at a time.

Rows x_i of a centred design have weights r_i > 0; of most columns no more is ever needed than how
hard they pull, Σ_i r_i e_i x_i for errors e.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from argrad.sklearn.criteria.centred import Centred

# Columns up to which Q is formed at once, in one pass over the rows.
_FEW = 500


@dataclass
class TrainingRows:
    """The rows of a `design` (n, d) whose training weight (n,) is not zero."""

    design: Centred
    target: np.ndarray
    weight: np.ndarray
    fit_intercept: bool
    rows: np.ndarray = field(init=False)
    # Coefficients of each column, and their pulls where none is used.
    outputs: int = field(init=False, default=1)
    pull: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.rows = np.flatnonzero(self.weight)

    @property
    def least(self) -> float:
        """The least penalty at which no column is used."""
        return float(np.abs(self.pull).max())

    def columns(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Centred entries of the design, dense (len(rows), len(columns))."""
        X = self.design.columns
        part = X[rows][:, columns].toarray() if sparse.issparse(X) else X[np.ix_(rows, columns)]
        return part - self.design.centre[columns]

    def pulls(self, residual: np.ndarray) -> np.ndarray:
        """Σ_i e_i x_i (d, ...) of weighed errors e (n, ...) on the training rows."""
        weighed = np.zeros((len(self.weight), *residual.shape[1:]))
        weighed[self.rows] = residual
        total = np.multiply.outer(self.design.centre, weighed.sum(axis=0))
        return self.design.columns.T @ weighed - total


@dataclass
class LeastSquares(TrainingRows):
    """½ Σ_i r_i (x_i·w − u_i)² = ½ wᵀ Q w − qᵀ w + ..., with weights r of sum one.

    `mean` is the intercept at the centre of the columns, 0 without one, and u = y − mean. `pull` is
    q, of all columns. Q is formed for columns that have been needed: those `known`, in that order,
    and `place` says where among them each column is, −1 if it is not.
    """

    mean: float = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._r = self.weight[self.rows] / self.weight.sum()
        self.mean = float(self._r @ self.target[self.rows]) if self.fit_intercept else 0.0
        self._u = self.target[self.rows] - self.mean
        self.size = float(np.sqrt(self._r @ self._u**2))
        self.pull = self.pulls(self._r * self._u)
        d = len(self.pull)
        self.known, self.place = np.empty(0, dtype=int), np.full(d, -1)
        self.gram = np.zeros((0, 0))
        if d <= _FEW:
            curvature = np.zeros((len(self.weight), 1, 1))
            curvature[self.rows, 0, 0] = self._r
            self.known = self.place = np.arange(d)
            self.gram = self.design.gram(curvature)[:-1, :-1]

    def pulls_at(self, columns: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """q − Q w (d,) where these columns have these coefficients."""
        z = self.columns(self.rows, columns) @ coefficients
        return self.pulls(self._r * (self._u - z))

    def learn(self, columns: np.ndarray) -> None:
        """Form Q for these columns too."""
        new = columns[self.place[columns] < 0]
        if not len(new):
            return
        old = len(self.known)
        self.place[new] = old + np.arange(len(new))
        self.known = np.concatenate([self.known, new])
        gram = np.empty((len(self.known), len(self.known)))
        gram[:old, :old] = self.gram
        weighed = self._r[:, None] * self.columns(self.rows, new)
        gram[:, old:] = self.columns(self.rows, self.known).T @ weighed
        gram[old:, :old] = gram[:old, old:].T
        self.gram = gram

    def outcomes_of(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, float]:
        """What the outcomes (v, 1) of rows are linear in (v, 1, p), and the constant."""
        return self.columns(rows, columns)[:, None], self.mean
