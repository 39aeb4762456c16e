"""Floor 1: functions that cannot be traced, smoothed by looking at them at random points."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree, Scalar

from argrad.linalg.symmetric import random_key
from argrad.nonsmooth.calls import Calls
from argrad.nonsmooth.draws import draw
from argrad.nonsmooth.expectation import Estimate, replicate_means, sampled, spread
from argrad.nonsmooth.noise import Gaussian
from argrad.problem import starting_point

Directions = Literal["gaussian", "sphere", "signs"]
_BLOCKS = 4  # of directions at least, to see how far they scatter


class BlackBox(eqx.Module):
    """x -> E f(x + εz), made by `black_box`."""

    calls: Calls
    like: PyTree
    scale: float | Scalar | PyTree
    budget: int = eqx.field(static=True)
    directions: Directions = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)

    def __call__(self, x: PyTree, key: int | Array = 0) -> PyTree[Array]:
        """The smoothed f(x). See `black_box`."""
        return jax.tree.map(lambda v: jnp.mean(v, 0), self._replicates(x, key)(starting_point(x)))

    def estimate(self, x: PyTree, key: int | Array = 0) -> Estimate:
        """The smoothed f(x) with its standard error."""
        return self._summary(self._replicates(x, key)(starting_point(x)), x)

    def jacobian(self, x: PyTree, key: int | Array = 0) -> Estimate:
        """Its derivative, nested as `jax.jacobian` does it, with its standard error."""
        return self._summary(jax.jacfwd(self._replicates(x, key))(starting_point(x)), x)

    def _replicates(self, x: PyTree, key: int | Array) -> Callable[[PyTree], PyTree]:
        x = starting_point(x)
        out = jax.tree.map(jnp.asarray, self.like)
        units = self._units(x)
        flat = lax.stop_gradient(ravel_pytree(x)[0])
        draws, seeds = jax.random.split(random_key(key))
        z = self._points(draws, flat)
        points = flat + units * z
        number = None
        if self.stochastic:  # one a pair, so that both see the same chance
            number = jax.random.randint(seeds, (len(z), z.shape[1] // 2), 0, 2**31 - 1)
            number = jnp.tile(number, (1, 2)).ravel()
        values = self.calls(points.reshape(-1, flat.size), x, out, number)
        values = eqxi.nondifferentiable(values, msg=_CLOSED_OVER).reshape(*z.shape[:2], -1)
        unravel = ravel_pytree(out)[1]
        one = jnp.ones((), flat.dtype)
        if self.directions == "gaussian":
            # In units of ε, so that a scale for each coordinate is like one for all.
            sample = sampled((flat / units, one), points / units, values, Gaussian(), False)
            means = lambda flat: replicate_means((flat / units, one), sample)
        else:
            means = lambda flat: _differences(flat, z / units, values)

        return lambda x: jax.vmap(unravel)(means(ravel_pytree(x)[0]))

    def _units(self, x: PyTree[Array]) -> Array:
        """ε for each coordinate."""
        if jax.tree_util.all_leaves([self.scale]):
            return jnp.broadcast_to(jnp.asarray(self.scale), ravel_pytree(x)[0].shape)
        wide = jax.tree.map(
            lambda s, leaf: jnp.broadcast_to(jnp.asarray(s), leaf.shape), self.scale, x
        )
        return ravel_pytree(wide)[0]

    def _points(self, key: Array, flat: Array) -> Float[Array, "replicates points d"]:
        """Mirrored pairs of directions of unit covariance."""
        pairs, size = self.budget // 2, flat.size
        if self.directions == "gaussian":
            return draw(Gaussian(), "antithetic", 2 * pairs, size, key, flat.dtype)
        if self.directions == "signs":
            z = jax.random.rademacher(key, (pairs, 1, size), flat.dtype)
        else:
            blocks = max(_BLOCKS, -(-pairs // size))
            gaussian = jax.random.normal(key, (blocks, size, pairs // blocks), flat.dtype)
            frame, corner = jnp.linalg.qr(gaussian)
            frame *= jnp.sign(jnp.diagonal(corner, axis1=1, axis2=2))[:, None]  # Haar measure
            z = size**0.5 * jnp.swapaxes(frame, 1, 2)
        return jnp.concatenate([z, -z], 1)

    def _summary(self, replicates: PyTree[Array], x: PyTree) -> Estimate:
        size = ravel_pytree(starting_point(x))[0].size
        points = jax.eval_shape(self._points, jax.random.key(0), jnp.zeros(size))
        value, error = jax.tree.transpose(
            jax.tree.structure(replicates),
            jax.tree.structure((0, 0)),
            jax.tree.map(spread, replicates),
        )
        return Estimate(value, error, points.shape[0] * points.shape[1])


@eqx.filter_custom_jvp
def _differences(flat: Array, score: Array, values: Array) -> Array:
    """The mean of each replicate, with the slope Σ f(x + εz) zᵀ/ε."""
    del flat, score
    return jnp.mean(values, 1)


@_differences.def_jvp
def _differences_jvp(primals, tangents):
    flat, score, values = primals
    flat = eqxi.nondifferentiable(flat, msg=_SECOND)
    rate = jnp.einsum("rid,d->ri", score, tangents[0]) / score.shape[1]
    return _differences(flat, score, values), jnp.einsum("rik,ri->rk", values, rate)


_CLOSED_OVER = (
    "ag.black_box differentiates by its argument alone, and the function depends on something else "
    "that is being differentiated. Make that part of x, or stop its gradient."
)
_SECOND = (
    'ag.black_box has second derivatives with directions="gaussian" alone. Sphere and signs have '
    "first ones."
)


def black_box(
    function: Callable[..., PyTree],
    *,
    scale: float | Scalar | PyTree,
    budget: int,
    like: PyTree = 0.0,
    directions: Directions = "sphere",
    stochastic: bool = False,
    batched: bool = False,
    n_jobs: int | None = None,
) -> BlackBox:
    """The function x -> f_ε(x) = E f(x + εz), of which JAX knows the derivative.

    f may be anything that takes x (a pytree of NumPy arrays) and returns numbers: a fitted
    model with steps and branches, a simulator, a compiled program, a lower problem's solver. Value
    and derivative are estimated from the same calls of f, in mirrored pairs, so that with a pair's
    f₊ and f₋ the derivative is the mean of (f₊ − f₋) zᵀ/2ε. No derivative of f is needed, not even
    its existence. f_ε differs from f by about ε²/2 tr ∇²f where f is smooth.

    Call it as `smoothed(x, key=0)`; equal keys look in the same directions (common random
    numbers), so that values at two x can be compared. The estimated derivative is not that of the
    estimated value: optimise with a stochastic method and fresh keys. `smoothed.estimate(x, key)`
    and `.jacobian(x, key)` come with standard errors.

    - `scale`: ε, the distance at which steps of f are to be seen as slopes; one number, or one a
      coordinate, in the structure of x.
    - `budget`: the most calls of f for a value with its derivatives.
    - `like`: a pytree like what f returns, one number by default.
    - `directions`: "sphere", orthonormal ones times √d, with the derivative of f's mean over the
      ball of radius ε√d, exact for a linear f from 8d calls on; "signs", ±1 in every coordinate
      (simultaneous perturbation), within O(ε²) of the derivative of f; "gaussian", with unbiased
      derivatives of every order, where the others have first ones only.
    - `stochastic`: f draws random numbers and is called as f(x, seed), a pair with one seed.
    - `batched`: f takes many x at once, along a new first axis, as `predict` of a model does.
    - `n_jobs`: calls that joblib runs side by side.

    TypeError and ValueError for arguments of the wrong kind, and where f returns another shape.

    Source: Nesterov and Spokoiny 2017; Flaxman et al. 2005 for the sphere; Spall 1992 for signs.

    >>> import argrad as ag, jax, jax.numpy as jnp, numpy as np
    >>> def revenue(price):  # NumPy, with a step at 10
    ...     return price * (20 - price) - np.where(price > 10, 5.0, 0.0)
    >>> smoothed = ag.black_box(revenue, scale=0.5, budget=400)
    >>> slope = smoothed.jacobian(7.0)
    >>> bool(abs(slope.value - 6.0) < 4 * slope.standard_error + 0.05)
    True
    >>> bool(abs(jax.grad(smoothed)(7.0) - slope.value) < 1e-3)
    True
    """
    if not callable(function):
        raise TypeError(f"function must be a function of x, got {function!r}.")
    if directions not in get_args(Directions):
        raise ValueError(f"directions must be one of {get_args(Directions)}, got {directions!r}.")
    if budget < 2 * _BLOCKS:
        raise ValueError(f"budget must be at least {2 * _BLOCKS} calls, got {budget}.")
    for leaf in jax.tree.leaves(scale):
        if isinstance(leaf, int | float) and not 0 < leaf < math.inf:
            raise ValueError(f"scale must be positive and finite, got {leaf}.")
    calls = Calls(function, True, batched, n_jobs)
    return BlackBox(calls, like, scale, budget, directions, stochastic)
