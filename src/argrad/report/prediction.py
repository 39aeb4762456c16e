"""Predictions of a fitted pipeline for a table, in parts where it may be larger than memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
from sklearn.base import is_classifier

from argrad.report.columns import conform
from argrad.report.dates import dated_features, source_of
from argrad.report.errors import ModelError, TableError, listed
from argrad.report.model import load_model
from argrad.report.preprocessing import MISSING, prepared_columns
from argrad.report.table import CHUNK, Table, check_suffix, in_chunks, is_parquet
from argrad.report.writing import check_file, whole_file, whole_text


@dataclass(frozen=True)
class Predictions:
    """`frame` has the column `prediction`, then `probability_<class>` where asked for.

    Its rows are the table's; `notes` are sentences that the user should read.
    """

    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def save(self, path: str | Path) -> None:
        """Write the predictions as CSV or, by suffix, Parquet; whole or not at all."""
        path = Path(path)
        check_predictions_file(path)
        with _sink(path) as write:
            write(self.frame, True)


def predict_table(
    model: str | Path, table: str | Path | pd.DataFrame, probabilities: bool = False
) -> Predictions:
    """Apply the fitted pipeline in file or folder `model` to a table.

    Columns that the model does not know are ignored and noted. Raises `ModelError` if the model
    cannot be used or has no probabilities, `TableError` if the table lacks columns or has text
    or infinite values where the model needs numbers.
    """
    predictor = _Predictor(Path(model), probabilities)
    parts = list(predictor.parts(table, CHUNK))
    return Predictions(pd.concat(parts, ignore_index=True), predictor.notes())


def predict_file(
    model: str | Path,
    table: str | Path,
    output: str | Path | TextIO,
    probabilities: bool = False,
    chunk: int = CHUNK,
) -> tuple[int, list[str]]:
    """Write predictions of a table of any size, `chunk` rows of it in memory at a time.

    `output` is a CSV or, by suffix, Parquet file, or a text stream that takes CSV; it is given
    all predictions or none. Returns their number and notes; raises what `predict_table` and
    `check_predictions_file` do.
    """
    if isinstance(output, str | Path):
        output = Path(output)
        check_predictions_file(output)
    predictor = _Predictor(Path(model), probabilities)
    rows = 0
    with _sink(output) as write:
        for part in predictor.parts(table, chunk):
            write(part, not rows)
            rows += len(part)
    return rows, predictor.notes()


def check_predictions_file(path: Path) -> None:
    """Raise `TableError` or `OutputError` unless predictions can be written to `path`."""
    check_suffix(path)
    check_file(path)


@contextmanager
def _sink(output: Path | TextIO) -> Iterator[Callable[[pd.DataFrame, bool], None]]:
    """Something that takes one part after the other, and is told which is the first."""
    if not isinstance(output, Path):
        with whole_text(output) as spool:
            yield lambda part, first: part.to_csv(spool, index=False, header=first)
    elif is_parquet(output):
        with whole_file(output) as partial, _ParquetSink(partial) as sink:
            yield sink.write
    else:
        with whole_file(output) as partial, open(partial, "w", encoding="utf-8") as lines:
            yield lambda part, first: part.to_csv(lines, index=False, header=first)


class _ParquetSink:
    """A Parquet file with a row group a part, whose columns are those of the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def __enter__(self) -> _ParquetSink:
        return self

    def write(self, part: pd.DataFrame, first: bool) -> None:
        import pyarrow
        from pyarrow import parquet

        schema = None if first else self._writer.schema
        table = pyarrow.Table.from_pandas(part, schema=schema, preserve_index=False)
        if first:
            self._writer = parquet.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()


class _Predictor:
    """A model that predicts part by part, and remembers what is to be noted of all parts."""

    def __init__(self, model: Path, probabilities: bool) -> None:
        self._pipeline = load_model(model)
        if probabilities and not is_classifier(self._pipeline):
            raise ModelError(
                f"'{model}' predicts numbers, which have no probabilities: leave them."
            )
        if probabilities and not hasattr(self._pipeline, "predict_proba"):
            kind = type(self._pipeline[-1]).__name__
            raise ModelError(f"'{model}' is {kind}, which has no probabilities: leave them.")
        self._probabilities = probabilities
        self._numbers, self._categories = prepared_columns(self._pipeline)
        self._needed = list(self._pipeline.feature_names_in_)
        self._extra: list[str] = []
        self._unseen: dict[str, Counter[str]] = {name: Counter() for name in self._categories}

    def parts(self, table: str | Path | pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
        """Predictions for so many rows after the other."""
        for part in in_chunks(table, self._categories, rows):
            self._check_columns(part)
            yield self._predict(part.frame)

    def notes(self) -> list[str]:
        """What the user should read, of all parts so far."""
        notes = []
        if self._extra:
            extra = listed(self._extra, limit=20)
            notes.append(f"ignored, as the model does not use them: {extra}")
        for name, unseen in self._unseen.items():
            if unseen:
                notes.append(
                    f"column '{name}': {unseen.total()} rows hold values that the model does not "
                    f"know ({listed(unseen, limit=5)}); they count as none of the known ones"
                )
        return notes

    def _check_columns(self, part: Table) -> None:
        present = part.frame.columns
        needed = dict.fromkeys(source_of(name, present) for name in self._needed)
        missing = [name for name in needed if name not in present]
        if missing:
            raise TableError(
                f"{part.name} lacks {listed(missing, limit=20)}, which the model was fitted on. "
                f"Its columns are {listed(part.frame.columns, limit=20)}."
            )
        self._extra = [name for name in present if name not in needed]

    def _predict(self, given: pd.DataFrame) -> pd.DataFrame:
        read = dated_features(given, self._needed)
        features = conform(read, self._numbers, self._categories)[self._needed]
        self._remember_unseen(features)
        frame = pd.DataFrame({"prediction": self._pipeline.predict(features)})
        if self._probabilities:
            names = [f"probability_{label}" for label in self._pipeline.classes_]
            frame[names] = self._pipeline.predict_proba(features)
        return frame

    def _remember_unseen(self, features: pd.DataFrame) -> None:
        if not self._categories:
            return
        encoder = self._pipeline.named_steps["prepare"].named_transformers_["categories"]["encode"]
        known: Sequence[Any]
        for name, known in zip(self._categories, encoder.categories_, strict=True):
            entries = features[name].fillna(MISSING)
            counts = entries[~entries.isin(list(known))].value_counts(sort=False)
            self._unseen[name].update({str(entry): int(n) for entry, n in counts.items()})
