from __future__ import annotations

import os
import signal

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, mean_poisson_deviance, mean_squared_error
from sklearn.pipeline import Pipeline

from argrad.report import TableError, tune_table
from argrad.report.progress import Silent


def test_classification_is_tuned_and_compared(wine_result):
    assert wine_result.target.task == "classification"
    assert [outcome.name for outcome in wine_result.outcomes][:2] == ["gradient", "grid"]
    assert wine_result.rows == 178
    assert wine_result.columns.categories == ["shop"]
    assert not wine_result.interrupted
    best, problem = wine_result.best, wine_result.problem
    assert isinstance(best.estimator, Pipeline)
    chances = best.estimator.predict_proba(problem.X_test)
    assert best.test_loss == log_loss(problem.y_test, chances)
    assert best.test_score > 0.85
    assert wine_result.optimism == best.test_loss - best.cv_loss


def test_regression_is_tuned_with_one_penalty_per_feature(diabetes_result):
    assert diabetes_result.target.task == "regression"
    gradient, grid = diabetes_result.outcomes[:2]
    assert np.shape(gradient.params["model__alpha"]) == (10,)
    assert gradient.cv_loss <= grid.cv_loss
    # The comparison with a shared penalty is no part of what the search took.
    assert gradient.fits == gradient.history["fits"].iloc[-1] + 1
    assert gradient.pays in (True, False)
    assert gradient.verdict.startswith("per-feature ")
    assert grid.verdict is None
    assert gradient.candidates is None
    problem = diabetes_result.problem
    predicted = gradient.estimator.predict(problem.X_test)
    assert gradient.test_loss == pytest.approx(mean_squared_error(problem.y_test, predicted))
    assert diabetes_result.best.granularity == (
        "per-feature" if diabetes_result.best is gradient else "shared"
    )


def test_penalties_per_feature_of_several_classes(wine):
    result = tune_table(wine, "kind", granularity="per-feature", folds=3, compare=False)
    width = result.best.estimator[:-1].transform(result.problem.X).shape[1]
    assert np.shape(result.best.params["model__C"]) == (width,)


def test_penalties_that_fit_the_folds_rather_than_the_data_are_said():
    """Few rows, fifteen of twenty columns of noise: the folds' loss of many penalties flatters."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame(random.normal(size=(80, 20)))
    frame["y"] = frame[[0, 1, 2, 3, 4]].sum(axis=1) + 3.0 * random.normal(size=80)
    result = tune_table(frame, "y", granularity="per-feature", folds=3, test_size=0.5)
    assert result.best.granularity == "per-feature"
    assert result.optimism > 0.0
    assert "does better" in " ".join(result.notes)
    assert "--granularity auto is safer" in " ".join(result.notes)


def test_nothing_of_the_held_out_rows_reaches_the_searches(wine):
    splits = tune_table(
        wine, "kind", folds=3, granularity="shared", compare=False, max_fits=4
    ).problem
    together = np.concatenate([splits.X["alcohol"], splits.X_test["alcohol"]])
    assert sorted(together) == sorted(wine["alcohol"])
    assert len(splits.X_test) == 45
    assert max(index.max() for pair in splits.folds for index in pair) < len(splits.X)


def test_a_target_must_be_named_for_a_table_of_ones_own(wine):
    with pytest.raises(TableError, match="Name it with --target"):
        tune_table(wine)


def test_ctrl_c_in_the_grid_search_keeps_the_gradient_search(wine):
    class CtrlC(Silent):
        def stage(self, text: str) -> None:
            if text.startswith("grid"):
                os.kill(os.getpid(), signal.SIGINT)

    result = tune_table(wine, "kind", folds=3, progress=CtrlC())
    assert result.interrupted
    assert [outcome.name for outcome in result.outcomes] == ["gradient"]
    assert any("interrupted" in note for note in result.notes)


def test_without_optuna_tpe_is_left_out_and_said(wine, monkeypatch):
    monkeypatch.setattr("argrad.report.tuning.has_optuna", lambda: False)
    result = tune_table(wine[:90], "kind", folds=2, granularity="shared")
    assert [outcome.name for outcome in result.outcomes] == ["gradient", "grid"]
    assert 'TPE is left out: it needs pip install "argrad[optuna]"' in result.notes


@pytest.fixture(scope="module")
def counted() -> pd.DataFrame:
    """Counts that two of eight columns decide, weights, and groups of rows."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame(random.normal(size=(240, 8))).add_prefix("x")
    frame["visits"] = random.poisson(np.exp(0.5 + 0.8 * frame["x0"] - 0.6 * frame["x1"]))
    frame["counts"] = random.choice([0.0, 0.5, 1.0, 3.0], len(frame))
    frame["clinic"] = random.integers(0, 24, len(frame))
    return frame


def test_weights_groups_and_another_model_reach_every_search(counted):
    result = tune_table(
        counted,
        "visits",
        model="poisson",
        folds=3,
        granularity="shared",
        weights_column="counts",
        groups_column="clinic",
    )
    problem = result.problem
    assert result.rows == (counted["counts"] > 0).sum()
    assert list(problem.X) == [f"x{j}" for j in range(8)]
    gradient, grid = result.outcomes[:2]
    assert gradient.cv_loss <= grid.cv_loss <= gradient.cv_loss * 1.01

    # The CV loss of the gradient search, by scikit-learn alone.
    losses = []
    for train, validation in problem.folds:
        pipeline = problem.with_params(gradient.params)
        pipeline.fit(
            problem.X.iloc[train], problem.y[train], model__sample_weight=problem.weights[train]
        )
        predicted = pipeline.predict(problem.X.iloc[validation])
        weights = problem.weights[validation]
        losses.append(
            mean_poisson_deviance(problem.y[validation], predicted, sample_weight=weights)
        )
    assert gradient.cv_loss == pytest.approx(np.mean(losses) / 2.0, rel=1e-6)


def test_the_granularity_is_decided_on_unseen_folds(counted):
    result = tune_table(
        counted.drop(columns=["counts", "clinic"]),
        "visits",
        model="poisson",
        folds=3,
        compare=False,
    )
    first, decided = result.outcomes
    assert (first.name, first.granularity, decided.name) == ("gradient", "shared", "auto")
    table = decided.candidates
    assert table is not None
    assert table["candidate"][0] == "shared"
    assert table["cv_loss"][0] == pytest.approx(first.cv_loss, rel=1e-4)
    assert result.decided is decided
    assert result.best.granularity == decided.granularity
    assert result.drawn == (result.outcomes if decided.granularity != "shared" else [first])


def test_limits_are_those_of_all_gradient_searches_together(counted):
    result = tune_table(counted, "visits", model="poisson", folds=3, compare=False, max_fits=60)
    assert sum(outcome.fits for outcome in result.outcomes) <= 60
    alone = tune_table(counted, "visits", model="poisson", folds=3, compare=False, max_fits=5)
    assert [outcome.name for outcome in alone.outcomes] == ["gradient"]
    assert any("nothing of the budget was left" in note for note in alone.notes)


def test_a_distribution_without_such_values_is_refused(counted):
    frame = counted.assign(visits=counted["visits"] + 1.0)
    frame.loc[6, "visits"] = -1.0
    with pytest.raises(
        TableError, match=r"'visits' holds -1 \(data row 7\), but the model 'gamma'"
    ):
        tune_table(frame, "visits", model="gamma")
