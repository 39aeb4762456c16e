"""Folds of a sum of squares, condensed: as few rows as there are columns say all of it.

With [A, u] = Q R, ‖A w − u‖² = ‖R₁ w − r₂‖² for every w. Unlike Gram matrices, R keeps all the
digits, and it has rows like any other, so that nothing further on knows of it.

Source: Golub and Van Loan 2013, Matrix Computations, section 5.3; by blocks of rows, Demmel,
Grigori, Hoemmen and Langou 2012, Communication-optimal QR.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import qr

from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.rows.folds import Fold, Folds

# Patterns of membership, a bit for each part of each fold, that fit into an integer.
_BITS = 62


def condense(folds: Folds) -> Folds:
    """The same sums of squares in fewer rows, where that are fewer."""
    first = folds.each[0]
    rows = 2 * (first.design.shape[1] + first.target.shape[1])
    n = min(len(fold.target) for fold in folds.each)
    if n <= 2 * rows or sparse.issparse(first.design.columns):
        return folds
    # Blocks fit into a cache, where several threads mostly wait for each other.
    with one_thread():
        return _condense(folds, n // rows)


def _condense(folds: Folds, most: int) -> Folds:
    if folds.one_design:
        shared = _by_membership(folds, most)
        if shared is not None:
            return shared
    each: list[Fold] = []
    for fold in folds.each:
        training, validation = (
            _factor(fold.design, fold.target, weight) for weight in (fold.training, fold.validation)
        )
        each.append(_fold(training, validation, fold.target.shape[1]))
    return Folds(each, folds.fit_intercept, folds.features)


def _by_membership(folds: Folds, most: int) -> Folds | None:
    """Rows that belong to the same parts of the same folds are factorised once for all of them.

    None where these are more than `most` sets, or some rows are drawn more often than others.
    """
    weight = folds.weight
    assert weight is not None
    parts = [part for fold in folds.each for part in (fold.training, fold.validation)]
    if len(parts) > _BITS:
        return None
    key, multiples = np.zeros(len(weight), dtype=np.int64), []
    for bit, part in enumerate(parts):
        member = part > 0
        ratio = part[member] / weight[member]
        if np.ptp(ratio) > 1e-9 * ratio[0]:
            return None
        key |= member.astype(np.int64) << bit
        multiples.append(ratio[0])
    sets = [int(bits) for bits in np.unique(key) if bits]
    if len(sets) > most:
        return None
    design, target = folds.each[0].design, folds.each[0].target
    factors = {bits: _factor(design, target, np.where(key == bits, weight, 0.0)) for bits in sets}

    def joined(bit: int, centre: np.ndarray) -> np.ndarray:
        factor = _triangle(np.vstack([factors[bits] for bits in sets if bits >> bit & 1]))
        d = len(centre)
        factor[:, :d] -= np.outer(factor[:, d], centre - design.centre)
        return np.sqrt(multiples[bit]) * factor

    each = []
    for i, fold in enumerate(folds.each):
        training, validation = (joined(bit, fold.design.centre) for bit in (2 * i, 2 * i + 1))
        each.append(_fold(training, validation, target.shape[1]))
    return Folds(each, folds.fit_intercept, folds.features)


def _factor(design: Centred, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """R of the rows [A, u], each times the root of its weight."""
    factor = np.zeros((0, design.shape[1] + target.shape[1]))
    for rows, block in design.blocks(weight > 0):
        joined = np.sqrt(weight[rows])[:, None] * np.hstack([block, target[rows]])
        factor = _triangle(np.vstack([factor, joined]))
    return factor


def _triangle(rows: np.ndarray) -> np.ndarray:
    """R, without rows of zeros below."""
    return qr(rows, mode="r", overwrite_a=True, check_finite=False)[0][: rows.shape[1]]


def _fold(training: np.ndarray, validation: np.ndarray, t: int) -> Fold:
    rows = np.vstack([training, validation])
    d = rows.shape[1] - t - 1
    in_training = np.repeat([1.0, 0.0], [len(training), len(validation)])
    design = Centred(np.ascontiguousarray(rows[:, :d]), np.zeros(d), rows[:, d])
    return Fold(design, rows[:, d + 1 :], in_training, 1.0 - in_training)
