"""Model files: a fitted pipeline in skops' format, loaded without running code from the file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import skops.io
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from skops.io.exceptions import UnsupportedTypeException

from argrad.report.errors import ModelError, listed

MODEL_FILE = "model.skops"

# What a fitted pipeline holds beyond the types that skops trusts itself: the element type of
# arrays of strings, (older skops) a column transformer's list of left-over columns, and the loss of
# a TweedieRegressor.
_TRUSTED = {
    "numpy.dtype",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn.compose._column_transformer._RemainderColsList",
}


def save_model(pipeline: Any, path: Path) -> None:
    """Write a fitted pipeline and make sure that `load_model` takes it."""
    try:
        skops.io.dump(pipeline, path, compression=zipfile.ZIP_DEFLATED)
    except UnsupportedTypeException as error:
        raise ModelError(f"The pipeline cannot be stored: {error}") from error
    load_model(path)


def load_model(path: Path) -> Any:
    """The fitted pipeline in `path`, or in the `model.skops` of the folder `path`.

    Raises `ModelError` if there is none, it is no skops file, holds types that are not
    scikit-learn's, or is no pipeline as `build_pipeline` makes them, fitted on named columns.
    """
    if path.is_dir():
        path = path / MODEL_FILE
    if not path.exists():
        raise ModelError(f"There is no model '{path}': `argrad tune` writes one.")
    try:
        untrusted = sorted(set(skops.io.get_untrusted_types(file=path)) - _TRUSTED)
        if untrusted:
            raise ModelError(
                f"'{path}' holds {listed(untrusted)}, which is no part of a scikit-learn "
                "pipeline; it is not loaded, as that could run code from the file."
            )
        pipeline = skops.io.load(path, trusted=sorted(_TRUSTED))
    except (zipfile.BadZipFile, json.JSONDecodeError, KeyError, OSError) as error:
        raise ModelError(
            f"'{path}' is not a model in skops' format ({error}): "
            "give the model.skops that `argrad tune` wrote."
        ) from error
    if not isinstance(pipeline, BaseEstimator) or not hasattr(pipeline, "feature_names_in_"):
        raise ModelError(
            f"'{path}' holds a {type(pipeline).__name__} that was not fitted on named columns: "
            "give the model.skops that `argrad tune` wrote."
        )
    steps = pipeline.named_steps if isinstance(pipeline, Pipeline) else {}
    if not isinstance(steps.get("prepare"), ColumnTransformer):
        raise ModelError(
            f"'{path}' is not a pipeline that `argrad tune` made: load it with skops.io.load and "
            "call its predict."
        )
    return pipeline
