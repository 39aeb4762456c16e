"""More columns than rows: the same fits with as many coefficients as rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.rows.folds import Fold, Folds

# So many columns a row make it worth while.
_COLUMNS = 2


def in_row_space(folds: Folds) -> Folds:
    """Folds with the same fits under one penalty ½ λ ‖w‖², in at most n columns where d ≥ 2 n.

    What the rows span holds the solution: any part of w orthogonal to it changes no prediction and
    is penalised. With Xᵀ = Q R for the rows of a fold, w = Q v has ‖w‖ = ‖v‖ and X w = Rᵀ v, so
    that Rᵀ (n, n) takes the place of X (n, d). Sparse designs stay as they are.

    Source: the representer theorem; Hastie and Tibshirani 2004, Biostatistics 5:329–340.
    """
    shapes = [fold.design.columns.shape for fold in folds.each]
    rows = max(n for n, _ in shapes)
    if any(
        sparse.issparse(f.design.columns) or _COLUMNS * rows > f.design.columns.shape[1]
        for f in folds.each
    ):
        return folds
    known: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    each = [_rotated(fold, rows, known) for fold in folds.each]
    return replace(folds, each=each, features=[f"direction {j}" for j in range(rows)])


def _rotated(fold: Fold, rows: int, known: dict[int, tuple[np.ndarray, np.ndarray]]) -> Fold:
    """A fold in directions that its rows span, and zeros up to so many columns."""
    design = fold.design
    if id(design.columns) not in known:  # folds may share one matrix
        q, r = np.linalg.qr(design.columns.T)
        known[id(design.columns)] = q, np.pad(r.T, ((0, 0), (0, rows - r.shape[0])))
    q, columns = known[id(design.columns)]
    centre = np.pad(design.centre @ q, (0, rows - q.shape[1]))
    return replace(fold, design=Centred(columns, centre, design.ones))
