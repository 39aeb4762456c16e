"""The scikit-learn pipeline that every search tunes: preparation, then a penalised model."""

from __future__ import annotations

import importlib

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from argrad.report.catalogue import Choice
from argrad.report.columns import MOST_CATEGORIES, Columns

MISSING = "missing"


def build_pipeline(columns: Columns, choice: Choice, train: pd.DataFrame) -> Pipeline:
    """An unfitted pipeline: numbers filled in and scaled, categories one-hot, step `model` last.

    `train` holds the training rows as `conform` gives them; the categories are read from it, so
    that each fold is encoded to the same width.
    """
    prepare = []
    if columns.numbers:
        numbers = Pipeline(
            [
                ("fill", SimpleImputer(strategy="median", keep_empty_features=True)),
                ("scale", StandardScaler()),
            ]
        )
        prepare.append(("numbers", numbers, columns.numbers))
    if columns.categories:
        categories = Pipeline(
            [
                ("fill", SimpleImputer(strategy="constant", fill_value=MISSING)),
                (
                    "encode",
                    OneHotEncoder(
                        categories=[_categories(train[name]) for name in columns.categories],
                        handle_unknown="ignore",
                        sparse_output=False,
                    ),
                ),
            ]
        )
        prepare.append(("categories", categories, columns.categories))
    module = importlib.import_module(f"sklearn.{choice.module}")
    model = getattr(module, choice.estimator)(**choice.settings)
    return Pipeline([("prepare", ColumnTransformer(prepare)), ("model", model)])


def prepared_columns(pipeline: Pipeline) -> tuple[list[str], list[str]]:
    """Names of the number and category columns that a pipeline made here was fitted on."""
    kinds: dict[str, list[str]] = {"numbers": [], "categories": []}
    for kind, _, names in pipeline.named_steps["prepare"].transformers:
        kinds[kind] = list(names)
    return kinds["numbers"], kinds["categories"]


def _categories(column: pd.Series) -> np.ndarray:
    commonest = column.fillna(MISSING).value_counts().index[:MOST_CATEGORIES]
    return np.array(sorted(commonest), dtype=object)
