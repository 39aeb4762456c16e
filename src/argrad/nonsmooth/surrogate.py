"""What is known of an argmax oracle without calling it: the best of the solutions it has returned.

If g(u) is the y of a set that has the largest <u, y>, the best at u of the solutions that other
points have led to, ŷ(u), is g(u) itself as often as not, and costs an inner product each: <u, ŷ(u)>
is the model of the support function by cutting planes (Kelley 1960). So the mean of ŷ is taken over
many more points than the solver is called at, and the solver only has to say what ŷ misses,

    E g = E (g − c ŷ) + E c ŷ

which is as unbiased for every c that is independent of the points of the first mean: an
approximate control variate (Gorodetsky, Geraci, Eldred and Jakeman 2020, arXiv:1811.04988).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from argrad.nonsmooth.expectation import Sample, linear_model, score_of
from argrad.nonsmooth.noise import AbstractNoise

MORE = 4  # points at which ŷ is looked at for each call of the solver
_FEWEST = 8  # replicates of which a half can tell c


def sampled_argmax(
    place: tuple[Array, Array], points: Array, values: Array, more: Array, noise: AbstractNoise
) -> Sample:
    """What is known of an argmax g from its values at points drawn around `place`, and ŷ at `more`.

    Linear model, ŷ and c of a replicate are from others alone. Both g and ŷ are taken less the
    linear model. c is a regression, and is in proportion to what it is worth: where <u, ŷ(u)> is
    high it is unlikely that there is a better solution, so that c may rise with it.
    """
    score = score_of(noise, place, points)

    def models(part: slice, at: Array) -> tuple[Array, Array, Array]:
        """The linear model, what ŷ differs from it by, and <u, ŷ>, of replicates `part`."""
        line = linear_model(values[part], score[part], at - place[0], symmetric=True)
        best = _best(values[part], at)
        return line, best - line, jnp.sum(at * best, -1, keepdims=True)

    every, half = slice(None), len(points) // 2
    line, surplus, optimum = models(every, points)
    rest = (values - line) / values.shape[1]
    if len(points) < _FEWEST:
        return Sample(points, values, score, points, rest, noise, symmetric=True)
    # Each half of the replicates has the c of the other one.
    halves = slice(half, None), slice(None, half)
    fits = [_regression(*models(h, points[h]), values[h], score[h]) for h in halves]
    first = jnp.arange(len(points))[:, None, None] < half
    level, slope, centre, spread = jnp.where(first, *(fit[:, None, None, None] for fit in fits))

    def taken(surplus: Array, optimum: Array) -> Array:
        return jnp.clip(level + slope * (optimum - centre) / spread, 0, 1) * surplus

    rest -= taken(surplus, optimum) / values.shape[1]
    elsewhere = taken(*models(every, more)[1:]) / more.shape[1]
    seen, rest = (jnp.concatenate(each, 1) for each in ((points, more), (rest, elsewhere)))
    return Sample(points, values, score, seen, rest, noise, symmetric=True)


def _best(values: Float[Array, "r p d"], at: Float[Array, "r q d"]) -> Float[Array, "r q d"]:
    """ŷ: of the solutions of other replicates, the best at each point."""
    products = jnp.einsum("rqd,spd->rqsp", at, values)
    own = jnp.eye(len(values), dtype=bool)[:, None, :, None]
    products = jnp.where(own, -jnp.inf, products).reshape(*at.shape[:2], -1)
    return values.reshape(-1, values.shape[-1])[jnp.argmax(products, -1)]


def _regression(
    line: Array, surplus: Array, optimum: Array, values: Array, score: Array
) -> Float[Array, "4"]:
    """c = level + slope (optimum − centre)/spread, which leaves least of the Jacobian's scatter.

    Short of it as if there were two more points, at which ŷ is of no use.
    """
    centre, spread = jnp.mean(optimum), jnp.std(optimum)
    spread = jnp.where(spread > 0, spread, 1)
    columns = jnp.stack([surplus, surplus * (optimum - centre) / spread])
    weight = jnp.sum(score**2, -1)
    (a, b), (_, c) = jnp.einsum("arik,brik,ri->ab", columns, columns, weight)
    right = jnp.einsum("arik,rik,ri->a", columns, values - line, weight)
    a, c = (each + (a + c) / weight.size for each in (a, c))
    # Two equations by hand: several factorisations at once would wait for each other.
    det = jnp.where(a * c > b**2, a * c - b**2, 1)  # 0 where ŷ is what the linear model says
    level, slope = c * right[0] - b * right[1], a * right[1] - b * right[0]
    return jnp.stack([level / det, slope / det, centre, spread])
