"""Folds of many rows, solved and differentiated together where the model has one output.

A pass over the rows (`argrad.sklearn.criteria.passes`) serves all folds. Steps are Newton's with
Hessians that are nearly right, which a fold may have had at other coefficients or shares with
others; linear systems are solved with the exact ones by conjugate gradients, preconditioned by
those. As the rows grow in number the folds become alike, and fewer passes are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.passes import Passes, Point
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.models import Model
from argrad.sklearn.rows.folds import Fold, Folds

_STEPS = 100
# Relative length of the step that is left at a solution, and up to which ones that no longer
# shrink are taken for rounding.
_SHORT, _ROUNDED = 1e-8, 1e-5
# Where a step is not shorter than the last by this factor, the Hessians are too old.
_OLD = 0.05
# Where they are new and it is still not by this one, folds are too different to have them nearly.
_APART = 0.5
# Relative residuals of the linear systems, of one and of a pair whose errors multiply, and
# iterations for it.
_RESIDUAL, _PAIRED, _ITERATIONS = 1e-8, 1e-4, 200
# Rows from which a first solution is started: a part, but so many a coefficient at least. Without
# one of two classes in them a fold has no solution, and is left alone after a few steps.
_PART, _EACH, _FEW = 1 / 16, 50, 15
# Numbers in all designs from which passes are worth their number.
_MANY = 500_000


@dataclass
class ManyRows:
    """The lower problems of all folds: `each` has those of one design, in the order of folds."""

    each: list[Together]

    @classmethod
    def of(cls, model: Model, folds: Folds) -> ManyRows | None:
        """None for folds that are not of this kind: few rows, sparse, or of several outputs."""
        first = folds.each[0]
        designs = [fold.design for fold in (folds.each[:1] if folds.one_design else folds.each)]
        one_output = model.outputs(first.target.shape[1]) == first.target.shape[1] == 1
        # The loss of rows has to be that of validation as well, and condensed rows are few.
        plain = type(model).validation_loss is Model.validation_loss and not model.squares
        plain = plain and model.judged is None
        if not (one_output and plain) or any(sparse.issparse(each.columns) for each in designs):
            return None
        if sum(each.columns.size for each in designs) < _MANY:
            return None
        shared = [folds.each] if folds.one_design else [[fold] for fold in folds.each]
        return cls([Together.of(model, some, folds.fit_intercept) for some in shared])

    def first(self, log_penalty: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Where to start from when nothing is known: y (k, q) for a part of the rows."""
        with one_thread():
            return self._joined([part.first(log_penalty, y) for part, y in self._apart(start)])

    def gradient(self, log_penalty: np.ndarray, start: np.ndarray) -> tuple:
        """((F, (losses, y*)), ∂F/∂θ (d,)) for θ (d,), from y (k, q)."""
        points, gradients = [], []
        with one_thread():
            for part, y in self._apart(start):
                points.append(part.solve(log_penalty, y))
                gradients.append(part.adjoint(log_penalty, points[-1]))
        losses = np.concatenate([point.validation for point in points])
        y = self._joined([point.W for point in points])
        return (losses.mean(), (losses, y)), np.concatenate(gradients, axis=1).mean(axis=1)

    def curve(self, log_penalty: np.ndarray, start: np.ndarray) -> list[tuple]:
        """(F, (losses, y*)) for θ (d,), and its first and second derivative in one number."""
        orders: list[list[tuple[np.ndarray, np.ndarray]]] = [[], [], []]
        with one_thread():
            for part, y in self._apart(start):
                point = part.solve(log_penalty, y)
                slope, W1, bend, W2 = part.curve(log_penalty, point)
                found = (point.validation, point.W), (slope, W1), (bend, W2)
                for order, one in zip(orders, found, strict=True):
                    order.append(one)
        results = []
        for order in orders:
            losses = np.concatenate([one for one, _ in order])
            results.append((losses.mean(), (losses, self._joined([W for _, W in order]))))
        return results

    def _apart(self, y: np.ndarray) -> Iterator[tuple[Together, np.ndarray]]:
        first = 0
        for part in self.each:
            last = first + part.passes.training.shape[1]
            yield part, y[first:last].T
            first = last

    def _joined(self, each: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(each, axis=1).T


@dataclass
class Together:
    """The lower problems Σ_i r_i ℓ(z_i, u_i) + ½ Σ_j e^θ_j w_j² of k folds with one design."""

    passes: Passes
    _hessians: np.ndarray | None = None
    _factors: list = field(default_factory=list)

    @classmethod
    def of(cls, model: Model, folds: Sequence[Fold], intercept: bool) -> Together:
        """Of folds that have one dense design in common."""
        return cls(Passes.of(model, folds, intercept))

    def solve(self, log_penalty: np.ndarray, start: np.ndarray, steps: int = _STEPS) -> Point:
        """Minimise all of them for θ (d,) from W (p, k); LowerError without convergence."""
        penalty = self._penalty(log_penalty)
        return self._newton(self.passes.at(start), penalty, steps)

    def first(self, log_penalty: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Where to start from when nothing is known: the solutions for a part of the rows."""
        n, p = self.passes.shape
        count = max(int(_PART * n), _EACH * p)
        if count >= n:
            return start
        rows = np.sort(np.random.default_rng(0).choice(n, count, replace=False))
        part = Together(self.passes.part(rows))
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                W = part.solve(log_penalty, start, _FEW).W
        except LowerError:
            return start
        self._hessians = part._hessians  # weights were scaled to the same total
        return W

    def adjoint(self, log_penalty: np.ndarray, point: Point) -> np.ndarray:
        """∂ validation loss/∂θ (d, k) of each fold."""
        penalty = self._penalty(log_penalty)
        right = -point.validation_gradient[:, None, :]
        u = self._solved(point, penalty, right, _RESIDUAL)[0][:, 0, :]
        return (penalty * point.W * u)[: len(log_penalty)]

    def curve(self, log_penalty: np.ndarray, point: Point) -> tuple[np.ndarray, ...]:
        """Derivatives in one number t = θ_j for all j: of the validation losses, and of W.

        Both first ones (k,), (p, k) and both second ones. With H w' = −Λ w and H u = −∂F/∂w they
        are F' = ∂F/∂w · w' and F'' = Σ v ℓ'' (x·w')² + u · b, where
        b = Σ r ℓ''' (x·w')² x + 2 Λ w' + Λ w and H w'' = −b. Taken as
        ∂F/∂w · w' + u · (Λ w + H w'), F' has an error that is the product of those of w' and u;
        the others are good to about four digits, w'' to fewer, enough to say where to go next.
        """
        penalty = self._penalty(log_penalty)
        pulled = penalty * point.W
        right = np.stack([-pulled, -point.validation_gradient], axis=1)
        found, residual = self._solved(point, penalty, right, _PAIRED)
        W1, u = np.moveaxis(found, 1, 0)
        third, bend = self.passes.twice(point, W1)
        b = third + 2 * penalty * W1 + pulled
        slope = np.sum(point.validation_gradient * W1 - u * residual[:, 0, :], axis=0)
        return slope, W1, bend + np.sum(u * b, axis=0), self._nearly(-b)

    def _newton(self, point: Point, penalty: np.ndarray, steps: int) -> Point:
        fresh, exact = self._hessians is None, False
        if fresh:
            self._hessians = self.passes.hessians(point)
        self._factorise(penalty)
        before = np.full(point.W.shape[1], np.inf)
        for _ in range(steps):
            gradient = point.gradient + penalty * point.W
            step = self._nearly(-gradient)
            size, length = (np.linalg.norm(each, axis=0) for each in (step, point.W))
            short = (size <= _SHORT * length) | (size == 0)
            apart = fresh & (size > _APART * before)
            # With the right Hessians steps shrink by far more, until only rounding is left.
            rounded = exact & apart & (size <= _ROUNDED * length)
            if np.all(short | rounded):
                # What the step that is left changes to first order costs no pass.
                rest = np.sum(point.validation_gradient * step, axis=0)
                return point._replace(validation=point.validation + rest)
            exact = exact or bool(apart.any())
            fresh = exact or (not fresh and bool(np.any(~short & (size > _OLD * before))))
            if fresh:
                self._hessians = self.passes.hessians(point, exact)
                self._factorise(penalty)
                step = self._nearly(-gradient)
            before = np.linalg.norm(step, axis=0)
            point = self._along(point, step, gradient, penalty)
        raise LowerError(f"it did not converge in {steps} Newton steps")

    def _along(
        self, point: Point, step: np.ndarray, gradient: np.ndarray, penalty: np.ndarray
    ) -> Point:
        """The point after as long a step in each fold as lowers its objective."""
        value, decrement = self._value(point, penalty), -np.sum(gradient * step, axis=0)
        alpha = np.ones(len(value))
        rounding = 1e-14 * (1.0 + np.abs(value))
        while True:
            # A trial that is not a number is not lower.
            with np.errstate(over="ignore", invalid="ignore"):
                trial = self.passes.at(point.W + alpha * step)
                lower = self._value(trial, penalty)
            failed = ~(lower <= value - 1e-4 * alpha * decrement + rounding)
            if not failed.any():
                return trial
            alpha = np.where(failed, alpha / 2, alpha)
            if alpha.min() < 1e-10:
                if not np.all(np.isfinite(lower)):
                    raise LowerError("its objective is not finite anywhere near")
                return trial

    def _value(self, point: Point, penalty: np.ndarray) -> np.ndarray:
        return point.training + 0.5 * np.sum(penalty * point.W**2, axis=0)

    def _penalty(self, log_penalty: np.ndarray) -> np.ndarray:
        """Λ (p, 1), which leaves the intercept out."""
        penalty = np.zeros((self.passes.shape[1], 1))
        penalty[: len(log_penalty), 0] = np.exp(log_penalty)
        return penalty

    def _factorise(self, penalty: np.ndarray) -> None:
        assert self._hessians is not None
        try:
            self._factors = [
                cho_factor(hessian + np.diag(penalty[:, 0]), lower=True, check_finite=False)
                for hessian in self._hessians
            ]
        except LinAlgError:
            raise LowerError(
                "its Hessian is singular to working precision: the penalty is too weak for "
                "columns of this scale"
            ) from None

    def _nearly(self, right: np.ndarray) -> np.ndarray:
        """H⁻¹ b for b (p, ..., k), with the Hessians that are nearly right."""
        solved = [
            cho_solve(factor, right[..., i], check_finite=False)
            for i, factor in enumerate(self._factors)
        ]
        return np.stack(solved, axis=-1)

    def _solved(
        self, point: Point, penalty: np.ndarray, right: np.ndarray, accuracy: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """x = H⁻¹ b for b (p, c, k), and b − H x, with the exact Hessians.

        By conjugate gradients in each column, until the residual is `accuracy` of b.
        """
        x, r = np.zeros_like(right), right
        z = self._nearly(r)
        direction, rz = z, np.sum(r * z, axis=0)
        first = rz
        for _ in range(_ITERATIONS):
            if np.all(rz <= accuracy**2 * first):
                return x, r
            product = self.passes.products(point, direction) + penalty[:, :, None] * direction
            bend = np.sum(direction * product, axis=0)
            if not np.all(bend >= 0):
                raise LowerError("where its gradient is zero there is no minimum")
            alpha = np.divide(rz, bend, out=np.zeros_like(rz), where=bend > 0)
            x, r = x + alpha * direction, r - alpha * product
            z = self._nearly(r)
            before, rz = rz, np.sum(r * z, axis=0)
            direction = (
                z + np.divide(rz, before, out=np.zeros_like(rz), where=before > 0) * direction
            )
        raise LowerError("the linear system of its derivative could not be solved")
