"""What a search found, what it cost, and which of several is recommended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# Names of the searches, as JSON has them, in words.
IN_WORDS = {
    "gradient": "gradient search",
    "grid": "grid search",
    "tpe": "TPE",
    "auto": "deciding search",
}

# Cross-validation losses closer than this are equal: solvers' tolerances are no finer.
_EQUAL = 1e-4


@dataclass(frozen=True)
class SearchOutcome:
    """The best that one search found.

    `fits` counts every fit of the model, the final one on all training rows included; `seconds`
    is wall time, that final fit included; `cv_loss` is the mean over folds of the validation
    loss; `history` has one row an evaluation with the columns fits, seconds, cv_loss (all at
    that point) and one for each parameter. `granularity` is shared, grouped, per-class,
    per-layer, adaptive or per-feature. Of a search that decided on it, `candidates` has a row for
    each that was compared, with the columns candidate, cv_loss, unseen_loss, standard_error, and
    `reason` says why. Of one for several penalties that were asked for, `verdict` says in words
    whether they are better than a shared one on unseen folds, and `pays` is that, None where it is
    not known.
    """

    name: str
    granularity: str
    fits: int
    seconds: float
    cv_loss: float
    test_loss: float
    test_score: float | None
    params: dict[str, Any]
    estimator: Any
    history: pd.DataFrame
    interrupted: bool = False
    candidates: pd.DataFrame | None = None
    reason: str | None = None
    pays: bool | None = None
    verdict: str | None = None

    def summary(self) -> dict[str, Any]:
        """The outcome as JSON knows it."""
        content: dict[str, Any] = {
            "name": self.name,
            "granularity": self.granularity,
            "fits": self.fits,
            "seconds": self.seconds,
            "cv_loss": finite(self.cv_loss),
            "test_loss": finite(self.test_loss),
            "test_score": finite(self.test_score),
            "interrupted": self.interrupted,
        }
        if self.candidates is not None:
            content["candidates"] = [_plain_row(row) for row in self.candidates.to_dict("records")]
            content["reason"] = self.reason
        if self.verdict is not None:
            content["pays"], content["verdict"] = self.pays, self.verdict
        return content


def recommended(outcomes: Sequence[SearchOutcome]) -> SearchOutcome:
    """The outcome with the lowest CV loss; among (nearly) equal ones the one of fewest fits.

    If one of them was decided on unseen folds to have more than a shared penalty, it is that one,
    and if a shared penalty was decided on, none with more. The held-out rows have no say, or their
    loss would no longer be an honest estimate.
    """
    for each in outcomes:
        if each.candidates is not None:
            outcomes = [other for other in outcomes if other.granularity == each.granularity]
    lowest = min(outcome.cv_loss for outcome in outcomes)
    equal = [each for each in outcomes if each.cv_loss <= lowest + _EQUAL * abs(lowest)]
    return min(equal, key=lambda outcome: outcome.fits)


def finite(value: float | None) -> float | None:
    """The number, or None where JSON has no word for it."""
    return value if value is not None and math.isfinite(value) else None


def plain(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as JSON knows them: numbers, and lists for one penalty per feature."""
    return {name: np.asarray(value).tolist() for name, value in params.items()}


def _plain_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        name: finite(value) if isinstance(value, float) else value for name, value in row.items()
    }
