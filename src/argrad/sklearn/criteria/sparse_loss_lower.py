"""The lower problem of a sparse model with a smooth loss on the training rows of one fold.

For rows x_i of a centred design, with weights r, penalties λ (d,) and μ (d,)

    f(w, b) = Σ_i r_i ℓ(x_i·w + b, u_i) + ½ Σ_j μ_j w_j² + Σ_j λ_j |w_j|,

of m > 2 classes with w (d, m), b (m,) and the penalty of a column for each class. Coefficients are
numbered column by column, j m + c.

Newton's method for it has a lasso as each step: the loss is replaced by its quadratic model, from
which b is eliminated, and what is left is minimised by the signs of its coefficients, on the
columns that are in use and those that pull harder than their penalty holds. Near the solution the
signs stay, and steps are Newton's in the support alone, so it ends at rounding.

With m classes ℓ stays as it is where a column's coefficients, or the intercepts, are shifted by a
common number; the last b is held at zero. Σ_c |w_jc − s| is least where s is a median, so of an odd
number of classes one coefficient of every column is zero. Of an even number there may be an
interval of medians, at one end of which one is zero too: that solution is taken. The one that is
zero there pulls with all of its penalty, since the pulls of a column sum to zero, and goes on doing
so, and outcomes do not know which median was taken. So the others' curvature is regular either way.

Source: proximal Newton methods, Lee, Sun and Saunders 2014, SIAM J. Optim. 24(3); for the logistic
loss Friedman, Hastie and Tibshirani 2010, J. Stat. Software 33(1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.signs import (
    Quadratic,
    entering,
    factorised,
    held,
    minimise,
    solved,
)
from argrad.sklearn.criteria.sparse_lower import Support, lowered
from argrad.sklearn.criteria.training_rows import TrainingRows
from argrad.sklearn.models.logistic import LogisticModel

_STEPS, _HALVINGS = 100, 40
# A step in which no row's predictor moves by more is the last: the error that a Newton step leaves
# is quadratic in it. On the way to smaller penalties less will do; so short, f falls by rounding.
_SHORT, _ROUGH, _SURE = 1e-8, 1e-2, 1e-6
# What f falls by at least, of what its slope foretells, but for rounding.
_FALLS, _ROUNDING = 1e-4, 1e-14


class _Columns(NamedTuple):
    """Some p coefficients on the training rows: `X` (n, p) holds the column of each.

    `members[c]` says which of them are of class c.
    """

    X: np.ndarray
    members: list[Any]

    def times(self, w: np.ndarray) -> np.ndarray:
        """z (n, m) for coefficients w (p,)."""
        return np.stack([self.X[:, of] @ w[of] for of in self.members], axis=1)

    def pulls(self, e: np.ndarray) -> np.ndarray:
        """Σ_i x_i e_i (p,) for e (n, m)."""
        pulls = np.empty(self.X.shape[1])
        for c, of in enumerate(self.members):
            pulls[of] = self.X[:, of].T @ e[:, c]
        return pulls

    def gram(self, bend: np.ndarray) -> np.ndarray:
        """Σ_i of x_i times C_i times x_i (p, p), for curvatures C (n, m, m)."""
        if len(self.members) == 1:
            return self.X.T @ (bend[:, :, 0] * self.X)
        gram = np.empty((self.X.shape[1],) * 2)
        for a, of in enumerate(self.members):
            for b, other in enumerate(self.members[: a + 1]):
                block = self.X[:, of].T @ (bend[:, a, b, None] * self.X[:, other])
                gram[np.ix_(of, other)] = block
                gram[np.ix_(other, of)] = block.T
        return gram


class _Model(NamedTuple):
    """The quadratic model of the loss at a point, with the k free intercepts eliminated:

    ½ dᵀ Q d − gᵀ d for a change d (p,) of w, with which b changes by `level` − `centre`ᵀ d.
    `inverse` (k, k) is that of the curvature in b.
    """

    columns: _Columns
    centre: np.ndarray
    inverse: np.ndarray
    gram: np.ndarray
    slope: np.ndarray
    level: np.ndarray

    def shift(self, change: np.ndarray, m: int) -> np.ndarray:
        """The change of b (m,)."""
        shift = np.zeros(m)
        shift[: len(self.level)] = self.level - self.centre.T @ change
        return shift


@dataclass(frozen=True)
class SparseLossSolution:
    """The support, intercepts (m,) at the centre of the columns, and A = ∂²f/∂(w_S, b)².

    Of A there are the factor of the part in w_S with b eliminated, and of the `here` of the k free
    intercepts the rest. `third` makes of directions (n, m) the third derivative of the loss.
    """

    support: Support
    intercept: np.ndarray
    factor: Any
    here: _Model
    third: Callable[[np.ndarray], np.ndarray]

    @property
    def vector(self) -> np.ndarray:
        """w_S and the free intercepts."""
        return np.append(self.support.coefficients, self.intercept[: len(self.here.level)])

    def inverse_times(self, b: np.ndarray) -> np.ndarray:
        """A⁻¹ b."""
        S = len(self.support.columns)
        w = solved(self.factor, b[:S] - self.here.centre @ b[S:])
        return np.append(w, self.here.inverse @ b[S:] - self.here.centre.T @ w)

    def pushed(self, l1: np.ndarray, ridge: np.ndarray) -> np.ndarray:
        """∂G/∂t, see `OnSupport`."""
        return self._padded(l1 * self.support.signs + ridge * self.support.coefficients)

    def bent(self, l1: np.ndarray, ridge: np.ndarray, v1: np.ndarray) -> np.ndarray:
        """2 ∂²G/∂t∂v v₁ + ∂²G/∂v² (v₁, v₁)."""
        del l1
        w1, k = v1[: len(self.support.columns)], len(self.here.level)
        z1 = self.here.columns.times(w1)
        z1[:, :k] += v1[len(w1) :]
        squares = self.third(z1)
        bent = 2.0 * ridge * w1 + self.here.columns.pulls(squares)
        return np.append(bent, squares.sum(axis=0)[:k])

    def _padded(self, w: np.ndarray) -> np.ndarray:
        return np.append(w, np.zeros(len(self.here.level)))


@dataclass
class SparseLossProblem(TrainingRows):
    """f of one fold, with the loss of a model of classes, whose target is (n, m)."""

    loss: LogisticModel

    def __post_init__(self) -> None:
        super().__post_init__()
        self.outputs = self.target.shape[1]
        self._free = max(self.outputs - 1, 1) if self.fit_intercept else 0
        self._r = self.loss.row_weights(self.target, self.weight)[self.rows]
        self._u = self.target[self.rows]
        nothing = np.zeros((len(self.rows), self.outputs))
        self._level = self._levelled(nothing, np.zeros(self.outputs))
        self.pull = self._pulls(nothing + self._level)

    def outcomes_of(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, float]:
        """What the outcomes (v, m) of rows are linear in (v, m, p), and the constant."""
        X, m = self.columns(rows, columns // self.outputs), self.outputs
        outcomes = np.zeros((len(rows), m, len(columns) + self._free))
        for c in range(m):
            of = np.flatnonzero(columns % m == c)
            outcomes[:, c, of] = X[:, of]
        outcomes[:, :, len(columns) :] = np.eye(m)[:, : self._free]
        return outcomes, 0.0

    def solve(self, l1: np.ndarray, ridge: np.ndarray, start: Support) -> SparseLossSolution:
        """The solution at penalties λ = `l1` (d,) and μ = `ridge` (d,), begun at `start`.

        Raises `LowerError` where the columns of the support are linearly dependent.
        """
        l1, ridge = np.repeat(l1, self.outputs), np.repeat(ridge, self.outputs)
        support, b = self._begun_at(l1, ridge, start)
        columns = self._columns(support.columns)
        z = columns.times(support.coefficients) + b
        here = self._model(columns, z)
        system = here.gram.copy()
        system[np.diag_indices(len(system))] += ridge[support.columns]

        def third(z1: np.ndarray) -> np.ndarray:
            return self._r[:, None] * self.loss.third(z, z1)

        factor = factorised(system)
        if factor is None:
            raise LowerError("the columns that it needs are linearly dependent")
        return SparseLossSolution(support, b, factor, here, third)

    def _begun_at(
        self, l1: np.ndarray, ridge: np.ndarray, start: Support
    ) -> tuple[Support, np.ndarray]:
        if not len(start.columns):
            support, b = start, self._level
            for factor in lowered(self.pull, l1):
                support, b = self._solve(factor * l1, ridge, support, b, _ROUGH)
            return self._solve(l1, ridge, support, b, _SHORT)
        z = self._columns(start.columns).times(start.coefficients)
        try:
            return self._solve(l1, ridge, start, self._levelled(z, self._level), _SHORT)
        except LowerError:
            # Far from the solution all rows may be so sure that nothing curves.
            return self._begun_at(l1, ridge, Support.empty())

    def _solve(
        self, l1: np.ndarray, ridge: np.ndarray, start: Support, b: np.ndarray, short: float
    ) -> tuple[Support, np.ndarray]:
        support, bound, moved = start, held(l1, self.least), np.inf
        z = self._columns(support.columns).times(support.coefficients) + b
        for _ in range(_STEPS):
            excess = np.abs(self._pulls(z)) - bound
            excess[support.columns] = -np.inf
            outside = np.flatnonzero(excess > 0)
            if moved <= short and not len(outside):
                return support, b
            strongest = np.argsort(-excess[outside])[: entering(len(support.columns))]
            W = np.concatenate([support.columns, outside[strongest]])
            w = np.zeros(len(W))
            w[: len(support.columns)] = support.coefficients
            here = self._model(self._columns(W), z)
            pull = here.gram @ w + here.slope
            size = float(np.sqrt(pull @ w + here.slope @ here.slope))
            quadratic = Quadratic(here.gram, pull, l1[W], ridge[W], bound[W], size)
            change = minimise(quadratic, w) - w
            shift = here.shift(change, self.outputs)
            along = here.columns.times(change) + shift
            moved = float(np.abs(along).max())
            t = 1.0
            if moved > _SURE:
                t = self._falling(z, along, w, change, l1[W], ridge[W])
                moved = moved if t == 1.0 else np.inf
            support = Support.of(W, w + t * change)
            b = b + t * shift
            z = z + t * along
        raise LowerError("Newton's method does not come to an end, its penalties are so small")

    def _columns(self, coefficients: np.ndarray) -> _Columns:
        column, of = coefficients // self.outputs, coefficients % self.outputs
        members: list[Any] = [np.flatnonzero(of == c) for c in range(self.outputs)]
        if self.outputs == 1:  # without a copy
            members = [slice(None)]
        return _Columns(self.columns(self.rows, column), members)

    def _model(self, columns: _Columns, z: np.ndarray) -> _Model:
        """The model of the loss at predictors z (n, m) over columns."""
        bend = self._r[:, None, None] * self.loss.curvature(z, self._u)
        error, k = -self._slopes(z), self._free
        slope, gram = columns.pulls(error), columns.gram(bend)
        inverse = np.linalg.inv(bend.sum(axis=0)[:k, :k])
        level = inverse @ error.sum(axis=0)[:k]
        cross = np.zeros((len(slope), k))
        for c in range(k):
            cross[:, c] = columns.pulls(bend[:, :, c])
        centre = cross @ inverse
        return _Model(
            columns, centre, inverse, gram - centre @ cross.T, slope - cross @ level, level
        )

    def _falling(
        self,
        z: np.ndarray,
        along: np.ndarray,
        w: np.ndarray,
        change: np.ndarray,
        l1: np.ndarray,
        ridge: np.ndarray,
    ) -> float:
        """The length, 1 or a power of ½, of a step along which f falls as its model foretells."""

        def f(t: float) -> float:
            v = w + t * change
            loss = self._r @ self.loss.loss(z + t * along, self._u, np)
            return float(loss + l1 @ np.abs(v) + 0.5 * ridge @ v**2)

        held_before, held_after = l1 @ np.abs(w), l1 @ np.abs(w + change)
        falls = np.sum(self._slopes(z) * along)
        slope = falls + ridge @ (w * change) + held_after - held_before
        t = 1.0
        before = f(0.0) * (1.0 + _ROUNDING)
        for _ in range(_HALVINGS):
            if f(t) <= before + _FALLS * t * slope:
                return t
            t /= 2
        raise LowerError("no step lowers its objective, its penalties are so small")

    def _slopes(self, z: np.ndarray) -> np.ndarray:
        """r ∂ℓ/∂z (n, m) at predictors z."""
        return self._r[:, None] * self.loss.gradient(z, self._u)

    def _pulls(self, z: np.ndarray) -> np.ndarray:
        """Of all coefficients (d m,) at predictors z."""
        return self.pulls(-self._slopes(z)).ravel()

    def _levelled(self, z: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The intercepts (m,) that are best beside predictors z, begun at b: Newton's, halved."""
        if not self.fit_intercept:
            return np.zeros(self.outputs)
        nothing = np.zeros(0)
        columns = self._columns(np.zeros(0, dtype=int))
        for _ in range(_STEPS):
            shift = self._model(columns, z + b).shift(nothing, self.outputs)
            t, longest = 1.0, float(np.abs(shift).max())
            if longest > _SURE:
                along = np.broadcast_to(shift, z.shape)
                t = self._falling(z + b, along, nothing, nothing, nothing, nothing)
            b = b + t * shift
            if longest <= _SURE:
                break
        return b
