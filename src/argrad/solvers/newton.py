"""Newton's method whose last factor serves the derivative.

The ecosystem has quasi-Newton minimisers, which leave the derivative to start from nothing, and
Newton root finders, which neither look for a minimum nor keep their factor. Here the Hessian is
factorised only when conjugate gradients have become slow, the factor preconditions them from
then on, and the solution is returned together with it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Num, PyTree

from argrad.linalg.cg import conjugate_gradients
from argrad.linalg.cholesky import (
    DEFINITE,
    INDEFINITE,
    SINGULAR,
    Factor,
    curvature_threshold,
    diagonal,
    factorise,
    no_factor,
    shifted_cholesky,
)

_DIRECT = 32  # variables up to which a factorisation costs no more than a few products
FACTORISED = 1000  # variables up to which a Hessian is formed at all: 8 MB in float64
_PRODUCTS_PER_FACTOR = 8  # d products done as one matrix product cost about d / 8 single ones


# How a solve stands.
GOING, CONVERGED, NONFINITE, STALLED, UNBOUNDED = range(5)


# The numbers of each of the next two share an array on their way, since each by itself would be
# one more kernel to compile.
class Solved(NamedTuple):
    """How well H p = ∇f was solved, and what was learnt of H on the way.

    `inexact` bounds the relative error, by its relative residual times the `condition` number
    met on the way. `largest` is the largest curvature along any direction since the last factor,
    in its units. `curvature` is the verdict on H where there is no factor to give one.
    """

    inexact: Float[Array, ""]
    condition: Float[Array, ""]
    largest: Float[Array, ""]
    curvature: Float[Array, ""]


class Progress(NamedTuple):
    """How far the solve has come: all but the last two are those of the base.

    `alpha` is how far along the direction the next trial goes, `limit` how long y may grow.
    """

    value: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    slope: Float[Array, ""]
    step_norm: Float[Array, ""]
    largest_y: Float[Array, ""]
    limit: Float[Array, ""]
    alpha: Float[Array, ""]
    standing: Float[Array, ""]


class Hessian(eqx.Module):
    """What is known of the Hessian. `scale` is the largest curvature seen in each coordinate."""

    scale: Float[Array, " d"]
    factor: Factor | None
    numbers: Float[Array, " 4"]

    @property
    def solved(self) -> Solved:
        return Solved(*jnp.unstack(self.numbers))

    @property
    def curvature(self) -> Num[Array, ""]:
        return self.solved.curvature if self.factor is None else self.factor.curvature


class NewtonState(eqx.Module):
    """What one evaluation hands to the next, and the last one to the derivative.

    `base` is the last point whose objective was low enough, base − step the next to look at.
    """

    base: Float[Array, " d"]
    step: Float[Array, " d"]
    hessian: Hessian
    numbers: Float[Array, " 8"]

    @property
    def progress(self) -> Progress:
        return Progress(*jnp.unstack(self.numbers))


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
        nowhere, zero = 0 * flat, jnp.zeros((), flat.dtype)
        matrix_free = self._patience(flat.size) is None
        factor = None if matrix_free else no_factor(flat.size, flat.dtype)
        solved = Solved(inexact=zero, condition=zero + 1, largest=zero, curvature=zero + DEFINITE)
        progress = Progress(
            value=jnp.full((), jnp.nan, f_struct.dtype),
            gradient_norm=zero,
            slope=zero,
            step_norm=zero + jnp.inf,
            largest_y=zero,
            limit=(1 + jnp.linalg.norm(flat)) / jnp.finfo(flat.dtype).eps,
            alpha=zero,
            standing=zero + GOING,
        )
        return NewtonState(
            base=flat,
            step=nowhere,
            hessian=Hessian(nowhere, factor, jnp.stack(solved)),
            numbers=jnp.stack(progress),
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
        gradient_norm, size = jnp.sqrt(g @ g), jnp.sqrt(flat @ flat)
        last = state.progress
        first = jnp.isnan(last.value)
        # Armijo's rule. Rounding of the objective is allowed for: near the solution a full step
        # is the better one even where the fall cannot be seen any more.
        allowed = last.value + 1e-4 * last.alpha * last.slope + 10 * eps * jnp.abs(last.value)
        # It may be a sum of terms much larger than itself. Then the gradient tells: a short full
        # step that halves it went down, whatever the values say (cf. Hager and Zhang 2005).
        largest_y = jnp.maximum(last.largest_y, size)
        downhill = (last.alpha == 1) & (last.step_norm <= eps**0.25 * largest_y)
        downhill &= gradient_norm <= 0.5 * last.gradient_norm
        accepted = first | (value <= allowed) | downhill

        def onwards():
            last, solved = state.progress, state.hessian.solved  # each branch unpacks its own
            # Eisenstat and Walker's second choice: solve as exactly as the gradient has been
            # falling, but no more exactly than a last step needs.
            ratio = jnp.where(last.gradient_norm > 0, gradient_norm / last.gradient_norm, 1)
            enough = 0.3 * target * size / (ratio * last.step_norm * solved.condition)
            forcing = jnp.clip(0.9 * ratio**2, jnp.maximum(enough, eps), 0.25)
            p, hessian = self._direction(hvp, g, forcing.astype(g.dtype), state.hessian)
            return p, hessian, flat

        def backwards():
            return state.step / 2, state.hessian, state.base

        step, hessian, base = lax.cond(accepted, onwards, backwards)
        reached = last._replace(
            value=value,
            gradient_norm=gradient_norm,
            slope=-(g @ step),
            step_norm=jnp.sqrt(step @ step),
            largest_y=largest_y,
            alpha=jnp.ones_like(size),
        )
        refused = last._replace(alpha=last.alpha / 2)
        now = Progress(*(jnp.where(accepted, a, b) for a, b in zip(reached, refused, strict=True)))

        # The error that a full step leaves is its own inexactness and a term quadratic in it, if
        # the steps shrink faster than linearly, as they do not at a degenerate minimum.
        short = (last.alpha == 1) & (now.step_norm <= 0.3 * last.step_norm)
        short |= last.alpha == 0
        short &= hessian.solved.inexact * now.step_norm <= target * size
        short &= now.step_norm <= 0.1 * target**0.5 * size
        # Rounding prevents further gain where short steps shrink no longer, or are refused.
        near = now.step_norm <= eps**0.5 * now.largest_y
        floor = near & (now.step_norm >= 0.5 * last.step_norm)
        exhausted = now.alpha <= 4 * eps
        done = accepted & (short | floor | (now.step_norm == 0)) | exhausted & near
        finite = jnp.isfinite(value) & jnp.isfinite(gradient_norm) & jnp.isfinite(now.step_norm)
        standing = jnp.where(done, CONVERGED, GOING)
        standing = jnp.where(accepted & ~finite, NONFINITE, standing)
        standing = jnp.where(exhausted & ~near, STALLED, standing)
        standing = jnp.where(now.largest_y > now.limit, UNBOUNDED, standing)
        numbers = jnp.stack(now._replace(standing=standing))

        return unravel(base - step), NewtonState(base, step, hessian, numbers), aux

    def _direction(self, hvp, g, forcing, last: Hessian) -> tuple[Float[Array, " d"], Hessian]:
        """p with H p ≈ g, and what is known of H then."""
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
                largest=last.solved.largest,
            )

        def factorised(scale):
            eye = jnp.eye(d, dtype=g.dtype)
            hessian = jax.vmap(hvp)(eye)
            scale = jnp.maximum(scale, jnp.abs(diagonal(hessian)))
            factor = factorise(hessian, scale, cholesky=partial(shifted_cholesky, eye=eye))
            zero = jnp.zeros_like(forcing)
            exact = Solved(inexact=zero, condition=zero + 1, largest=zero, curvature=zero)
            return factor.substitute(g), Hessian(scale, factor, jnp.stack(exact))

        def solved(found, curvature):
            ill = jnp.clip(found.largest / found.lowest, 1, 1 / jnp.finfo(g.dtype).eps)
            return jnp.stack(Solved(found.error * ill, ill, found.largest, curvature))

        if patience == 0:
            return factorised(last.scale)
        if patience is None:
            # Where the gradient vanishes there is nothing to solve, but a curvature to look at.
            stationary = g @ g == 0
            b = jnp.where(stationary, jnp.cos(jnp.arange(d, dtype=g.dtype) ** 2 + 1), g)
            found = iterative(b, 10 * d + 100)
            # The iterate before a direction of negative curvature still descends; where the
            # first direction was one, there is no such iterate but the gradient descends.
            p = jnp.where(found.definite | (found.steps > 1), found.solution, b)
            p = jnp.where(stationary, 0, p)
            flat = found.lowest > -curvature_threshold(d, g.dtype) * found.largest
            curvature = jnp.where(flat, SINGULAR, INDEFINITE)
            curvature = jnp.where(found.definite, DEFINITE, curvature)
            return p, Hessian(last.scale, None, solved(found, curvature))
        found = iterative(g, patience)
        assert last.factor is not None
        learnt = Hessian(last.scale, last.factor, solved(found, DEFINITE))
        # A factor that had to be shifted belongs to no minimum: it is taken afresh. A Hessian that
        # plain conjugate gradients call singular is compared with the largest curvature they met,
        # another with what each coordinate has had.
        plain = ~found.definite & ~last.factor.known
        floor = jnp.where(plain, found.largest, 0)
        return lax.cond(
            found.solved & (found.steps > 0) & (last.factor.shift <= 0),
            lambda: (found.solution, learnt),
            lambda: factorised(jnp.maximum(last.scale, floor)),
        )

    def terminate(self, fn, y, args, options, state: NewtonState, tags):
        del fn, y, args, options, tags
        standing, results = state.progress.standing, optx.RESULTS
        result = results.where(standing == NONFINITE, results.nonfinite, results.successful)
        result = results.where(standing == STALLED, results.stagnation, result)
        result = results.where(standing == UNBOUNDED, results.nonlinear_divergence, result)
        return standing == CONVERGED, result

    def postprocess(self, fn, y, aux, args, options, state: NewtonState, tags, result):
        del fn, args, options, tags, result
        return self.solution(y, state), aux, {}

    def solution(self, y: PyTree, state: NewtonState) -> PyTree:
        """The last trial y where the solve has converged, when it is so short a step from the base
        that it need not be looked at, and elsewhere the base."""
        flat, unravel = ravel_pytree(y)
        converged = state.progress.standing == CONVERGED
        return unravel(lax.cond(converged, lambda: flat, lambda: state.base))
