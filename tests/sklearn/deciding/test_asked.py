"""What a search says of numbers that were asked for."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor

from argrad.sklearn import (
    GradientSearchCV,
    Grouped,
    PerClass,
    PerFeature,
    PerLayer,
    SampleWeights,
    Shared,
)
from argrad.sklearn.deciding import asked
from argrad.sklearn.deciding.asked import several
from argrad.sklearn.deciding.settled import among, draw
from argrad.sklearn.space import Space


def regression(rng, rows=60, columns=20, useful=3):
    X = rng.normal(size=(rows, columns))
    return X, X[:, :useful] @ rng.normal(size=useful) + rng.normal(size=rows)


def test_penalties_that_pay(rng):
    X = rng.normal(size=(150, 30))
    y = X[:, :3] @ np.array([4.0, -3.0, 5.0]) + rng.normal(size=150)
    groups = [0] * 3 + [1] * 27
    search = GradientSearchCV(Ridge(), {"alpha": Grouped(groups, 1e-4, 1e4)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(X, y)
    assert search.freedom_pays_ is True
    assert search.granularity_ == "grouped"
    assert search.granularity_reason_.startswith("grouped pays: it loses ")
    one, own = search.granularity_results_["unseen_loss"]
    assert own < one
    assert search.optimism_ == pytest.approx(own + search.best_score_)
    shared = GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}).fit(X, y)
    assert search.granularity_results_["cv_loss"][0] == pytest.approx(-shared.best_score_, rel=1e-2)


def test_penalties_that_do_not_pay_are_warned_of_and_kept(capsys):
    rng = np.random.default_rng(0)  # on some such tables they happen to pay
    X = rng.normal(size=(40, 20))
    y = X.sum(axis=1) + 4.0 * rng.normal(size=40)  # all columns alike
    params = {"alpha": PerFeature(1e-4, 1e4)}
    search = GradientSearchCV(Ridge(), params, verbose=1)
    with pytest.warns(UserWarning, match="per-feature does not pay: it loses .* nested=False"):
        search.fit(X, y)
    assert search.freedom_pays_ is False
    assert 0 < search.n_fits_comparing_ <= max(5 * search.n_fits_, 400)
    said = f"{search.granularity_reason_}: {search.n_fits_comparing_} fits"
    assert capsys.readouterr().out.splitlines()[-1] == said
    silent = GradientSearchCV(Ridge(), params, nested=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        silent.fit(X, y)
    np.testing.assert_array_equal(silent.best_params_["alpha"], search.best_params_["alpha"])
    assert not hasattr(silent, "freedom_pays_")
    assert not hasattr(silent, "n_fits_comparing_")
    assert search.n_fits_ == silent.n_fits_ == 5 * len(silent.history_) + 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_limits_hold_and_nothing_is_said_of_one_number(rng):
    X, y = regression(rng)
    params = {"alpha": PerFeature(1e-4, 1e4)}
    search = GradientSearchCV(Ridge(), params, max_fits=31).fit(X, y)
    assert search.n_fits_ + search.n_fits_comparing_ <= 31
    assert search.freedom_pays_ is None
    assert search.granularity_reason_ == (
        "per-feature was not compared with shared: it ended before two folds had been left out"
    )
    search.set_params(params={"alpha": Shared(1e-4, 1e4)}, max_fits=None).fit(X, y)
    assert not hasattr(search, "freedom_pays_")
    ended = GradientSearchCV(Ridge(), params, callback=lambda told: told["evaluation"] == 3)
    assert not hasattr(ended.fit(X, y), "freedom_pays_")
    told = []
    listening = GradientSearchCV(Ridge(), params, callback=told.append).fit(X, y)
    assert told[-1]["evaluation"] == 0
    assert told[-1]["trying"].startswith("shared and per-feature, without fold ")
    # All but the last fit, on all rows, which nobody is told of.
    assert told[-1]["fits"] + 1 == listening.n_fits_ + listening.n_fits_comparing_


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_weights_of_rows_stay_what_they_are(rng):
    X = rng.normal(size=(90, 20))
    y = X[:, :3] @ np.array([4.0, -3.0, 5.0]) + rng.normal(size=90)
    groups = np.arange(len(y)) % 2
    params = {"alpha": PerFeature(1e-2, 1e2), "sample_weight": SampleWeights(groups)}
    search = GradientSearchCV(Ridge(), params, cv=3).fit(X, y)
    assert list(search.granularity_results_["candidate"]) == ["shared", "per-feature"]
    both = {"C": PerClass(0.1, 1.0), "other": PerFeature(0.1, 1.0)}
    tied = several(Space(both, ["a", "b"], ["x", "y", "z"]), ["C"])
    np.testing.assert_array_equal(tied.tie, [0, 0, 0, 1, 2])
    assert [str(way) for way in tied.ways] == ["per-class"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("weighed", [False, True])
def test_many_rows_are_judged_by_a_part_of_them(monkeypatch, weighed):
    """It comes to what a search of these rows alone would say, and says how many they are."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 12))
    y = X[:, :2] @ [3.0, -4.0] + 20.0 * rng.normal(size=900)
    params = {"alpha": PerFeature(1e-2, 1e6)}
    if weighed:
        params["sample_weight"] = SampleWeights(np.arange(900) % 2)
    monkeypatch.setattr(asked, "affordable_rows_of_few", lambda numbers, condensed: 200)
    search = GradientSearchCV(Ridge(), params, cv=3).fit(X, y)
    assert search.granularity_reason_.endswith(" (judged on 200 of 900 rows)")
    monkeypatch.undo()
    drawn = draw(900, 200, None)
    splits = among(list(KFold(3).split(X)), drawn)
    if weighed:
        params["sample_weight"] = SampleWeights(drawn % 2)
    few = GradientSearchCV(Ridge(), params, cv=splits).fit(X[drawn], y[drawn])
    assert search.freedom_pays_ == few.freedom_pays_
    np.testing.assert_allclose(
        search.granularity_results_["unseen_loss"],
        few.granularity_results_["unseen_loss"],
        rtol=0.02,
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_classes_and_layers_as_well(rng):
    X = rng.normal(size=(90, 3))
    y = np.argmax(X + rng.gumbel(size=(90, 3)), axis=1)
    search = GradientSearchCV(LogisticRegression(), {"C": PerClass(1e-4, 1e4)}, cv=3).fit(X, y)
    assert search.granularity_ == "per-class"
    assert search.granularity_reason_.startswith("per-class ")
    mlp = MLPRegressor(hidden_layer_sizes=(2,), activation="tanh", random_state=0)
    search = GradientSearchCV(mlp, {"alpha": PerLayer(0.1, 1e2)}, cv=3, max_fits=60)
    search.fit(X, X[:, 0] + 0.1 * rng.normal(size=90))
    assert search.granularity_ == "per-layer"
