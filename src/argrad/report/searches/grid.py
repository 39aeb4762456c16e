"""scikit-learn's grid search, for comparison."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from argrad.report.progress import Progress
from argrad.report.searches.outcome import SearchOutcome
from argrad.report.searches.threads import few_threads
from argrad.report.searches.tuning_problem import TuningProblem

NAME = "grid"
POINTS = 50


def grid_search(problem: TuningProblem, progress: Progress) -> SearchOutcome:
    """Try about `POINTS` points, evenly spaced in the logarithms, on every fold."""
    each = round(POINTS ** (1 / len(problem.ranges)))
    grid = {name: np.geomspace(*bounds, each) for name, bounds in problem.ranges.items()}
    points = each ** len(grid)
    search = GridSearchCV(problem.pipeline, grid, cv=problem.folds, scoring=problem.scoring)
    what = "penalties" if len(grid) == 1 else "points"
    progress.stage(f"grid search ({points} {what}, {points * len(problem.folds) + 1} fits)")
    with warnings.catch_warnings(), few_threads(problem.X):
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        search.fit(problem.X, problem.y, **problem.fit_params)
        seconds = time.perf_counter() - start
    test_loss, test_score = problem.held_out(search.best_estimator_)
    return SearchOutcome(
        name=NAME,
        granularity="shared",
        fits=points * len(problem.folds) + 1,
        seconds=seconds,
        cv_loss=-float(search.best_score_),
        test_loss=test_loss,
        test_score=test_score,
        params={name: float(search.best_params_[name]) for name in grid},
        estimator=search.best_estimator_,
        history=_history(search.cv_results_, problem),
    )


def _history(results: dict, problem: TuningProblem) -> pd.DataFrame:
    folds = len(problem.folds)
    seconds = folds * (results["mean_fit_time"] + results["mean_score_time"])
    return pd.DataFrame(
        {
            "fits": folds * np.arange(1, len(seconds) + 1),
            "seconds": np.cumsum(seconds),
            "cv_loss": -results["mean_test_score"],
            **{name: results[f"param_{name}"].astype(float) for name in problem.ranges},
        }
    )
