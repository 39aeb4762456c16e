"""Smoothed solvers against what their smoothed solutions are known to be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax
from scipy.stats import norm

import argrad as ag

SAMPLINGS = ["independent", "antithetic", "sobol", "halton"]


def choice(theta):
    return jax.nn.one_hot(jnp.argmax(theta), theta.size, dtype=theta.dtype)


def three(theta):
    return jnp.zeros_like(theta).at[jax.lax.top_k(theta, 3)[1]].set(1)


def ranks(theta):
    return jnp.argsort(jnp.argsort(theta)).astype(theta.dtype)


@pytest.fixture
def key(rng):
    return jax.random.key(int(rng.integers(2**31)))


# Solver, noise, and the smoothed solution with its Jacobian and Hessian tensor, in closed form.


def softened(theta, scale):
    p = softmax(theta / scale)
    first = (np.diag(p) - np.outer(p, p)) / scale
    return p, first, np.asarray(jax.hessian(lambda t: jax.nn.softmax(t / scale))(theta))


def two_sided(theta, scale):
    z = theta / scale
    slope = 2 * norm.pdf(z) / scale
    second = np.zeros((theta.size,) * 3)
    second[(np.arange(theta.size),) * 3] = -slope * z / scale
    return 2 * norm.cdf(z) - 1, np.diag(slope), second


def mean_ranks(theta, scale):
    """Rank i is the number of those below: Σ Φ((θ_i − θ_j)/(ε√2))."""

    def smoothed(theta):
        apart = (theta[:, None] - theta) / (scale * 2**0.5)
        return jnp.sum(jax.scipy.stats.norm.cdf(apart), 1) - 0.5

    return smoothed(theta), jax.jacobian(smoothed)(theta), jax.jacfwd(jax.jacfwd(smoothed))(theta)


KNOWN = {
    "softmax": (choice, ag.Gumbel(), softened),
    "erf": (jnp.sign, ag.Gaussian(), two_sided),
    "ranks": (ranks, ag.Gaussian(), mean_ranks),
}


def many(function, key, times):
    """`function(key)` of as many keys."""
    return jax.jit(lambda keys: jax.lax.map(function, keys, batch_size=20))(
        jax.random.split(key, times)
    )


def assert_unbiased(found, exact):
    """The mean is within what chance allows, in each number and, more sharply, over all."""
    found = np.asarray(found).reshape(len(found), -1)
    error = found.std(0, ddof=1) / len(found) ** 0.5
    exact = np.asarray(exact).ravel()
    z = (found.mean(0) - exact) / np.maximum(error, 1e-12 + 1e-9 * np.abs(exact))
    assert np.max(np.abs(z)) < 5.5
    return z


@pytest.mark.parametrize(
    ("name", "sampling"),
    [("softmax", each) for each in SAMPLINGS] + [("erf", "independent"), ("ranks", "sobol")],
)
def test_unbiased_with_the_right_standard_errors(name, sampling, rng, key):
    solver, noise, known = KNOWN[name]
    theta, scale = jnp.asarray(rng.normal(size=4)), 0.8
    value, jacobian, _ = known(theta, scale)
    smoothed = ag.perturbed(solver, noise, 128, scale=scale, sampling=sampling)
    times = 300 if sampling in ("independent", "antithetic") else 80

    def estimates(key):
        mean, slope = smoothed.estimate(theta, key), smoothed.jacobian(theta, key)
        return mean.value, mean.standard_error, slope.value, slope.standard_error

    means, mean_errors, slopes, slope_errors = map(np.asarray, many(estimates, key, times))
    assert_unbiased(means, value)
    assert_unbiased(slopes, jacobian)
    for found, stated in ((means, mean_errors), (slopes, slope_errors)):
        spread = found.reshape(times, -1).var(0).sum() ** 0.5
        said = (stated**2).reshape(times, -1).mean(0).sum() ** 0.5
        assert 0.75 * spread < said < 1.3 * spread


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_second_derivatives_are_unbiased_too(name, rng, key):
    solver, noise, known = KNOWN[name]
    theta, scale = jnp.asarray(rng.normal(size=3)), 0.9
    smoothed = ag.perturbed(solver, noise, 200, scale=scale)
    second = jax.jacfwd(jax.jacrev(smoothed))
    found = many(lambda key: second(theta, key), key, 160)
    assert_unbiased(found, known(theta, scale)[2])


def test_the_scale_is_differentiated(rng, key):
    theta = jnp.asarray(rng.normal(size=3))

    def value(scale, key):
        return ag.perturbed(jnp.sign, samples=200, scale=scale)(theta, key)

    found = many(lambda key: jax.jacfwd(value)(0.7, key), key, 200)
    z = np.asarray(theta) / 0.7
    assert_unbiased(found, -2 * norm.pdf(z) * z / 0.7)


# Of the variance, what is left at most. For the choice it grows with the number of alternatives
# that 64 solutions have not shown.
LEFT = [("softmax", 2, 0.35), ("softmax", 5, 0.2), ("softmax", 50, 0.4), ("softmax", 200, 0.6)]
LEFT += [("erf", 4, 0.3), ("erf", 30, 0.45), ("ranks", 8, 0.15)]


@pytest.mark.parametrize(("name", "size", "left"), LEFT)
def test_what_is_left_of_the_variance_of_plain_monte_carlo(name, size, left, rng, key):
    """The textbook estimator, mean of y sᵀ, with as many calls of the solver."""
    solver, noise, known = KNOWN[name]
    theta, samples = jnp.asarray(rng.normal(size=size)), 64
    jacobian = jnp.asarray(known(theta, 1.0)[1])
    smoothed = ag.perturbed(solver, noise, samples)

    def errors(key):
        """The squared errors of both, along a random direction."""
        key, direction = jax.random.split(key)
        v = jax.random.normal(direction, (size,), theta.dtype)
        z = noise.sample(key, (samples, size), theta.dtype)
        score = -jax.vmap(jax.grad(lambda z: jnp.sum(noise.log_density(z))))(z)
        plain = (jax.vmap(solver)(theta + z) @ v) @ score / samples
        ours = smoothed.vjp(theta, v, key).value
        return [jnp.sum((each - v @ jacobian) ** 2) for each in (ours, plain)]

    ours, plain = many(errors, key, 160 if size < 40 else 40)
    assert np.mean(ours) < left * np.mean(plain)


def test_a_fraction_of_the_variance_for_the_three_largest(rng, key):
    """Whose Jacobian has no closed form: of both estimators the scatter."""
    theta, samples, noise = jnp.asarray(rng.normal(size=20)), 64, ag.Gaussian()
    v = jnp.asarray(rng.normal(size=20))
    smoothed = ag.perturbed(three, noise, samples)

    def both(key):
        z = noise.sample(key, (samples, 20), theta.dtype)
        return smoothed.vjp(theta, v, key).value, (jax.vmap(three)(theta + z) @ v) @ z / samples

    ours, plain = many(both, key, 160)
    assert np.var(ours, 0).sum() < 0.6 * np.var(plain, 0).sum()
    difference = np.asarray(ours) - np.asarray(plain)
    assert_unbiased(difference, np.zeros(20))


def test_unbiased_where_most_solutions_have_not_been_seen(rng, key):
    """Of 40 alternatives by 32 samples: what the best of known solutions misses is made up for."""
    theta = jnp.asarray(rng.normal(size=40))
    jacobian = softened(theta, 1.0)[1]
    smoothed = ag.perturbed(choice, ag.Gumbel(), 32)

    def estimates(key):
        slope = smoothed.jacobian(theta, key)
        return slope.value, slope.standard_error

    slopes, errors = map(np.asarray, many(estimates, key, 300))
    z = assert_unbiased(slopes, jacobian)
    assert np.mean(z**2) < 1.3
    assert 0.75 < (errors**2).mean(0).sum() / slopes.var(0).sum() < 1.3


@pytest.mark.slow
def test_sequences_pay_in_few_dimensions(rng, key):
    theta = jnp.asarray(rng.normal(size=3))

    def variance(sampling):
        smoothed = ag.perturbed(jnp.sign, samples=512, sampling=sampling)
        found = many(
            lambda key: (smoothed(theta, key), smoothed.jacobian(theta, key).value), key, 60
        )
        return [np.var(each, 0).sum() for each in found]

    plain = variance("independent")
    for sampling in ("sobol", "halton"):
        value, slope = variance(sampling)
        assert value < 0.3 * plain[0]
        assert slope < 0.8 * plain[1]


def test_all_modes_give_the_same_derivative(rng, key):
    smoothed = ag.perturbed(choice, ag.Gumbel(), 64)
    theta, v = jnp.asarray(rng.normal(size=(2, 5)))
    batch = jnp.stack([theta, v])

    @jax.jit
    def all_modes():
        estimate = smoothed.jacobian(theta, key).value
        forward, backward = jax.jacfwd(smoothed)(theta, key), jax.jacrev(smoothed)(theta, key)
        both = jax.vmap(jax.jacrev(smoothed), (0, None))(batch, key)
        return estimate, forward, backward, both, smoothed.vjp(theta, v, key)

    estimate, forward, backward, both, pulled = all_modes()
    np.testing.assert_allclose(forward, estimate, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(backward, estimate, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(estimate, estimate.T, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(pulled.value, v @ estimate, rtol=1e-10, atol=1e-12)
    assert np.all(pulled.standard_error > 0)
    np.testing.assert_allclose(both[0], estimate, rtol=1e-9, atol=1e-12)


def assign(costs):
    rows, columns = linear_sum_assignment(costs)
    plan = np.zeros_like(costs)
    plan[rows, columns] = 1
    return plan


@pytest.mark.parametrize("sampling", ["independent", "sobol"])
def test_a_solver_on_the_host_that_minimises(sampling, rng, key):
    """Of two by two: the diagonal where its costs are lower, which is known under noise."""
    costs = rng.normal(size=(2, 2))
    smoothed = ag.perturbed(assign, samples=256, sense="min", sampling=sampling)
    estimate = jax.jit(smoothed.estimate)(costs, key)
    gap = costs[0, 1] + costs[1, 0] - np.trace(costs)
    diagonal = norm.cdf(gap / 2)  # four coordinates of noise
    signs = np.array([[1, -1], [-1, 1]])
    exact = np.where(signs > 0, diagonal, 1 - diagonal)
    assert np.all(np.abs(estimate.value - exact) < 6 * estimate.standard_error + 1e-9)
    slope = smoothed.jacobian(costs, key)
    exact = -norm.pdf(gap / 2) / 2 * np.einsum("ij,kl->ijkl", signs, signs)
    assert np.all(np.abs(slope.value - exact) < 6 * slope.standard_error)
    assert np.max(slope.standard_error) < 0.2


def test_pytrees_batches_and_processes(rng, key):
    theta = {"a": rng.normal(size=(2, 2)), "b": rng.normal(size=3)}

    def signs(theta):
        return {name: np.sign(each) for name, each in theta.items()}

    one = ag.perturbed(signs, samples=32, host=True)
    estimate = jax.jit(one.estimate)(theta, key)
    for other in (
        ag.perturbed(signs, samples=32, host=True, batched=True),
        ag.perturbed(signs, samples=32, n_jobs=2),
        ag.perturbed(lambda theta: jax.tree.map(jnp.sign, theta), samples=32),
    ):
        again = jax.jit(other.estimate)(theta, key)
        jax.tree.map(np.testing.assert_array_equal, again.value, estimate.value)
    slopes = jax.jit(one.jacobian)(theta, key).value
    assert slopes["a"]["b"].shape == (2, 2, 3)
    transposed = np.transpose(slopes["b"]["a"], (1, 2, 0))
    np.testing.assert_allclose(slopes["a"]["b"], transposed, rtol=1e-9, atol=1e-12)


def test_fenchel_young_loss(rng, key):
    """With Gumbel noise on the simplex: logsumexp(θ/ε) ε − <θ, y>."""
    theta, scale = jnp.asarray(rng.normal(size=5)), 0.6
    target = np.eye(5)[2]
    smoothed = ag.perturbed(choice, ag.Gumbel(), 200, scale=scale)
    exact = lambda theta: scale * jax.nn.logsumexp(theta / scale) - theta @ target

    def quantities(key):
        loss = lambda theta: smoothed.loss(theta, target, key)
        return loss(theta), jax.grad(loss)(theta), jax.hessian(loss)(theta), smoothed(theta, key)

    value, gradient, hessian, solution = many(quantities, key, 200)
    assert_unbiased(value, exact(theta))
    assert_unbiased(gradient, jax.grad(exact)(theta))
    assert_unbiased(hessian, jax.hessian(exact)(theta))
    np.testing.assert_allclose(gradient, solution - target, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_fenchel_young_loss_of_costs_and_scale(rng, key):
    """The mean regret of a plan against that of the solver, with its slopes."""
    costs, scale = jnp.asarray(rng.normal(size=4)), 0.5
    target = np.eye(4)[1]
    cheapest = lambda costs: choice(-costs)

    def loss(costs, scale, key):
        smoothed = ag.perturbed(cheapest, ag.Gumbel(), 100, scale=scale, sense="min")
        return smoothed.loss(costs, target, key)

    exact = lambda costs, scale: scale * jax.nn.logsumexp(-costs / scale) + costs @ target
    found = many(lambda key: jax.grad(loss, (0, 1))(costs, scale, key), key, 300)
    wanted = jax.grad(exact, (0, 1))(costs, scale)
    for slopes, slope in zip(found, wanted, strict=True):
        assert_unbiased(slopes, slope)


@pytest.mark.slow
def test_costs_are_learnt_from_solutions(rng):
    """Paths through a grid that are shortest for hidden costs; few of them restore the plans."""
    features, hidden = rng.normal(size=(40, 9, 3)), rng.normal(size=3)
    plans = np.stack([assign((f @ hidden).reshape(3, 3)) for f in features])
    smoothed = ag.perturbed(assign, samples=16, scale=0.5, sense="min")

    @jax.jit
    def step(w, key):
        rows = jax.random.randint(key, (8,), 0, 40)
        loss = lambda w: jnp.mean(
            jax.vmap(lambda f, plan: smoothed.loss((f @ w).reshape(3, 3), plan, key))(
                jnp.asarray(features)[rows], jnp.asarray(plans)[rows]
            )
        )
        return w - 0.3 * jax.grad(loss)(w)

    w = jnp.zeros(3)
    for i in range(60):
        w = step(w, jax.random.key(i))
    again = np.stack([assign(np.asarray(f @ w).reshape(3, 3)) for f in features])
    assert np.mean(again == plans) > 0.9


def test_a_minimiser_is_not_taken_for_a_maximiser(rng):
    costs = rng.normal(size=(3, 3))
    with pytest.raises(ag.SolveError, match='sense="min"'):
        ag.perturbed(assign)(costs)
    with pytest.raises(Exception, match='sense="min"'):
        jax.jit(ag.perturbed(choice, sense="min"))(jnp.ones(3))
    assert np.all(np.isfinite(ag.perturbed(assign, tol=np.inf)(costs)))


def test_what_is_not_differentiated_is_not_zero(rng):
    def weighted(scale):
        return ag.perturbed(lambda theta: jnp.sign(theta) * scale, tol=np.inf)(jnp.ones(2)).sum()

    assert np.isfinite(weighted(1.0))
    with pytest.raises(RuntimeError, match="something else that is being differentiated"):
        jax.grad(weighted)(1.0)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"noise": "gumbel"}, TypeError, "noise must be"),
        ({"scale": 0.0}, ValueError, "scale must be positive"),
        ({"sense": "minimise"}, ValueError, "sense must be"),
        ({"sampling": "latin"}, ValueError, "sampling must be one of"),
        ({"samples": 1}, ValueError, "at least 2"),
        ({"samples": 7, "sampling": "antithetic"}, ValueError, "pairs"),
        ({"samples": 48, "sampling": "sobol"}, ValueError, "a power of two"),
        ({"samples": 40, "sampling": "halton"}, ValueError, "a multiple of 16"),
        ({"tol": 0.0}, ValueError, "tol must be"),
    ],
)
def test_bad_arguments(arguments, error, match):
    with pytest.raises(error, match=match):
        ag.perturbed(choice, **arguments)


def test_bad_solvers_and_targets():
    with pytest.raises(ValueError, match=r"the function returned \(64, 2\)"):
        ag.perturbed(lambda theta: theta[:2])(jnp.ones(3))
    with pytest.raises(Exception, match=r"the function returned \(2,\)"):
        ag.perturbed(lambda theta: np.asarray(theta)[:2], host=True)(jnp.ones(3))
    with pytest.raises(ag.SolveError, match="NaN"):
        ag.perturbed(lambda theta: theta * jnp.nan)(jnp.ones(3))
    with pytest.raises(ValueError, match="target must be a solution"):
        ag.perturbed(choice).loss(jnp.ones(3), jnp.ones(2))
    with pytest.raises(TypeError, match="solver must be"):
        ag.perturbed(3.0)
