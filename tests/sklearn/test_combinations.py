"""Discrete hyperparameters by a grid outside, the continuous ones solved inside."""

import os
import signal
import time
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from argrad import SolveError
from argrad.sklearn import (
    Auto,
    GradientSearchCV,
    PerFeature,
    SampleWeights,
    Shared,
    plot_history,
    plot_path,
    plot_penalties,
    to_optuna,
)
from argrad.sklearn.combinations import combinations

WIDE = Shared(1e-4, 1e4)


@pytest.fixture
def curved(rng):
    X = rng.normal(size=(90, 3))
    return X, X[:, 0] ** 2 + X[:, 1] + 0.1 * rng.normal(size=90)


def polynomial(model=None):
    steps = [("poly", PolynomialFeatures(include_bias=False)), ("scale", StandardScaler())]
    return Pipeline([*steps, ("ridge", model or Ridge(solver="cholesky"))])


def test_the_search_is_that_of_all_combinations(curved):
    X, y = curved
    grid = {"poly__degree": [1, 2], "ridge__fit_intercept": [True, False]}
    search = GradientSearchCV(polynomial(), {**grid, "ridge__alpha": WIDE}, cv=KFold(3))
    search.fit(X, y)
    one_by_one = {}
    for degree in (1, 2):
        for intercept in (True, False):
            values = {"poly__degree": degree, "ridge__fit_intercept": intercept}
            inner = clone(polynomial()).set_params(**values)
            alone = GradientSearchCV(inner, {"ridge__alpha": WIDE}, cv=KFold(3)).fit(X, y)
            one_by_one[degree, intercept] = alone.best_score_
            rows = [
                i
                for i, params in enumerate(search.cv_results_["params"])
                if {name: params[name] for name in values} == values
            ]
            found = search.cv_results_["mean_test_score"][rows].max()
            # Warm starts lead elsewhere on the way, and to the same minimum: as near as a search
            # goes, which from its fourth point on promises 1e-5 of the loss.
            assert found == pytest.approx(alone.best_score_, rel=2e-5)
    best = max(one_by_one, key=one_by_one.get)
    assert best == (2, True)
    assert search.best_params_["poly__degree"], search.best_params_["ridge__fit_intercept"] == best
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1
    assert search.cv_results_["params"][search.best_index_] == search.best_params_
    by_hand = polynomial().set_params(**search.best_params_).fit(X, y)
    np.testing.assert_allclose(search.predict(X), by_hand.predict(X), rtol=1e-8)
    evaluations = len(search.history_)
    assert search.history_["evaluation"].tolist() == list(range(1, evaluations + 1))
    assert search.n_fits_ == 3 * evaluations + 1
    assert search.history_["fits"].tolist() == (3 * np.arange(1, evaluations + 1)).tolist()
    assert set(search.history_["poly__degree"]) == {1, 2}
    assert search.choices_ == grid


def test_scores_are_reported_for_every_row(curved):
    X, y = curved
    params = {"poly__degree": [1, 2], "ridge__alpha": WIDE}
    search = GradientSearchCV(polynomial(), params, cv=KFold(3), scoring=["r2", "neg_max_error"])
    results = search.fit(X, y).cv_results_
    rows = len(results["params"])
    assert {len(column) for column in results.values()} == {rows}
    assert sorted(results["rank_test_r2"])[0] == 1
    assert results["rank_test_r2"][np.argmax(results["mean_test_r2"])] == 1
    assert not np.isnan(results["mean_test_neg_max_error"]).any()
    assert search.n_fits_ == 2 * 3 * rows + 1


def test_several_dictionaries_with_numbers_of_their_own(curved):
    X, y = curved
    params = [
        {"poly__degree": [1], "ridge__alpha": PerFeature(1e-3, 1e3)},
        {"poly__degree": [2], "ridge__alpha": Shared(1e-4, 1e4)},
        {
            "poly__degree": [1],
            "ridge__alpha": Shared(1e-2, 1e2),
            "ridge__sample_weight": SampleWeights(y > 0),
        },
    ]
    search = GradientSearchCV(polynomial(), params, cv=3, max_fits=60).fit(X, y)
    results = search.cv_results_
    assert results["param_ridge__sample_weight"].mask.any()
    assert not results["param_ridge__alpha"].mask.any()
    assert search.bounds_["ridge__alpha"] == (1e-4, 1e4)
    assert len(search.history_.columns) == 5 + 1 + 3 + 1 + 2
    assert search.n_fits_ <= 60
    labels = [label.get_text() for label in plot_penalties(search).get_yticklabels()]
    assert labels == ["ridge__alpha"]  # of the best combination alone
    plot_history(search)
    plot_path(search)
    study = to_optuna(search)
    assert study.best_value == pytest.approx(-search.best_score_)
    assert study.best_params["poly__degree"] == 2


def test_steps_themselves_may_be_chosen(curved):
    X, y = curved
    params = {"scale": [StandardScaler(), "passthrough", PCA(2)], "ridge__alpha": WIDE}
    search = GradientSearchCV(polynomial(), params, cv=3).fit(X, y)
    assert len(search.choices_["scale"]) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(to_optuna(search).trials) == len(search.history_)


