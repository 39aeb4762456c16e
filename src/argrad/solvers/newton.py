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
from argrad.linear.cholesky import DEFINITE, INDEFINITE, Factor, identity_factor, shifted_cholesky

_DIRECT = 32  # variables up to which a factorisation costs no more than a few products
_FACTORISED = 1000  # variables up to which a Hessian is formed at all: 8 MB in float64
_PRODUCTS_PER_FACTOR = 8  # d products done as one matrix product cost about d / 8 single ones


class NewtonState(eqx.Module):
    """What one Newton step hands to the next, and the last one to the derivative."""

    factor: Factor | None
    scale: Float[Array, " d"]
    gradient_norm: Float[Array, ""]
    largest_gradient: Float[Array, ""]
    step_norm: Float[Array, ""]
    largest_y: Float[Array, ""]
    start_norm: Float[Array, ""]
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

    rtol: float | None = None
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
        del fn, args, options, f_struct, aux_struct, tags
        flat, _ = ravel_pytree(y)
        self._target(flat.dtype)
        zero, infinite = jnp.zeros((), flat.dtype), jnp.full((), jnp.inf, flat.dtype)
        matrix_free = self._patience(flat.size) is None
        return NewtonState(
            factor=None if matrix_free else identity_factor(flat.size, flat.dtype),
            scale=jnp.zeros_like(flat),
            gradient_norm=zero,
            largest_gradient=zero,
            step_norm=infinite,
            largest_y=zero,
            start_norm=jnp.linalg.norm(flat),
            curvature=jnp.array(DEFINITE),
            terminate=jnp.array(False),
            result=optx.RESULTS.successful,
        )

    def step(self, fn, y, args, options, state: NewtonState, tags):
        del options, tags
        flat, unravel = ravel_pytree(y)

        def objective(v):
            return fn(unravel(v), args)

        def gradient(v):
            value_and_aux, g = jax.value_and_grad(objective, has_aux=True)(v)
            return g, value_and_aux

        g, hvp, (value, aux) = jax.linearize(gradient, flat, has_aux=True)
        gradient_norm = jnp.linalg.norm(g)
        # Eisenstat and Walker's second choice: solve as exactly as the gradient has been falling.
        ratio = gradient_norm / jnp.where(state.gradient_norm > 0, state.gradient_norm, jnp.inf)
        forcing = jnp.where(state.gradient_norm > 0, jnp.minimum(0.9 * ratio**2, 0.25), 0.25)
        p, forcing, factor, scale, curvature = self._direction(hvp, g, forcing, state)
        alpha, accepted = _backtrack(lambda v: objective(v)[0], flat, p, value, g @ p)

        step_norm = jnp.linalg.norm(p)
        new = flat + alpha * p
        largest_y = jnp.maximum(state.largest_y, jnp.linalg.norm(new))
        largest_gradient = jnp.maximum(state.largest_gradient, gradient_norm)
        full = alpha == 1
        target, size = self._target(flat.dtype), jnp.linalg.norm(new)
        # The error that a full step leaves: its own inexactness, and a term quadratic in it.
        short = full & (forcing * step_norm <= target * size) & (step_norm <= target**0.5 * size)
        eps = jnp.finfo(flat.dtype).eps
        # Rounding prevents further gain: steps no longer shrink, or the gradient is noise.
        noise = (step_norm >= 0.5 * state.step_norm) | (
            gradient_norm <= 100 * eps * largest_gradient
        )
        floor = (step_norm <= eps**0.5 * largest_y) & noise
        finite = jnp.isfinite(value) & jnp.all(jnp.isfinite(g)) & jnp.isfinite(step_norm)
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
                gradient_norm=gradient_norm,
                largest_gradient=largest_gradient,
                step_norm=step_norm,
                largest_y=largest_y,
                start_norm=state.start_norm,
                curvature=curvature,
                terminate=short | floor | (step_norm == 0),
                result=result,
            ),
            aux,
        )

    def _direction(self, hvp, g, forcing, state: NewtonState):
        """p with H p ≈ −g, the relative residual it has, and what was learnt on the way."""
        d = g.size
        patience = self._patience(d)
        precondition = (lambda v: v) if state.factor is None else state.factor.solve

        def iterative(max_steps):
            return conjugate_gradients(
                hvp, -g, precondition=precondition, tol=forcing, max_steps=max_steps
            )

        def factorised():
            hessian = jax.vmap(hvp)(jnp.eye(d, dtype=g.dtype))
            scale = jnp.maximum(state.scale, jnp.abs(jnp.diagonal(hessian)))
            factor = shifted_cholesky(hessian, scale)
            return factor.solve(-g), jnp.zeros_like(forcing), factor, scale, factor.curvature

        if patience == 0:
            return factorised()
        if patience is None:
            found = iterative(max_steps=10 * d + 100)
            # The iterate before a direction of negative curvature still descends; where the
            # first direction was one, there is no such iterate but the gradient descends.
            p = jnp.where(found.definite | (found.steps > 1), found.solution, -g)
            curvature = jnp.where(found.definite, DEFINITE, INDEFINITE)
            return p, found.error, None, state.scale, curvature
        found = iterative(max_steps=patience)
        enough = found.definite & (found.error <= forcing) & (found.steps > 0)
        return lax.cond(
            enough,
            lambda: (found.solution, found.error, state.factor, state.scale, state.curvature * 0),
            factorised,
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
    even where the fall cannot be seen any more.
    """
    noise = 10 * jnp.finfo(y.dtype).eps * jnp.abs(value)

    def falls(alpha):
        return objective(y + alpha * p) <= value + 1e-4 * alpha * slope + noise

    def halve(carry):
        alpha, _ = carry
        return alpha / 2, falls(alpha / 2)

    one = jnp.ones((), y.dtype)
    smallest = jnp.finfo(y.dtype).eps
    return lax.while_loop(lambda c: ~c[1] & (c[0] > smallest), halve, (one, falls(one)))
