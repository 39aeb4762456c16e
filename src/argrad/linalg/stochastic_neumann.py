"""The Neumann series from random parts of the Hessian, and how far its result scatters."""

import jax
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from argrad.linalg.power_iteration import largest_eigenvalue
from argrad.linalg.symmetric import Product, Solved, SymmetricSolver, random_key, require

_SAMPLES = 4  # samples whose largest curvature sets the step
_POWER_STEPS = 10


class StochasticNeumann(SymmetricSolver):
    """The mean of `chains` runs of u ← α b + (I − α H_i) u with a new random H_i at each step.

    For an operator that can be sampled (`Minibatch`); any other is taken whole, in one run. Each
    run starts at α b and takes `steps` steps k, so its expectation is the Neumann series

        E u = α Σ_{i=0..k} (I − αH)^i b

    which is off H⁻¹ b by (1 − αμ)^(k+1) along a direction of curvature μ: the bias, that more
    steps reduce. More chains reduce the scatter, whose standard error is `standard_error` in the
    statistics, an array of d numbers in the order in which `jax.flatten_util.ravel_pytree` puts
    them. Costs chains · steps sampled products, and 40 more for α where no `step_size` is given:
    then α is 1/2 over the largest curvature that power iteration finds in four samples.

    - `step_size`: α, by hand; smaller ones scatter less and need more steps. If a run ends longer
      than it could at all positive curvatures, |u_k| > (k + 1) α |b|, it fails with
      `lineax.RESULTS.breakdown`.
    - `key`: a seed or a key of JAX. The same key gives the same samples: give a fresh one at each
      step of a stochastic upper level. The transposed solve draws the same samples in the same
      order, so that it is the transpose in expectation alone.

    ValueError for steps < 1, chains < 2 and step_size <= 0.

    Source: Agarwal, Bullins and Hazan 2017, arXiv:1602.03943 (LiSSA); Ghadimi and Wang 2018,
    arXiv:1802.02246.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> f = lambda y, x, data: jnp.mean((data - y) ** 2) + x * y**2
    >>> stochastic = ag.Implicit(ag.StochasticNeumann(), ag.Minibatch(f, size=2))
    >>> data = jnp.array([1.0, 2.0, 6.0])
    >>> slope = jax.grad(ag.argmin(f, adjoint=stochastic))(0.5, 0.0, data)
    >>> f"{slope:.3f}"  # −3 / 1.5²
    '-1.333'
    """

    steps: int = 50
    chains: int = 8
    step_size: float | Float[Array, ""] | None = None
    key: int | Array = 0

    def __check_init__(self):
        require(self, "steps", self.steps >= 1, ">= 1")
        require(self, "chains", self.chains >= 2, ">= 2, to see how far they scatter")
        known = isinstance(self.step_size, int | float)
        require(self, "step_size", not known or 0 < self.step_size < float("inf"), "> 0")

    def prepare(self, product: Product, options):
        del options
        zeros = product.zeros
        if self.step_size is not None:
            return jnp.asarray(self.step_size, zeros.dtype), 0
        sampled, samples = _sampling(product, _SAMPLES)
        keys = jax.random.split(jax.random.fold_in(random_key(self.key), 1), samples)
        curvature = lambda key: largest_eigenvalue(lambda v: sampled(key, v), zeros, _POWER_STEPS)
        return 0.5 / jnp.max(jax.vmap(curvature)(keys)), samples * _POWER_STEPS

    def solve(self, product: Product, data, b, options):
        del options
        alpha, (sampled, chains) = data, _sampling(product, self.chains)

        def run(key):
            def advance(i, u):
                return u + alpha * (b - sampled(jax.random.fold_in(key, i), u))

            return lax.fori_loop(0, self.steps, advance, alpha * b)

        keys = jax.random.split(jax.random.fold_in(random_key(self.key), 0), chains)
        ends = jax.vmap(run)(keys)
        mean = jnp.mean(ends, 0)
        error = jnp.std(ends, 0, ddof=1) / chains**0.5 if chains > 1 else jnp.zeros_like(b)
        longest = jnp.max(jnp.linalg.norm(ends, axis=1))
        possible = longest <= 1.001 * (self.steps + 1) * alpha * jnp.linalg.norm(b)
        result = lx.RESULTS.where(possible, lx.RESULTS.successful, lx.RESULTS.breakdown)
        stats = {"num_steps": self.steps, "step_size": alpha, "standard_error": error}
        return Solved(mean, result, chains * self.steps, stats)


def _sampling(product: Product, runs: int):
    """(key, v) -> a random product on flat vectors, and how many runs it is worth."""
    sample = getattr(product.operator, "sample", None)
    if sample is None:
        return lambda _, v: product(v), 1
    return lambda key, v: ravel_pytree(sample(key, product.unravel(v)))[0], runs
