"""The prior on factors of rows, against its formula, central differences and what it is for."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold

from argrad.sklearn import ClassWeights, GradientSearchCV, SampleWeights, Shared
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.row_prior import with_row_prior
from argrad.sklearn.row_weights import row_factors
from argrad.sklearn.rows.folds import stack_folds

N = 24


def objectives(rng, *weights):
    """The criterion of a ridge regression, and the objective with priors of these."""
    X = rng.normal(size=(N, 2))
    y = X @ rng.normal(size=2) + rng.normal(size=N)
    model, encoded = model_of(Ridge()).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, list(KFold(3).split(X)), True, None)
    factors, _ = row_factors({str(i): each for i, each in enumerate(weights)}, y, None)
    criterion = Criterion(model, folds, Shared(1e-4, 1e4), factors)
    return criterion, with_row_prior(criterion, factors)


def test_value_and_gradient(rng):
    strengths = rng.uniform(0.1, 2.0, size=2)
    groups = np.arange(N) % 3
    criterion, objective = objectives(
        rng, SampleWeights(strength=strengths[0]), SampleWeights(groups, strength=strengths[1])
    )
    first = objective(np.zeros(1 + N + 3))
    # Factors of one cost nothing.
    assert first.value == pytest.approx(criterion(np.zeros(1 + N + 3)).value, rel=1e-9)
    h = rng.normal(size=1 + N + 3)
    found, plain = objective(h), criterion(h)
    parts = h[1 : 1 + N], h[1 + N :]
    prior = sum(t * np.var(part) for t, part in zip(strengths, parts, strict=True))
    assert found.value == pytest.approx(plain.value + first.value * prior, rel=1e-9)
    np.testing.assert_allclose(found.split_losses, plain.split_losses, rtol=1e-9)
    step = 1e-4
    for i in range(0, len(h), 4):
        away = step * (np.arange(len(h)) == i)
        difference = (objective(h + away).value - objective(h - away).value) / (2 * step)
        assert found.gradient[i] == pytest.approx(difference, rel=1e-5, abs=1e-7 * found.value)


def test_groups_and_classes_have_none_unless_asked_for(rng):
    assert SampleWeights().prior_strength > 0
    assert SampleWeights(["a", "b"]).prior_strength == 0
    assert SampleWeights(["a", "b"], strength=2).prior_strength == 2
    assert ClassWeights().prior_strength == 0
    criterion, objective = objectives(rng, SampleWeights(np.arange(N) % 2))
    assert objective is criterion


@pytest.mark.parametrize("strength", [-1.0, np.nan, np.inf, "much"])
def test_strengths_that_are_none(strength):
    with pytest.raises(ValueError, match=r"strength of its prior from 0 on"):
        SampleWeights(strength=strength)


def test_wrong_labels_are_found_and_few_factors_end_at_their_bounds(rng):
    """A quarter of the labels are wrong; rows to validate on are right."""
    X = rng.normal(size=(200, 3))
    y = (X @ [2.0, -2.0, 1.0] > 0).astype(int)
    wrong = np.zeros(200, dtype=bool)
    wrong[rng.choice(120, 30, replace=False)] = True
    y[wrong] = 1 - y[wrong]
    split = [(np.arange(120), np.arange(120, 200))]
    low, high = np.log([0.1, 10.0])

    def found(strength):
        params = {"sample_weight": SampleWeights(strength=strength)}
        search = GradientSearchCV(LogisticRegression(), params, cv=split, max_fits=60).fit(X, y)
        logs = np.log(search.best_params_["sample_weight"])[:120]
        return logs, np.mean((logs < low + 0.3) | (logs > high - 0.3))

    with_prior, ended = found(None)
    named = np.argsort(with_prior)[:30]
    assert wrong[named].mean() > 0.7
    assert ended < 0.05
    assert found(0.0)[1] > 0.15
