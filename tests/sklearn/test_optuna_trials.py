"""Optuna outside, gradients inside."""

import os
import signal
import time

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from argrad.sklearn import GradientSearchCV, Shared, optuna_objective

optuna = pytest.importorskip("optuna")
optuna.logging.set_verbosity(optuna.logging.WARNING)

PARAMS = {
    "poly__degree": [1, 2],
    "scale": [StandardScaler(), "passthrough"],
    "ridge__alpha": Shared(1e-4, 1e4),
}


@pytest.fixture
def curved(rng):
    X = rng.normal(size=(60, 3))
    return X, X[:, 0] ** 2 + X[:, 1] + 0.1 * rng.normal(size=60)


def search(params=PARAMS, **settings):
    steps = [("poly", PolynomialFeatures()), ("scale", StandardScaler()), ("ridge", Ridge())]
    return GradientSearchCV(Pipeline(steps), params, cv=3, **settings)


def study_of(**settings):
    grid = {"poly__degree": [1, 2], "scale": ["StandardScaler()", "passthrough"]}
    return optuna.create_study(sampler=optuna.samplers.GridSampler(grid, seed=0), **settings)


def test_a_grid_of_trials_finds_what_the_search_finds(curved):
    whole = search().fit(*curved)
    objective, study = optuna_objective(search(), *curved), study_of()
    study.optimize(objective)
    assert len(study.trials) == 4
    assert study.best_value == pytest.approx(-whole.best_score_, rel=2e-5)
    assert study.best_params["poly__degree"] == 2
    alpha = study.best_trial.user_attrs["best_params"]["ridge__alpha"]
    assert alpha == pytest.approx(whole.best_params_["ridge__alpha"], rel=1e-2)
    fitted = objective.fit(study.best_trial)
    assert -fitted.best_score_ == study.best_value
    predicted = fitted.predict(curved[0]), whole.predict(curved[0])
    np.testing.assert_allclose(*predicted, atol=1e-3 * np.abs(curved[1]).max())


def test_weights_go_to_the_fits(curved, rng):
    weight = rng.uniform(0.1, 2.0, size=60)
    study = study_of()
    study.optimize(optuna_objective(search(), *curved, sample_weight=weight), n_trials=2)
    degree = study.best_params["poly__degree"]
    params = {**PARAMS, "poly__degree": [degree]}
    expected = search(params).fit(*curved, sample_weight=weight)
    assert study.best_value >= -expected.best_score_ - 1e-9


def test_limits_are_those_of_a_trial(curved):
    study = study_of()
    study.optimize(optuna_objective(search(max_fits=7), *curved), n_trials=2)
    assert [trial.user_attrs["fits"] for trial in study.trials] == [6, 6]


def test_a_callback_and_an_interrupt_end_the_study(curved):
    told = []

    def enough(each):
        told.append(each)
        return True

    study = study_of()
    study.optimize(optuna_objective(search(callback=enough), *curved))
    assert len(study.trials) == len(told) == 1

    def interrupt(each):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1.0)

    study = study_of()
    study.optimize(optuna_objective(search(callback=interrupt), *curved))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]


def test_trials_can_be_pruned(curved):
    class Always(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return True

    study = study_of(pruner=Always())
    study.optimize(optuna_objective(search(), *curved), n_trials=1)
    assert study.trials[0].state.name == "PRUNED"
    assert len(study.trials[0].intermediate_values) == 1


def test_a_trial_without_a_solution_fails(rng):
    X = rng.normal(size=(60, 4))
    X = np.hstack([X, X]) * 1e6
    params = {"fit_intercept": [True, False], "alpha": Shared(1e-30, 1e-29)}
    failing = GradientSearchCV(Ridge(), params, cv=3, error_score=np.nan)
    study = optuna.create_study()
    with pytest.warns(FitFailedWarning, match="singular"):
        study.optimize(optuna_objective(failing, X, X[:, 0]), n_trials=1)
    assert study.trials[0].state.name == "FAIL"


def test_there_must_be_something_to_choose():
    with pytest.raises(ValueError, match="no list of values"):
        optuna_objective(GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}), [[0.0]], [0.0])
    params = {"alpha": Shared(1e-4, 1e4), "fit_intercep": [True]}
    with pytest.raises(ValueError, match="do you mean 'fit_intercept'"):
        optuna_objective(GradientSearchCV(Ridge(), params), [[0.0]], [0.0])
