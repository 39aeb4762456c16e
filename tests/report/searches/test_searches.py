"""The three searches, on the same problem."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

from argrad.report.progress import Silent
from argrad.report.searches import Budget, gradient_search, tpe_search


class CtrlC(Silent):
    """Presses Ctrl-C at the n-th step."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, text: str) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def cross_validated(problem, value: float) -> float:
    """The CV loss of one shared penalty by scikit-learn alone, solved to high accuracy."""
    pipeline = problem.with_params({problem.penalty: value})
    pipeline.set_params(**{"model__tol": 1e-8})
    scores = cross_val_score(
        pipeline, problem.X, problem.y, cv=problem.folds, scoring=problem.scoring
    )
    return -scores.mean()


@pytest.fixture(params=["wine", "diabetes"])
def result(request):
    return request.getfixturevalue(f"{request.param}_result")


@pytest.fixture
def problem(result):
    return result.problem


@pytest.fixture
def grid(result):
    return result.outcomes[1]


def test_the_gradient_search_reports_scikit_learns_cv_loss(problem):
    outcome = gradient_search(problem, "shared", Budget(), Silent())
    chosen = float(outcome.params[problem.penalty])
    low, high = problem.ranges[problem.penalty]
    assert low <= chosen <= high
    assert outcome.cv_loss == pytest.approx(cross_validated(problem, chosen), rel=1e-4)
    assert {"fits", "seconds", "cv_loss"} <= set(outcome.history)
    assert outcome.fits >= outcome.history["fits"].max()
    assert outcome.seconds >= outcome.history["seconds"].max()


def test_the_gradient_search_is_no_worse_than_the_grid_for_a_tenth_of_its_fits(problem, grid):
    gradient = gradient_search(problem, "shared", Budget(), Silent())
    assert gradient.cv_loss <= grid.cv_loss * (1.0 + 1e-4)
    assert gradient.fits <= grid.fits / 10


def test_the_gradient_search_can_be_stopped_after_some_evaluations(problem):
    outcome = gradient_search(problem, "shared", Budget(fits=7), Silent())
    assert len(outcome.history) <= 2


def test_the_grid_is_tried_on_every_fold(problem, grid):
    assert grid.fits == 50 * 3 + 1
    assert len(grid.history) == 50
    assert grid.cv_loss == grid.history["cv_loss"].min()
    chosen = grid.params[problem.penalty]
    assert grid.cv_loss == pytest.approx(cross_validated(problem, chosen), rel=5e-4)
    assert (np.diff(grid.history["seconds"]) > 0).all()


def test_tpe_keeps_to_its_time(problem):
    pytest.importorskip("optuna")
    outcome = tpe_search(problem, 0.5, Silent())
    assert 0.5 <= outcome.seconds < 5.0
    assert outcome.fits == 3 * len(outcome.history) + 1
    assert outcome.cv_loss == outcome.history["cv_loss"].min()
    assert not outcome.interrupted


def test_tpe_tries_once_however_little_time_there_is(problem):
    pytest.importorskip("optuna")
    assert len(tpe_search(problem, 1e-9, Silent()).history) == 1


def test_ctrl_c_keeps_the_best_so_far(problem):
    outcome = gradient_search(problem, "shared", Budget(), CtrlC(at=2))
    assert outcome.interrupted
    assert 1 <= len(outcome.history) <= 2
    assert outcome.cv_loss == outcome.history["cv_loss"].min()
    assert np.isfinite(outcome.test_loss)


def test_ctrl_c_keeps_the_best_trial_so_far(problem):
    pytest.importorskip("optuna")
    outcome = tpe_search(problem, 60.0, CtrlC(at=2))
    assert outcome.interrupted
    assert len(outcome.history) == 2
    assert outcome.cv_loss == outcome.history["cv_loss"].min()
