"""Thousands of penalties where the truth is known."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from argrad.sklearn import GradientSearchCV
from examples import weighted_lasso


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(weighted_lasso, "ROWS", 200)
    monkeypatch.setattr(weighted_lasso, "COLUMNS", 300)
    monkeypatch.setattr(weighted_lasso, "CHOSEN", 10)


def test_targets_have_unit_variance_and_the_noise_that_is_said(small):
    truths = (weighted_lasso.few_alike, weighted_lasso.few_of_all_sizes, weighted_lasso.half_of_all)
    for truth, few in zip(truths, (True, True, False), strict=True):
        given = weighted_lasso.task(0, truth)
        assert given.X.shape == (200, 300)
        assert given.y_test.var() == pytest.approx(1.0, rel=0.1)
        assert (given.matters.sum() == 10) == few
        neighbours = np.corrcoef(given.X_test[:, 7], given.X_test[:, 8])[0, 1]
        assert neighbours == pytest.approx(0.5, abs=0.06)
        # Those who know the columns lose the noise, and d / n of it.
        known = given._replace(X=given.X_test, y=given.y_test)
        if few:
            assert weighted_lasso.known_columns(known) == pytest.approx(0.033, rel=0.08)
            assert 1.0 < weighted_lasso.known_columns(given) / 0.033 < 1.25


@pytest.mark.slow
def test_few_columns_are_found_with_adaptive_penalties(small):
    given = weighted_lasso.task(0, weighted_lasso.few_alike)
    found = weighted_lasso.measure(given).set_index("penalties")
    decided, shared = found.loc["decided"], found.loc["one penalty"]
    assert decided["decided"] == "adaptive"
    assert decided["test loss"] < 0.9 * shared["test loss"]
    assert (decided["right"], shared["right"]) == (10, 10)
    assert decided["wrong"] < 0.5 * shared["wrong"]
    free = found.loc["one a column, free"]
    assert free["CV loss"] < decided["CV loss"]  # and nothing follows from that
    assert free["test loss"] > decided["test loss"]


def test_where_half_of_the_columns_matter_one_penalty_is_kept(small, monkeypatch):
    monkeypatch.setattr(weighted_lasso, "COLUMNS", 100)
    given = weighted_lasso.task(0, weighted_lasso.half_of_all)
    search = GradientSearchCV(Lasso(max_iter=10_000)).fit(given.X, given.y)
    assert search.granularity_ != "adaptive"
    unseen = search.granularity_results_.set_index("candidate")["unseen_loss"]
    assert unseen["adaptive"] > unseen["shared"]