def test_where_the_same_numbers_are_tuned_the_next_search_begins_at_the_last(curved):
    X, y = curved
    params = {"fit_intercept": [True, False], "alpha": WIDE}
    search = GradientSearchCV(Ridge(), params, cv=3).fit(X, y)
    history = search.history_
    first = history[history["fit_intercept"]]
    second = history[~history["fit_intercept"].astype(bool)]
    assert second["alpha"].iloc[0] == first["alpha"].loc[first["cv_loss"].idxmin()]


def test_each_combination_may_decide_on_its_granularity(curved):
    X, y = curved
    params = {"poly__degree": [1, 2], "ridge__alpha": Auto()}
    search = GradientSearchCV(polynomial(), params, cv=4, max_fits=800).fit(X, y)
    assert search.best_params_["poly__degree"] == 2
    assert search.n_fits_ <= 800
    assert search.granularity_ in ("shared", "per-feature")
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1


# Limits go across the whole


def test_fits_are_shared_out(curved):
    X, y = curved
    params = {"poly__degree": [1, 2, 3], "ridge__alpha": WIDE}
    search = GradientSearchCV(polynomial(), params, cv=3, max_fits=20).fit(X, y)
    assert search.n_fits_ <= 20
    assert set(search.history_["poly__degree"]) == {1, 2, 3}
    with pytest.raises(ValueError, match=r"max_fits=9 does not allow.*10 or more"):
        GradientSearchCV(polynomial(), params, cv=3, max_fits=9).fit(X, y)


def test_after_the_timeout_no_further_combination_is_begun(curved):
    X, y = curved
    params = {"poly__degree": [1, 2, 3], "ridge__alpha": WIDE}

    def sleepy(told):
        time.sleep(0.05)

    search = GradientSearchCV(polynomial(), params, cv=3, timeout=0.04, callback=sleepy)
    with pytest.warns(UserWarning, match=r"before 2 of the combinations.*'poly__degree': 2"):
        search.fit(X, y)
    assert search.choices_ == {"poly__degree": [1]}


def test_a_callback_ends_all_of_it(curved):
    X, y = curved
    params = {"poly__degree": [1, 2], "ridge__alpha": WIDE}
    told = []

    def callback(each):
        told.append(each)
        return len(told) == 2

    search = GradientSearchCV(polynomial(), params, cv=3, callback=callback).fit(X, y)
    assert len(search.history_) == len(told) == 2
    assert told[0]["params"]["poly__degree"] == 1
    # The time that may be left counts what the other combination may take.
    assert told[0]["seconds_left"] > 0


def test_an_interrupt_keeps_the_best_of_all(curved):
    X, y = curved
    params = {"poly__degree": [2, 1], "ridge__alpha": WIDE}

    def callback(told):
        if told["params"]["poly__degree"] == 1:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1.0)

    search = GradientSearchCV(polynomial(), params, cv=3, callback=callback).fit(X, y)
    assert search.interrupted_
    assert search.best_params_["poly__degree"] == 2
    assert search.predict(X).shape == (90,)


def test_callbacks_of_scikit_learn_see_one_search(curved):
    callback = pytest.importorskip("sklearn.callback")
    X, y = curved
    params = {"poly__degree": [1, 2], "ridge__alpha": WIDE}
    search = GradientSearchCV(polynomial(), params, cv=3)
    search.set_callbacks(callback.ProgressBar())
    assert search.fit(X, y).best_params_["poly__degree"] == 2


def test_a_combination_without_a_solution_is_left_behind(rng):
    X = rng.normal(size=(60, 4))
    X = np.hstack([X, X]) * 1e8
    y = X[:, 0] + rng.normal(size=60)
    params = {"scale": ["passthrough", StandardScaler()], "ridge__alpha": Shared(1e-20, 1e-19)}
    pipeline = Pipeline([("scale", "passthrough"), ("ridge", Ridge())])
    params["ridge__alpha"] = Shared(1e-30, 1e-29)
    with pytest.raises(SolveError):
        GradientSearchCV(pipeline, params, cv=3).fit(X, y)
    params = [params, {"scale": [PCA(2)], "ridge__alpha": Shared(1e-3, 1e3)}]
    search = GradientSearchCV(pipeline, params, cv=3, error_score=np.nan)
    with pytest.warns(FitFailedWarning):
        search.fit(X, y)
    assert isinstance(search.best_params_["scale"], PCA)
    results = search.cv_results_
    assert results["rank_test_score"][0] == results["rank_test_score"].max()


# What is refused


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"poly__degre": [1], "ridge__alpha": WIDE}, "no parameter 'poly__degre': do you mean"),
        ({"poly__degree": [], "ridge__alpha": WIDE}, "'poly__degree'.* is empty"),
        ({"poly__degree": [1, 2]}, "nothing to tune by gradient"),
        ([], "must hold dictionaries"),
        ([3], "must hold dictionaries"),
    ],
)
def test_bad_choices(params, said):
    with pytest.raises(ValueError, match=said):
        combinations(polynomial(), params)


def test_settings_that_cannot_be_tuned_are_refused_before_any_fit(rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    params = {"solver": ["lbfgs", "liblinear"], "C": WIDE}
    said = []
    search = GradientSearchCV(LogisticRegression(), params, callback=said.append)
    with pytest.raises(ValueError, match="liblinear"):
        search.fit(X, y)
    assert not said
