from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import Ridge

from argrad.report import ModelError, OutputError, TableError, predict_file, predict_table
from argrad.report.catalogue import choice_of
from argrad.report.columns import Columns, conform
from argrad.report.model import save_model
from argrad.report.preprocessing import build_pipeline
from argrad.report.table import in_chunks


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"a": np.arange(12.0), "zone": ["1", "2", "x"] * 4, "sold": ["no", "yes"] * 6}
    )


@pytest.fixture
def model(frame, tmp_path):
    ready = conform(frame, ["a"], ["zone"])
    for task, target in (
        ("classification", frame["sold"].to_numpy(object)),
        ("regression", ready["a"]),
    ):
        pipeline = build_pipeline(Columns(["a"], ["zone"]), choice_of(None, task), ready)
        save_model(pipeline.fit(ready, target), tmp_path / f"{task}.skops")
    return tmp_path / "classification.skops"


def test_predictions_are_the_pipelines(model, frame):
    predictions = predict_table(model, frame, probabilities=True)
    pipeline = skops.io.load(model, trusted=["numpy.dtype"])
    ready = conform(frame, ["a"], ["zone"])
    assert list(predictions.frame) == ["prediction", "probability_no", "probability_yes"]
    assert list(predictions.frame["prediction"]) == list(pipeline.predict(ready))
    np.testing.assert_array_equal(predictions.frame.iloc[:, 1:], pipeline.predict_proba(ready))
    assert predictions.notes == ["ignored, as the model does not use them: 'sold'"]


def test_columns_may_come_in_another_order_and_form(model, frame, tmp_path):
    expected = predict_table(model, frame).frame
    # Without the "x" zones a CSV's zones read as whole numbers, with a gap as decimals.
    some = frame[frame["zone"] != "x"][["zone", "a"]]
    some.to_csv(tmp_path / "t.csv", index=False)
    predictions = predict_table(model, tmp_path / "t.csv")
    assert list(predictions.frame["prediction"]) == list(expected["prediction"][some.index])
    assert predictions.notes == []
    some.assign(zone=some["zone"].astype(float)).to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(
        predict_table(model, tmp_path / "t.parquet").frame, predictions.frame
    )


def test_unknown_categories_are_noted(model, frame):
    notes = predict_table(model, frame[["a"]].assign(zone=["9", None] * 6)).notes
    assert len(notes) == 1
    assert "column 'zone': 12 rows hold values that the model does not know" in notes[0]
    assert "'9' and 'missing'" in notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns=["a", "zone"]), "data frame lacks 'a' and 'zone'"),
        (lambda frame: frame.assign(a="much"), "'a' should hold numbers but has text in 12 rows"),
        (lambda frame: frame.assign(a=np.inf), "'a' holds 12 infinite values"),
        (lambda frame: frame[:0], "is empty"),
    ],
)
def test_tables_that_do_not_match_are_refused(model, frame, change, message):
    with pytest.raises(TableError, match=message):
        predict_table(model, change(frame))


def test_numbers_have_no_probabilities(model, frame):
    regression = model.with_name("regression.skops")
    assert predict_table(regression, frame).frame["prediction"].dtype == "float64"
    with pytest.raises(ModelError, match="have no probabilities"):
        predict_table(regression, frame, probabilities=True)


def test_other_pipelines_are_refused(frame, tmp_path):
    skops.io.dump(Ridge().fit(frame[["a"]], frame["a"]), tmp_path / "m.skops")
    with pytest.raises(ModelError, match="not a pipeline that `argrad tune` made"):
        predict_table(tmp_path / "m.skops", frame)


def test_predictions_are_written_by_suffix(model, frame, tmp_path):
    predictions = predict_table(model, frame)
    predictions.save(tmp_path / "p.csv")
    predictions.save(tmp_path / "p.parquet")
    assert list(pd.read_csv(tmp_path / "p.csv")["prediction"]) == list(
        pd.read_parquet(tmp_path / "p.parquet")["prediction"]
    )
    with pytest.raises(TableError, match=r"ends in '\.xlsx'"):
        predictions.save(tmp_path / "p.xlsx")
    with pytest.raises(OutputError, match="no folder"):
        predictions.save(tmp_path / "nowhere" / "p.csv")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_parts_of_a_table_give_what_the_whole_does(model, frame, tmp_path, suffix):
    """Whatever pandas takes a part's columns for: the zones of some parts are numbers alone."""
    frame = frame.assign(zone=["1"] * 5 + ["x", "9"] + ["2"] * 5)
    source, output = tmp_path / f"t.{suffix}", tmp_path / f"p.{suffix}"
    frame.to_csv(source, index=False) if suffix == "csv" else frame.to_parquet(source)
    whole = predict_table(model, frame, probabilities=True)
    rows, notes = predict_file(model, source, output, probabilities=True, chunk=5)
    assert (rows, notes) == (12, whole.notes)
    assert any("'zone': 1 rows hold values" in note for note in notes)
    written = pd.read_csv(output) if suffix == "csv" else pd.read_parquet(output)
    pd.testing.assert_frame_equal(written, whole.frame, check_dtype=False, rtol=1e-14)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_no_more_than_a_part_is_held_at_once(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    frame = pd.DataFrame({"a": np.arange(23)})
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    parts = [part.frame for part in in_chunks(path, rows=10)]
    assert [len(part) for part in parts] == [10, 10, 3]
    pd.testing.assert_frame_equal(pd.concat(parts), frame)


def test_a_slip_in_a_later_part_is_named_and_nothing_is_written(model, frame, tmp_path):
    frame["a"] = frame["a"].astype(object)
    frame.loc[9, "a"] = "much"
    frame.to_csv(tmp_path / "t.csv", index=False)
    before = sorted(tmp_path.iterdir())
    lines = io.StringIO()
    for output in (tmp_path / "p.csv", tmp_path / "p.parquet", lines):
        with pytest.raises(TableError, match=r"text in 1 row: 'much' \(data row 10\)"):
            predict_file(model, tmp_path / "t.csv", output, chunk=4)
    assert sorted(tmp_path.iterdir()) == before
    assert lines.getvalue() == ""


def test_a_table_without_rows_is_refused_in_parts_too(model, frame, tmp_path):
    frame[:0].to_csv(tmp_path / "t.csv", index=False)
    frame[:0].to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        with pytest.raises(TableError, match="is empty"):
            predict_file(model, tmp_path / name, tmp_path / "p.csv")
