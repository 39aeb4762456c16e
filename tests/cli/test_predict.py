from __future__ import annotations

import io
import os

import pandas as pd
import pytest


@pytest.fixture
def tuned(run, houses):
    """The folder of a model tuned to tell sold houses."""
    arguments = (
        "--target",
        "sold",
        "--drop",
        "price",
        "--no-compare",
        "--max-fits",
        "11",
        "--granularity",
        "shared",
    )
    assert run("tune", houses, *arguments).exit_code == 0
    return "argrad-results"


def test_predictions_go_to_standard_output(run, houses, tuned):
    result = run("predict", tuned, houses)
    assert result.exit_code == 0
    frame = pd.read_csv(io.StringIO(result.stdout))
    assert list(frame) == ["prediction"]
    assert set(frame["prediction"]) == {"yes", "no"}
    assert len(frame) == 80
    assert "ignored, as the model does not use them: 'price' and 'sold'" in result.stderr


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_predictions_go_to_a_file(run, houses, tuned, name):
    result = run("predict", f"{tuned}/model.skops", houses, "--output", name, "--probabilities")
    assert result.exit_code == 0
    assert result.stdout == ""
    frame = pd.read_csv(name) if name.endswith("csv") else pd.read_parquet(name)
    assert list(frame) == ["prediction", "probability_no", "probability_yes"]
    assert frame[["probability_no", "probability_yes"]].sum(axis=1).between(0.999, 1.001).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.skops", "houses.csv"], "There is no model 'nowhere.skops'"),
        (["houses.csv", "houses.csv"], "is not a model in skops' format"),
        (["argrad-results", "nowhere.csv"], "There is no file 'nowhere.csv'"),
        (["argrad-results", "short.csv"], "lacks 'age' and 'zone', which the model was fitted on"),
        (["argrad-results", "houses.csv", "--output", "p.xlsx"], "'.xlsx'"),
        (["argrad-results", "houses.csv", "--output", "nowhere/p.csv"], "no folder 'nowhere'"),
    ],
)
def test_bad_input_ends_with_one_message_and_nothing_written(run, tuned, arguments, message):
    pd.DataFrame({"area": [100.0, 120.0]}).to_csv("short.csv", index=False)
    before = sorted(os.listdir())
    result = run("predict", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert sorted(os.listdir()) == before
