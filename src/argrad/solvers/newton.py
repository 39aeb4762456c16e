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
    invert,
    no_factor,
    singular_threshold,
)

_DIRECT = 32  # variables up to which a factorisation costs no more than a few products
FACTORISED = 1000  # variables up to which a Hessian is formed at all: 8 MB in float64
_PRODUCTS_PER_FACTOR = 8  # d products done as one matrix product cost about d / 8 single ones


class Direction(eqx.Module):
    """A Newton step and what was learnt of the Hessian on the way to it.

    `inexact` bounds the relative error that H p = −∇f was solved with, its relative residual
    times the `condition` number met on the way. `scale` is the largest
    curvature seen in each coordinate, `largest` that along any direction since the last factor,
    in its units.
    """

    p: Float[Array, " d"]
    inexact: Float[Array, ""]
    condition: Float[Array, ""]
    factor: Factor | None
    scale: Float[Array, " d"]
    largest: Float[Array, ""]
    curvature: Int[Array, ""]


class NewtonState(eqx.Module):
    """What one evaluation hands to the next, and the last one to the derivative.

    `base` is the last point whose objective was low enough, `value`, `gradient_norm` and
    `direction` are taken there, `alpha` is how far along the direction the next trial goes.
    """

    base: Float[Array, " d"]
    value: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    direction: Direction
    slope: Float[Array, ""]
    alpha: Float[Array, ""]
    step_norm: Float[Array, ""]
    largest_y: Float[Array, ""]
    limit: Float[Array, ""]
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

    `rtol` is the relative error aimed at in y, eps^(3/4) by default (2e-12 in float64); the solver
    stops once a step is so short that the next error, which is quadratic in it, lies well below,
    or rounding prevents any further gain. A tolerance that the dtype of y cannot reach raises
    ValueError. With more than 32 variables, curvatures more than about 5e13 apart (in float64)
    count as singular unless `patience=0`, which looks at each coordinate in its own units.

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
            return small if d <= FACTORISED else None
        return self.patience  # type: ignore[return-value]

    def _target(self, dtype) -> float:
        eps = float(jnp.finfo(dtype).eps)
        if self.rtol is None:
            return eps**0.75
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
        nowhere = jnp.zeros_like(flat)
        return NewtonState(
            base=flat,
            value=jnp.full((), jnp.nan, f_struct.dtype),
            gradient_norm=zero,
            direction=Direction(
                p=nowhere,
                inexact=zero,
                condition=zero + 1,
                factor=None if matrix_free else no_factor(flat.size, flat.dtype),
                scale=nowhere,
                largest=zero,
                curvature=jnp.array(DEFINITE),
            ),
            slope=zero,
            alpha=zero,
            step_norm=infinite,
            largest_y=zero,
            limit=(1 + jnp.linalg.norm(flat)) / jnp.finfo(flat.dtype).eps,
            terminate=jnp.array(False),
            result=optx.RESULTS.successful,  # type: ignore[arg-type]
        )

    def step(self, fn, y, args, options, state: NewtonState, tags):
        """Look at the trial point y; go on from it, or nearer to the base if it is no lower."""
        del options, tags
        flat, unravel = ravel_pytree(y)

        def gradient(v):
            value_and_aux, g = jax.value_and_grad(lambda u: fn(unravel(u), args), has_aux=True)(v)
            return g, value_and_aux

        g, hvp, (value, aux) = jax.linearize(gradient, flat, has_aux=True)
        eps, target = jnp.finfo(flat.dtype).eps, self._target(flat.dtype)
        both = jnp.stack([g, flat])
        gradient_norm, size = jnp.sqrt(jnp.diagonal(both @ both.T))
        first = jnp.isnan(state.value)
        # Armijo's rule. Rounding of the objective is allowed for: near the solution a full step
        # is the better one even where the fall cannot be seen any more.
        allowed = state.value + 1e-4 * state.alpha * state.slope + 10 * eps * jnp.abs(state.value)
        accepted = first | (value <= allowed)

        # Eisenstat and Walker's second choice: solve as exactly as the gradient has been falling,
        # but no more exactly than a last step needs.
        ratio = jnp.where(state.gradient_norm > 0, gradient_norm / state.gradient_norm, 1)
        expected = ratio * state.step_norm * state.direction.condition
        enough = 0.3 * target * size / expected
        forcing = jnp.clip(0.9 * ratio**2, jnp.maximum(enough, eps), 0.25)
        direction = lax.cond(
            accepted,
            lambda: self._direction(hvp, g, forcing, state.direction),
            lambda: state.direction,
        )
        p = direction.p
        slope, step_square = jnp.stack([g, p]) @ p
        step_norm = jnp.where(accepted, jnp.sqrt(step_square), state.step_norm)
        alpha = jnp.where(accepted, 1, state.alpha / 2)
        base = jnp.where(accepted, flat, state.base)
        largest_y = jnp.maximum(state.largest_y, jnp.where(accepted, size, 0))

        # The error that a full step leaves is its own inexactness and a term quadratic in it, if
        # the steps shrink faster than linearly, as they do not at a degenerate minimum.
        short = (state.alpha == 1) & (step_norm <= 0.3 * state.step_norm)
        short |= state.alpha == 0
        short &= (direction.inexact * step_norm <= target * size) & (
            step_norm <= 0.1 * target**0.5 * size
        )
        # Rounding prevents further gain where short steps shrink no longer.
        floor = (step_norm <= eps**0.5 * largest_y) & (step_norm >= 0.5 * state.step_norm)
        done = accepted & (short | floor | (step_norm == 0))
        finite = jnp.isfinite(value) & jnp.isfinite(gradient_norm) & jnp.isfinite(step_norm)
        results = optx.RESULTS
        result = results.where(finite | ~accepted, results.successful, results.nonfinite)
        # Where a short step is refused, only rounding stands in the way.
        near = step_norm <= eps**0.5 * largest_y
        exhausted = alpha <= 4 * eps
        result = results.where(exhausted & ~near, results.stagnation, result)
        result = results.where(largest_y > state.limit, results.nonlinear_divergence, result)
        return (
            unravel(base + jnp.where(finite | ~accepted, alpha, 0) * p),
            NewtonState(
                base=base,
                value=jnp.where(accepted, value, state.value),
                gradient_norm=jnp.where(accepted, gradient_norm, state.gradient_norm),
                direction=direction,
                slope=jnp.where(accepted, slope, state.slope),
                alpha=alpha.astype(flat.dtype),
                step_norm=step_norm,
                largest_y=largest_y,
                limit=state.limit,
                terminate=done | (exhausted & near),
                result=result,
            ),
            aux,
        )

    def _direction(self, hvp, g, forcing, last: Direction) -> Direction:
        """p with H p ≈ −g."""
        d = g.size
        patience = self._patience(d)
        precondition = (lambda v: v) if last.factor is None else last.factor.solve

        def iterative(b, max_steps):
            return conjugate_gradients(
                hvp,
                b,
                precondition=precondition,
                tol=forcing,
                max_steps=max_steps,
                largest=last.largest,
            )

        def factorised(scale):
            hessian = jax.vmap(hvp)(jnp.eye(d, dtype=g.dtype))
            scale = jnp.maximum(scale, jnp.abs(jnp.diagonal(hessian)))
            factor = invert(hessian, scale)
            p, none = factor.inverse @ -g, jnp.zeros_like(forcing)
            return Direction(p, none, none + 1, factor, scale, none, factor.curvature)

        def condition(found):
            return jnp.clip(found.largest / found.lowest, 1, 1 / jnp.finfo(g.dtype).eps)

        if patience == 0:
            return factorised(last.scale)
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
            ill = condition(found)
            return Direction(p, found.error * ill, ill, None, last.scale, found.largest, curvature)
        found = iterative(-g, patience)
        # A Hessian that plain conjugate gradients call singular is compared with the largest
        # curvature they met, another with what each coordinate has had.
        assert last.factor is not None
        plain = ~found.definite & ~last.factor.known
        scale = jnp.where(plain, jnp.maximum(last.scale, found.largest), last.scale)
        ill = condition(found)
        iterated = Direction(
            p=found.solution,
            inexact=found.error * ill,
            condition=ill,
            factor=last.factor,
            scale=scale,
            largest=found.largest,
            curvature=jnp.array(DEFINITE),
        )
        # A factor that had to be shifted belongs to no minimum: it is taken afresh.
        enough = found.definite & (found.error <= forcing) & (found.steps > 0)
        return lax.cond(
            enough & (last.factor.shift == 0), lambda: iterated, lambda: factorised(scale)
        )

    def terminate(self, fn, y, args, options, state: NewtonState, tags):
        del fn, y, args, options, tags
        return state.terminate, state.result

    def postprocess(self, fn, y, aux, args, options, state: NewtonState, tags, result):
        del fn, args, options, tags
        # A trial that was not looked at is a solution only where it was so short a step.
        _, unravel = ravel_pytree(y)
        good = state.terminate & (result == optx.RESULTS.successful)
        return jax.tree.map(lambda a, b: jnp.where(good, a, b), y, unravel(state.base)), aux, {}
