"""The k-fold criterion in JAX, with its derivatives: one compiled program a model and shape.

The lower solutions come from outside, together with the inverse Hessians: argrad.implicit makes
them differentiable functions of the log penalties by their stationarity conditions, of any
order, and checks that they satisfy these.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from argrad import implicit, stationarity
from argrad.sklearn.known_inverse import KnownInverse
from argrad.sklearn.models import Model


class Data(NamedTuple):
    """Rows of the folds as JAX arrays: (k, n, p), (k, n, m), (k, n)."""

    design: Float[Array, "k n p"]
    target: Float[Array, "k n m"]
    weight: Float[Array, "k n"]


class Solutions(NamedTuple):
    """Lower solutions (k, q) and the inverses (k, q, q) of the Hessians there."""

    y: Float[Array, "k q"]
    inverse_hessian: Float[Array, "k q q"]


def _matrix(y: Array, shape: tuple[int, int]) -> Array:
    """y as coefficients and intercepts (p, m); a pinned intercept is zero."""
    return jnp.append(y, jnp.zeros(shape[0] * shape[1] - y.size)).reshape(shape)


def _lower(model: Model, y, log_penalty, design, target, weight):
    """f(y; θ), see `argrad.sklearn.models.base`."""
    w = _matrix(y, (design.shape[1], target.shape[1]))
    loss = jnp.sum(weight * model.loss(design @ w, target, jnp))
    return loss + 0.5 * jnp.sum(jnp.exp(log_penalty)[:, None] * w[: log_penalty.size] ** 2)


def _already_solved(log_penalty, y, *data):
    del log_penalty, data
    return y


def _split_loss(model: Model, log_penalty, y, inverse_hessian, training, validation):
    """Validation loss of one fold, differentiable in θ, and y*(θ)."""
    solve = implicit(
        _already_solved,
        stationarity(partial(_lower, model)),
        linear_solver=KnownInverse(inverse_hessian),
        host=False,
        throw=False,  # NaN derivatives are told apart outside, without a callback in the program
    )
    y = solve(log_penalty, y, *training)
    w = _matrix(y, (validation.design.shape[1], validation.target.shape[1]))
    losses = model.validation_loss(validation.design @ w, validation.target, jnp)
    return jnp.sum(validation.weight * losses), y


def _criterion(model: Model, size: int, log_values, solutions, training, validation):
    """Mean validation loss over the folds, and (loss, y*) of each."""
    log_penalty = jnp.broadcast_to(model.sign * log_values, (size,))

    def split(solution, training, validation):
        return _split_loss(model, log_penalty, *solution, training, validation)

    losses, y = jax.vmap(split)(solutions, training, validation)
    return jnp.mean(losses), (losses, y)


def _gradient(model: Model, size: int, log_values, *args):
    """((F, (losses, y*)), ∂F/∂h) for log hyperparameters h (s,), in reverse mode."""
    return jax.value_and_grad(partial(_criterion, model, size), has_aux=True)(log_values, *args)


def _curve(model: Model, size: int, log_value, *args):
    """F, F', F'' in one log hyperparameter, with losses and y* differentiated as well.

    Forward over forward: three triples (F, (losses, y*)), the value and both derivatives.
    """
    unit = jnp.ones_like(log_value)

    def value(h):
        return _criterion(model, size, h, *args)

    def first(h):
        return jax.jvp(value, (h,), (unit,))

    (primal, slope), (_, curvature) = jax.jvp(first, (log_value,), (unit,))
    return primal, slope, curvature


# Compiled code for few rows is run a handful of times: optimising it takes longer than it saves.
_UNOPTIMISED: Any = {"xla_backend_optimization_level": 0}

_PROGRAMS = {
    (function, quick): jax.jit(
        function, static_argnums=(0, 1), compiler_options=_UNOPTIMISED if quick else None
    )
    for function in (_gradient, _curve)
    for quick in (True, False)
}
_FEW = 20_000_000  # numbers in the stacked designs


def _run(function, model, size, log_values, solutions, training, validation):
    quick = training.design.size + validation.design.size <= _FEW
    return _PROGRAMS[function, quick](model, size, log_values, solutions, training, validation)


gradient = partial(_run, _gradient)
curve = partial(_run, _curve)
