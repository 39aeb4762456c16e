"""The losses by which searches are compared, against the model's own that the search lowers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from argrad.report.catalogue import CATALOGUE
from argrad.report.columns import Columns
from argrad.report.losses import mean_loss
from argrad.report.preprocessing import build_pipeline
from argrad.sklearn.models import MODELS, Model, model_of

# Those of others are what `searches/test_models.py` compares searches by.
LINEAR = [model.estimator.__name__ for model in MODELS if issubclass(model, Model)]
EVERY = [
    (choice, name) for choice in CATALOGUE for name in choice.criteria if choice.estimator in LINEAR
]


@pytest.mark.parametrize(
    ("choice", "criterion"), EVERY, ids=lambda each: getattr(each, "name", each)
)
def test_a_mean_loss_is_that_of_the_registry(choice, criterion, rng):
    X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    y = rng.poisson(2.0, 60) + 1.0
    if choice.task == "classification":
        y = (y > 2).astype(int)
    weights = rng.uniform(0.5, 2.0, 60)
    pipeline = build_pipeline(Columns(["a", "b"], []), choice, X)
    pipeline.fit(X, y, model__sample_weight=weights)
    final = pipeline.named_steps["model"]
    model, encoded = model_of(final).for_target(y)
    z = pipeline[:-1].transform(X) @ final.coef_.ravel() + final.intercept_
    z = z[:, None]
    if choice.name == "huber":
        z = np.hstack([z, np.full_like(z, final.scale_)])
    losses = model.judged_by(criterion).criterion_loss(z, encoded.values, np)
    expected = np.average(losses, weights=weights)
    assert mean_loss(choice, criterion, pipeline, X, y, weights) == pytest.approx(
        expected, rel=1e-10
    )
    assert mean_loss(choice, criterion, pipeline, X, y, None) == pytest.approx(
        losses.mean(), rel=1e-10
    )
