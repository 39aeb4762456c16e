"""Train a model with an objective of its own: L-BFGS, and Newton's method to the end.

On the host, with values, gradients and Hessians that are compiled once a model and shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh
from scipy.optimize import minimize

from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.models.trained import Rows, Trained

# Parameters up to which a Hessian is formed.
MOST = 2000
_NEWTON, _ESCAPES = 60, 20
# Relative length of a last step, and up to which steps that no longer shrink are rounding.
_SHORT, _ROUNDED = 1e-9, 1e-5
# Curvature relative to the largest below which a direction is flat.
_FLAT = 1e-11
# Relative decrease over the length of w that a direction without curvature may still promise, and
# the part of the largest gradient that a convex function of that curvature can have at all.
_PROMISE, _SLOPE = 1e-8, 1e-10
# A length of w that nothing but a descent without end leads to.
_ENDLESS = 1e12
# Rows of a Hessian that are made at a time.
_BATCH = 128


class Problem(NamedTuple):
    """The lower problem of some rows at hyperparameters `values`; `like` has the structure of w."""

    like: Any
    rows: Rows
    values: Mapping[str, Any]


class Stationary(NamedTuple):
    """w (p,) at which the gradient is zero and no curvature negative.

    `inverse_hessian` (p, p) is zero along the directions `flat` (p, k) without any.
    """

    w: np.ndarray
    inverse_hessian: np.ndarray
    flat: np.ndarray


def exponentials(h: Any, positions: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters by name, of their logarithms h (s,) at these positions."""
    return {name: jnp.exp(h[each]) for name, each in positions.items()}


def flattened(w: Any) -> np.ndarray:
    """w (p,) of a pytree."""
    return np.asarray(ravel_pytree(w)[0], dtype=float)


def unflattened(like: Any, w: Any) -> Any:
    """The pytree with the structure of `like`."""
    return ravel_pytree(like)[1](w)


def objective(model: Trained, w: Array, problem: Problem) -> Array:
    """f of w (p,)."""
    return model.objective(unflattened(problem.like, w), problem.rows, problem.values)


@partial(jax.jit, static_argnums=0)
def value_and_gradient(model: Trained, w: Array, problem: Problem):
    """f and ∂f/∂w (p,)."""
    return jax.value_and_grad(partial(objective, model))(w, problem)


@partial(jax.jit, static_argnums=0)
def _hessian(model: Trained, w: Array, problem: Problem) -> Array:
    def row(direction: Array) -> Array:
        slope = partial(jax.grad(partial(objective, model)), problem=problem)
        return jax.jvp(slope, (w,), (direction,))[1]

    return jax.lax.map(row, jnp.eye(w.size, dtype=w.dtype), batch_size=_BATCH)


def train(model: Trained, problem: Problem, start: np.ndarray, near: bool = False) -> Stationary:
    """A minimum of f, looked for from `start` (p,). In double precision only.

    L-BFGS goes most of the way; Newton's method with the whole Hessian finishes it, so that the
    solution is exact to rounding, and leaves saddle points along their directions of negative
    curvature. Directions without any curvature, along which solutions are not unique, are left
    as they are. `near` says that the start is a minimum of a problem much like this one: where
    f is convex there, Newton's method alone follows that minimum.

    Raises LowerError where f is not finite, or has no such point that can be found: where it has
    kinks, or falls for ever.

    Source: Nocedal and Wright 2006, sections 3.4 and 7.2; negative curvature after Moré and
    Sorensen 1979, On the use of directions of negative curvature.
    """
    if not np.isfinite(value_and_gradient(model, start, problem)[0]):
        raise LowerError("its objective is not finite where training starts")
    if near:
        followed = _follow(model, problem, start)
        if followed is not None:
            return followed
    w = start
    for _ in range(_ESCAPES):
        found = _newton(model, problem, _quasi_newton(model, problem, w))
        if isinstance(found, Stationary):
            return found
        w = found
    raise LowerError(f"it met saddle points only, {_ESCAPES} of them")


def _follow(model: Trained, problem: Problem, start: np.ndarray) -> Stationary | None:
    """Newton's method as long as it meets positive curvature, None where it does not."""
    try:
        found = _newton(model, problem, start, convex=True)
    except LowerError:
        return None
    return found if isinstance(found, Stationary) else None


def beginning(model: Trained, features: int, outputs: int) -> Any:
    """The model's own start, as arrays of floats. In double precision only."""
    start = model.init(features, outputs)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=float), start)


