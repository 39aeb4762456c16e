"""Newton's method whose last factor serves the derivative.

The ecosystem has quasi-Newton minimisers, which leave the derivative to start from nothing, and
Newton root finders, which neither look for a minimum nor keep their factor. Here the Hessian is
factorised only when conjugate gradients have become slow, the factor preconditions them from
then on, and the solution is returned together with it.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

from argrad.linear.cg import conjugate_gradients
from argrad.linear.cholesky import (
    DEFINITE,
    INDEFINITE,
    SINGULAR,
    Factor,
    identity_factor,
    invert,
    singular_threshold,
)

_DIRECT = 32  # variables up to which a factorisation costs no more than a few products
_FACTORISED = 1000  # variables up to which a Hessian is formed at all: 8 MB in float64
_PRODUCTS_PER_FACTOR = 8  # d products done as one matrix product cost about d / 8 single ones


class NewtonState(eqx.Module):
    """What one Newton step hands to the next, and the last one to the derivative."""

    factor: Factor | None
    scale: Float[Array, " d"]
    largest: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    step_norm: Float[Array, ""]
    size: Float[Array, ""]
    largest_y: Float[Array, ""]
    start_norm: Float[Array, ""]
    value: Float[Array, ""]
    curvature: Int[Array, ""]
    terminate: Bool[Array, ""]
    result: optx.RESULTS


class Newton(optx.AbstractMinimiser[PyTree, Any, NewtonState]):
    """Newton's method for a smooth lower problem, by conjugate gradients and Cholesky factors.

    Each step solves H p = −∇f by conjugate gradients, preconditioned with the last factor of a
    Hessian. When that takes more than `patience` Hessian-vector products, or meets negative
    curvature, the Hessian is formed and factorised instead, shifted until it is positive
    definite if need be. `patience=0` factorises at every step, `patience=None` never (and
    needs no memory beyond a few vectors); the default is 0 up to 32 variables, d/8 up to 1000,
    and None above.
    Steps are shortened until the objective falls (Armijo), so a minimum is approached from
    anywhere, and a saddle or maximum that was reached is recognised as such.

    `rtol` is the relative error aimed at in y, eps^(7/8) by default; the solver stops once a step
    is so short that the next error, which is quadratic in it, lies below, or rounding prevents
    any further gain. A tolerance that the dtype of y cannot reach raises ValueError.

    Source: Nocedal and Wright 2006, chapter 7; forcing terms after Eisenstat and Walker 1996.

    >>> import jax.numpy as jnp, argrad as ag
    >>> solve = ag.argmin(lambda y, x: jnp.cosh(y - x), solver=ag.Newton(patience=0))
    >>> solve(jnp.array(2.0), jnp.array(0.5))
    Array(2., dtype=float32)
    """

    rtol: float | None = None  # type: ignore[assignment]  # None: by dtype
    patience: int | str | None = "by size"
    # Part of the Optimistix interface; termination follows `rtol` alone.
    atol: float = 0.0
    norm: Callable[[PyTree], Float[Array, ""]] = optx.two_norm

    def __check_init__(self):
        if self.rtol is not None and not 0 < self.rtol < 1:
            raise ValueError(f"Newton needs 0 < rtol < 1, got {self.rtol}.")
        if isinstance(self.patience, int) and self.patience < 0:
            raise ValueError(
                f"Newton needs patience >= 0 Hessian-vector products, or None, got {self.patience}."
            )

    def _patience(self, d: int) -> int | None:
        if self.patience == "by size":
            small = 0 if d <= _DIRECT else d // _PRODUCTS_PER_FACTOR
            return small if d <= _FACTORISED else None
        return self.patience  # type: ignore[return-value]

    def _target(self, dtype) -> float:
        eps = float(jnp.finfo(dtype).eps)
        if self.rtol is None:
            return eps**0.875
        if self.rtol < 4 * eps:
            raise ValueError(
                f"rtol={self.rtol:g} cannot be reached in {jnp.dtype(dtype).name}, whose rounding "
                f"is {eps:.1g}: ask for at least {4 * eps:.1g}, or use float64 "
                "(jax.config.update('jax_enable_x64', True))."
            )
        return self.rtol

    def init(self, fn, y, args, options, f_struct, aux_struct, tags) -> NewtonState:
        del fn, args, options, aux_struct, tags
        flat, _ = ravel_pytree(y)
        self._target(flat.dtype)
        zero, infinite = jnp.zeros((), flat.dtype), jnp.full((), jnp.inf, flat.dtype)
        matrix_free = self._patience(flat.size) is None
        return NewtonState(
            factor=None if matrix_free else identity_factor(flat.size, flat.dtype),
            scale=jnp.zeros_like(flat),
            largest=zero,
            gradient_norm=zero,
            step_norm=infinite,
            size=zero,
            largest_y=zero,
            start_norm=jnp.linalg.norm(flat),
            value=jnp.full((), jnp.nan, f_struct.dtype),
            curvature=jnp.array(DEFINITE),
            terminate=jnp.array(False),
            result=optx.RESULTS.successful,  # type: ignore[arg-type]
        )

    def step(self, fn, y, args, options, state: NewtonState, tags):
        del options, tags
        flat, unravel = ravel_pytree(y)

        def objective(v):
            return fn(unravel(v), args)

        def gradient(v):
            (_, aux), g = jax.value_and_grad(objective, has_aux=True)(v)
            return g, aux

        g, hvp, aux = jax.linearize(gradient, flat, has_aux=True)
        gradient_norm = jnp.sqrt(g @ g)
        eps, target = jnp.finfo(flat.dtype).eps, self._target(flat.dtype)
        # Eisenstat and Walker's second choice: solve as exactly as the gradient has been falling,
        # but no more exactly than a last step needs.
        ratio = jnp.where(state.gradient_norm > 0, gradient_norm / state.gradient_norm, 1)
        enough = 0.3 * target * state.size / (ratio * state.step_norm)
        forcing = jnp.clip(0.9 * ratio**2, jnp.maximum(enough, eps), 0.25)
        p, forcing, factor, scale, largest, curvature = self._direction(hvp, g, forcing, state)
        slope, step_square = jnp.stack([g, p]) @ p
        alpha, value, accepted = _backtrack(lambda v: objective(v)[0], flat, p, state.value, slope)

        step_norm = jnp.sqrt(step_square)
        new = flat + alpha * p
        size = jnp.sqrt(new @ new)
        largest_y = jnp.maximum(state.largest_y, size)
        # The error that a full step leaves is its own inexactness and a term quadratic in it, if
        # the steps shrink faster than linearly, as they do not at a degenerate minimum.
        short = (alpha == 1) & (step_norm <= 0.3 * state.step_norm)
        short &= (forcing * step_norm <= target * size) & (step_norm <= target**0.5 * size)
        # Rounding prevents further gain where short steps shrink no longer.
        floor = (step_norm <= eps**0.5 * largest_y) & (step_norm >= 0.5 * state.step_norm)
        finite = jnp.isfinite(value) & jnp.isfinite(gradient_norm) & jnp.isfinite(step_norm)
        far = largest_y > (1 + state.start_norm) / eps
        results = optx.RESULTS
        result = results.where(finite, results.successful, results.nonfinite)
        result = results.where(accepted | floor | ~finite, result, results.stagnation)
        result = results.where(far, results.nonlinear_divergence, result)
        return (
            unravel(jnp.where(finite, new, flat)),
            NewtonState(
                factor=factor,
                scale=scale,
                largest=largest,
                gradient_norm=gradient_norm,
                step_norm=step_norm,
                size=size,
                largest_y=largest_y,
                start_norm=state.start_norm,
                value=value,
                curvature=curvature,
                terminate=short | floor | (step_norm == 0),
                result=result,
            ),
            aux,
        )

    def _direction(self, hvp, g, forcing, state: NewtonState):
        """p with H p ≈ −g, its relative residual, and what was learnt of H on the way."""
        d = g.size
        patience = self._patience(d)
        precondition = (lambda v: v) if state.factor is None else state.factor.solve

        def iterative(b, max_steps):
            return conjugate_gradients(
                hvp,
                b,
                precondition=precondition,
                tol=forcing,
                max_steps=max_steps,
                largest=state.largest,
            )

        def factorised(scale):
            hessian = jax.vmap(hvp)(jnp.eye(d, dtype=g.dtype))
            scale = jnp.maximum(scale, jnp.abs(jnp.diagonal(hessian)))
            factor = invert(hessian, scale)
            p, exact = factor.solve(-g), jnp.zeros_like(forcing)
            return p, exact, factor, scale, state.largest, factor.curvature

        if patience == 0:
            return factorised(state.scale)
        if patience is None:
            # Where the gradient vanishes there is nothing to solve, but a curvature to look at.
            stationary = g @ g == 0
            b = jnp.where(stationary, jnp.cos(jnp.arange(d, dtype=g.dtype) ** 2 + 1), -g)
            found = iterative(b, 10 * d + 100)
            # The iterate before a direction of negative curvature still descends; where the
            # first direction was one, there is no such iterate but the gradient descends.
            p = jnp.where(found.definite | (found.steps > 1), found.solution, b)
            p = jnp.where(stationary, 0, p)
            flat = found.lowest > -singular_threshold(d, g.dtype) * found.largest
            curvature = jnp.where(flat, SINGULAR, INDEFINITE)
            curvature = jnp.where(found.definite, DEFINITE, curvature)
            return p, found.error, None, state.scale, found.largest, curvature
        found = iterative(-g, patience)
        # A Hessian that conjugate gradients call singular is compared with the largest curvature
        # they met, another with what each coordinate has had.
        scale = jnp.where(found.definite, state.scale, jnp.maximum(state.scale, found.largest))
        return lax.cond(
            found.definite & (found.error <= forcing) & (found.steps > 0),
            lambda: (
                found.solution,
                found.error,
                state.factor,
                scale,
                found.largest,
                jnp.array(DEFINITE),
            ),
            lambda: factorised(scale),
        )

    def terminate(self, fn, y, args, options, state: NewtonState, tags):
        del fn, y, args, options, tags
        return state.terminate, state.result

    def postprocess(self, fn, y, aux, args, options, state: NewtonState, tags, result):
        del fn, args, options, tags, result
        return y, aux, {}


def _backtrack(objective, y, p, value, slope):
    """Halve the step until the objective falls by 1e-4 of what its slope promises.

    Rounding of the objective is allowed for: near the solution a full step is the better one
    even where the fall cannot be seen any more. Returns the step's length, the objective there,
    and whether one was found. `value` is that at y, or NaN where it is not known yet: the first
    trial then has length zero, so that the objective stands only once in the compiled program.
    """
    rounding = 10 * jnp.finfo(y.dtype).eps

    def length(trial):
        return jnp.where(trial == 0, 0, jnp.exp2(1.0 - trial)).astype(y.dtype)

    def attempt(carry):
        trial, value, _, _ = carry
        alpha = length(trial)
        reached = objective(y + alpha * p)
        value = jnp.where(trial == 0, reached, value)
        allowed = value + 1e-4 * alpha * slope + rounding * jnp.abs(value)
        return trial + 1, value, reached, (trial > 0) & (reached <= allowed)

    def unfinished(carry):
        trial, _, _, accepted = carry
        return ~accepted & (trial < 54)

    first = jnp.where(jnp.isnan(value), 0, 1)
    trial, _, reached, accepted = lax.while_loop(
        unfinished, attempt, (first, value, value, jnp.array(False))
    )
    return jnp.where(accepted, length(trial - 1), 0), reached, accepted
