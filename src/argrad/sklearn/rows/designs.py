"""A design matrix out of whatever came: numeric, finite and two-dimensional, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

Matrix = Any  # np.ndarray or sparse.csr_array


def as_design(X: Any, where: str = "X") -> Matrix:
    """`X` as floats of shape (n, d), in rows if sparse; ValueError, naming `where`, if it is not.

    TypeError where it holds objects that are not even text.
    """
    if sparse.issparse(X):
        design = sparse.csr_array(X, dtype=float)
        if not design.has_canonical_format:  # the user's own matrix is left as it is
            design = design.copy()
            design.sum_duplicates()
        _check_shape(design, where)
        _check_finite(design, where, None)
        return design
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
    _check_shape(design, where)
    _check_finite(design, where, getattr(X, "columns", None))
    return design


def _check_shape(design: Matrix, where: str) -> None:
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


def _check_finite(design: Matrix, where: str, names: Any) -> None:
    finite = np.isfinite(design.data if sparse.issparse(design) else design)
    if finite.all():
        return
    if sparse.issparse(design):
        entries = design.tocoo()
        first = int(np.flatnonzero(~finite)[0])
        row, column = int(entries.row[first]), int(entries.col[first])
        value = entries.data[first]
    else:
        row, column = (int(place[0]) for place in np.nonzero(~finite))
        value = design[row, column]
    remedy = (
        "fill it in with SimpleImputer in a Pipeline, or leave the row out"
        if np.isnan(value)
        else "replace it, or leave the row out"
    )
    raise ValueError(
        f"{where} holds {'NaN' if np.isnan(value) else value} in row {row}, column "
        f"{repr(names[column]) if names is not None else column}, and {(~finite).sum() - 1} more "
        f"that are not finite: {remedy}."
    )


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
