"""What a search reports: cv_results_ as scikit-learn has it, and the history as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from argrad.sklearn.criterion import Evaluation
from argrad.sklearn.place import Place


class Record:
    """The evaluations of one search, in order, with the time each took."""

    def __init__(self, place: Place, features: list[str], n_splits: int):
        self._place, self._features, self._n_splits = place, features, n_splits
        self.evaluations: list[Evaluation] = []
        self._seconds: list[float] = []

    def add(self, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
        """Keep an evaluation that ended `seconds` after the search began; what to tell of it."""
        self.evaluations.append(evaluation)
        self._seconds.append(seconds)
        return {
            "evaluation": len(self.evaluations),
            "fits": self._n_splits * len(self.evaluations),
            "seconds": seconds,
            "cv_loss": evaluation.value,
            "gradient_norm": float(np.linalg.norm(evaluation.gradient)),
            "params": self.params(evaluation),
        }

    def params(self, evaluation: Evaluation) -> dict[str, Any]:
        """The hyperparameters of an evaluation as `set_params` would name them."""
        return {self._place.name: self._place.hyperparameter.value(evaluation.log_values)}

    @property
    def best_index(self) -> int:
        """Where the lowest CV loss is, the first of several."""
        return int(np.argmin([evaluation.value for evaluation in self.evaluations]))

    def history(self) -> pd.DataFrame:
        """One row an evaluation: what the callback is told, with a column for each number."""
        names = self._place.hyperparameter.names(self._place.name, self._features)
        values = [self._place.hyperparameter.bounded(e.log_values) for e in self.evaluations]
        count = np.arange(1, len(self.evaluations) + 1)
        table = {
            "evaluation": count,
            "fits": self._n_splits * count,
            "seconds": self._seconds,
            "cv_loss": [evaluation.value for evaluation in self.evaluations],
            "gradient_norm": [np.linalg.norm(e.gradient) for e in self.evaluations],
        }
        parameters = pd.DataFrame(np.array(values), columns=names)
        return pd.concat([pd.DataFrame(table), parameters], axis=1)

    def cv_results(self) -> dict[str, Any]:
        """Scores (minus losses) by split, their mean, deviation and rank, and parameters."""
        scores = -np.array([evaluation.split_losses for evaluation in self.evaluations])
        params = [self.params(evaluation) for evaluation in self.evaluations]
        name = self._place.name
        column: np.ma.MaskedArray = np.ma.MaskedArray(np.empty(len(params), dtype=object))
        for i, each in enumerate(params):
            column[i] = each[name]
        seconds = np.diff(self._seconds, prepend=0.0) / self._n_splits
        mean = scores.mean(axis=1)
        return {
            "mean_fit_time": seconds,
            f"param_{name}": column,
            "params": params,
            **{f"split{i}_test_score": scores[:, i] for i in range(self._n_splits)},
            "mean_test_score": mean,
            "std_test_score": scores.std(axis=1),
            "rank_test_score": (mean[:, None] < mean[None, :]).sum(axis=1) + 1,
        }
