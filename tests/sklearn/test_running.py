"""Runs people can live with: limits, ends, and points without a solution."""

import time
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.model_selection import KFold

from argrad import SolveError
from argrad.sklearn import GradientSearchCV, PerFeature, Shared, from_objective

WIDE = (1e-4, 1e4)


def search_of(**settings):
    settings = {"nested": False, **settings}
    return GradientSearchCV(Ridge(), {"alpha": PerFeature(*WIDE)}, cv=3, **settings)


@pytest.mark.parametrize("max_fits", [4, 9, 10, 25])
@pytest.mark.parametrize(("refit", "scoring"), [(True, None), (False, None), (True, "r2")])
def test_no_more_fits_than_allowed(diabetes, max_fits, refit, scoring):
    if scoring is not None and max_fits == 4:
        max_fits = 7
    search = search_of(max_fits=max_fits, refit=refit, scoring=scoring).fit(*diabetes)
    each = 3 if scoring is None else 6
    assert search.n_fits_ == each * len(search.history_) + refit <= max_fits
    assert search.n_fits_ + each > max_fits
    assert search.history_["fits"].iloc[-1] + refit == search.n_fits_


def test_nothing_begins_after_the_time_is_up(diabetes):
    search = search_of(timeout=0.3, callback=lambda told: time.sleep(0.2)).fit(*diabetes)
    begun = search.history_["seconds"].iloc[-2] if len(search.history_) > 1 else 0.0
    assert begun < 0.3
    assert len(search.history_) < 5
    search.predict(diabetes[0])


def test_the_first_point_is_always_evaluated(diabetes):
    assert len(search_of(timeout=1e-9).fit(*diabetes).history_) == 1


@pytest.mark.parametrize(("answer", "evaluations"), [(True, 2), (1, 6), (None, 6), ("stop", 6)])
def test_a_callback_ends_the_search_by_true(diabetes, answer, evaluations):
    def callback(told):
        return answer if told["evaluation"] == 2 else None

    search = search_of(callback=callback, max_fits=19).fit(*diabetes)
    assert len(search.history_) == evaluations
    assert search.interrupted_ is False


def test_the_best_is_returned_not_the_last(diabetes):
    """Every run of this search has points that are worse than one before."""
    search = search_of().fit(*diabetes)
    losses = search.history_["cv_loss"].to_numpy()
    worse = np.flatnonzero(losses > np.minimum.accumulate(losses))
    cut = search_of(max_fits=3 * (int(worse[0]) + 1) + 1).fit(*diabetes)
    assert cut.best_index_ < len(cut.history_) - 1
    assert cut.best_score_ == -cut.history_["cv_loss"].min()


def test_the_scale_of_the_data_does_not_matter(rng, diabetes):
    """In other units of y, and of all columns, the same points are met."""
    X, y = diabetes
    factor, scale = np.exp(rng.uniform(2, 6)), np.exp(rng.uniform(-4, 4, size=10))
    plain = GradientSearchCV(Ridge(), {"alpha": PerFeature(1e-20, 1e20)}, max_fits=40, refit=False)
    before = plain.fit(X, y).history_
    after = plain.fit(X * scale, factor * y + 7.0).history_
    np.testing.assert_allclose(after["cv_loss"], factor**2 * before["cv_loss"], rtol=1e-6)
    for j in range(10):
        name = f"alpha[x{j}]"
        np.testing.assert_allclose(after[name], before[name] * scale[j] ** 2, rtol=1e-3)


# Points without a solution


def test_the_search_goes_back_from_where_there_is_no_solution(unsolvable):
    failed = unsolvable.history_["cv_loss"].isna().to_numpy()
    assert 0 < failed.sum() < len(failed)
    assert not failed[0]
    assert not failed[unsolvable.best_index_]
    alpha = unsolvable.history_["alpha"].to_numpy()
    # Each failure is followed by a point nearer to the best one met until then.
    for i in np.flatnonzero(failed[:-1]):
        best = int(np.nanargmin(unsolvable.history_["cv_loss"][:i]))
        assert abs(np.log(alpha[i + 1] / alpha[best])) < abs(np.log(alpha[i] / alpha[best]))
    results = unsolvable.cv_results_
    assert np.isnan(results["mean_test_score"][failed]).all()
    assert np.isfinite(results["mean_test_score"][~failed]).all()
    assert results["rank_test_score"][unsolvable.best_index_] == 1
    assert set(results["rank_test_score"][failed]) == {(~failed).sum() + 1}


