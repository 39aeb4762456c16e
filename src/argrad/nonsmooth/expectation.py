"""The mean of a function over noise as a differentiable function of what the noise is added to.

With u = θ + εz, and p the density of z, the mean of any function g is

    G(θ, ε) = E g(θ + εz) = ∫ g(u) p((u − θ)/ε) du / ε^d

so that θ and ε move the density while u, and the values g(u), stay where they are (Reinforce,
Williams 1992). Each value has the weight w = density(θ, ε)/density there and then, which is one
but has derivatives, of every order those that make the estimate unbiased (DiCE, Foerster et al.
2018, arXiv:1802.05098). A linear model of g that the other replicates give is subtracted before and
added after, which changes no expectation and takes away most of the scatter where g is near it.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from argrad.nonsmooth.noise import AbstractNoise


class Estimate(eqx.Module):
    """A mean over samples, how far chance may have moved it, and what it cost.

    - `value`: the estimate.
    - `standard_error`: of `value`, with its structure, from the scatter between replicates.
    - `calls`: of the solver or function.
    """

    value: Any
    standard_error: Any
    calls: int = eqx.field(static=True)


class Sample(eqx.Module):
    """Points u = θ + εz in replicates, the values of g there, and what models of g leave of them.

    The model of a replicate is b + A(u − θ), from the other replicates alone: b is the mean of
    their values, and A a multiple of their estimate of ∂G/∂θ, short of it by what chance
    contributes to it. `rest` is what it leaves, at points that have been `seen`: the sum over
    those of a replicate is an estimate of the mean of g(u) − b − A(u − θ).
    """

    points: Float[Array, "replicates points d"]
    values: Float[Array, "replicates points k"]
    score: Float[Array, "replicates points d"]
    seen: Float[Array, "replicates seen d"]
    rest: Float[Array, "replicates seen k"]
    noise: AbstractNoise
    symmetric: bool = eqx.field(static=True)  # whether ∂G/∂θ is known to be, as of a gradient

    def trend(self, d_theta: Float[Array, " d"]) -> Float[Array, "replicates k"]:
        """A dθ, for the model of each replicate."""
        g, s = self.values, self.score
        along = jnp.einsum("rid,d->ri", s, d_theta)[..., None]
        slope = others(g * along) - others(g) * others(along)
        if self.symmetric:
            along = jnp.einsum("rid,d->ri", g, d_theta)[..., None]
            back = others(s * along) - others(s) * (others(g) @ d_theta)[:, None]
            slope = (slope + back) / 2
        return slope * _share(self.points, self.symmetric)


def others(each: Float[Array, "replicates points k"]) -> Float[Array, "replicates k"]:
    """The means of `each` over all points but those of the replicate."""
    sums = jnp.sum(each, 1)
    return (jnp.sum(sums, 0) - sums) / ((len(each) - 1) * each.shape[1])


def _share(points: Array, symmetric: bool) -> float:
    """How much of an estimated slope is taken.

    If linear trend and rest of g are of one size, an estimate from n points has noise of about
    d/n of the slope where it is symmetric, and 2d/n else, twice that being prudent.
    """
    replicates, each, d = points.shape
    return 1 / (1 + (2 if symmetric else 4) * d / ((replicates - 1) * each))


def sampled(
    place: tuple[Array, Array], points: Array, values: Array, noise: AbstractNoise, symmetric: bool
) -> Sample:
    """What is known of g from its values at points drawn around `place`, θ and ε."""
    score = score_of(noise, place, points)
    rest = values - linear_model(values, score, points - place[0], symmetric)
    return Sample(points, values, score, points, rest / rest.shape[1], noise, symmetric)


def linear_model(
    values: Array, score: Array, steps: Array, symmetric: bool
) -> Float[Array, "replicates more k"]:
    """b + A(u − θ) at points u that are `steps` (replicates, more, d) from θ.

    A is the covariance of values with scores over the other replicates' points.
    """
    count = (len(values) - 1) * values.shape[1]
    left, right = values - jnp.mean(values, (0, 1)), score
    means = [others(left)[:, None], count * others(right)[:, None]]
    if symmetric:
        left, right = (jnp.concatenate(each, 1) for each in ((left, right), (right, left)))
        back = means[1] / count, count * means[0]
        means = [jnp.concatenate(each, 1) for each in zip(means, back, strict=True)]
    flat = [a.reshape(-1, a.shape[-1]) for a in (steps, right, left)]
    every = jnp.linalg.multi_dot([flat[0], flat[1].T, flat[2]]).reshape(*steps.shape[:2], -1)
    # Less what is not of others, and the product of the means.
    left, right = (jnp.concatenate(each, 1) for each in zip((left, right), means, strict=True))
    own = jnp.einsum("rij,rjk->rik", jnp.einsum("rid,rjd->rij", steps, right), left)
    slope = (every - own) / (2 * count if symmetric else count)
    return others(values)[:, None] + slope * _share(score, symmetric)


def score_of(noise: AbstractNoise, place: tuple[Array, Array], points: Array) -> Array:
    """∂ log density/∂θ at each of the points."""
    theta, scale = place
    z = (points - theta) / scale
    return -jax.vjp(noise.log_density, z)[1](jnp.ones_like(z))[0] / scale


@eqx.filter_custom_jvp
def _weight(
    place: tuple[Array, Array], points: Array, noise: AbstractNoise
) -> Float[Array, "replicates points 1"]:
    """w of each of the points, as a function of `place`: one, with the derivatives of w."""
    del place, noise
    return jnp.ones_like(points[..., :1])


@_weight.def_jvp
def _weight_jvp(primals, tangents):
    place, points, noise = primals
    d_theta, d_scale = tangents[0]
    weight, score = _weight(*primals), score_of(noise, place, points)
    rate = jnp.zeros_like(weight)
    if d_theta is not None:
        rate += jnp.einsum("rid,d->ri", score, d_theta)[..., None]
    if d_scale is not None:
        rate += _rate_of_scale(place, points, score)[..., None] * d_scale
    return weight, weight * rate


def _rate_of_scale(place: tuple[Array, Array], points: Array, score: Array) -> Array:
    """∂ log density/∂ε at each of the points."""
    return jnp.sum((score * (points - place[0]) - 1) / place[1], -1)


@eqx.filter_custom_jvp
def replicate_means(place: tuple[Array, Array], sample: Sample) -> Float[Array, "replicates k"]:
    """The mean of g in each replicate, as a function of `place`, θ and ε."""
    del place
    return jnp.mean(sample.values, 1)


@replicate_means.def_jvp
def _replicate_means_jvp(primals, tangents):
    """A dθ + Σ (g − b − A(u − θ)) sᵀdθ with the score s = ∂ log density/∂θ of each point.

    Where ∂G/∂θ is a symmetric matrix, the sum is averaged with its transpose, which is as
    unbiased: where the two are not alike, their mean scatters less.
    """
    place, sample = primals
    d_theta, d_scale = tangents[0]
    # All that depends on θ and ε here has derivatives in turn: the second ones of G.
    rest = _weight(place, sample.seen, sample.noise) * sample.rest
    score = score_of(sample.noise, place, sample.seen)
    tangent = jnp.zeros_like(sample.values[:, 0])
    if d_theta is not None:
        moved = jnp.einsum("rik,ri->rk", rest, jnp.einsum("rid,d->ri", score, d_theta))
        if sample.symmetric:
            along = jnp.einsum("rid,d->ri", rest, d_theta)
            moved = (moved + jnp.einsum("rid,ri->rd", score, along)) / 2
        tangent += sample.trend(d_theta) + moved
    if d_scale is not None:
        rate = _rate_of_scale(place, sample.seen, score)
        tangent += jnp.einsum("rik,ri->rk", rest, rate) * d_scale
    return replicate_means(*primals), tangent


@eqx.filter_custom_jvp
def support(place: tuple[Array, Array], sample: Sample) -> Float[Array, " replicates"]:
    """The mean of <u, g(u)> in each replicate, for a g that is the argmax of <u, y>.

    <u − θ, b>, of mean zero, is subtracted.
    """
    noise = jnp.einsum("rid,rd->ri", sample.points - place[0], others(sample.values))
    return jnp.mean(jnp.sum(sample.points * sample.values, -1) - noise, 1)


@support.def_jvp
def _support_jvp(primals, tangents):
    """By Danskin's theorem <G, dθ> + E <z, g> dε."""
    place, sample = primals
    d_theta, d_scale = tangents[0]
    tangent = jnp.zeros(len(sample.values), sample.values.dtype)
    if d_theta is not None:
        tangent += replicate_means(place, sample) @ d_theta
    if d_scale is not None:
        z = (sample.points - place[0]) / place[1]
        weight = _weight(place, sample.points, sample.noise)
        centred = sample.values - others(sample.values)[:, None]
        tangent += jnp.mean(jnp.sum(weight * z * centred, -1), 1) * d_scale
    return support(*primals), tangent


def spread(replicates: Array) -> tuple[Array, Array]:
    """The mean over the first axis, and its standard error."""
    return jnp.mean(replicates, 0), jnp.std(replicates, 0, ddof=1) / len(replicates) ** 0.5
