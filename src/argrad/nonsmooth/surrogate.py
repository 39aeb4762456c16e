"""What is known of an argmax oracle without calling it: the best of the solutions it has returned.

If g(u) is the y of a set that has the largest <u, y>, the best at u of some solutions that other
points have led to, ŷ(u), is g(u) itself as often as not, and costs an inner product each: <u, ŷ(u)>
is the model of the support function by cutting planes (Kelley 1960). So the mean of ŷ is taken over
more points than the solver is called at, and the solver only has to say what ŷ misses,

    E g = E (g − c ŷ) + E c ŷ

which is as unbiased for every c that is independent of the points of the first mean: an
approximate control variate (Gorodetsky, Geraci, Eldred and Jakeman 2020, arXiv:1811.04988).

More points cost no noise either: its coordinates are alike and independent, so that a point whose
noise is moved on by some coordinates is distributed as the point is, and of the same replicate.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from argrad.nonsmooth.expectation import Sample, linear_model, score_of
from argrad.nonsmooth.noise import AbstractNoise

_MORE = 3  # points at which ŷ is looked at for each call of the solver
_KNOWN = 64  # solutions of which ŷ is the best, at most: the work is in proportion
_FEWEST = 8  # replicates of which a half can tell c


def sampled_argmax(
    place: tuple[Array, Array], points: Array, values: Array, noise: AbstractNoise
) -> Sample:
    """What is known of an argmax g from its values at points drawn around `place`, and ŷ at more.

    Linear model, ŷ and c of a replicate are from others alone. Both g and ŷ are taken less the
    linear model.
    """
    each, d = points.shape[1:]
    more = min(_MORE, d - 1) if len(points) >= _FEWEST else 0
    moved = [jnp.roll(points - place[0], i * d // (more + 1), -1) for i in range(more + 1)]
    steps = jnp.concatenate(moved, 1)
    score = score_of(noise, place, points)
    line = linear_model(values, score, steps, symmetric=True)
    rest = values - line[:, :each]
    if not more:
        return Sample(points, values, score, points, rest / each, noise, symmetric=True)
    seen = place[0] + steps
    best, near = _best(values, seen)
    gain = _worth(values, score, near) * (best - line)
    rest = jnp.concatenate([rest - gain[:, :each], gain[:, each:] / more], 1) / each
    return Sample(points, values, score, seen, rest, noise, symmetric=True)


def _best(
    values: Float[Array, "r p d"], at: Float[Array, "r q d"]
) -> tuple[Float[Array, "r q d"], Float[Array, "r p d"]]:
    """ŷ, the best at each point of at most `_KNOWN` solutions of other replicates.

    And for the first points of each replicate, of those solutions of its half of the replicates.
    """
    replicates, each, d = values.shape
    stride = -(-replicates * each // _KNOWN)
    known = values.reshape(-1, d)[::stride]
    owner = np.arange(0, replicates * each, stride) // each
    products = jnp.einsum("rqd,kd->rqk", at, known)
    this = np.arange(replicates)[:, None, None]
    own, across = this == owner, _halves(replicates)[:, None, None] != _halves(replicates)[owner]

    def best(excluded, products):
        products = jnp.where(excluded, -jnp.inf, products)
        top = products == jnp.max(products, -1, keepdims=True)
        # The first of the best, as argmax has it, by reductions that are compiled to faster code.
        return known[jnp.min(jnp.where(top, np.arange(len(known)), len(known) - 1), -1)]

    return best(own, products), best(own | across, products[:, :each])


def _halves(replicates: int) -> np.ndarray:
    return np.arange(replicates) < replicates // 2


def _worth(values: Array, score: Array, near: Array) -> Float[Array, "r 1 1"]:
    """c, for each half of the replicates the one that leaves least scatter in the other half.

    A regression of values on `near`, both less their mean, weighted as in the Jacobian. Short of it
    as if there was one more point, at which ŷ is of no use.
    """
    first = _halves(len(values))
    weigh = np.stack([first, ~first]) / np.array([[first.sum()], [(~first).sum()]])
    weigh = jnp.asarray(weigh / values.shape[1], values.dtype)
    mean = (weigh @ jnp.sum(values, 1))[(~first).astype(int), None]
    near, values, weight = near - mean, values - mean, jnp.sum(score**2, -1)
    fit = jnp.einsum("rik,arik,ri->ra", near, jnp.stack([near, values]), weight)
    of, by = (weigh @ fit).T
    n = values.shape[0] * values.shape[1] / 2
    c = jnp.clip(by / jnp.where(of > 0, of * (1 + 1 / n), 1), 0, 1)
    return c[first.astype(int), None, None]
