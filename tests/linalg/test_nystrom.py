import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

import argrad as ag


@pytest.fixture
def decaying(with_spectrum, rng):
    """Eigenvalues 100, 10, 1, ..., 1e-17: one more digit with each rank."""
    return with_spectrum(10.0 ** np.arange(2, -18, -1)), jnp.asarray(rng.normal(size=20))


def damped_inverse(a, damping, b):
    return np.linalg.solve(a + damping * np.eye(len(b)), b)


def relative(ours, exact):
    return np.linalg.norm(ours - exact) / np.linalg.norm(exact)


def test_the_error_falls_with_the_rank_from_as_many_products(decaying, run):
    a, b = decaying
    exact = damped_inverse(a, 1e-3, b)
    for rank in (1, 3, 5, 7, 9):
        found = run(ag.Nystrom(rank, damping=1e-3), a, b)
        assert found.counted == rank
        assert relative(found.value, exact) < 1e3 * 10.0 ** (3 - rank) / 1e-3
    assert relative(found.value, exact) < 1e-2  # a hundred times what the best of that rank leaves


def test_full_rank_is_exact(with_spectrum, run, rng):
    a, b = with_spectrum(np.logspace(-1, 2, 40)), jnp.asarray(rng.normal(size=40))
    found = run(ag.Nystrom(40), a, b)
    assert relative(found.value, np.linalg.solve(a, b)) < 1e-9
    assert found.counted == 40
    found = run(ag.Nystrom(400, damping=0.5), a, b)
    assert relative(found.value, damped_inverse(a, 0.5, b)) < 1e-10
    assert found.counted == 40


def test_low_rank_plus_a_multiple_of_the_identity_is_nearly_exact(with_spectrum, run, rng):
    """Without damping what is left out has the smallest curvature found, which is here the true."""
    a, b = with_spectrum([1e4, 3e3, 1e3, *[1.0] * 27]), jnp.asarray(rng.normal(size=30))
    found = run(ag.Nystrom(10), a, b)
    assert relative(found.value, np.linalg.solve(a, b)) < 2e-2
    assert 0.5 < found.stats["smallest"] <= 1 + 1e-8


def test_the_same_as_the_formula_on_its_sketch(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 9, 12)), jnp.asarray(rng.normal(size=12))
    omega = np.linalg.qr(jax.random.normal(jax.random.key(5), (12, 4)))[0]
    y = a @ omega
    low_rank = y @ np.linalg.solve(omega.T @ y, y.T)
    found = run(ag.Nystrom(4, damping=0.3, key=5), a, b)
    np.testing.assert_allclose(found.value, damped_inverse(low_rank, 0.3, b), rtol=1e-7)
    other = run(ag.Nystrom(4, damping=0.3, key=jax.random.key(6)), a, b)
    assert not np.allclose(found.value, other.value)


def test_the_rank_grows_until_little_is_left_out(decaying, run):
    a, b = decaying
    exact = damped_inverse(a, 1e-3, b)
    found = run(ag.Nystrom(2, damping=1e-3, tol=0.1, max_rank=20), a, b)
    rank = int(found.stats["rank"])
    rounds = {8: 3, 16: 4}[rank]  # ranks 2, 4, 8, and perhaps 16, with five to look at each
    assert found.counted == rank + rounds * 5
    assert found.stats["left_out"] <= 1e-4
    assert relative(found.value, exact) < 0.1
    capped = run(ag.Nystrom(2, damping=1e-3, tol=1e-3, max_rank=5), a, b)
    assert capped.stats["rank"] == 5
    assert capped.stats["left_out"] > 1e-6
    assert capped.result == lx.RESULTS.successful
    full = run(ag.Nystrom(3, damping=1e-3, tol=1e-15, max_rank=99), a, b)
    assert full.stats["rank"] == 20
    assert relative(full.value, exact) < 1e-9


def test_a_batch_grows_each_as_far_as_it_needs(with_spectrum, rng):
    easy, hard = with_spectrum([5.0, *[1e-6] * 15]), with_spectrum(np.linspace(1, 5, 16))
    b = jnp.asarray(rng.normal(size=16))
    solver = ag.Nystrom(2, damping=0.01, tol=0.1, max_rank=16)

    def solve(a):
        found = lx.linear_solve(lx.MatrixLinearOperator(a, lx.symmetric_tag), b, solver)
        return found.value, found.stats["rank"]

    values, ranks = jax.vmap(solve)(jnp.stack([easy, hard]))
    assert ranks.tolist() == [2, 16]
    for ours, a in zip(values, (easy, hard), strict=True):
        assert relative(ours, damped_inverse(a, 0.01, b)) < 0.1


def test_curvature_of_the_wrong_kind(with_spectrum, run, rng):
    b = jnp.asarray(rng.normal(size=12))
    negative = with_spectrum([-3.0, *np.linspace(1, 5, 11)])
    assert run(ag.Nystrom(12), negative, b).result == lx.RESULTS.breakdown
    flat = with_spectrum([5.0, 2.0, 1.0, *[0.0] * 9])
    assert run(ag.Nystrom(6), flat, b).result == lx.RESULTS.singular
    found = run(ag.Nystrom(6, damping=0.1), flat, b)
    assert found.result == lx.RESULTS.successful
    assert relative(found.value, damped_inverse(flat, 0.1, b)) < 1e-8


def test_preconditions_conjugate_gradients(with_spectrum, run, rng):
    """d = 200, condition 1e6: ten large eigenvalues, the others between 1 and 2."""
    a = with_spectrum([*np.logspace(3, 6, 10), *np.linspace(1, 2, 190)])
    b = jnp.asarray(rng.normal(size=200))
    plain = run(ag.CG(rtol=1e-10), a, b)
    found = run(ag.CG(rtol=1e-10, preconditioner=ag.Nystrom(20)), a, b)
    assert relative(found.value, np.linalg.solve(a, b)) < 1e-8
    assert found.stats["num_steps"] <= plain.stats["num_steps"] / 3
    assert found.counted == found.stats["num_steps"] + 20
    damped = run(ag.CG(rtol=1e-12, damping=0.5, preconditioner=ag.Nystrom(20)), a, b)
    assert relative(damped.value, damped_inverse(a, 0.5, b)) < 1e-8
    assert damped.stats["num_steps"] < 25
    unusable = run(ag.CG(preconditioner=ag.Nystrom(200)), -a, b)
    assert unusable.result == lx.RESULTS.breakdown


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"rank": 0}, "rank >= 1, got 0"),
        ({"rank": 5, "max_rank": 4}, "max_rank >= rank = 5, got 4"),
        ({"rank": 5, "damping": 0.0}, "damping > 0, or None, got 0"),
        ({"rank": 5, "damping": 1.0, "tol": 0.0}, "tol > 0, got 0"),
    ],
)
def test_arguments_that_make_no_sense(argument, message):
    with pytest.raises(ValueError, match=f"Nystrom needs {message}"):
        ag.Nystrom(**argument)
    with pytest.raises(ValueError, match="needs a damping > 0"):
        ag.Nystrom(5, tol=0.1)
