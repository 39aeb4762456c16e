"""Total variation with a weight for every place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from examples import denoising


def test_the_derivative_of_an_estimate_is_that_of_differences(rng):
    clean, noisy = map(jnp.asarray, denoising.signals(rng, 1))
    known = denoising.Signals(clean, noisy)
    log_weights = jnp.asarray(0.3 * rng.normal(size=denoising.HOURS - 1))
    direction = rng.normal(size=denoising.HOURS - 1)
    found = jax.grad(denoising.error)(log_weights, known) @ direction
    h = 1e-7  # short, so that no segments merge on the way
    plus, minus = (denoising.error(log_weights + s * h * direction, known) for s in (1, -1))
    np.testing.assert_allclose(found, (plus - minus) / (2 * h), rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_weights_of_each_hour_pay_on_signals_not_seen(monkeypatch):
    monkeypatch.setattr(denoising, "STEPS", 60)
    rng = np.random.default_rng(0)
    make = lambda count: denoising.Signals(*map(jnp.asarray, denoising.signals(rng, count)))
    known, unseen = make(20), make(100)
    shared = denoising.learn(jnp.zeros(()), known)
    each = denoising.learn(jnp.full(denoising.HOURS - 1, shared), known)
    assert denoising.error(each, unseen) < 0.95 * denoising.error(shared, unseen)
    near = jnp.min(abs(np.arange(denoising.HOURS - 1)[:, None] - (denoising.JUMPS - 1)), axis=1)
    assert jnp.median(each[near > 3]) > jnp.median(each[near <= 3]) + 0.5
