"""The prior on log penalties: its gradient, its units, its two ends."""

import numpy as np
import pytest

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.prior import WithPrior


class Bowl:
    """F(h) = Σ_j a_j (h_j − m_j)², with two folds that share it unequally."""

    def __init__(self, rng, d):
        self.a, self.m = rng.uniform(0.5, 2.0, d), rng.normal(size=d)

    def __call__(self, h):
        away = h - self.m
        value = float(self.a @ away**2)
        return Evaluation(h, value, np.array([0.5, 1.5]) * value, 2 * self.a * away, None)


def test_gradient_agrees_with_central_differences(rng):
    d = int(rng.integers(2, 9))
    objective = WithPrior(Bowl(rng, d), rng.uniform(0.1, 3.0), rng.uniform(0.1, 3.0))
    h = rng.normal(size=d)
    found = objective(h)
    for j in range(d):
        step = 1e-3 * np.eye(d)[j]
        expected = (objective(h + step).value - objective(h - step).value) / 2e-3
        # The objective is quadratic: central differences are exact up to rounding.
        assert found.gradient[j] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_value_is_the_loss_and_tau_times_the_variance(rng):
    bowl, h = Bowl(rng, 7), rng.normal(size=7)
    plain, found = bowl(h), WithPrior(bowl, 0.3, 2.0)(h)
    assert found.value == pytest.approx(plain.value + 0.3 * 2.0 * np.var(h), rel=1e-13)
    np.testing.assert_array_equal(found.split_losses, plain.split_losses)


def test_no_strength_is_no_prior(rng):
    bowl, h = Bowl(rng, 5), rng.normal(size=5)
    plain, found = bowl(h), WithPrior(bowl, 0.0, 1.0)(h)
    assert found.value == plain.value
    np.testing.assert_array_equal(found.gradient, plain.gradient)


def test_a_common_shift_costs_nothing(rng):
    prior = WithPrior(Bowl(rng, 6), 0.7, 1.3).prior
    h, shift = rng.normal(size=6), rng.normal()
    assert prior(h + shift)[0] == pytest.approx(prior(h)[0], rel=1e-9)
    assert prior(h)[1].sum() == pytest.approx(0.0, abs=1e-13)


def test_great_strength_leaves_one_penalty(rng):
    """The minimum goes to equal values, and these to the best shared one."""
    bowl = Bowl(rng, 4)
    weight = 1e7
    centring = np.eye(4) - np.full((4, 4), 0.25)
    # Stationarity: 2 a (h − m) + (2 τ s / d) (h − h̄) = 0.
    h = np.linalg.solve(np.diag(bowl.a) + weight / 4 * centring, bowl.a * bowl.m)
    np.testing.assert_allclose(WithPrior(bowl, weight, 1.0)(h).gradient, 0.0, atol=1e-6)
    np.testing.assert_allclose(h, np.average(bowl.m, weights=bowl.a), atol=1e-5)
