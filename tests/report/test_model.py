from __future__ import annotations

import argparse
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import FunctionTransformer

from argrad.report.catalogue import named
from argrad.report.columns import Columns, conform
from argrad.report.errors import ModelError
from argrad.report.model import MODEL_FILE, load_model, save_model
from argrad.report.preprocessing import build_pipeline


@pytest.fixture
def fitted():
    frame = conform(
        pd.DataFrame({"a": np.arange(12.0), "city": ["x", None, "z"] * 4}), ["a"], ["city"]
    )
    pipeline = build_pipeline(Columns(["a"], ["city"]), named("logistic"), frame)
    return pipeline.fit(frame, np.array(["no", "yes"] * 6, dtype=object)), frame


def test_a_model_predicts_the_same_after_a_round_trip(fitted, tmp_path):
    pipeline, frame = fitted
    save_model(pipeline, tmp_path / MODEL_FILE)
    for path in (tmp_path / MODEL_FILE, tmp_path):
        loaded = load_model(path)
        np.testing.assert_array_equal(loaded.predict_proba(frame), pipeline.predict_proba(frame))
        assert list(loaded.classes_) == ["no", "yes"]


def test_code_of_others_is_named_and_not_loaded(tmp_path):
    # A class that is importable and harmless, but no part of scikit-learn.
    skops.io.dump(FunctionTransformer(argparse.ArgumentParser), tmp_path / "m.skops")
    with pytest.raises(ModelError, match=r"holds 'argparse\.ArgumentParser'.*not loaded"):
        load_model(tmp_path / "m.skops")


def test_a_pipeline_that_could_not_be_loaded_is_not_saved(fitted, tmp_path):
    pipeline, _ = fitted
    pipeline.set_params(model=LogisticRegression(class_weight=argparse.ArgumentParser))
    with pytest.raises(ModelError, match="argparse"):
        save_model(pipeline, tmp_path / MODEL_FILE)


def test_other_files_are_no_models(tmp_path):
    with pytest.raises(ModelError, match=r"There is no model '.*m\.skops'"):
        load_model(tmp_path / "m.skops")
    with pytest.raises(ModelError, match=r"There is no model '.*model\.skops'"):
        load_model(tmp_path)
    (tmp_path / "m.skops").write_text("no zip")
    with pytest.raises(ModelError, match="is not a model in skops' format"):
        load_model(tmp_path / "m.skops")
    with zipfile.ZipFile(tmp_path / "empty.skops", "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(ModelError, match="is not a model in skops' format"):
        load_model(tmp_path / "empty.skops")


def test_models_without_column_names_are_refused(tmp_path):
    skops.io.dump(Ridge().fit(np.eye(3), [1.0, 2.0, 3.0]), tmp_path / "m.skops")
    with pytest.raises(ModelError, match="holds a Ridge that was not fitted on named columns"):
        load_model(tmp_path / "m.skops")
    skops.io.dump([1, 2], tmp_path / "l.skops")
    with pytest.raises(ModelError, match="holds a list"):
        load_model(tmp_path / "l.skops")
