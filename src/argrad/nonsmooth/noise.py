"""Noise that is added to what an oracle is given: coordinates alike, independent, of mean zero."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.special import ndtri


class AbstractNoise(eqx.Module):
    """A distribution on the line with a smooth density p > 0, of mean zero."""

    @abc.abstractmethod
    def sample(self, key: Array, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
        """Independent numbers."""

    @abc.abstractmethod
    def mirrored(self, z: Array) -> Array:
        """Where 1 − P(z) is what P(z) was: as likely, and on the other side."""

    @abc.abstractmethod
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """P⁻¹(u), in NumPy, for 0 < u < 1."""

    @abc.abstractmethod
    def log_density(self, z: Array) -> Array:
        """log p(z), but for a constant."""


class Gaussian(AbstractNoise):
    """The standard normal distribution.

    >>> import argrad as ag
    >>> ag.Gaussian().log_density(2.0)
    -2.0
    """

    def sample(self, key, shape, dtype):
        return jax.random.normal(key, shape, dtype)

    def mirrored(self, z):
        return -z

    def quantile(self, u):
        return ndtri(u)

    def log_density(self, z):
        return -0.5 * z**2


class Gumbel(AbstractNoise):
    """The Gumbel distribution, less its mean γ = 0.577...

    The largest of k numbers with this noise is each with the probability that softmax gives it, so
    that the smoothed argmax over the simplex is softmax exactly (Gumbel 1954).

    >>> import argrad as ag, numpy as np
    >>> float(ag.Gumbel().quantile(np.exp(-1.0)))
    -0.5772156649015329
    """

    def sample(self, key, shape, dtype):
        return jax.random.gumbel(key, shape, dtype) - np.euler_gamma

    def mirrored(self, z):
        rate = jnp.exp(-(z + np.euler_gamma))  # −log P(z); then log(1 − P(z)), to all digits
        rest = jnp.where(rate < np.log(2), jnp.log(-jnp.expm1(-rate)), jnp.log1p(-jnp.exp(-rate)))
        return -jnp.log(-rest) - np.euler_gamma

    def quantile(self, u):
        return -np.log(-np.log(u)) - np.euler_gamma

    def log_density(self, z):
        return -z - jnp.exp(-(z + np.euler_gamma))
