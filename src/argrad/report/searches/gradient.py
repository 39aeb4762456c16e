"""The gradient search: descent on the cross-validation loss by its hypergradient."""

from __future__ import annotations

import time
from typing import Any

from argrad.report.errors import TableError
from argrad.report.progress import Progress
from argrad.report.searches.outcome import SearchOutcome
from argrad.report.searches.threads import few_threads
from argrad.report.searches.tuning_problem import HIGHEST, LOWEST, Granularity, TuningProblem

NAME = "gradient"


def gradient_search(
    problem: TuningProblem,
    granularity: Granularity,
    max_evaluations: int | None,
    progress: Progress,
) -> SearchOutcome:
    """Tune one shared penalty, or one per feature, by gradient.

    The seconds include JAX's compilation, but not its import. Interrupted by Ctrl-C, it returns
    the best so far; before the first evaluation there is none and KeyboardInterrupt is raised.
    """
    # Imported here, before the clock starts: it brings JAX along.
    from argrad import SolveError
    from argrad.sklearn import GradientSearchCV, PerFeature, Shared

    def tell(evaluation: dict[str, Any]) -> None:
        progress.step(f"evaluation {evaluation['evaluation']}: CV loss {evaluation['cv_loss']:.5g}")

    bounds = Shared if granularity == "shared" else PerFeature
    search = GradientSearchCV(
        problem.pipeline,
        {problem.penalty: bounds(LOWEST, HIGHEST)},
        cv=problem.folds,
        max_fits=None if max_evaluations is None else max_evaluations * len(problem.folds) + 1,
        callback=tell,
    )
    progress.stage(f"gradient search ({granularity} penalty)")
    with few_threads(problem.X):
        start = time.perf_counter()
        try:
            search.fit(problem.X, problem.y)
        except (ValueError, SolveError) as error:
            raise TableError(f"The gradient search cannot tune on this table. {error}") from error
        seconds = time.perf_counter() - start
    test_loss, test_score = problem.held_out(search.best_estimator_)
    return SearchOutcome(
        name=NAME,
        fits=int(search.n_fits_),
        seconds=seconds,
        cv_loss=-float(search.best_score_),
        test_loss=test_loss,
        test_score=test_score,
        params=dict(search.best_params_),
        estimator=search.best_estimator_,
        history=search.history_,
        interrupted=bool(search.interrupted_),
    )
