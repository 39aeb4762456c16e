"""Models of more parameters than a Hessian is formed for: L-BFGS, and conjugate gradients.

With the training objective f and the validation loss F of a fold, b = ∂F/∂w and H = ∂²f/∂w², the
adjoint u solves H u = b, and

    dF/dh = −(∂²f/∂w∂h)ᵀ u,      F(w) − F(w*) ≈ uᵀ ∂f/∂w

for w near the minimum w*, so u also says how much of F is still to be trained away. Rounds of
L-BFGS go on until that is little and conjugate gradients, which meet H in products with vectors
alone, find it positive definite. Nothing is added to H.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from argrad.linalg.cg import conjugate_gradients
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.training import (
    Problem,
    exponentials,
    objective,
    unflattened,
    value_and_gradient,
)
from argrad.sklearn.models.trained import Trained

# Iterations of a round of L-BFGS, the most rounds, and the pairs it remembers.
_ROUND, _ROUNDS, _MEMORY = 400, 20, 10
# Products with H for one adjoint.
_PRODUCTS = 3000
# Relative decrease of f in a last round, where no validation rows say how far to go.
_STILL = 1e-5


class Accuracy(NamedTuple):
    """How far a fold is trained: |uᵀ∂f/∂w| <= `left` F, with u to a relative `residual`."""

    left: float = 1e-3
    residual: float = 1e-3


class Adjoint(NamedTuple):
    """F, u (p,), uᵀ∂f/∂w, and whether H was definite as far as met, and u found."""

    value: Float[Array, ""]
    u: Float[Array, " p"]
    left: Float[Array, ""]
    definite: Bool[Array, ""]
    solved: Bool[Array, ""]


class Nearly(NamedTuple):
    """w (p,) next to a minimum, the validation loss there, and its adjoint u (p,)."""

    w: np.ndarray
    value: float
    u: Array


def train_nearly(
    model: Trained,
    problem: Problem,
    validation: Array,
    start: np.ndarray,
    accuracy: Accuracy | None = None,
) -> Nearly:
    """Next to a minimum of f, looked for from `start` (p,), as near as `validation` rows can tell.

    `validation` (n,) are the shares of the rows in F. In double precision only.

    Raises LowerError where f is not finite, or no such point is met: f has kinks, or falls for
    ever, or training is not over after so many iterations.

    Source: the adjoint as an error estimate after Becker and Rannacher 2001, Acta Numerica 10.
    """
    accuracy = accuracy or Accuracy()
    if not np.isfinite(value_and_gradient(model, start, problem)[0]):
        raise LowerError("its objective is not finite where training starts")
    w = start
    for _ in range(_ROUNDS):
        w = _descended(model, problem, w)
        found = _adjoint(model, w, problem, validation, accuracy.residual)
        little = abs(float(found.left)) <= accuracy.left * abs(float(found.value))
        if found.solved and little:
            return Nearly(w, float(found.value), found.u)
    why = (
        "but for the last digits of the validation loss"
        if found.definite
        else "and has no minimum there: its curvature has both signs"
    )
    raise LowerError(f"training is not over after {_ROUND * _ROUNDS} iterations, {why}")


def train_until_still(model: Trained, problem: Problem, start: np.ndarray) -> np.ndarray:
    """w (p,) after which a round of L-BFGS lowers f by little; a ConvergenceWarning without one."""
    w, value = start, np.inf
    for _ in range(_ROUNDS):
        w = _descended(model, problem, w)
        before, value = value, float(value_and_gradient(model, w, problem)[0])
        if not np.isfinite(value):
            raise LowerError("its objective is not finite")
        if before - value <= _STILL * abs(value):
            return w
    warnings.warn(
        f"training on all rows ended after {_ROUND * _ROUNDS} iterations of L-BFGS, of which the "
        f"last {_ROUND} lowered the objective by {(before - value) / abs(value):.1g} of itself.",
        ConvergenceWarning,
        stacklevel=2,
    )
    return w


@partial(jax.jit, static_argnums=0)
def gradient_of(
    model: Trained, h: Array, positions, settings, w: Array, u: Array, problem: Problem
) -> Array:
    """−(∂²f/∂w∂h)ᵀ u (s,), with the hyperparameters e^h at their positions beside settings."""

    def slope(h: Array) -> Array:
        at = problem._replace(values={**settings, **exponentials(h, positions)})
        return jax.grad(partial(objective, model))(w, at)

    return -jax.vjp(slope, h)[1](u)[0]


def _descended(model: Trained, problem: Problem, w: np.ndarray) -> np.ndarray:
    """A round of L-BFGS from w (p,)."""

    def fun(w: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = value_and_gradient(model, w, problem)
        return float(value), np.asarray(gradient)

    options = {"maxiter": _ROUND, "maxfun": 2 * _ROUND, "maxcor": _MEMORY, "ftol": 0, "gtol": 0}
    return minimize(fun, w, jac=True, method="L-BFGS-B", options=options).x


@partial(jax.jit, static_argnums=0)
def _adjoint(model: Trained, w: Array, problem: Problem, validation: Array, residual) -> Adjoint:
    def upper(w: Array) -> Array:
        losses = model.validation_losses(unflattened(problem.like, w), problem.rows)
        # A row that is not for validation may have no finite loss.
        return jnp.sum(jnp.where(validation > 0, validation * losses, 0.0))

    value, b = jax.value_and_grad(upper)(w)
    slope = jax.grad(partial(objective, model))
    gradient, product = jax.linearize(lambda w: slope(w, problem), w)
    found = conjugate_gradients(product, b, tol=residual, max_steps=_PRODUCTS)
    solution = found.solution
    return Adjoint(value, solution, solution @ gradient, found.definite, found.solved)
