"""Floor 1: argmax oracles of linear objectives, smoothed by noise in the objective."""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree, Scalar

from argrad.linalg.symmetric import random_key
from argrad.nonsmooth.calls import Calls
from argrad.nonsmooth.draws import Sampling, check_sampling, draw
from argrad.nonsmooth.expectation import Estimate, Sample, replicate_means, spread, support
from argrad.nonsmooth.noise import AbstractNoise, Gaussian
from argrad.nonsmooth.surrogate import sampled_argmax
from argrad.problem import starting_point
from argrad.status import Status, raise_if


class Perturbed(eqx.Module):
    """θ -> E y*(θ + εz), made by `perturbed`."""

    calls: Calls
    noise: AbstractNoise
    scale: float | Scalar
    samples: int = eqx.field(static=True)
    sense: Literal["max", "min"] = eqx.field(static=True)
    sampling: Sampling = eqx.field(static=True)
    tol: float = eqx.field(static=True)

    def __call__(self, theta: PyTree, key: int | Array = 0) -> PyTree[Array]:
        """y_ε(θ), the mean over samples. See `perturbed`."""
        theta = starting_point(theta)
        return jax.tree.map(
            lambda y: jnp.mean(y, 0), self._replicates(self.sample(theta, key))(theta)
        )

    def estimate(self, theta: PyTree, key: int | Array = 0) -> Estimate:
        """y_ε(θ) with its standard error."""
        theta = starting_point(theta)
        return self._summary(self._replicates(self.sample(theta, key))(theta))

    def jacobian(self, theta: PyTree, key: int | Array = 0) -> Estimate:
        """dy_ε/dθ, nested as `jax.jacobian` does it, with its standard error."""
        theta = starting_point(theta)
        return self._summary(jax.jacfwd(self._replicates(self.sample(theta, key)))(theta))

    def vjp(self, theta: PyTree, cotangent: PyTree, key: int | Array = 0) -> Estimate:
        """cotangentᵀ dy_ε/dθ, a gradient, with its standard error."""
        theta, v = starting_point(theta), ravel_pytree(cotangent)[0]
        sample = self.sample(theta, key)
        along = lambda theta: replicate_means(self._place(theta), sample) @ v
        return self._summary(jax.jacrev(along)(theta))

    def loss(self, theta: PyTree, target: PyTree, key: int | Array = 0) -> Scalar:
        """The Fenchel–Young loss of θ for the solution `target`, convex in θ.

        E max <θ + εz, y> − <θ, target>, for `sense="min"` <θ, target> − E min <θ + εz, y>, the mean
        regret of `target` (Blondel, Martins and Niculae 2020, arXiv:1901.02324). Its gradient is
        y_ε(θ) − target, or target − y_ε(θ): zero where the smoothed solution is the target, which
        may be an average of solutions. A constant that depends on the target alone is left out.
        ValueError where `target` has not the structure of `theta`.
        """
        theta, target = starting_point(theta), starting_point(target)
        if jax.eval_shape(lambda: target) != jax.eval_shape(lambda: theta):
            raise ValueError(
                "target must be a solution, which has structure, shapes and dtypes of theta: got "
                f"{jax.eval_shape(lambda: target)} and {jax.eval_shape(lambda: theta)}."
            )
        place = self._place(theta)
        optimum = jnp.mean(support(place, self.sample(theta, key)))
        return optimum - place[0] @ ravel_pytree(target)[0]

    def sample(self, theta: PyTree[Array], key: int | Array = 0) -> Sample:
        """Perturbed objectives (their negatives, for `sense="min"`) and their solutions."""
        flat, scale = lax.stop_gradient(self._place(theta))
        key = random_key(key)
        z = draw(self.noise, self.sampling, self.samples, flat.size, key, flat.dtype)
        points = flat + scale * z
        sign = 1 if self.sense == "max" else -1
        solutions = self.calls(sign * points.reshape(-1, flat.size), theta, theta)
        solutions = eqxi.nondifferentiable(solutions, msg=_CLOSED_OVER)
        solutions = self._checked(solutions, points.reshape(solutions.shape))
        values = solutions.reshape(points.shape)
        return sampled_argmax((flat, scale), points, values, self.noise)

    def _place(self, theta: PyTree[Array]) -> tuple[Array, Array]:
        flat = ravel_pytree(theta)[0]
        return flat if self.sense == "max" else -flat, jnp.asarray(self.scale, flat.dtype)

    def _replicates(self, sample: Sample) -> Callable[[PyTree[Array]], PyTree[Array]]:
        def means(theta):
            return jax.vmap(ravel_pytree(theta)[1])(replicate_means(self._place(theta), sample))

        return means

    def _summary(self, replicates: PyTree[Array]) -> Estimate:
        value, error = jax.tree.transpose(
            jax.tree.structure(replicates),
            jax.tree.structure((0, 0)),
            jax.tree.map(spread, replicates),
        )
        return Estimate(value, error, self.samples)

    def _checked(self, solutions: Float[Array, "n d"], points: Float[Array, "n d"]) -> Array:
        """The solutions, unless one is not finite or does worse than its neighbour in the list."""
        if self.tol == math.inf:
            return solutions
        own = jnp.sum(points * solutions, -1)
        other = jnp.sum(points * jnp.roll(solutions, 1, 0), -1)
        gap = jnp.max((other - own) / (jnp.abs(own) + jnp.abs(other) + jnp.finfo(own.dtype).tiny))
        finite = jnp.all(jnp.isfinite(solutions))
        status = Status.where(finite, Status.not_the_best, Status.nonfinite)
        numbers = OrderedDict(relative_gap=gap, samples=self.samples)
        return raise_if(solutions, ~(finite & (gap <= self.tol)), status, numbers)


