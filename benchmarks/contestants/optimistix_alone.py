"""Optimistix without argrad: it asks for tolerances, everything else is its default."""

import jax
import jax.numpy as jnp
import optimistix as optx

from contestants.in_jax import chain_lower, chain_upper, contestant, logistic_lower, logistic_upper

TOLERANCE = 1e-8


def _minimiser(solver_class, lower=logistic_lower, upper=logistic_upper):
    solver = solver_class(rtol=TOLERANCE, atol=TOLERANCE)

    def solution(x, *data):
        def fn(y, args):
            return lower(y, *args)

        start = jnp.zeros_like(x)
        return optx.minimise(fn, solver, start, (x, *data), max_steps=2000).value

    return contestant(
        f"Optimistix {solver_class.__name__}", f"rtol=atol={TOLERANCE:g}", solution, upper
    )


def bfgs():
    return _minimiser(optx.BFGS)


def lbfgs():
    return _minimiser(optx.LBFGS)


def newton():
    """A root of the gradient: no check that it is a minimum."""
    solver = optx.Newton(rtol=TOLERANCE, atol=TOLERANCE)
    gradient = jax.grad(logistic_lower)

    def solution(theta, X, signs):
        def fn(w, args):
            return gradient(w, *args)

        return optx.root_find(fn, solver, jnp.zeros_like(theta), (theta, X, signs)).value

    return contestant("Optimistix Newton", f"root of the gradient, {TOLERANCE:g}", solution)


def chain():
    return _minimiser(optx.LBFGS, chain_lower, chain_upper)
