from __future__ import annotations

import json
import os
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from argrad.report import predict_table, save_results, summary, tune_table
from argrad.report.coefficients import draw_coefficients
from argrad.report.convergence import draw_convergence
from argrad.report.results import files_of


@pytest.fixture(params=["wine", "diabetes"])
def result(request):
    return request.getfixturevalue(f"{request.param}_result")


def test_the_json_object_is_complete(result):
    content = summary(result, "results")
    assert set(content) == {
        "data",
        "task",
        "recommended",
        "searches",
        "optimism",
        "files",
    }
    assert set(content["recommended"]) == {"search", "granularity", "params"}
    for search in content["searches"]:
        assert {"name", "fits", "seconds", "cv_loss", "test_loss", "test_score"} <= set(search)
    assert content["files"]["model"] == os.path.join("results", "model.skops")
    json.dumps(content, allow_nan=False)


def test_every_file_is_written_and_no_other(result, tmp_path):
    content = save_results(result, tmp_path / "results")
    assert sorted(os.listdir(tmp_path)) == ["results"]
    assert sorted(os.listdir(tmp_path / "results")) == sorted(files_of(result).values())
    assert json.loads((tmp_path / "results" / "result.json").read_text()) == content
    assert all(os.path.exists(path) for path in content["files"].values())


def test_the_written_model_predicts_what_the_fitted_one_does(result, tmp_path):
    save_results(result, tmp_path)
    predictions = predict_table(tmp_path, result.problem.X_test)
    expected = result.best.estimator.predict(result.problem.X_test)
    assert list(predictions.frame["prediction"]) == list(expected)


def test_a_failure_leaves_nothing_behind(wine_result, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("argrad.report.results.draw_coefficients", fail)
    with pytest.raises(OSError, match="disk full"):
        save_results(wine_result, tmp_path / "results")
    assert os.listdir(tmp_path) == []


def test_names_are_drawn_as_they_are(tmp_path):
    random = np.random.default_rng(0)
    names = ["price $", "$^{oops", "名前", "x" * 200]
    frame = pd.DataFrame(random.normal(size=(60, 4)), columns=names)
    frame["sold $_{"] = random.choice(["no $", "yes $^"], 60)
    result = tune_table(frame, "sold $_{", granularity="shared", compare=False, max_fits=6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_results(result, tmp_path)


@pytest.mark.parametrize("draw", [draw_convergence, draw_coefficients])
def test_pictures_show_something(result, tmp_path, draw):
    draw(result, tmp_path / "picture.png")
    picture = imread(tmp_path / "picture.png")
    assert picture.shape[1] >= 1000
    inked = (picture[..., :3].min(axis=-1) < 0.9).mean()
    assert 0.01 < inked < 0.5
    assert np.isfinite(picture).all()