@pytest.fixture
def singular():
    """Twice the same columns: without a penalty there is no unique solution."""
    random = np.random.default_rng(1)
    X = random.normal(size=(60, 4))
    return np.hstack([X, X]) * 1e3, X @ np.ones(4)


def strict(error_score, **settings):
    params = {"alpha": Shared(1e-30, 1e30)}
    return GradientSearchCV(Ridge(), params, cv=3, error_score=error_score, **settings)


def test_a_number_is_the_score_of_such_a_point_and_there_is_a_warning(singular):
    """Even a number better than all scores does not make it the best."""
    with pytest.warns(
        FitFailedWarning,
        match=r"fold 0 at alpha=.*singular.*Raise the lower bound of alpha.*goes on",
    ):
        search = strict(1e3).fit(*singular)
    failed = search.history_["cv_loss"].isna().to_numpy()
    assert failed.any()
    assert not failed[search.best_index_]
    for i in range(3):
        np.testing.assert_array_equal(search.cv_results_[f"split{i}_test_score"][failed], 1e3)
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1
    search.predict(singular[0])


def test_it_is_an_error_unless_a_number_is_given(singular):
    with pytest.raises(SolveError, match="singular"):
        strict("raise").fit(*singular)


def test_scores_of_such_a_point(singular):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        search = strict(-5.0, scoring="r2").fit(*singular)
    failed = search.history_["cv_loss"].isna().to_numpy()
    np.testing.assert_array_equal(search.cv_results_["mean_test_r2"][failed], -5.0)
    assert np.all(search.cv_results_["mean_test_r2"][~failed] > 0)
    assert np.isnan(search.cv_results_["mean_score_time"][failed]).all()


def test_without_any_solution_there_is_no_result(singular):
    with pytest.raises(SolveError, match="singular"), pytest.warns(FitFailedWarning):
        strict(0.0, refit=False).set_params(params={"alpha": Shared(1e-32, 1e-30)}).fit(*singular)


def test_by_default_the_search_goes_back_and_keeps_the_best_it_has(singular):
    with pytest.warns(FitFailedWarning, match=r"fold 0 at alpha=.*goes on from others"):
        search = GradientSearchCV(Ridge(), {"alpha": Shared(1e-30, 1e30)}, cv=3).fit(*singular)
    assert search.history_["cv_loss"].isna().any()
    assert search.best_score_ == np.nanmax(search.cv_results_["mean_test_score"])


def test_where_the_first_point_has_no_solution_others_are_looked_at(rng):
    """Below a penalty of about four the objective falls for ever."""

    def objective(w, X, y, sample_weight, alpha):
        squares = jnp.sum(sample_weight * (X @ w - y) ** 2) / jnp.sum(sample_weight)
        return squares + (alpha - 5.0) * jnp.sum(w**2)

    X = rng.normal(size=(60, 3))
    tuned = {"alpha": Shared(1e-2, 1e2)}
    model = from_objective(objective, lambda w, X: X @ w, jnp.zeros(3), tuned)
    with pytest.warns(FitFailedWarning, match=r"at alpha=.*lower bound"):
        search = GradientSearchCV(model, tuned, cv=3).fit(X, X @ [1.0, 2.0, 3.0])
    assert np.isnan(search.history_["cv_loss"][0])
    assert search.best_params_["alpha"] > 1
    assert np.isfinite(search.best_score_)


def test_where_no_point_can_be_fitted_it_is_said_why(rng):
    X, y = rng.normal(size=(60, 3)), np.r_[rng.poisson(3.0, size=20), np.zeros(40)]
    search = GradientSearchCV(PoissonRegressor(), {"alpha": Shared(1e-2, 1e2)}, cv=KFold(3))
    with (
        pytest.warns(FitFailedWarning),
        pytest.raises(SolveError, match=r"fold 0 at alpha=.*y is 0 in all of them.*KFold"),
    ):
        search.fit(X, y)


def test_a_class_that_is_in_two_folds_only_leaves_a_decision(rng):
    """Without one of them the training rows of the other have none of the class."""
    X, labels = rng.normal(size=(60, 3)), np.tile([0, 1], 30)
    labels[[0, 25]] = 2
    search = GradientSearchCV(LogisticRegression(), cv=KFold(3)).fit(X, labels)
    assert search.granularity_ == "shared"
    assert "no training row of class number 2" in search.granularity_reason_
