from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from argrad.report.searches.outcome import SearchOutcome, finite, plain, recommended


def outcome(
    name: str, fits: int, cv_loss: float, test_loss: float = 1.0, granularity: str = "shared"
) -> SearchOutcome:
    history = pd.DataFrame()
    return SearchOutcome(name, granularity, fits, 0.5, cv_loss, test_loss, None, {}, None, history)


def test_the_lowest_cv_loss_is_recommended_whatever_the_held_out_rows_say():
    grid = outcome("grid", 251, 0.5, test_loss=9.0)
    assert recommended([outcome("gradient", 21, 0.6, test_loss=0.1), grid]) is grid


def test_among_equal_losses_the_fewest_fits():
    gradient = outcome("gradient", 21, 0.50001)
    assert recommended([outcome("grid", 251, 0.5), gradient]) is gradient


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_json_has_no_word_for_what_is_not_finite(value):
    assert finite(value) is None
    assert outcome("grid", 251, value or float("nan")).summary()["cv_loss"] is None


def test_parameters_become_plain_numbers():
    assert plain({"C": np.float64(2.0), "alpha": np.array([1.0, 2.0])}) == {
        "C": 2.0,
        "alpha": [1.0, 2.0],
    }


def decided(granularity: str, cv_loss: float) -> SearchOutcome:
    candidates = pd.DataFrame(
        {
            "candidate": ["shared"],
            "cv_loss": [0.5],
            "unseen_loss": [0.6],
            "standard_error": [np.nan],
        }
    )
    found = outcome("auto", 1000, cv_loss, granularity=granularity)
    return dataclasses.replace(found, candidates=candidates)


def test_a_decision_for_more_penalties_is_recommended_whatever_its_cv_loss():
    per_feature = decided("per-feature", 0.7)
    assert recommended([outcome("gradient", 21, 0.5), per_feature]) is per_feature


def test_a_decision_for_one_penalty_rules_out_more():
    gradient = outcome("gradient", 21, 0.5)
    many = outcome("other", 9, 0.1, granularity="per-feature")
    assert recommended([gradient, many, decided("shared", 0.5)]) is gradient


def test_candidates_are_in_json_without_nan():
    content = decided("shared", 0.5).summary()
    assert content["candidates"] == [
        {"candidate": "shared", "cv_loss": 0.5, "unseen_loss": 0.6, "standard_error": None}
    ]
    assert "candidates" not in outcome("grid", 251, 0.5).summary()
