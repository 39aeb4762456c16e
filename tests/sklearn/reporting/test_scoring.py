"""Scores beside the criterion, against scikit-learn's own cross-validation."""

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer, r2_score
from sklearn.model_selection import GroupKFold, cross_validate

from argrad.sklearn import GradientSearchCV, Shared
from argrad.sklearn.reporting.scoring import scorers_of, takes_weights

from ..reference import logistic, standardised

RANGE = Shared(1e-3, 1e3)


def mean_error(estimator, X, y):
    return float(np.mean(estimator.predict(X) != y))


def two_errors(estimator, X, y):
    wrong = float(np.mean(estimator.predict(X) != y))
    return {"wrong": -wrong, "right": 1 - wrong}


@pytest.fixture(scope="module")
def small(breast):
    return breast[0][::3, :6], breast[1][::3]


def search_of(scoring, **settings):
    settings = {"cv": 3, "max_fits": 19, **settings}
    estimator = standardised(logistic())
    return GradientSearchCV(estimator, {"model__C": RANGE}, scoring=scoring, **settings)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_every_point_has_the_scores_of_cross_validation(small, n_jobs):
    X, y = small
    scoring = {"accuracy": "accuracy", "auc": "roc_auc"}
    if n_jobs is None:  # what a test module defines cannot be sent to other processes
        scoring["own"] = mean_error
    search = search_of(scoring, n_jobs=n_jobs).fit(X, y)
    assert search.n_fits_ == 6 * len(search.history_) + 1 <= 19
    assert len(search.history_) == 3
    for row, params in enumerate(search.cv_results_["params"]):
        at = standardised(logistic()).set_params(**params)
        expected = cross_validate(at, X, y, cv=3, scoring=scoring)
        for name in scoring:
            found = [search.cv_results_[f"split{i}_test_{name}"][row] for i in range(3)]
            np.testing.assert_allclose(found, expected[f"test_{name}"], rtol=1e-9)
            mean = search.cv_results_[f"mean_test_{name}"][row]
            assert mean == pytest.approx(expected[f"test_{name}"].mean())
            deviation = search.cv_results_[f"std_test_{name}"][row]
            assert deviation == pytest.approx(expected[f"test_{name}"].std())
    best = np.argmax(search.cv_results_["mean_test_auc"])
    assert search.cv_results_["rank_test_auc"][best] == 1
    assert np.all(search.cv_results_["mean_score_time"] > 0)


def test_scores_do_not_steer(small):
    """The best point is that of the criterion, whatever is reported."""
    plain = search_of(None, max_fits=10).fit(*small)
    scored = search_of({"worst": make_scorer(accuracy_score, greater_is_better=False)}).fit(*small)
    assert scored.best_params_ == plain.best_params_
    assert scored.best_score_ == plain.best_score_ == -scored.history_["cv_loss"].min()


def test_score_is_the_scorers(small):
    X, y = small
    plain = search_of(None).fit(X, y)
    assert plain.multimetric_ is False
    assert plain.score(X, y) == plain.scorer_(plain.best_estimator_, X, y)
    assert plain.score(X, y) == accuracy_score(y, plain.predict(X))

    loss = search_of("neg_log_loss").fit(X, y)
    assert loss.multimetric_ is False
    assert loss.score(X, y) == loss.scorer_(loss.best_estimator_, X, y) < 0
    assert "mean_test_neg_log_loss" in loss.cv_results_

    first = search_of(["f1", "accuracy"]).fit(X, y)
    assert first.multimetric_ is True
    assert list(first.scorer_) == ["f1", "accuracy"]
    assert first.score(X, y) == first.scorer_["f1"](first.best_estimator_, X, y)


def test_a_callable_of_one_score_and_of_several(small):
    X, y = small
    one = search_of(mean_error).fit(X, y)
    assert one.score(X, y) == mean_error(one.best_estimator_, X, y)
    assert "mean_test_scoring" in one.cv_results_
    several = search_of(two_errors).fit(X, y)
    assert several.multimetric_ is True
    np.testing.assert_allclose(
        several.cv_results_["mean_test_right"], 1 + several.cv_results_["mean_test_wrong"]
    )
    assert several.score(X, y) == -mean_error(several.best_estimator_, X, y)


