"""The gradient search: descent on the cross-validation loss by its hypergradient."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

from argrad.report.errors import TableError
from argrad.report.progress import Progress
from argrad.report.searches.outcome import SearchOutcome
from argrad.report.searches.threads import few_threads
from argrad.report.searches.tuning_problem import Granularity, TuningProblem

NAME, DECIDED = "gradient", "auto"


@dataclass(frozen=True)
class Budget:
    """The most `fits` and `seconds` that gradient searches may take; None for no limit."""

    fits: int | None = None
    seconds: float | None = None

    def less(self, spent: SearchOutcome) -> Budget:
        """What is left after a search."""
        return Budget(
            None if self.fits is None else self.fits - spent.fits,
            None if self.seconds is None else self.seconds - spent.seconds,
        )

    def allows(self, folds: int) -> bool:
        """Whether it suffices for a single evaluation and the final fit."""
        enough = self.fits is None or self.fits > folds
        return enough and (self.seconds is None or self.seconds > 0)


def gradient_search(
    problem: TuningProblem, granularity: Granularity, budget: Budget, progress: Progress
) -> SearchOutcome:
    """Tune by gradient: one shared penalty, one a group of `problem.groups`, or as many as asked.

    What else the model has is tuned beside the shared one, each as one number. Several penalties
    are compared with a shared one afterwards, on folds left out of the tuning of both, which the
    outcome's `verdict` tells of; neither its fits nor its seconds are among those of the outcome.

    The seconds include JAX's compilation, but not its import. Interrupted by Ctrl-C, it returns
    the best so far; before the first evaluation there is none and KeyboardInterrupt is raised.
    """
    # Imported here, before the clock starts: it brings JAX along.
    from argrad.sklearn import Adaptive, Grouped, PerClass, PerFeature, PerLayer, Shared

    several = {
        "adaptive": Adaptive,
        "per-class": PerClass,
        "per-feature": PerFeature,
        "per-layer": PerLayer,
    }
    tuned: dict[str, Any] = {name: Shared(*bounds) for name, bounds in problem.ranges.items()}
    bounds = problem.ranges[problem.penalty]
    if granularity == "grouped" and problem.groups is not None:
        tuned[problem.penalty] = Grouped(problem.groups, *bounds)
    elif granularity in several:
        tuned[problem.penalty] = several[granularity](*bounds)
    progress.stage(f"gradient search ({granularity} penalty)")
    return _search(problem, NAME, tuned, granularity, budget, progress)


def deciding_search(problem: TuningProblem, budget: Budget, progress: Progress) -> SearchOutcome:
    """Decide on unseen folds between one penalty and as many as the model can have; tune that.

    The outcome's `candidates` hold what was compared. Fits, seconds and Ctrl-C are as in
    `gradient_search`; half of the budget at most goes into the decision.
    """
    from argrad.sklearn import Auto

    progress.stage("gradient search (granularity decided on unseen folds)")
    tuned = {problem.penalty: Auto(*problem.ranges[problem.penalty], problem.groups)}
    return _search(problem, DECIDED, tuned, None, budget, progress)


def _search(
    problem: TuningProblem,
    name: str,
    tuned: dict[str, Any],
    granularity: Granularity | None,
    budget: Budget,
    progress: Progress,
) -> SearchOutcome:
    from argrad import SolveError
    from argrad.sklearn import GradientSearchCV

    def tell(evaluation: dict[str, Any]) -> None:
        done = evaluation["trying"] or f"evaluation {evaluation['evaluation']}"
        progress.step(f"{done}: CV loss {evaluation['cv_loss']:.5g}")

    search = GradientSearchCV(
        problem.pipeline,
        tuned,
        cv=problem.folds,
        criterion=problem.criterion,
        max_fits=budget.fits,
        timeout=budget.seconds,
        callback=tell,
    )
    weights = {} if problem.weights is None else {"sample_weight": problem.weights}
    with few_threads(problem.X):
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():  # the verdict is told in other ways
                warnings.filterwarnings("ignore", ".*nested=False spares the comparison")
                search.fit(problem.X, problem.y, **weights)
        except (ValueError, SolveError) as error:
            raise TableError(f"The gradient search cannot tune on this table. {error}") from error
        seconds = time.perf_counter() - start - getattr(search, "comparing_time_", 0.0)
    asked = hasattr(search, "freedom_pays_")
    test_loss, test_score = problem.held_out(search.best_estimator_)
    return SearchOutcome(
        name=name,
        granularity=granularity or search.granularity_,
        fits=int(search.n_fits_),
        seconds=seconds,
        cv_loss=-float(search.best_score_),
        test_loss=test_loss,
        test_score=test_score,
        params=dict(search.best_params_),
        estimator=search.best_estimator_,
        history=search.history_,
        interrupted=bool(search.interrupted_),
        candidates=None if asked else getattr(search, "granularity_results_", None),
        reason=None if asked else getattr(search, "granularity_reason_", None),
        pays=search.freedom_pays_ if asked else None,
        verdict=search.granularity_reason_ if asked else None,
    )
