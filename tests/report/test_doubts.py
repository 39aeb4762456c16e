"""What is said of held-out rows that a constant predicts as well, or that are few."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from argrad.report.doubts import copies, doubts


def test_a_classifier_is_compared_with_the_shares_of_the_classes(wine_result):
    problem, best = wine_result.problem, wine_result.best
    assert doubts(problem, best) == []
    shares = np.mean(problem.y[:, None] == np.unique(problem.y), axis=0)
    of = np.searchsorted(np.unique(problem.y), problem.y_test)
    loss = -np.mean(np.log(shares[of]))
    assert doubts(problem, replace(best, test_loss=loss * (1 - 1e-9))) == []
    (said,) = doubts(problem, replace(best, test_loss=loss * (1 + 1e-9)))
    assert f"the shares of the classes alone lose {loss:.4g}" in said


@pytest.mark.parametrize("score", [0.0, -0.3, np.nextafter(0, 1)])
def test_a_regression_is_compared_with_the_mean(diabetes_result, score):
    problem, best = diabetes_result.problem, diabetes_result.best
    assert doubts(problem, best) == []
    said = doubts(problem, replace(best, test_score=score))
    assert len(said) == int(score <= 0)
    assert all("no better than the mean" in each for each in said)


def test_few_held_out_rows_are_said(diabetes_result):
    problem = diabetes_result.problem
    few = replace(problem, X_test=problem.X_test[:29], y_test=problem.y_test[:29])
    assert doubts(few, diabetes_result.best) == [
        "the held-out rows are only 29: differences between losses on them say little"
    ]


def test_rows_that_repeat_others_are_counted(rng):
    frame = pd.DataFrame({"x": rng.normal(size=80), "flag": rng.random(80) > 0.5, "target": 1.0})
    y = rng.normal(size=80)
    assert copies(frame, y, ["x", "target"]) == []
    twice = pd.concat([frame, frame[:9]], ignore_index=True)
    (note,) = copies(twice, np.append(y, y[:9]), ["x", "target"])
    assert note.startswith("9 of 89 rows repeat others in every column")
    assert copies(twice, np.append(y, y[:9] + 1.0), ["x", "target"]) == []
    # Of a few values rows repeat each other by chance.
    few = pd.DataFrame({"a": rng.integers(0, 3, 90), "b": rng.integers(0, 3, 90)})
    assert copies(few, few["a"].to_numpy(), ["a", "b"]) == []
