"""Every model that is not linear with a smooth loss: tuned, written, read and judged again."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from sklearn.model_selection import cross_val_score

from argrad.report import InputError, predict_table, save_results, tune_table
from argrad.report.catalogue import CATALOGUE, named
from argrad.report.importances import importances

OTHERS = [
    (choice, name)
    for choice in CATALOGUE
    for name in choice.criteria
    if choice.judges is not None or choice.name == "kernel_ridge"
]


def draw(rng, task):
    frame = pd.DataFrame(rng.normal(size=(90, 3)), columns=["a", "b", "c"])
    frame["weight"] = rng.uniform(0.5, 2.0, 90)
    z = 30 * (np.sin(frame["a"]) + 0.3 * frame["b"] + 0.3 * rng.normal(size=90))
    frame["y"] = z if task == "regression" else pd.qcut(z, 3, labels=["low", "middle", "high"])
    return frame


@pytest.mark.parametrize(
    ("choice", "criterion"), OTHERS, ids=lambda each: getattr(each, "name", each)
)
def test_a_model_is_tuned_written_and_read(choice, criterion, rng, tmp_path):
    frame = draw(rng, choice.task)
    result = tune_table(
        frame, "y", model=choice.name, criterion=criterion, granularity="shared", folds=3,
        compare=False, weights_column="weight", max_fits=7,
    )  # fmt: skip
    problem, best = result.problem, result.best
    assert set(best.params) == set(problem.ranges)
    for name, (low, high) in problem.ranges.items():
        assert low * (1 - 1e-9) <= best.params[name] <= high * (1 + 1e-9)
    if not choice.name.startswith("mlp"):  # of which scikit-learn may find another minimum
        pipeline = problem.with_params(best.params).set_params(**exact(choice))
        scores = cross_val_score(
            pipeline, problem.X, problem.y, cv=problem.folds, scoring=problem.scoring,
            params=problem.fit_params,
        )  # fmt: skip
        assert best.cv_loss == pytest.approx(-scores.mean(), rel=1e-3)
    if criterion != next(iter(choice.criteria)):
        return
    content = save_results(result, tmp_path / "out")
    last = "coefficients" if choice.linear else "importances"
    assert sorted(os.listdir(tmp_path / "out")) == sorted(
        [f"{last}.png", "convergence.png", "model.skops", "result.json"]
    )
    assert imread(content["files"][last]).shape[1] >= 1000
    predicted = predict_table(tmp_path / "out", frame).frame["prediction"]
    np.testing.assert_array_equal(predicted, best.estimator.predict(frame))


def exact(choice):
    """Settings by which scikit-learn solves as far as the search does."""
    if choice.name in ("svc", "svr", "lasso", "elastic_net", "linear_svc", "linear_svr"):
        return {"model__tol": 1e-9}
    return {}


@pytest.mark.parametrize(
    ("name", "granularity", "each"),
    [
        ("logistic", "per-class", ["high", "low", "middle"]),
        ("mlp_classifier", "per-layer", ["hidden 1", "output"]),
        ("lasso", "adaptive", ["first", "second"]),
    ],
)
def test_several_penalties_are_named_by_what_they_are_of(name, granularity, each, rng, tmp_path):
    choice = named(name)
    frame = draw(rng, choice.task).drop(columns="weight")
    result = tune_table(
        frame, "y", model=name, granularity=granularity, folds=3, compare=False, max_fits=25
    )
    (outcome,) = result.outcomes
    assert outcome.granularity == granularity
    content = save_results(result, tmp_path / "out")
    penalties = content["recommended"]["params"][f"model__{choice.parameter}"]
    assert list(penalties) == each
    given = outcome.params[f"model__{choice.parameter}"]
    values = given.values() if isinstance(given, dict) else given
    assert list(penalties.values()) == list(values)
    last = "coefficients" if choice.linear else "importances"
    assert imread(content["files"][last]).shape[1] >= 1000
    if outcome.verdict is not None:
        assert granularity in outcome.verdict


def test_the_layers_of_a_network_are_compared(rng):
    frame = draw(rng, "regression").drop(columns="weight")
    result = tune_table(frame[:60], "y", model="mlp_regressor", folds=3, compare=False)
    first, decided = result.outcomes
    assert decided.name == "auto"
    assert decided.candidates is not None
    assert set(decided.candidates["candidate"]) <= {"shared", "per-layer"}
    assert decided.granularity in decided.reason
    if decided.granularity == "shared":
        assert decided.cv_loss == first.cv_loss


def test_the_column_that_matters_is_missed_most(rng):
    frame = draw(rng, "regression").drop(columns="weight")
    result = tune_table(frame, "y", model="kernel_ridge", folds=3, compare=False)
    rises = importances(result)
    assert list(rises) == ["a", "b", "c"]
    assert rises["a"] > 5 * abs(rises["c"])
    assert rises == importances(result)


def test_a_grid_of_several_hyperparameters_is_no_finer_than_of_one(rng):
    frame = draw(rng, "regression").drop(columns="weight")
    result = tune_table(frame, "y", model="elastic_net", folds=2)
    grid = result.outcomes[1]
    assert grid.fits == 7**2 * 2 + 1
    assert set(grid.params) == set(result.problem.ranges)
    assert result.outcomes[0].cv_loss <= grid.cv_loss * (1 + 1e-3)  # both near a flat optimum


def test_ranges_follow_the_units_of_the_target(rng):
    frame = draw(rng, "regression").drop(columns="weight")
    one = tune_table(frame, "y", model="lasso", granularity="shared", folds=3, compare=False)
    two = tune_table(
        frame.assign(y=1000 * frame["y"]), "y", model="lasso", granularity="shared", folds=3,
        compare=False,
    )  # fmt: skip
    assert two.best.params["model__alpha"] == pytest.approx(
        1000 * one.best.params["model__alpha"], rel=1e-3
    )


def test_one_number_leaves_nothing_to_decide_on(rng):
    frame = draw(rng, "classification").drop(columns="weight")
    result = tune_table(frame, "y", model="linear_svc", folds=3, compare=False)
    assert [each.name for each in result.outcomes] == ["gradient"]
    with pytest.raises(InputError, match="'linear_svc' has no C for each feature"):
        tune_table(frame, "y", model="linear_svc", granularity="per-feature")
