"""Passes over the rows of one matrix for all of its folds at once.

With many rows a search does little else than read them, so whatever is needed of a row is taken
from it while it is in the cache, for every fold: coefficients W (p, k) of k folds make one matrix
product a block of rows, whose training and validation rows are weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from joblib import cpu_count

from argrad.sklearn.criteria.precision import double_precision
from argrad.sklearn.models import Model
from argrad.sklearn.rows.folds import Fold

# Numbers of a block of rows, which with their products have to stay in a processor's cache.
_BLOCK = 1 << 17
# Sets of rows that train the same folds, up to which they have Hessians of their own.
_MOST_SETS = 64
# With more threads the rows do not come from memory any faster.
_MOST_THREADS = 8


class Point(NamedTuple):
    """All folds at their coefficients W (p, k): sums over training and over validation rows.

    `training` and `validation` (k,) are the losses, `gradient` and `validation_gradient` (p, k)
    their derivatives with respect to W, without the penalty; `second` and `third` (n, k) are
    those of each row's loss with respect to its predictor.
    """

    W: np.ndarray
    training: np.ndarray
    validation: np.ndarray
    gradient: np.ndarray
    validation_gradient: np.ndarray
    second: np.ndarray
    third: np.ndarray


@dataclass(frozen=True)
class Passes:
    """The design [X − 1 cᵀ, 1] (n, p), or [X] without an intercept, and weights (n, k) of rows.

    All folds are centred alike, at c: their intercepts are not penalised, and take that up.
    """

    model: Model
    columns: np.ndarray
    centre: np.ndarray
    intercept: bool
    target: np.ndarray
    training: np.ndarray
    validation: np.ndarray

    @classmethod
    def of(cls, model: Model, folds: Sequence[Fold], intercept: bool) -> Passes:
        """Of folds that have one dense design, of ones, in common."""
        return cls(
            model,
            folds[0].design.columns,
            np.mean([fold.design.centre for fold in folds], axis=0),
            intercept,
            folds[0].target,
            np.stack([fold.training for fold in folds], axis=1),
            np.stack([fold.validation for fold in folds], axis=1),
        )

    def part(self, rows: np.ndarray) -> Passes:
        """Of some rows only, with the same total weight in training."""
        training = self.training[rows]
        total = training.sum(axis=0)
        training = training * (self.training.sum(axis=0) / np.where(total > 0, total, 1.0))
        return Passes(
            self.model,
            self.columns[rows],
            self.centre,
            self.intercept,
            self.target[rows],
            training,
            self.validation[rows],
        )

    @property
    def shape(self) -> tuple[int, int]:
        n, d = self.columns.shape
        return n, d + self.intercept

    def at(self, W: np.ndarray) -> Point:
        """The losses and their derivatives at W (p, k), in one pass."""
        (n, _), k = self.shape, W.shape[1]
        second, third = np.empty((n, k)), np.empty((n, k))
        length = self._length()

        def work(rows: slice, block: np.ndarray) -> tuple[np.ndarray, ...]:
            z = self._predictor(block, W)
            with double_precision():
                loss, first, second[rows], third[rows] = _derivatives(
                    self.model, z, self.target[rows], length
                )
            weights = self.training[rows], self.validation[rows]
            losses = [_weighed(weight, loss).sum(axis=0) for weight in weights]
            slopes = np.hstack([_weighed(weight, first) for weight in weights])
            return *losses, self._transposed(block, slopes)

        training, validation, slopes = self._sums(work)
        gradient, validation_gradient = np.split(self._centred(slopes), 2, axis=1)
        return Point(W, training, validation, gradient, validation_gradient, second, third)

    def products(self, point: Point, V: np.ndarray) -> np.ndarray:
        """The Hessians of the training losses times V (p, c, k), c vectors a fold."""
        p, c, k = V.shape
        flat = V.reshape(p, c * k)

        def work(rows: slice, block: np.ndarray) -> tuple[np.ndarray, ...]:
            z = self._predictor(block, flat).reshape(-1, c, k)
            weight = _weighed(self.training[rows], point.second[rows])
            return (self._transposed(block, (z * weight[:, None, :]).reshape(-1, c * k)),)

        return self._centred(*self._sums(work)).reshape(p, c, k)

    def twice(self, point: Point, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Second derivatives along V (p, k): of the training gradients, and validation losses.

        Σ r ℓ''' (x·v)² x of shape (p, k), and Σ v ℓ'' (x·v)² of shape (k,).
        """

        def work(rows: slice, block: np.ndarray) -> tuple[np.ndarray, ...]:
            squares = self._predictor(block, V) ** 2
            bend = squares * _weighed(self.validation[rows], point.second[rows])
            slopes = squares * _weighed(self.training[rows], point.third[rows])
            return self._transposed(block, slopes), bend.sum(axis=0)

        slopes, bend = self._sums(work)
        return self._centred(slopes), bend

    def hessians(self, point: Point, exact: bool = False) -> np.ndarray:
        """The Hessians (k, p, p) of the training losses, nearly, for the price of one.

        Rows that train the same folds have the mean of their curvatures in these; `exact` has
        each fold's own, for the price of k.
        """
        if exact:
            weights = _weighed(self.training, point.second)
            grams = [self._grams(weight, np.zeros(len(weight), int), 1) for weight in weights.T]
            return np.concatenate(grams)
        sets, number = self._sets()
        most = self.training.max(axis=1)
        total = self.training.sum(axis=1)
        curvature = _weighed(self.training, point.second).sum(axis=1)
        weight = most * np.divide(curvature, total, out=np.zeros_like(total), where=total > 0)
        of_sets = self._grams(weight, number, sets)
        size = np.bincount(number, most, sets)
        shares = [np.bincount(number, training, sets) for training in self.training.T]
        return np.einsum("ks,sab->kab", np.array(shares) / np.where(size > 0, size, 1.0), of_sets)

    def _sets(self) -> tuple[int, np.ndarray]:
        """How many sets of rows train the same folds, and which each row (n,) belongs to."""
        k = self.training.shape[1]
        if k <= 62:
            key = (self.training > 0) @ (1 << np.arange(k, dtype=np.int64))
            sets, number = np.unique(key, return_inverse=True)
            if len(sets) <= _MOST_SETS:
                return len(sets), number
        return 1, np.zeros(len(self.training), dtype=int)

    def _grams(self, weight: np.ndarray, number: np.ndarray, sets: int) -> np.ndarray:
        """Σ_i weight_i x_i x_iᵀ of each set: (sets, p, p)."""
        p, d = self.shape[1], len(self.centre)

        def work(rows: slice, block: np.ndarray) -> tuple[np.ndarray, ...]:
            order = np.argsort(number[rows], kind="stable")
            sorted_weight = weight[rows][order][:, None]
            scaled = np.ones((len(block), p))
            scaled[:, :d] = block[order]
            if self.intercept:
                scaled[:, :d] -= self.centre
            scaled *= np.sqrt(np.abs(sorted_weight))
            signed = scaled * np.sign(sorted_weight) if sorted_weight.min() < 0 else scaled
            ends = np.cumsum(np.bincount(number[rows], minlength=sets))
            parts = zip(np.append(0, ends), ends, strict=False)
            return (np.stack([scaled[a:b].T @ signed[a:b] for a, b in parts]),)

        return self._sums(work)[0]

    def _sums(
        self, work: Callable[[slice, np.ndarray], tuple[np.ndarray, ...]]
    ) -> list[np.ndarray]:
        """The sums over blocks of rows of what `work` makes of each, shared out among threads."""
        n, length = len(self.columns), self._length()
        firsts = range(0, n, length)

        def part(firsts: Sequence[int]) -> list[np.ndarray]:
            sums: list[np.ndarray] = []
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                for first in firsts:
                    rows = slice(first, min(first + length, n))
                    found = work(rows, self.columns[rows])
                    sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else [*found]
            return sums

        threads = min(cpu_count(), _MOST_THREADS, len(firsts))
        if threads == 1:
            return part(firsts)
        ends = np.linspace(0, len(firsts), threads + 1).astype(int)
        shares = [firsts[a:b] for a, b in itertools.pairwise(ends)]
        with ThreadPoolExecutor(threads) as pool:
            return [np.sum(each, axis=0) for each in zip(*pool.map(part, shares), strict=True)]

    def _length(self) -> int:
        return min(max(_BLOCK // self.shape[1], 64), len(self.columns))

    def _predictor(self, block: np.ndarray, W: np.ndarray) -> np.ndarray:
        if not self.intercept:
            return block @ W
        return block @ W[:-1] + (W[-1] - self.centre @ W[:-1])

    def _transposed(self, block: np.ndarray, r: np.ndarray) -> np.ndarray:
        """rᵀ [X, 1] of a block."""
        product = r.T @ block
        return np.column_stack([product, r.sum(axis=0)]) if self.intercept else product

    def _centred(self, total: np.ndarray) -> np.ndarray:
        """[X − 1 cᵀ, 1]ᵀ r (p, c) from the transpose of [X, 1]ᵀ r."""
        if self.intercept:
            total = total - np.outer(total[:, -1], np.append(self.centre, 0.0))
        return total.T


def _weighed(weight: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The product, zero in rows without weight, which may lie where a loss is infinite."""
    product = weight * numbers
    return product if np.isfinite(product.sum()) else np.where(weight > 0, product, 0.0)


def _derivatives(
    model: Model, z: np.ndarray, target: np.ndarray, length: int
) -> tuple[np.ndarray, ...]:
    """ℓ and its first three derivatives in z (n, k), each (n, k), compiled for `length` rows."""
    n = len(z)
    if n < length:
        z = np.pad(z, ((0, length - n), (0, 0)), mode="edge")
        target = np.pad(target, ((0, length - n), (0, 0)), mode="edge")
    return tuple(np.asarray(each)[:n] for each in _program(model, z, target))


@partial(jax.jit, static_argnums=0)
def _program(model, z, target):
    one = jnp.ones_like(z)

    def loss(z):
        return model.loss(z[..., None], target[:, None, :], jnp)

    def derivative(function):
        return lambda z: jax.jvp(function, (z,), (one,))[1]

    first = derivative(loss)
    second = derivative(first)
    return loss(z), first(z), second(z), derivative(second)(z)
