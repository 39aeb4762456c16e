"""Remove noise from signals that jump, with a weight for every place that is learnt.

    python examples/denoising.py

A signal is estimated by total variation, which lets it jump but makes every jump dear,

    y*(w) = argmin over y of   ½ |y − b|² + Σ_i w_i |y_{i+1} − y_i|

All of the signals jump at the same hours of a day, more or less. From 20 of them without noise the
weights w are learnt that bring y* nearest, by its derivative: the projection on the segments of
y*. One weight for all, chosen in the same way, is what they are compared with.

Source: Rudin, Osher and Fatemi 1992 for the estimate; Kunisch and Pock 2013 for weights learnt.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

import argrad as ag

HOURS, TRAIN, TEST = 96, 20, 100
JUMPS, NOISE = np.array([20, 45, 70]), 0.5
STEPS, RATE = 150, 0.1


class Signals(NamedTuple):
    clean: Float[np.ndarray, "signals hours"]
    noisy: Float[np.ndarray, "signals hours"]


def signals(rng: np.random.Generator, count: int) -> Signals:
    """Levels that change near the JUMPS, by up to three hours earlier or later."""
    at = JUMPS + rng.integers(-3, 4, (count, len(JUMPS)))
    levels = rng.normal(scale=2, size=(count, len(JUMPS) + 1))
    segment = np.sum(np.arange(HOURS) >= at[:, :, None], axis=1)
    clean = np.take_along_axis(levels, segment, axis=1)
    return Signals(clean, clean + NOISE * rng.normal(size=clean.shape))


def distance(y, log_weights, noisy):
    return jnp.sum((y - noisy) ** 2) / 2


total_variation = ag.prox.total_variation(lambda log_weights, noisy: jnp.exp(log_weights))
estimate = ag.argmin(distance, nonsmooth=total_variation)


@jax.jit
def error(log_weights: Float[Array, " n-1"] | Float[Array, ""], known: Signals) -> Array:
    """The mean squared error of the estimates."""
    each = jax.vmap(lambda noisy: estimate(log_weights, noisy, noisy))
    return jnp.mean((each(known.noisy) - known.clean) ** 2)


def learn(start: Array, known: Signals) -> Array:
    """Log weights, one for all or one for each pair of neighbours."""
    descent = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))

    @jax.jit
    def step(log_weights, state):
        updates, state = descent.update(jax.grad(error)(log_weights, known), state)
        return optax.apply_updates(log_weights, updates), state

    log_weights, state = start, descent.init(start)
    for _ in range(STEPS):
        log_weights, state = step(log_weights, state)
    return log_weights


def main() -> None:
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        known, unseen = (Signals(*map(jnp.asarray, signals(rng, n))) for n in (TRAIN, TEST))
        shared = learn(jnp.zeros(()), known)
        each = learn(jnp.full(HOURS - 1, shared), known)
        print(f"mean squared error on {TEST} signals not seen; the noise alone is {NOISE**2}:")
        alone, together = float(error(shared, unseen)), float(error(each, unseen))
        print(f"  one weight, {float(jnp.exp(shared)):.2f}            {alone:.4f}")
        print(f"  one for each hour           {together:.4f}")
        weights = np.asarray(jnp.exp(each))
        near = np.min(abs(np.arange(HOURS - 1)[:, None] - (JUMPS - 1)), axis=1) <= 3
        print(
            f"its median near the jumps {np.median(weights[near]):.2f}, "
            f"elsewhere {np.median(weights[~near]):.2f}"
        )


if __name__ == "__main__":
    main()
