"""Optuna's tree-structured Parzen estimator, for comparison, if Optuna is installed."""

from __future__ import annotations

import importlib.util
import time
import warnings
from typing import Any

import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score

from argrad.report.progress import Progress
from argrad.report.searches.outcome import SearchOutcome
from argrad.report.searches.threads import few_threads
from argrad.report.searches.tuning_problem import TuningProblem

NAME = "tpe"


def has_optuna() -> bool:
    """Whether Optuna is installed (`pip install "argrad[optuna]"`)."""
    return importlib.util.find_spec("optuna") is not None


def tpe_search(problem: TuningProblem, budget: float, progress: Progress) -> SearchOutcome:
    """Let TPE try penalties for `budget` seconds (at least one), then refit the best.

    Interrupted by Ctrl-C, it returns the best so far; before the first trial there is none and
    KeyboardInterrupt is raised.
    """
    import optuna

    history: list[dict[str, Any]] = []
    interrupted = False

    def stop_in_time(study: Any, _: Any) -> None:
        # Optuna's own timeout is looked at before a trial, so it could allow none at all.
        if time.perf_counter() - start >= budget:
            study.stop()

    def evaluate(trial: Any) -> float:
        params = {
            name: trial.suggest_float(name, *bounds, log=True)
            for name, bounds in problem.ranges.items()
        }
        scores = cross_val_score(
            problem.with_params(params),
            problem.X,
            problem.y,
            cv=problem.folds,
            scoring=problem.scoring,
            params=problem.fit_params,
            error_score="raise",
        )
        cv_loss = -float(scores.mean())
        history.append(
            {
                "fits": len(problem.folds) * (len(history) + 1),
                "seconds": time.perf_counter() - start,
                "cv_loss": cv_loss,
                **params,
            }
        )
        progress.step(f"trial {len(history)}: CV loss {cv_loss:.5g}")
        return cv_loss

    progress.stage(f"TPE for {budget:.1f} s, the time the gradient search took")
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings(), few_threads(problem.X):
            warnings.simplefilter("ignore", ConvergenceWarning)
            sampler = optuna.samplers.TPESampler(seed=problem.seed)
            study = optuna.create_study(sampler=sampler)
            start = time.perf_counter()
            try:
                study.optimize(evaluate, callbacks=[stop_in_time])
            except KeyboardInterrupt:
                interrupted = True
                if not history:
                    raise
            best = min(history, key=lambda row: row["cv_loss"])
            params = {name: best[name] for name in problem.ranges}
            estimator = problem.with_params(params)
            estimator.fit(problem.X, problem.y, **problem.fit_params)
            seconds = time.perf_counter() - start
    finally:
        optuna.logging.set_verbosity(verbosity)
    test_loss, test_score = problem.held_out(estimator)
    return SearchOutcome(
        name=NAME,
        granularity="shared",
        fits=len(problem.folds) * len(history) + 1,
        seconds=seconds,
        cv_loss=best["cv_loss"],
        test_loss=test_loss,
        test_score=test_score,
        params=params,
        estimator=estimator,
        history=pd.DataFrame(history),
        interrupted=interrupted,
    )
