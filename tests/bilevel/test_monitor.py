"""The alarm: rung when the gradient's error leaves its band, and only then."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag
from argrad.bilevel import BilevelStatus


def problem(linear_solver=None):
    """H = diag(2, 4): the identity's gradient is 2g₁ + 4g₂ where g₁ + g₂ is right, times 1/4."""
    adjoint = ag.Implicit(linear_solver=linear_solver)
    lower = ag.argmin(lambda y, x: (y[0] - x) ** 2 + 2 * (y[1] - x) ** 2, adjoint=adjoint)
    return ag.Bilevel(lambda y, x: jnp.sum((y - 1) ** 2), lower)


def test_errors_are_those_of_the_gradient_relative_to_it():
    """Exact: 2(x − 1)(1 + 1). Identity times 1/4: 2(x − 1)(1/2 + 1), off by 1/3 of itself."""
    cheap = problem(ag.Identity(0.25))
    monitor = ag.ErrorMonitor(cheap, every=3)
    with pytest.warns(ag.ErrorWarning, match=r"at upper step 0 .* off by about 0\.33 .* of 0\.3"):
        ag.minimise(cheap, 0.0, jnp.zeros(2), callback=monitor)
    np.testing.assert_allclose(monitor.errors[0], 1 / 3, rtol=1e-6)
    assert monitor.steps[0] == 0


def test_an_alarm_may_end_the_run():
    cheap = problem(ag.Identity(0.25))
    monitor = ag.ErrorMonitor(cheap, band=0.1, stop=True)
    with pytest.warns(ag.ErrorWarning):
        found = ag.minimise(cheap, 0.0, jnp.zeros(2), callback=monitor)
    assert found.status == BilevelStatus.stopped
    assert found.steps == 1


def test_silent_within_the_band_and_looks_only_when_due():
    exact = problem()
    monitor = ag.ErrorMonitor(exact, band=1e-6, every=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ag.minimise(exact, 0.0, jnp.zeros(2), callback=monitor)
    accepted = int(np.sum(found.history["accepted"]))
    assert len(monitor.errors) == (accepted + 1) // 2
    assert max(monitor.errors) < 1e-6


def test_bad_arguments():
    with pytest.raises(ValueError, match="band must be positive, got 0"):
        ag.ErrorMonitor(problem(), band=0)
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        ag.ErrorMonitor(problem(), every=0)
