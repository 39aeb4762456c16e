"""Targets that are numbers, checked."""

from __future__ import annotations

import numpy as np


def as_numbers(y: np.ndarray, kind: str, several: bool = False) -> np.ndarray:
    """`y` (n,), or with `several` targets (n, t), as floats of shape (n, t).

    ValueError, naming the estimator `kind`, where it holds anything but finite numbers, has
    another shape, or a target does not vary.
    """
    try:
        values = np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(
            f"{kind} needs numbers as target, got y = {np.ravel(y)[0]!r}, ...: use "
            "LogisticRegression for classes, or convert y to numbers."
        ) from None
    if values.ndim > 2 or values.ndim == 0 or (values.ndim == 2 and not several):
        raise ValueError(
            f"y has shape {values.shape}, but {kind} learns one target at a time: give y of "
            "shape (n,)."
        )
    columns = values.reshape(len(values), -1)
    wrong = np.argwhere(~np.isfinite(columns))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"y holds {columns[row, column]} in row {row}: leave out the rows whose target is "
            "missing or infinite."
        )
    flat = np.flatnonzero(np.all(columns == columns[:1], axis=0))
    if len(flat):
        where = "y" if values.ndim == 1 else f"column {flat[0]} of y"
        raise ValueError(
            f"{where} is {columns[0, flat[0]]:g} in all {len(columns)} rows, so there is nothing "
            "to learn: give a target that varies."
        )
    return columns
