"""A design matrix out of whatever came: numeric, finite, dense and two-dimensional, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse


def as_design(X: Any, where: str = "X") -> np.ndarray:
    """`X` as an array of floats of shape (n, d); ValueError, naming `where`, if it is not one."""
    if sparse.issparse(X):
        remedy = (
            "densify it with X.toarray()"
            if where == "X"
            else "let it be dense (OneHotEncoder(sparse_output=False), "
            "ColumnTransformer(sparse_threshold=0))"
        )
        raise ValueError(
            f"{where} is a sparse matrix of shape {X.shape}, which is not supported yet: {remedy}."
        )
    try:
        design = np.asarray(X, dtype=float)
    except (TypeError, ValueError) as error:
        said = (
            f"{where} holds {_first_text(X)}, where numbers are needed: encode it in a Pipeline, "
            "for example with OneHotEncoder in a ColumnTransformer."
        )
        if isinstance(error, TypeError):  # not even text
            raise TypeError(f"{said} ({error})") from None
        raise ValueError(said) from None
    if design.ndim != 2:
        raise ValueError(
            f"{where} has shape {design.shape}, but must have two axes, rows and columns: use "
            "X.reshape(-1, 1) for a single column."
        )
    if design.shape[1] == 0:
        raise ValueError(
            f"{where} has no columns, 0 feature(s) (shape={design.shape}) while a minimum of 1 is "
            "required."
        )
    finite = np.isfinite(design)
    if not finite.all():
        row, column = (int(place[0]) for place in np.nonzero(~finite))
        value = design[row, column]
        names = getattr(X, "columns", None)
        column_name = repr(names[column]) if names is not None else column
        remedy = (
            "fill it in with SimpleImputer in a Pipeline, or leave the row out"
            if np.isnan(value)
            else "replace it, or leave the row out"
        )
        raise ValueError(
            f"{where} holds {'NaN' if np.isnan(value) else value} in row {row}, column "
            f"{column_name}, and {(~finite).sum() - 1} more that are not finite: {remedy}."
        )
    return design


def _first_text(X: Any) -> str:
    names = getattr(X, "columns", None)
    values = np.asarray(X, dtype=object)
    for place in np.ndindex(values.shape):
        try:
            float(values[place])
        except (TypeError, ValueError):
            column = f", column {names[place[1]]!r}" if names is not None else ""
            return f"{values[place]!r}{column}"
    return "something that is no number"
