"""What a search could have chosen, measured on the test rows."""

import sys
from pathlib import Path

import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argrad.sklearn import GradientSearchCV, PerFeature, Shared

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from searches import contestants, hindsight, tables


def test_every_candidate_is_measured_where_its_search_ends(rng):
    """The shared one and that of columns, against searches for just these."""
    X = rng.normal(size=(60, 3))
    y = X @ [1.0, 0.3, 0.0] + rng.normal(size=60)
    split = tables.Split(X[:40], y[:40], X[40:], y[40:])
    found = hindsight.test_losses(split, classes=False)
    for name, hyperparameter in (("shared", Shared), ("per-feature", PerFeature)):
        search = GradientSearchCV(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": hyperparameter(1e-4, 1e4)},
            cv=contestants.folds(False),
            nested=False,
        ).fit(split.X, split.y)
        loss = ((search.predict(split.X_test) - split.y_test) ** 2).mean()
        assert found[name] == pytest.approx(loss, rel=0.02)
    assert len(found) > 3
