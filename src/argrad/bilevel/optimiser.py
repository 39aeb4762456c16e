"""What chooses the next x: any Optimistix minimiser or Optax optimiser, asked and told.

The double loop asks an upper optimiser where it wants F and its gradient next, evaluates them
there, and tells it. So there is one lower solve a step, its starting point is known before it
begins, and every one of them shows in the history, also those that a line search turned down.
"""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import optimistix as optx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, PyTree, Scalar

_DENSE = 1000  # variables up to which BFGS keeps a matrix


class Told(eqx.Module):
    """What an upper optimiser makes of an evaluation."""

    x: PyTree[Array]
    state: PyTree
    accepted: Bool[Array, ""]  # whether it moved to the point that was evaluated
    converged: Bool[Array, ""]
    stalled: Bool[Array, ""]


class AbstractUpperOptimiser(eqx.Module):
    """Asked for a point, told F and its gradient there; `objective` is F itself, for the rest."""

    @abc.abstractmethod
    def init(
        self,
        x: PyTree[Array],
        value: jax.ShapeDtypeStruct,
        objective: Callable[[PyTree], Scalar],
    ) -> PyTree:
        """The state before the first point; `value` is what F looks like."""

    @abc.abstractmethod
    def point(self, x: PyTree[Array], state: PyTree) -> PyTree[Array]:
        """Where F and its gradient are wanted."""

    @abc.abstractmethod
    def tell(
        self,
        x: PyTree[Array],
        state: PyTree,
        value: Scalar,
        gradient: PyTree[Array],
        objective: Callable[[PyTree], Scalar],
    ) -> Told:
        """The next x, F being `value` at `point(x, state)`."""


class Trial(AbstractUpperOptimiser):
    """Optimistix' quasi-Newton and gradient methods, which keep the point they try next."""

    minimiser: Any

    def init(self, x, value, objective):
        state = self.minimiser.init(_without_aux(objective), x, None, {}, value, None, frozenset())
        zero = jnp.zeros(value.shape, value.dtype)
        return state, (zero, zero, jax.tree.map(jnp.zeros_like, x))

    def point(self, x, state):
        return state[0].y_eval

    def tell(self, x, state, value, gradient, objective):
        state, (value_at_x, promise, gradient_at_x) = state
        trial = state.y_eval

        def known(x, _):
            # All that these methods ask about F is its value and first derivative at `trial`.
            return value + _inner(gradient, x, trial), None

        new, state, _ = self.minimiser.step(known, x, None, {}, state, frozenset())
        done, result = self.minimiser.terminate(known, new, None, {}, state, frozenset())
        accepted, fine = _equal(new, trial), result == optx.RESULTS.successful

        # A search can go on halving for ever below what rounding lets F show, and a step halved
        # that often looks like convergence. It is an optimum only if the full step promised no
        # more than the tolerance either.
        eps = jnp.finfo(value.dtype).eps
        hidden = -_inner(gradient_at_x, trial, x) <= eps**0.875 * jnp.abs(value_at_x)
        ended = ~accepted & (hidden | _equal(state.y_eval, new))
        tolerance = self.minimiser.atol + self.minimiser.rtol * jnp.abs(value_at_x)
        promised = jnp.abs(promise) <= tolerance  # rounding can turn a direction uphill

        gradient_at_x = jax.tree.map(
            lambda a, b: jnp.where(accepted, a, b), gradient, gradient_at_x
        )
        promise = jnp.where(accepted, -_inner(gradient_at_x, state.y_eval, new), promise)
        kept = jnp.where(accepted, value, value_at_x), promise, gradient_at_x
        return Told(
            x=new,
            state=(state, kept),
            accepted=accepted,
            converged=fine & (done | ended) & promised,
            stalled=~fine | (ended & ~promised),
        )


class Update(AbstractUpperOptimiser):
    """Optax: the point is x itself, and every update is accepted."""

    minimiser: optx.OptaxMinimiser

    def init(self, x, value, objective):
        return self.minimiser.optim.init(x), jnp.full(value.shape, jnp.inf, value.dtype)

    def point(self, x, state):
        return x

    def tell(self, x, state, value, gradient, objective):
        state, before = state
        updates, state = self.minimiser.optim.update(
            gradient, state, x, value=value, grad=gradient, value_fn=objective
        )
        rule = self.minimiser
        # Optimistix' own criterion: both x and F move by less than the tolerance.
        x_scale = rule.atol + rule.rtol * rule.norm(x)
        f_scale = rule.atol + rule.rtol * jnp.abs(value)
        converged = (rule.norm(updates) < x_scale) & (jnp.abs(value - before) < f_scale)
        state = (state, value)
        true = jnp.array(True)
        return Told(optax.apply_updates(x, updates), state, true, converged, ~true)


class Whole(AbstractUpperOptimiser):
    """Any other Optimistix minimiser: it evaluates F for itself, as often as it likes."""

    minimiser: optx.AbstractMinimiser

    def init(self, x, value, objective):
        return self.minimiser.init(_without_aux(objective), x, None, {}, value, None, frozenset())

    def point(self, x, state):
        return x

    def tell(self, x, state, value, gradient, objective):
        fn = _without_aux(objective)
        new, state, _ = self.minimiser.step(fn, x, None, {}, state, frozenset())
        done, result = self.minimiser.terminate(fn, new, None, {}, state, frozenset())
        fine = result == optx.RESULTS.successful
        return Told(new, state, jnp.array(True), done & fine, ~fine)


def as_upper_optimiser(optimiser: object, x: PyTree[Array]) -> AbstractUpperOptimiser:
    """BFGS up to 1000 variables and L-BFGS above if None; TypeError for what neither is."""
    flat, _ = ravel_pytree(x)
    tol = float(jnp.finfo(flat.dtype).eps) ** 0.625  # 2e-10 in float64, 5e-5 in float32
    if optimiser is None:
        kind = optx.BFGS if flat.size <= _DENSE else optx.LBFGS
        return Trial(kind(rtol=tol, atol=tol))
    if isinstance(optimiser, optax.GradientTransformation):
        optimiser = optx.OptaxMinimiser(optimiser, rtol=tol, atol=tol)
    while isinstance(optimiser, optx.BestSoFarMinimiser):  # the loop keeps the best itself
        optimiser = optimiser.solver
    if isinstance(optimiser, optx.OptaxMinimiser):
        return Update(optimiser)
    if isinstance(optimiser, optx.AbstractQuasiNewton | optx.AbstractGradientDescent):
        return Trial(optimiser)
    if isinstance(optimiser, optx.AbstractMinimiser):
        return Whole(optimiser)
    raise TypeError(
        "optimiser must be an Optax optimiser such as optax.adam(1e-2) or an Optimistix minimiser "
        f"such as optimistix.BFGS(rtol=1e-8, atol=1e-8), got {optimiser!r}."
    )


def _without_aux(objective):
    return lambda x, _: (objective(x), None)


def _equal(a: PyTree[Array], b: PyTree[Array]) -> Bool[Array, ""]:
    return jnp.all(ravel_pytree(a)[0] == ravel_pytree(b)[0])


def _inner(gradient: PyTree[Array], to: PyTree[Array], start: PyTree[Array]) -> Scalar:
    """The derivative along `to` − `start`."""
    products = jax.tree.map(lambda g, a, b: jnp.sum(g * (a - b)), gradient, to, start)
    return jnp.asarray(sum(jax.tree.leaves(products)))
