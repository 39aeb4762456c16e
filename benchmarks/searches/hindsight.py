"""Every granularity and prior, tuned, and measured on the test rows: what was there to be had."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from argrad.sklearn import Auto, PerFeature
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.deciding.candidates import Objectives, path, solved
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds
from searches.contestants import folds
from searches.tables import Split


def test_losses(split: Split, classes: bool) -> dict[str, float]:
    """The test loss of each candidate by name, tuned by its CV loss and the prior alone."""
    X, y = np.vstack([split.X, split.X_test]), np.concatenate([split.y, split.y_test])
    tuned_on = np.arange(len(split.y))
    model, encoded = model_of(LogisticRegression() if classes else Ridge()).for_target(y)

    def criterion(splits: list) -> Criterion:
        parts = stack_folds(StandardScaler(), X, y, encoded.values, splits, True)
        return Criterion(model, parts, PerFeature(1e-4, 1e4))

    tuning = criterion(list(folds(classes).split(split.X, split.y)))
    testing = criterion([(tuned_on, np.arange(len(split.y), len(y)))])
    box = Auto().box(tuning.start())
    return {
        str(tuned.candidate): float(testing(solved(tuned).log_values).value)
        for tuned in path(Objectives(tuning), box, None)
    }
