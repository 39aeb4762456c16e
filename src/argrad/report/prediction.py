"""Predictions of a fitted pipeline for a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from sklearn.base import is_classifier

from argrad.report.columns import conform
from argrad.report.errors import ModelError, TableError, listed
from argrad.report.model import load_model
from argrad.report.preprocessing import MISSING, prepared_columns
from argrad.report.table import as_table, check_suffix, is_parquet
from argrad.report.writing import check_file, whole_file


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
        write: Callable[..., object]
        write = self.frame.to_parquet if is_parquet(path) else self.frame.to_csv
        with whole_file(path) as partial:
            write(partial, index=False)


def check_predictions_file(path: Path) -> None:
    """Raise `TableError` or `OutputError` unless predictions can be written to `path`."""
    check_suffix(path)
    check_file(path)


def predict_table(
    model: str | Path, table: str | Path | pd.DataFrame, probabilities: bool = False
) -> Predictions:
    """Apply the fitted pipeline in file or folder `model` to a table.

    Columns that the model does not know are ignored and noted. Raises `ModelError` if the model
    cannot be used or has no probabilities, `TableError` if the table lacks columns or has text
    or infinite values where the model needs numbers.
    """
    pipeline = load_model(Path(model))
    if probabilities and not is_classifier(pipeline):
        raise ModelError(f"'{model}' predicts numbers, which have no probabilities: leave them.")
    numbers, categories = prepared_columns(pipeline)
    given = as_table(table, as_text=categories)
    needed = list(pipeline.feature_names_in_)
    missing = [name for name in needed if name not in given.frame.columns]
    if missing:
        raise TableError(
            f"{given.name} lacks {listed(missing, limit=20)}, which the model was fitted on. "
            f"Its columns are {listed(given.frame.columns, limit=20)}."
        )
    notes = []
    extra = [name for name in given.frame.columns if name not in needed]
    if extra:
        notes.append(f"ignored, as the model does not use them: {listed(extra, limit=20)}")
    features = conform(given.frame, numbers, categories)[needed]
    notes.extend(_unseen(pipeline, features, categories))
    frame = pd.DataFrame({"prediction": pipeline.predict(features)})
    if probabilities:
        names = [f"probability_{label}" for label in pipeline.classes_]
        frame[names] = pipeline.predict_proba(features)
    return Predictions(frame, notes)


def _unseen(pipeline, features: pd.DataFrame, categories: list[str]) -> list[str]:
    """A note for each column with categories that the model has not been fitted on."""
    if not categories:
        return []
    encoder = pipeline.named_steps["prepare"].named_transformers_["categories"]["encode"]
    notes = []
    for name, known in zip(categories, encoder.categories_, strict=True):
        entries = features[name].fillna(MISSING)
        unseen = entries[~entries.isin(list(known))]
        if not unseen.empty:
            notes.append(
                f"column '{name}': {len(unseen)} rows hold values that the model does not know "
                f"({listed(unseen.unique(), limit=5)}); they count as none of the known ones"
            )
    return notes
