"""Cross-validation folds, each preprocessed on its own training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.rows.designs import Matrix, as_design

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Fold:
    """Rows with two weights each: in `training` (n,), and in `validation` (n,), which sum to 1.

    A row that is not in a part has weight zero in it; one that is drawn several times counts as
    often. `rows` (n,) are their positions in X, None of rows that have been condensed.
    """

    design: Centred
    target: np.ndarray
    training: np.ndarray
    validation: np.ndarray
    rows: np.ndarray | None = None


@dataclass(frozen=True)
class Folds:
    """The folds, whether the model has an intercept, and the names of the design's columns.

    `weight` (n,) is that of each row by itself, where all folds are weights of one matrix.
    """

    each: list[Fold]
    fit_intercept: bool
    features: list[str]
    weight: np.ndarray | None = None

    @property
    def count(self) -> int:
        """k."""
        return len(self.each)

    @property
    def one_design(self) -> bool:
        """Whether all folds are weights of one matrix."""
        return self.weight is not None


def stack_folds(
    preprocess: Any | None,
    X: Any,
    y: np.ndarray,
    target: np.ndarray,
    splits: Sequence[Split],
    fit_intercept: bool,
    sample_weight: np.ndarray | None = None,
) -> Folds:
    """The folds of X (n, d), dense or sparse, with weights (n,), 1 if None.

    `preprocess` is an unfitted transformer (cloned for each fold) or None; without, the folds
    share one matrix. Rows of weight zero are left out, of preprocessing too. Where there is an
    intercept, the columns are centred on the training rows: the intercept takes that up, and the
    lower problem is better conditioned.

    Raises ValueError where a design is not numeric and finite, its width differs between folds, or
    a part of a fold has no row with a positive weight.
    """
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    used = [_with_weight(split, weight, i) for i, split in enumerate(splits)]
    if preprocess is None:
        columns = as_design(X)
        ones, rows = np.ones(len(y)), np.arange(len(y))
        each = [
            _fold(columns, ones, target, weight, train, valid, fit_intercept, rows)
            for train, valid in used
        ]
        return Folds(each, fit_intercept, feature_names(None, X, columns.shape[1]), weight)
    each, names = [], []
    for i, (train, valid) in enumerate(used):
        fitted = clone(preprocess)
        parts = (
            fitted.fit_transform(_safe_indexing(X, train), y[train]),
            fitted.transform(_safe_indexing(X, valid)),
        )
        designs = [as_design(part, f"the preprocessed X of fold {i}") for part in parts]
        columns = (
            sparse.csr_array(sparse.vstack(designs))
            if sparse.issparse(designs[0])
            else np.vstack(designs)
        )
        rows = np.concatenate([train, valid])
        positions = np.arange(len(train)), np.arange(len(train), len(rows))
        ones = np.ones(len(rows))
        of_fold = columns, ones, target[rows], weight[rows], *positions
        each.append(_fold(*of_fold, fit_intercept, rows))
        if i == 0:
            names = feature_names(fitted, X, columns.shape[1])
    widths = sorted({fold.design.shape[1] - 1 for fold in each})
    if len(widths) > 1:
        raise ValueError(
            f"preprocessing gives {widths[0]} columns in one fold and {widths[-1]} in another, "
            "so the folds have no model in common: fix the columns beforehand, for example with "
            "OneHotEncoder(categories=...)."
        )
    return Folds(each, fit_intercept, names)


def _with_weight(split: Split, weight: np.ndarray, fold: int) -> Split:
    train, valid = (np.asarray(part)[weight[part] > 0] for part in split)
    for part, rows in (("training", train), ("validation", valid)):
        if not len(rows):
            raise ValueError(
                f"no {part} row of fold {fold} has a positive weight: shuffle the folds, or leave "
                "out the rows whose weight is 0."
            )
    return train, valid


def _fold(
    columns: Matrix,
    ones: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    train: np.ndarray,
    valid: np.ndarray,
    fit_intercept: bool,
    rows: np.ndarray,
) -> Fold:
    n, d = columns.shape
    training = weight * np.bincount(train % n, minlength=n)
    validation = weight * np.bincount(valid % n, minlength=n)
    centre = training @ columns / training.sum() if fit_intercept else np.zeros(d)
    design, validation = Centred(columns, centre, ones), validation / validation.sum()
    return Fold(design, target, training, validation, rows)


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
