"""Cross-validation folds as stacked arrays, each preprocessed on its own training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from argrad.sklearn.designs import as_design

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Rows:
    """Rows of k folds, filled up to one length with rows of weight zero.

    `design` (k, n, p) ends with a column of ones if there is an intercept; `target` is
    (k, n, m), `weight` (k, n); `counts` holds the true numbers of rows.
    """

    design: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    counts: np.ndarray

    def fold(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Design and target of fold i without the rows that fill up."""
        return self.design[i, : self.counts[i]], self.target[i, : self.counts[i]]


@dataclass(frozen=True)
class Folds:
    """Training and validation rows of every fold, and the names of the design's columns.

    Training weights are 1; those of validation 1/count, so that sums are means.
    """

    training: Rows
    validation: Rows
    features: list[str]

    @property
    def count(self) -> int:
        """k."""
        return len(self.training.counts)


def stack_folds(
    preprocess: Any | None,
    X: Any,
    y: np.ndarray,
    target: np.ndarray,
    splits: Sequence[Split],
    fit_intercept: bool,
) -> Folds:
    """Preprocess and stack the folds.

    `preprocess` is an unfitted transformer (cloned for each fold) or None. Where there is an
    intercept, the columns are centred on the training rows: the intercept takes that up, and the
    lower problem is better conditioned.

    Raises ValueError where a design is not numeric, finite and dense, or its width differs
    between folds.
    """
    training, validation, names = [], [], []
    for i, (train, valid) in enumerate(splits):
        raw = _safe_indexing(X, train), _safe_indexing(X, valid)
        fitted = None
        if preprocess is not None:
            fitted = clone(preprocess)
            raw = fitted.fit_transform(raw[0], y[train]), fitted.transform(raw[1])
        where = "X" if fitted is None else f"the preprocessed X of fold {i}"
        design, held_out = as_design(raw[0], where), as_design(raw[1], where)
        if fit_intercept:
            centre = design.mean(axis=0)
            design, held_out = design - centre, held_out - centre
        training.append(design)
        validation.append(held_out)
        if i == 0:
            names = feature_names(fitted, X, design.shape[1])
    widths = sorted({design.shape[1] for design in training})
    if len(widths) > 1:
        raise ValueError(
            f"preprocessing gives {widths[0]} columns in one fold and {widths[-1]} in another, "
            "so the folds have no model in common: fix the columns beforehand, for example with "
            "OneHotEncoder(categories=...)."
        )

    def stack(designs: list[np.ndarray], rows: list[np.ndarray], weight: Callable[[int], float]):
        return _stack(designs, [target[index] for index in rows], weight, fit_intercept)

    return Folds(
        stack(training, [train for train, _ in splits], lambda count: 1.0),
        stack(validation, [valid for _, valid in splits], lambda count: 1.0 / count),
        names,
    )


def _stack(
    designs: list[np.ndarray],
    targets: list[np.ndarray],
    weight: Callable[[int], float],
    fit_intercept: bool,
) -> Rows:
    counts = np.array([len(design) for design in designs])
    shape = (len(designs), counts.max())
    d, m = designs[0].shape[1], targets[0].shape[1]
    rows = Rows(
        np.zeros((*shape, d + fit_intercept)), np.zeros((*shape, m)), np.zeros(shape), counts
    )
    for i, (design, target) in enumerate(zip(designs, targets, strict=True)):
        rows.design[i, : counts[i], :d] = design
        rows.design[i, : counts[i], d:] = 1.0
        rows.target[i, : counts[i]] = target
        rows.weight[i, : counts[i]] = weight(counts[i])
    return rows


def feature_names(fitted: Any | None, X: Any, width: int) -> list[str]:
    """Names of the columns that the model sees: those known, or x0, x1, ..."""
    if fitted is None:
        names = getattr(X, "columns", None)
    else:
        try:
            names = fitted.get_feature_names_out()
        except (AttributeError, ValueError, NotImplementedError):
            names = None
    if names is None or len(names) != width:
        return [f"x{j}" for j in range(width)]
    return [str(name) for name in names]
