"""What the rows, and those held out of them, leave in doubt, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier

from argrad.report.losses import mean_loss
from argrad.report.searches import SearchOutcome, TuningProblem

# With fewer held-out rows a mean loss has a standard error of a fifth of the losses' spread.
_FEW = 30
# Copies of rows are no chance where they are so many, and a column of numbers seldom repeats one.
_COPIES, _VARIED = 0.01, 0.5


def doubts(problem: TuningProblem, best: SearchOutcome) -> list[str]:
    """Sentences on a recommended model that says less of the held-out rows than a constant, and on
    held-out rows that are too few to say much."""
    said = []
    rows = len(problem.y_test)
    if problem.choice.task == "classification":
        constant = _loss_of_shares(problem)
        if constant is not None and best.test_loss >= constant:
            said.append(
                f"on the held-out rows the recommended model loses {best.test_loss:.4g}, where "
                f"the shares of the classes alone lose {constant:.4g}: it has learnt nothing that "
                "holds there"
            )
    elif best.test_score is not None and best.test_score <= 0:
        said.append(
            "on the held-out rows the recommended model is no better than the mean of the target: "
            "it has learnt nothing that holds there"
        )
    if rows < _FEW:
        said.append(
            f"the held-out rows are only {rows}: differences between losses on them say little"
        )
    return said


def copies(features: pd.DataFrame, target: np.ndarray, numbers: list[str]) -> list[str]:
    """A sentence on rows that repeat others in all columns, where that cannot well be chance."""
    rows = pd.concat([features, pd.Series(target, features.index)], axis=1)
    repeated = rows.duplicated().to_numpy()
    distinct = features[numbers][~repeated].nunique()
    chance = distinct.max() < _VARIED * (~repeated).sum() if numbers else True
    if chance or repeated.mean() < _COPIES:
        return []
    return [
        f"{repeated.sum()} of {len(repeated)} rows repeat others in every column, so that held-out "
        "rows and folds hold copies of rows that are trained on, and losses are too low: remove "
        "them, or keep copies together with --groups-column"
    ]


def _loss_of_shares(problem: TuningProblem) -> float | None:
    """The held-out loss of the classes' shares in the training rows; None for losses of margins."""
    if problem.criterion not in ("log_loss", "brier_score"):
        return None
    shares = DummyClassifier(strategy="prior").fit(problem.X, problem.y, problem.weights)
    of = (problem.X_test, problem.y_test, problem.weights_test)
    return mean_loss(problem.choice, problem.criterion, shares, *of)