_CLOSED_OVER = (
    "ag.perturbed knows how solutions depend on theta alone, and its solver depends on something "
    "else that is being differentiated. Make that part of theta, or stop its gradient."
)


def perturbed(
    solver: Callable[[PyTree], PyTree],
    noise: AbstractNoise | None = None,
    samples: int = 64,
    *,
    scale: float | Scalar = 1.0,
    sense: Literal["max", "min"] = "max",
    sampling: Sampling = "independent",
    host: bool | None = None,
    batched: bool = False,
    n_jobs: int | None = None,
    tol: float = 1e-3,
) -> Perturbed:
    """The function θ -> y_ε(θ) = E y*(θ + εz) of a solver y*(θ) = argmax over y in Y of <θ, y>.

    y* of a linear program, a shortest path, an assignment, a sorting jumps from vertex to vertex,
    and its derivative is zero wherever there is one. With noise z on the objective its mean is
    smooth: the gradient of the convex F_ε(θ) = E max <θ + εz, y>, with the symmetric Jacobian
    E y*(θ + εz) s(z)ᵀ/ε, where s = −∂ log p/∂z for the noise's density p. Value and derivatives of
    every order are estimated from the same solutions, without bias, in all modes, under `jit` and
    `vmap`. The Jacobian's scatter is reduced by taking its symmetric part, and by subtracting from
    each solution what a linear model, and the best of some others, make of it.

    Call it as `smoothed(theta, key=0)`, with a seed or a key of JAX. The same key gives the same
    noise, which compares like with like; give a fresh one at each step of a stochastic descent.
    `smoothed.estimate(theta, key)`, `.jacobian(theta, key)` and `.vjp(theta, cotangent, key)` come
    with standard errors; `.loss(theta, target, key)` is the Fenchel–Young loss that learns θ from
    solutions.

    - `solver(theta)` returns y with structure and shapes of theta: in JAX, or anything that takes
      NumPy arrays.
    - `noise`: `Gaussian()` by default, or `Gumbel()`, on every coordinate.
    - `samples`: solves for one y_ε, derivatives included.
    - `scale`: ε, which may be differentiated too. Small ε is near to y* and scatters as 1/ε.
    - `sense`: whether the solver maximises or minimises <θ, y>.
    - `sampling`: "independent"; "antithetic" pairs, each noise with its mirror image; or the
      quasi-random sequences "sobol" (`samples` a power of two) and "halton" (a multiple of 16),
      scrambled eight times. Up to some 100 samples independent ones give the best derivatives,
      with more in few dimensions the sequences.
    - `host`: whether the solver must be called with NumPy arrays; by default JAX is tried first.
    - `batched`: whether it takes many θ at once, along a new first axis of every leaf.
    - `n_jobs`: calls of a solver on the host that joblib runs side by side.
    - `tol`: the largest relative amount by which a sample's solution may be worse than that of
      another sample for the same objective. Infinity does without.

    Raises SolveError where a solver breaks that, or returns NaN or infinity; TypeError and
    ValueError for arguments of the wrong kind, and where y has not the structure of theta.

    Source: Berthet et al. 2020, arXiv:2002.08676.

    >>> import argrad as ag, jax, jax.numpy as jnp
    >>> best = lambda theta: jax.nn.one_hot(jnp.argmax(theta), 3)
    >>> smoothed = ag.perturbed(best, ag.Gumbel(), samples=4096, sampling="sobol")
    >>> theta = jnp.array([1.0, 0.0, -1.0])
    >>> bool(jnp.all(abs(smoothed(theta) - jax.nn.softmax(theta)) < 0.01))
    True
    >>> slope = smoothed.vjp(theta, jnp.array([1.0, 0.0, 0.0]))  # of softmax: 0.2227, ...
    >>> bool(abs(slope.value[0] - 0.2227) < 4 * slope.standard_error[0])
    True
    """
    noise = Gaussian() if noise is None else noise
    if not callable(solver):
        raise TypeError(f"solver must be a function of theta, got {solver!r}.")
    if not isinstance(noise, AbstractNoise):
        raise TypeError(f"noise must be argrad.Gaussian() or argrad.Gumbel(), got {noise!r}.")
    if isinstance(scale, int | float) and not 0 < scale < math.inf:
        raise ValueError(f"scale must be positive and finite, got {scale}.")
    if sense not in ("max", "min"):
        raise ValueError(f'sense must be "max" or "min", got {sense!r}.')
    if not tol > 0:
        raise ValueError(f"tol must be positive, got {tol}.")
    check_sampling(sampling, samples)
    calls = Calls(solver, host, batched, n_jobs)
    return Perturbed(calls, noise, scale, samples, sense, sampling, tol)
