"""A search as an Optuna study."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from argrad.sklearn import GradientSearchCV, PerFeature, Shared, to_optuna

optuna = pytest.importorskip("optuna")


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="module")
def shared(diabetes):
    return GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}, cv=3).fit(*diabetes)


def test_a_trial_a_point(shared):
    study = to_optuna(shared)
    trials = study.trials
    assert [t.value for t in trials] == shared.history_["cv_loss"].tolist()
    assert [t.params["alpha"] for t in trials] == shared.history_["alpha"].tolist()
    assert study.best_trial.number == shared.best_index_
    assert study.best_params == shared.best_params_
    assert study.best_value == -shared.best_score_
    ends = [(t.datetime_complete - shared.started_).total_seconds() for t in trials]
    np.testing.assert_allclose(ends, shared.history_["seconds"], atol=1e-5)
    for before, after in pairwise(trials):
        assert after.datetime_start == before.datetime_complete
    assert trials[0].distributions["alpha"].log
    assert trials[1].user_attrs["fits"] == 6
    losses = trials[1].user_attrs["split_losses"]
    assert np.mean(losses) == pytest.approx(trials[1].value)


def test_optuna_goes_on_from_there(shared):
    """What it is for: the same study takes further trials of the same parameters."""
    study = to_optuna(shared)
    study.optimize(lambda trial: trial.suggest_float("alpha", 1e-4, 1e4, log=True), n_trials=2)
    assert len(study.trials) == len(shared.history_) + 2


def test_a_study_of_ones_own_kept_in_a_database(shared, tmp_path):
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    study = optuna.create_study(study_name="ridge", storage=storage, direction="maximize")
    assert to_optuna(shared, study) is study
    again = optuna.load_study(study_name="ridge", storage=storage)
    assert again.best_value == shared.best_score_
    assert again.best_trial.user_attrs["evaluation"] == shared.best_index_ + 1


def test_a_parameter_a_number(diabetes):
    search = GradientSearchCV(Ridge(), {"alpha": PerFeature(1e-4, 1e4)}, cv=3, max_fits=13)
    study = to_optuna(search.fit(*diabetes))
    found = [study.best_params[f"alpha[x{j}]"] for j in range(10)]
    np.testing.assert_array_equal(found, search.best_params_["alpha"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_points_without_a_solution_are_failed_trials(unsolvable):
    study = to_optuna(unsolvable)
    failed = unsolvable.history_["cv_loss"].isna()
    assert 0 < failed.sum() < len(failed)
    states = [t.state == optuna.trial.TrialState.FAIL for t in study.trials]
    assert states == failed.tolist()
    assert study.best_params == unsolvable.best_params_


def test_what_cannot_be_exported(shared):
    with pytest.raises(NotFittedError):
        to_optuna(GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}))
    two = optuna.create_study(directions=["minimize", "minimize"])
    with pytest.raises(ValueError, match="one objective, the CV loss, but the study has 2"):
        to_optuna(shared, two)


def test_without_optuna(shared, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"argrad\[optuna\]"):
        to_optuna(shared)
