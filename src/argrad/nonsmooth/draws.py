"""Points at which a smoothed function is looked at: in replicates, so that their scatter is seen.

Replicates are independent of each other. Within one, points may be chosen to balance each other,
while each by itself is distributed as the noise is; so every mean stays unbiased, and the scatter
between the means of the replicates is its standard error, whatever happens within one.
"""

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import qmc

from argrad.host import on_host
from argrad.nonsmooth.noise import AbstractNoise

Sampling = Literal["independent", "antithetic", "sobol", "halton"]
_REPLICATES = 8  # independent scramblings of one sequence


def check_sampling(sampling: Sampling, samples: int) -> None:
    """ValueError unless so many points can be drawn in this way."""
    if sampling not in get_args(Sampling):
        raise ValueError(f"sampling must be one of {get_args(Sampling)}, got {sampling!r}.")
    if sampling == "independent" and samples < 2:
        raise ValueError(f"samples must be at least 2, to see how far they scatter, got {samples}.")
    if sampling == "antithetic" and (samples < 4 or samples % 2):
        raise ValueError(f"antithetic samples come in pairs, two or more, got samples={samples}.")
    if sampling in ("sobol", "halton"):
        least = 2 * _REPLICATES
        if samples < least or samples % least or (sampling == "sobol" and samples.bit_count() > 1):
            which = "a power of two" if sampling == "sobol" else f"a multiple of {least}"
            raise ValueError(
                f"sampling={sampling!r} needs samples to be {which}, at least {least}, for "
                f"{_REPLICATES} scramblings of antithetic pairs, got {samples}."
            )


def draw(
    noise: AbstractNoise, sampling: Sampling, samples: int, size: int, key: Array, dtype: Any
) -> Float[Array, "replicates points size"]:
    """`samples` points of `size` coordinates, for a sampling that has passed `check_sampling`.

    Sequences are scrambled by a random matrix and shift (Matoušek 1998; Owen 1998), once a
    replicate, and mirrored.
    """
    if sampling == "independent":
        return noise.sample(key, (samples, 1, size), dtype)
    if sampling == "antithetic":
        z = noise.sample(key, (samples // 2, 1, size), dtype)
        return jnp.concatenate([z, noise.mirrored(z)], 1)
    shape = (_REPLICATES, samples // _REPLICATES, size)
    sequence = qmc.Sobol if sampling == "sobol" else qmc.Halton

    def scrambled(seed):
        rng = np.random.default_rng(seed)
        half = shape[1] // 2
        u = np.stack([sequence(size, rng=rng).random(half) for _ in range(_REPLICATES)])
        u = np.clip(u, 2.0**-40, 1 - 2.0**-40)  # a point may fall on 0
        return noise.quantile(np.concatenate([u, 1 - u], 1))

    return on_host(scrambled, jax.ShapeDtypeStruct(shape, dtype), jax.random.bits(key, (4,)))
