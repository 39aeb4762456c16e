"""Learn what ground costs from the paths that others took across it.

    python examples/shortest_path.py

A map has features at every place, height and wetness and the like, and the cheapest path from the
upper left corner to the lower right is taken, by moves to the right, down, or both. What a place
costs is not known, but 40 paths are. The path is an argmin that jumps from one to the next:
`ag.perturbed` smooths it by noise in the costs, and its Fenchel–Young loss compares it with the
paths that were taken, without any derivative of the path being zero.

Source: Berthet et al. 2020, arXiv:2002.08676, section 5.3, on a smaller scale.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from scipy.ndimage import gaussian_filter

import argrad as ag

SIZE, FEATURES, TRAIN, TEST = 12, 5, 40, 200
SAMPLES, SCALE, STEPS, RATE = 16, 0.5, 60, 0.1
TRUE = np.array([1.5, 0.8, 0.0, -0.5, 0.3])  # what a unit of each feature costs; one costs nothing


def cheapest_path(costs: Float[np.ndarray, "*batch n n"]) -> Float[np.ndarray, "*batch n n"]:
    """1 at the places on the cheapest path, 0 elsewhere, of many maps at once."""
    batch, n = costs.shape[:-2], costs.shape[-1]
    costs = costs.reshape(-1, n, n)
    each = np.arange(len(costs))
    total = np.full((n + 1, n + 1, len(costs)), np.inf)  # a row and a column before the first ones
    total[0, 0] = 0
    came = np.zeros((n, n, len(costs)), int)
    for i, j in np.ndindex(n, n):
        before = np.stack([total[i, j], total[i, j + 1], total[i + 1, j]])
        came[i, j] = before.argmin(axis=0)
        total[i + 1, j + 1] = costs[:, i, j] + before.min(axis=0)
    path, (i, j) = np.zeros_like(costs), np.full((2, len(costs)), n - 1)
    for _ in range(2 * n - 1):
        path[each, i, j] = 1  # paths that have arrived stay at the first place
        by = came[i, j, each]
        i, j = np.maximum(i - (by != 2), 0), np.maximum(j - (by != 1), 0)
    return path.reshape(*batch, n, n)


class Maps(NamedTuple):
    features: Float[np.ndarray, "maps n n f"]
    costs: Float[np.ndarray, "maps n n"]
    paths: Float[np.ndarray, "maps n n"]


def maps(rng: np.random.Generator, count: int) -> Maps:
    """Smooth random features, costs of which a tenth is none of them, and the cheapest paths."""
    rough = rng.normal(size=(count, SIZE, SIZE, FEATURES))
    features = gaussian_filter(rough, (0, 1, 1, 0), mode="wrap")
    features /= features.std()
    costs = 1 + features @ TRUE + 0.1 * np.std(TRUE) * rng.normal(size=features.shape[:-1])
    return Maps(features, costs, cheapest_path(costs))


smoothed = ag.perturbed(
    cheapest_path, samples=SAMPLES, scale=SCALE, sense="min", batched=True, host=True
)


@partial(jax.jit, static_argnames="descent")
def step(weights, state, features, paths, key, descent):
    """One of Adam's, down the Fenchel–Young loss of all maps."""

    def loss(weights: Float[Array, " 1+f"]) -> Array:
        costs = weights[0] + features @ weights[1:]
        keys = jax.random.split(key, len(paths))
        return jnp.mean(jax.vmap(smoothed.loss)(costs, paths, keys))

    updates, state = descent.update(jax.grad(loss)(weights), state)
    return optax.apply_updates(weights, updates), state


def learn(known: Maps) -> np.ndarray:
    """What a place costs at least, and a unit of each feature, up to a common factor."""
    descent = optax.adam(RATE)
    weights = jnp.concatenate([jnp.ones(1), jnp.zeros(FEATURES)])
    state = descent.init(weights)
    features, paths = (jnp.asarray(a, float) for a in (known.features, known.paths))
    for key in jax.random.split(jax.random.key(0), STEPS):
        weights, state = step(weights, state, features, paths, key, descent)
    return np.asarray(weights, float)


def excess(believed: np.ndarray, truth: Maps) -> float:
    """By how much paths that are cheapest by `believed` costs are dearer than the cheapest."""
    paid = np.sum(cheapest_path(believed) * truth.costs, axis=(1, 2))
    least = np.sum(truth.paths * truth.costs, axis=(1, 2))
    return float(np.mean(paid - least) / np.mean(np.abs(least)))


def main() -> None:
    rng = np.random.default_rng(0)
    known, unseen = maps(rng, TRAIN), maps(rng, TEST)
    weights = learn(known)
    ratio = np.linalg.norm(TRUE) / np.linalg.norm(weights[1:])
    print("what a unit of each feature costs, true   ", np.round(TRUE, 2).tolist())
    print("                                  learnt  ", np.round(ratio * weights[1:], 2).tolist())
    believed = {
        "as if all places cost the same": np.ones_like(unseen.costs),
        "by the costs that were learnt": weights[0] + unseen.features @ weights[1:],
        "by the true weights of the features": 1 + unseen.features @ TRUE,
    }
    print(f"cost above the cheapest path, on {TEST} maps not seen:")
    for name, costs in believed.items():
        print(f"  {name:38s} {excess(costs, unseen):7.1%}")


if __name__ == "__main__":
    main()
