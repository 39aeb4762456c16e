"""Condensed folds against the folds themselves."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, TweedieRegressor
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit
from sklearn.preprocessing import StandardScaler

from argrad.sklearn import PerFeature
from argrad.sklearn.criteria import condensed
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    ("cv", "preprocess"),
    [
        (KFold(3), None),
        (KFold(3, shuffle=True, random_state=0), StandardScaler()),
        (RepeatedKFold(n_splits=2, n_repeats=2, random_state=0), None),
        (ShuffleSplit(3, random_state=0), None),
    ],
)
def test_sums_of_squares_are_kept(rng, cv, preprocess, weighted, fit_intercept):
    """‖A w − u‖² of both parts, for any w, in twice as many rows as there are columns."""
    X, y = rng.normal(size=(300, 4)) + 20.0, rng.normal(size=(300, 2))
    weight = rng.uniform(size=300) * (rng.uniform(size=300) < 0.8) if weighted else None
    splits = list(cv.split(X))
    folds = stack_folds(preprocess, X, y, y, splits, fit_intercept, weight)
    small = condensed.condense(folds)
    for fold, other in zip(folds.each, small.each, strict=True):
        assert len(other.target) == 2 * (4 + 1 + 2)
        w = rng.normal(size=(5, 2))
        for part in ("training", "validation"):
            sums = [
                getattr(each, part) @ (each.design.times(w) - each.target) ** 2
                for each in (fold, other)
            ]
            np.testing.assert_allclose(sums[0], sums[1], rtol=1e-11)


def test_rows_drawn_several_times(rng):
    X, y = rng.normal(size=(100, 2)), rng.normal(size=(100, 1))
    drawn = rng.integers(0, 80, size=90)
    folds = stack_folds(None, X, y, y, [(drawn, np.arange(80, 100))], True)
    (fold,), (other,) = folds.each, condensed.condense(folds).each
    w = rng.normal(size=(3, 1))
    one, two = (f.training @ (f.design.times(w) - f.target) ** 2 for f in (fold, other))
    np.testing.assert_allclose(one, two, rtol=1e-11)
    assert len(other.target) == 8


def test_few_rows_are_left_as_they_are(rng):
    X, y = rng.normal(size=(30, 12)), rng.normal(size=(30, 1))
    folds = stack_folds(None, X, y, y, list(KFold(3).split(X)), True)
    assert condensed.condense(folds) is folds


@pytest.mark.parametrize("model", [Ridge(), TweedieRegressor(power=0)])
def test_the_criterion_does_not_notice(rng, monkeypatch, model):
    X, y = rng.normal(size=(90, 3)), rng.normal(size=90)
    problem, encoded = model_of(model).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, list(KFold(3).split(X)), True)
    criterion = Criterion(problem, folds, PerFeature(1e-4, 1e4))
    assert len(criterion._problems[0].target) < 90
    monkeypatch.setattr("argrad.sklearn.criteria.criterion.condense", lambda folds: folds)
    plain = Criterion(problem, folds, PerFeature(1e-4, 1e4))
    np.testing.assert_allclose(criterion.start(), plain.start(), rtol=1e-11)
    h = criterion.start() + rng.normal(size=3)
    one, two = criterion(h), plain(h)
    np.testing.assert_allclose(one.split_losses, two.split_losses, rtol=1e-11)
    np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-8, atol=1e-13)