def test_reported_to_the_callback(small):
    told = []
    search = search_of(["accuracy"], callback=told.append).fit(*small)
    means = [each["scores"]["accuracy"] for each in told]
    np.testing.assert_array_equal(means, search.cv_results_["mean_test_accuracy"])


def test_groups_hold_for_scores_too(diabetes):
    X, y = diabetes
    groups = np.arange(len(y)) % 5
    search = GradientSearchCV(
        Ridge(), {"alpha": RANGE}, cv=GroupKFold(3), scoring="r2", max_fits=7
    ).fit(X, y, groups=groups)
    at = Ridge(**search.best_params_)
    expected = cross_validate(at, X, y, groups=groups, cv=GroupKFold(3), scoring="r2")
    found = [search.cv_results_[f"split{i}_test_r2"][0] for i in range(3)]
    np.testing.assert_allclose(found, expected["test_score"], rtol=1e-9)


def fails_below(estimator, X, y):
    if estimator[-1].C < 1.0:
        raise RuntimeError("C is small")
    return 1.0


def nan_score(estimator, X, y):
    return float("nan")


def text_score(estimator, X, y):
    return "good"


@pytest.mark.parametrize(
    ("scorer", "kind", "said"),
    [
        (nan_score, ValueError, r"'own' returned nan in fold 0 at model__C=.*error_score"),
        (text_score, ValueError, "'own' returned 'good' in fold 0.*return a float"),
        (fails_below, RuntimeError, "C is small"),
    ],
)
def test_a_scorer_that_fails_ends_the_search_or_is_told_of(small, scorer, kind, said):
    search = search_of({"own": scorer}, error_score="raise")
    search.set_params(params={"model__C": Shared(1e-3, 1e-2)})
    with pytest.raises(kind, match=said) as raised:
        search.fit(*small)
    assert "in the scorer 'own'" in raised.value.__notes__[0]
    search.set_params(error_score=np.nan)
    with pytest.warns(FitFailedWarning, match=said):
        search.fit(*small)
    assert np.all(np.isnan(search.cv_results_["mean_test_own"]))
    assert search.best_score_ > -np.log(2)  # the search itself goes on


@pytest.mark.parametrize("number", [np.nan, -1.0])
def test_or_counts_as_a_number(small, number):
    search = search_of({"own": fails_below, "accuracy": "accuracy"}, error_score=number)
    search.set_params(params={"model__C": Shared(1e-3, 1e-2)})
    with pytest.warns(FitFailedWarning, match=r"scorer 'own' failed in fold 0 at .*C is small"):
        search.fit(*small)
    np.testing.assert_array_equal(search.cv_results_["mean_test_own"], number)
    assert np.all(search.cv_results_["mean_test_accuracy"] > 0.5)


@pytest.mark.parametrize(
    ("scoring", "kind", "said"),
    [
        ("acuracy", ValueError, "'acuracy' is not the name of a scorer: do you mean 'accuracy'"),
        (["accuracy", "f2"], ValueError, "'f2' is not the name of a scorer"),
        (["accuracy", "accuracy"], ValueError, "names a scorer twice"),
        ([], ValueError, "is empty"),
        ({}, ValueError, "is empty"),
        ({"score": "accuracy"}, ValueError, "cannot be called 'score'"),
        ([accuracy_score], TypeError, "give callables in a dictionary"),
        ({"own": 3}, TypeError, "must be a name or a callable, got 3"),
        (3, TypeError, "scoring must be None, the name of a scorer"),
    ],
)
def test_scoring_that_cannot_be_used(small, scoring, kind, said):
    with pytest.raises(kind, match=said):
        search_of(scoring).fit(*small)


def test_kinds_of_scoring():
    assert scorers_of(Ridge(), None).reported == {}
    assert list(scorers_of(Ridge(), "r2").reported) == ["r2"]
    assert scorers_of(Ridge(), {"r2", "neg_max_error"}).several
    assert takes_weights(make_scorer(r2_score))
    assert takes_weights(scorers_of(LogisticRegression(), "accuracy").score)
    assert not takes_weights(mean_error)
