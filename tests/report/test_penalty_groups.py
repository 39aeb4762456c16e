from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from argrad.report import InputError, TableError, summary, tune_table
from argrad.report.catalogue import named
from argrad.report.coefficients import draw_coefficients
from argrad.report.columns import Columns, conform
from argrad.report.penalty_groups import feature_groups, parse_groups
from argrad.report.preprocessing import build_pipeline


@pytest.fixture
def frame(rng) -> pd.DataFrame:
    frame = pd.DataFrame(rng.normal(size=(90, 4)), columns=["a", "b", "c", "d"])
    frame["zone"] = rng.choice(["n", "s", "w"], 90)
    frame["y"] = 2.0 * frame["a"] - frame["b"] + rng.normal(size=90)
    return frame


def test_a_category_is_one_column_of_its_group(frame):
    ready = conform(frame, ["b", "a"], ["zone"])
    columns = Columns(["b", "a"], ["zone"])
    pipeline = build_pipeline(columns, named("ridge"), ready)
    labels = feature_groups({"one": ["a", "zone"], "two": ["b"]}, columns, pipeline)
    assert labels == ["two", "one", "one", "one", "one"]
    assert len(labels) == pipeline[:-1].fit_transform(ready).shape[1]


def test_one_penalty_a_group_is_tuned_and_told_by_name(frame, tmp_path):
    groups = {"signal": ["a", "b"], "rest": ["c", "d", "zone"]}
    result = tune_table(frame, "y", groups=groups, granularity="grouped", folds=3, compare=False)
    content = summary(result, "out")
    assert content["recommended"]["granularity"] == "grouped"
    penalties = content["recommended"]["params"]["model__alpha"]
    assert list(penalties) == ["signal", "rest"]
    assert penalties["rest"] > penalties["signal"]

    # On columns scaled by the root of their penalties Ridge(1) is the same model.
    values = np.array([penalties[label] for label in result.problem.groups])
    X = result.best.estimator[:-1].transform(result.problem.X)
    scaled = (X - X.mean(axis=0)) / np.sqrt(values)
    y = result.problem.y
    w = np.linalg.solve(scaled.T @ scaled + np.eye(len(values)), scaled.T @ (y - y.mean()))
    np.testing.assert_allclose(
        result.best.estimator.named_steps["model"].coef_, w / np.sqrt(values), rtol=1e-6, atol=1e-9
    )
    draw_coefficients(result, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_groups_are_a_candidate_of_the_decision(frame, rng):
    noise = pd.DataFrame(rng.normal(size=(90, 25)), columns=[f"noise{j}" for j in range(25)])
    groups = {"signal": ["a", "b"], "rest": ["c", "d", "zone", *noise.columns]}
    frame = frame.join(noise)
    result = tune_table(frame, "y", groups=groups, folds=3, compare=False)
    assert result.decided is not None
    assert "grouped" in set(result.decided.candidates["candidate"])


def test_texts_are_parsed():
    assert parse_groups(["size=a, b", "rest=c"]) == {"size": ["a", "b"], "rest": ["c"]}
    for wrong in ("size", "=a", "size=", "size=a,,b"):
        with pytest.raises(InputError, match="write NAME=COLUMN,COLUMN"):
            parse_groups([wrong])
    with pytest.raises(InputError, match="has 'size' twice"):
        parse_groups(["size=a", "size=b"])


@pytest.mark.parametrize(
    ("groups", "granularity", "message"),
    [
        ({"one": ["a", "b", "c", "d", "zome"]}, "auto", "'zome' in 'one'.*Did you mean 'zone'"),
        ({"one": ["a", "b"], "two": ["b", "c"]}, "auto", "column 'b' is in 'one' and 'two'"),
        ({"one": ["a", "b"]}, "grouped", "leaves 'c', 'd' and 'zone' without a group"),
        ({"one": ["a"]}, "shared", "--groups has no use with --granularity shared"),
        ({}, "grouped", "--granularity grouped needs --groups"),
    ],
)
def test_groups_that_do_not_fit_are_refused(frame, groups, granularity, message):
    with pytest.raises(InputError, match=message):
        tune_table(frame, "y", groups=groups, granularity=granularity, folds=3)


def test_they_are_table_errors(frame):
    with pytest.raises(TableError):
        tune_table(frame, "y", groups={"one": ["nowhere"]}, folds=3)