def _quasi_newton(model: Trained, problem: Problem, w: np.ndarray) -> np.ndarray:
    def fun(w: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = value_and_gradient(model, w, problem)
        return float(value), np.asarray(gradient)

    options = {"maxiter": 20_000, "maxfun": 30_000, "maxcor": 30, "ftol": 1e-13, "gtol": 0.0}
    return minimize(fun, w, jac=True, method="L-BFGS-B", options=options).x


def _newton(
    model: Trained, problem: Problem, w: np.ndarray, convex: bool = False
) -> Stationary | np.ndarray:
    """The stationary point near w, or where to start anew from a saddle point.

    LowerError without one; if `convex`, wherever a curvature is negative.
    """
    value, gradient = value_and_gradient(model, w, problem)
    size = np.inf
    for _ in range(_NEWTON):
        curvature = _Curvature.of(np.asarray(_hessian(model, w, problem)))
        if convex and curvature.negative is not None:
            raise LowerError("it is not convex")
        step = -curvature.inverse @ gradient
        decrement, rounding = -float(gradient @ step), 1e-14 * (1.0 + abs(float(value)))
        alpha = 1.0
        trial = value_and_gradient(model, w + step, problem)
        while not trial[0] <= value - 1e-4 * alpha * decrement + rounding and alpha > 1e-10:
            alpha /= 2
            trial = value_and_gradient(model, w + alpha * step, problem)
        if not np.isfinite(trial[0]):
            raise LowerError("its objective is not finite anywhere near")
        w, (value, gradient) = w + alpha * step, trial
        before, size = size, float(np.linalg.norm(step))
        length = float(np.linalg.norm(w))
        rounded = size <= _ROUNDED * length and size >= 0.5 * before
        if size <= _SHORT * length or rounded or size == 0:
            if curvature.negative is None:
                if curvature.falls(np.asarray(gradient), abs(float(value)), length):
                    raise LowerError("it falls for ever along a direction without curvature")
                return Stationary(w, curvature.inverse, curvature.flat)
            return _escape(model, problem, w, float(value), curvature.negative)
    raise LowerError(
        f"it did not come to a point where its gradient is zero in {_NEWTON} Newton steps: it is "
        "not smooth there, or it falls for ever"
    )


def _escape(
    model: Trained, problem: Problem, w: np.ndarray, value: float, direction: np.ndarray
) -> np.ndarray:
    """A lower point along a direction of negative curvature at a saddle point."""
    length = max(float(np.linalg.norm(w)), 1.0)
    for step in length * 0.5 ** np.arange(1, 30):
        for sign in (1.0, -1.0):
            trial = w + sign * step * direction
            if float(value_and_gradient(model, trial, problem)[0]) < value:
                return trial
    raise LowerError("it cannot leave a saddle point")


class _Curvature(NamedTuple):
    """An inverse (p, p) of |H|, zero along `flat` (p, k); a direction of negative curvature.

    `largest` is the largest curvature where there are flat directions.
    """

    inverse: np.ndarray
    flat: np.ndarray
    negative: np.ndarray | None
    largest: float = 0.0

    def falls(self, gradient: np.ndarray, value: float, length: float) -> bool:
        """Whether there is more of a gradient along flat directions than rounding leaves there."""
        slope = float(np.linalg.norm(self.flat.T @ gradient))
        steep = slope > _SLOPE * np.sqrt(self.largest * value) or length > _ENDLESS
        return bool((slope * length > _PROMISE * value or length == 0) and steep)

    @classmethod
    def of(cls, hessian: np.ndarray) -> _Curvature:
        if not np.all(np.isfinite(hessian)):
            raise LowerError("its Hessian is not finite")
        hessian = 0.5 * (hessian + hessian.T)
        p = len(hessian)
        try:
            factor = cho_factor(hessian, lower=True, check_finite=False)
            pivots = np.diag(factor[0]) ** 2
            if pivots.min() > 1e-10 * pivots.max():
                inverse = cho_solve(factor, np.eye(p), check_finite=False)
                return cls(inverse, np.zeros((p, 0)), None)
        except LinAlgError:
            pass
        # The default driver fails on some matrices that are singular to rounding.
        curvatures, axes = eigh(hessian, driver="evd", check_finite=False)
        flat = np.abs(curvatures) <= _FLAT * np.max(np.abs(curvatures))
        curved = axes[:, ~flat]
        inverse = (curved / np.abs(curvatures[~flat])) @ curved.T
        negative = axes[:, 0] if curvatures[0] < 0 and not flat[0] else None
        return cls(inverse, axes[:, flat], negative, float(np.max(np.abs(curvatures))))
