import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

import argrad as ag


def test_the_exact_diagonal_from_d_products(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 9, 70)), jnp.asarray(rng.normal(size=70))
    found = run(ag.DiagonalApproximation(), a, b)
    np.testing.assert_allclose(found.value, b / np.diag(a), rtol=1e-12)
    assert found.counted == 70
    assert not found.stats["standard_error"].any()
    damped = run(ag.DiagonalApproximation(damping=2.0), a, b)
    np.testing.assert_allclose(damped.value, b / (np.diag(a) + 2), rtol=1e-12)


def test_beyond_a_thousand_variables_it_is_estimated(run, rng):
    scales = jnp.asarray(np.logspace(-2, 2, 1001))
    found = run(ag.DiagonalApproximation(), jnp.diag(scales), jnp.ones(1001))
    assert found.counted == 100
    np.testing.assert_allclose(found.value, 1 / scales, rtol=1e-12)  # no off-diagonal elements


def test_the_estimate_is_unbiased_and_its_standard_error_is_right(with_spectrum, rng):
    """600 estimates of 20 probes each: means within 5 standard errors, their spread as stated."""
    a = with_spectrum(np.linspace(1, 9, 15))
    operator = lx.MatrixLinearOperator(a, lx.symmetric_tag)

    @jax.jit
    @jax.vmap
    def estimate(key):
        solver = ag.DiagonalApproximation(probes=20, key=key)
        found = lx.linear_solve(operator, jnp.ones(15), solver)
        return 1 / found.value, found.stats["standard_error"], found.stats["raised"]

    keys = jax.random.split(jax.random.key(int(rng.integers(2**31))), 600)
    diagonal, error, raised = map(np.asarray, estimate(keys))
    off = np.asarray(a - np.diag(np.diag(a)))
    exact_error = np.sqrt(np.sum(off**2, 1) / 20)
    assert not raised.any()
    assert np.all(np.abs(diagonal.mean(0) - np.diag(a)) < 5 * exact_error / np.sqrt(600))
    # A variance from n samples has relative standard error of about √(2/n) here.
    np.testing.assert_allclose(diagonal.std(0), exact_error, rtol=0.2)
    np.testing.assert_allclose(np.sqrt(np.mean(error**2, 0)), exact_error, rtol=0.1)


def test_the_mean_over_several_chunks(with_spectrum, run, rng):
    a = with_spectrum(np.linspace(1, 9, 15))
    keys = jax.random.split(jax.random.key(3), 66)
    z = np.stack([jax.random.rademacher(key, (15,), float) for key in keys])
    samples = z * (z @ a)
    found = run(ag.DiagonalApproximation(probes=66, key=3), a, jnp.ones(15))
    np.testing.assert_allclose(1 / found.value, samples.mean(0), rtol=1e-12)
    error = samples.std(0, ddof=1) / np.sqrt(66)
    np.testing.assert_allclose(found.stats["standard_error"], error, rtol=1e-10)
    assert found.counted == 66


def test_an_estimate_lost_in_its_error_is_raised_to_it(run):
    off = 5.0
    a = jnp.array([[100.0, off, off], [off, 0.01, off], [off, off, 100.0]])
    found = run(ag.DiagonalApproximation(probes=4, key=1), a, jnp.ones(3))
    assert found.stats["raised"] >= 1
    assert np.all(found.value > 0)
    assert 1 / found.value[1] == pytest.approx(found.stats["standard_error"][1])


def test_an_element_that_no_minimum_has(run):
    found = run(ag.DiagonalApproximation(), jnp.diag(jnp.array([1.0, -1.0])), jnp.ones(2))
    assert found.result == lx.RESULTS.breakdown


def test_preconditions_conjugate_gradients_of_badly_scaled_variables(with_spectrum, run, rng):
    """d = 200, condition 1e6 from the units of the variables."""
    scales = np.logspace(-1.4, 1.4, 200)
    a = with_spectrum(np.linspace(1, 3, 200)) * scales * scales[:, None]
    assert 3e5 < np.linalg.cond(a) < 3e6
    b = jnp.asarray(rng.normal(size=200))
    exact = np.linalg.solve(a, b)
    plain = run(ag.CG(rtol=1e-8), a, b)
    found = run(ag.CG(rtol=1e-8, preconditioner=ag.DiagonalApproximation()), a, b)
    assert np.linalg.norm(found.value - exact) < 1e-5 * np.linalg.norm(exact)
    assert found.stats["num_steps"] <= plain.stats["num_steps"] / 3
    assert found.counted == found.stats["num_steps"] + 200
    probed = ag.DiagonalApproximation(probes=20)
    cheap = run(ag.CG(rtol=1e-8, preconditioner=probed), a, b)
    assert cheap.counted <= plain.counted / 3


def test_arguments_that_make_no_sense():
    with pytest.raises(
        ValueError, match=r"DiagonalApproximation needs probes >= 2, or None, got 1"
    ):
        ag.DiagonalApproximation(probes=1)
    with pytest.raises(ValueError, match="damping >= 0, got -1"):
        ag.DiagonalApproximation(damping=-1)
