from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FILES = ["coefficients.png", "convergence.png", "model.skops", "result.json"]
ARGRAD = [sys.executable, "-c", "from argrad.cli import main; main()"]
OUTPUT = ["--output", "out"]
SHARED = ["--granularity", "shared"]
KEYS = ["data", "task", "recommended", "searches", "optimism", "files"]


def test_the_comparison_is_printed_and_the_files_are_written(run, houses):
    result = run("tune", houses, "--target", "sold", "--cv", "3", *SHARED)
    assert result.exit_code == 0, result.output
    for words in ("gradient search", "grid search", "151", "CV loss", "held-out loss", "optimism"):
        assert words in result.stdout
    assert "classification, since the target holds text" in result.stdout
    assert "missing entries in 'age'" in result.stdout
    assert sorted(os.listdir("argrad-results")) == FILES
    for name in FILES:
        assert os.path.join("argrad-results", name) in result.stdout
    assert "grid search (50 penalties" in result.stderr


def test_json_is_one_object_and_the_content_of_result_json(houses):
    # In a process of its own, so that nothing else can print unseen.
    ended = subprocess.run(
        [
            *ARGRAD,
            "tune",
            houses.name,
            *SHARED,
            "--target",
            "price",
            "--cv",
            "3",
            "--json",
            *OUTPUT,
        ],
        cwd=houses.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    content = json.loads(ended.stdout)
    assert list(content) == KEYS
    assert content["task"] == "regression"
    assert content["recommended"]["granularity"] == "shared"
    assert set(content["recommended"]["params"]) == {"model__alpha"}
    assert [search["name"] for search in content["searches"]][:2] == ["gradient", "grid"]
    assert content["searches"][1]["fits"] == 151
    assert content["data"]["rows"] == 80
    assert content["data"]["test_rows"] == 20
    assert content == json.loads((houses.parent / "out" / "result.json").read_text())
    for path in content["files"].values():
        assert (houses.parent / path).is_file()


def test_one_penalty_per_feature_alone(run, houses):
    result = run(
        "tune",
        houses,
        "--target",
        "price",
        "--granularity",
        "per-feature",
        "--no-compare",
        "--json",
    )
    content = json.loads(result.stdout)
    assert [search["name"] for search in content["searches"]] == ["gradient"]
    assert content["recommended"]["granularity"] == "per-feature"
    assert len(content["recommended"]["params"]["model__alpha"]) == 7
    search = content["searches"][0]
    assert search["pays"] in (True, False)
    assert re.match("per-feature (pays|may not pay|does not pay): it loses ", search["verdict"])
    assert "nested" not in result.stderr  # what to write in Python is no help here


def test_options_reach_the_search(run, houses):
    result = run(
        "tune", houses, "--target", "sold", "--no-compare", "--json", "--drop", "price",
        "--categories", "age", "--test-size", "0.5", "--seed", "7", "--cv", "2", *SHARED,
        "--max-fits", "3",
    )  # fmt: skip
    data = json.loads(result.stdout)["data"]
    assert (data["test_rows"], data["folds"], data["seed"]) == (40, 2, 7)
    assert (data["numbers"], data["categories"], data["dropped"]) == (1, 2, ["price"])


def test_the_criterion_is_what_all_are_tuned_and_judged_by(run, houses):
    arguments = ("tune", houses, "--target", "sold", "--json", "--cv", "3", *SHARED)
    brier = json.loads(run(*arguments, "--criterion", "brier_score").stdout)
    log_loss = json.loads(run(*arguments, "--criterion", "log_loss").stdout)
    assert (brier["data"]["criterion"], brier["data"]["loss"]) == ("brier_score", "Brier score")
    assert log_loss["data"]["loss"] == "log loss"
    for ours, grid in (content["searches"][:2] for content in (brier, log_loss)):
        # A grid of 50 is coarser than what the gradient finds, by a little.
        assert grid["cv_loss"] == pytest.approx(ours["cv_loss"], rel=5e-3)
    assert brier["searches"][0]["cv_loss"] < 0.5 * log_loss["searches"][0]["cv_loss"]


def test_the_same_seed_gives_the_same_model(run, houses):
    arguments = ("tune", houses, "--target", "sold", "--no-compare", "--json", *SHARED)
    first, again = (json.loads(run(*arguments).stdout) for _ in range(2))
    assert first["recommended"] == again["recommended"]
    assert first["searches"][0]["cv_loss"] == again["searches"][0]["cv_loss"]


@pytest.mark.slow
def test_the_embedded_table_meets_its_promise(run):
    """A tenth of grid search's fits, less wall time, a CV loss no higher."""
    result = run("tune", "--json")
    gradient, grid = json.loads(result.stdout)["searches"][:2]
    assert gradient["fits"] <= 25
    assert gradient["fits"] <= grid["fits"] / 10
    assert gradient["seconds"] < grid["seconds"]
    assert gradient["cv_loss"] <= grid["cv_loss"]


def changed(**columns):
    return lambda frame: frame.assign(**columns)


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (changed(), ["--target", "prize"], "no column 'prize'. Did you mean 'price'?"),
        (changed(), [], "Name it with --target COLUMN"),
        (lambda frame: frame[:0], ["--target", "price"], "is empty: it has no rows"),
        (changed(price=3.5), ["--target", "price"], "target 'price' is constant"),
        (changed(sold="yes"), ["--target", "sold"], "'sold' has one class only"),
        (changed(age=None), ["--target", "price"], "No value at all in column 'age'"),
        (changed(area=float("inf")), ["--target", "price"], "'area' holds 80 infinite values"),
        (changed(), ["--target", "sold", "--task", "regression"], "'sold' should hold numbers"),
        (lambda frame: frame[:4], ["--target", "price"], "fewer than the 5 folds"),
        (changed(), ["--target", "price", "--cv", "1"], "use --cv 2 or more"),
        (changed(), ["--target", "price", "--test-size", "2"], "use --test-size between 0 and 1"),
    ],
)
def test_bad_input_ends_with_one_message_and_nothing_written(
    run, houses, change, arguments, message
):
    change(pd.read_csv(houses)).to_csv(houses, index=False)
    before = sorted(os.listdir())
    result = run("tune", houses, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert sorted(os.listdir()) == before


def test_bad_files_and_places(run, houses):
    Path("twice.csv").write_text("a,a,price\n1,2,3\n")
    for arguments, message in (
        (["nowhere.csv", "--target", "price"], "There is no file 'nowhere.csv'"),
        (["twice.csv", "--target", "price"], "more than one column called 'a'"),
        ([houses, "--target", "price", "--output", houses], "is a file, so no folder for results"),
    ):
        result = run("tune", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr


def test_the_decision_is_shown_with_both_losses_and_the_optimism(run, houses):
    frame = pd.read_csv(houses)
    frame["noise"] = np.random.default_rng(2).normal(size=80)
    frame[["area", "age", "noise", "sold"]].to_csv("few.csv", index=False)
    result = run("tune", "few.csv", "--target", "sold", "--cv", "3", "--no-compare", *OUTPUT)
    assert result.exit_code == 0, result.output
    content = json.loads(Path("out", "result.json").read_text())
    assert list(content) == KEYS
    decided = content["searches"][-1]
    assert decided["name"] == "auto"
    assert content["recommended"]["granularity"] == decided["granularity"]
    for words in ("unseen loss", "optimism", "per-feature, prior 1", "Chosen: one "):
        assert words in result.stdout
    for candidate in decided["candidates"]:
        difference = candidate["unseen_loss"] - candidate["cv_loss"]
        assert f"{difference:+.4g}" in result.stdout


def test_whether_penalties_that_were_asked_for_pay_is_shown(run, houses):
    result = run(
        "tune", houses, "--target", "price", "--granularity", "grouped", "--no-compare",
        "--groups", "size=area", "--groups", "rest=age,zone,sold", "--cv", "3", *OUTPUT,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    search = json.loads(Path("out", "result.json").read_text())["searches"][0]
    assert f"Whether more than one penalty pays: {search['verdict']}." in result.stdout
    assert search["verdict"].startswith("grouped ")


def test_counts_with_weights_and_groups_are_tuned_and_predicted(run, houses):
    frame = pd.read_csv(houses)
    frame["visits"] = (frame["area"] // 20).astype(int)
    frame["weight"], frame["street"] = [0.5, 2.0] * 40, [f"s{row // 4}" for row in range(80)]
    frame.to_csv("visits.csv", index=False)
    result = run(
        "tune", "visits.csv", "--target", "visits", "--model", "poisson", "--cv", "3",
        "--weights-column", "weight", "--groups-column", "street", "--no-compare", "--json",
        "--drop", "price", "--drop", "sold", "--time-budget", "60", *SHARED,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)["data"]
    assert (data["model"], data["loss"]) == ("poisson", "half mean deviance")
    assert (data["numbers"], data["categories"]) == (2, 1)
    predicted = run("predict", "argrad-results", "visits.csv")
    assert predicted.exit_code == 0
    lines = predicted.stdout.split()
    assert len(lines) == 81
    assert all(float(line) > 0 for line in lines[1:])


def test_a_machine_with_a_kernel_is_tuned_and_predicts(run, houses):
    result = run("tune", houses, "--target", "sold", "--model", "svc", "--cv", "3", *OUTPUT)
    assert result.exit_code == 0, result.output
    assert "squared hinge loss" in result.stdout
    assert "grid search (49 points, 148 fits)" in result.stderr
    content = json.loads(Path("out", "result.json").read_text())
    assert set(content["recommended"]["params"]) == {"model__C", "model__gamma"}
    assert sorted(os.listdir("out")) == ["convergence.png", "importances.png", *FILES[2:]]
    predicted = run("predict", "out", houses)
    assert predicted.exit_code == 0
    assert set(predicted.stdout.split()[1:]) <= {"yes", "no"}
    chances = run("predict", "out", houses, "--probabilities")
    assert chances.exit_code == 2
    assert "probabilities" in chances.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", "svc"],
            "'price' holds 80 different numbers with fractions, but the model 'svc'",
        ),
        (["--model", "svc", "--task", "regression"], "choose 'ridge', 'poisson'"),
        (["--model", "svr", "--granularity", "per-feature"], "'svr' has no C for each feature"),
        (
            ["--granularity", "per-class"],
            "'ridge' has no alpha for each class: --granularity per-c",
        ),
        (["--granularity", "per-layer"], "is for 'mlp_regressor' and 'mlp_classifier'"),
        (["--granularity", "adaptive"], "is for 'lasso'. Leave it out, or use 'shared' or"),
        (["--model", "svr", "--groups", "size=area"], "group of columns: leave out --groups"),
        (["--model", "mlp_regresor"], "Did you mean 'mlp_regressor'"),
        (["--model", "SVC", "--criterion", "log_loss"], "no model 'SVC'. Did you mean 'svc'"),
        (["--model", "svr", "--criterion", "hinge"], "'svr' has no criterion 'hinge'"),
        (["--model", "poison"], "There is no model 'poison'. Did you mean 'poisson'?"),
        (["--model", "logistic", "--task", "regression"], "'logistic' is for classification"),
        (["--weights-column", "aje"], "no column 'aje'. Did you mean 'age'?"),
        (["--weights-column", "age"], "weights 'age' are missing in 2 of 80 rows"),
        (["--weights-column", "zone"], "'zone' should hold numbers"),
        (["--groups-column", "price"], "--target and --groups-column both name"),
        (["--groups-column", "zone"], "The rows are of 3 groups"),
        (["--time-budget", "0"], "use --time-budget with a positive number"),
        (["--groups", "area"], "write NAME=COLUMN,COLUMN"),
        (["--groups", "size=area,age"], "leaves 'zone' and 'sold' without a group"),
        (["--granularity", "grouped"], "needs --groups"),
        (["--max-fits", "3"], "Use --max-fits 6 or more"),
        (["--criterion", "mean_square_error"], "Did you mean 'mean_squared_error'"),
        (["--criterion", "log_loss"], "'ridge' has no criterion 'log_loss'"),
        (["--model", "huber", "--criterion", "brier"], "tuned for 'huber_loss' and 'mean_sq"),
    ],
)
def test_options_that_cannot_be_met_end_with_one_message(run, houses, arguments, message):
    result = run("tune", houses, "--target", "price", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert os.listdir() == ["houses.csv"]
