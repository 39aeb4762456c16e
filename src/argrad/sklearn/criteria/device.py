"""Folds as JAX arrays: all at once where that is little, one after the other where it is much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import sparse

from argrad.sklearn.criteria.compiled import Entries, Rows
from argrad.sklearn.rows.folds import Fold, Folds

# Numbers in all designs up to which they are stacked, and compiled code is not worth optimising.
_FEW = 20_000_000


class OnDevice:
    """Batches of folds for the compiled criterion. To be used in double precision only.

    `numbers` has (n, j) positions for each fold where weights of rows are tuned, see `Rows`.
    """

    def __init__(self, folds: Folds, numbers: Sequence[np.ndarray] | None = None):
        self._folds, self._numbers = folds, numbers
        designs = folds.each[:1] if folds.one_design else folds.each
        self.few = sum(_numbers(fold) for fold in designs) <= _FEW
        # Much data is not kept: there may be several searches of it at once.
        self._all = self._batch(slice(None), self._common()) if self.few else None

    def batches(self) -> Iterator[tuple[slice, Rows]]:
        """Which folds, and their rows, which have an axis of folds in front."""
        if self._all is not None:
            yield slice(0, self._folds.count), self._all
            return
        common = self._common()
        for i in range(self._folds.count):
            yield slice(i, i + 1), self._batch(slice(i, i + 1), common)

    def _common(self) -> Any:
        """Columns, ones and target, if all folds have them in common."""
        if not self._folds.one_design:
            return None
        design, target = self._folds.each[0].design, self._folds.each[0].target
        columns = design.columns
        if sparse.issparse(columns):
            columns = _entries(columns, columns.nnz)
        return _arrays(columns), jnp.asarray(design.ones), jnp.asarray(target)

    def _batch(self, part: slice, common: Any) -> Rows:
        folds = self._folds.each[part]
        if common is not None:
            columns, ones, target = common
        else:
            columns = _stacked_columns(folds)
            ones = _stacked([fold.design.ones for fold in folds])
            # Rows that fill up need targets that a loss is defined for.
            target = _stacked([fold.target for fold in folds], fill=True)
        return Rows(
            columns,
            ones,
            target,
            jnp.asarray(np.stack([fold.design.centre for fold in folds])),
            _stacked([fold.training for fold in folds]),
            _stacked([fold.validation for fold in folds]),
            None if self._numbers is None else _stacked(self._numbers[part], fill=True),
        )


def _numbers(fold: Fold) -> int:
    columns = fold.design.columns
    return columns.nnz if sparse.issparse(columns) else columns.size


def _arrays(columns: Any) -> Any:
    if isinstance(columns, Entries):
        return Entries(*(jnp.asarray(each) for each in columns))
    return jnp.asarray(columns)


def _stacked_columns(folds: Sequence[Fold]) -> Any:
    designs = [fold.design.columns for fold in folds]
    if not sparse.issparse(designs[0]):
        return _stacked(designs)
    most = max(design.nnz for design in designs)
    entries = [_entries(design, most) for design in designs]
    parts: Any = [np.stack(part) for part in zip(*entries, strict=True)]
    return _arrays(Entries(*parts))


def _entries(design: sparse.csr_array, count: int) -> Entries:
    """The entries of a sparse matrix, filled up to `count` with zeros in its last row."""
    rest = count - design.nnz
    row = np.repeat(np.arange(design.shape[0]), np.diff(design.indptr))
    padded: Any = (
        np.pad(design.data, (0, rest)),
        np.pad(row, (0, rest), constant_values=design.shape[0] - 1),
        np.pad(design.indices, (0, rest)),
    )
    return Entries(*padded)


def _stacked(arrays: Sequence[np.ndarray], fill: bool = False) -> Any:
    """Arrays of different lengths in one, shorter ones filled up with zeros or their first row."""
    shape = (len(arrays), max(len(array) for array in arrays), *arrays[0].shape[1:])
    stacked = np.zeros(shape, arrays[0].dtype)
    for i, array in enumerate(arrays):
        stacked[i, : len(array)] = array
        if fill:
            stacked[i, len(array) :] = array[0]
    return jnp.asarray(stacked)
