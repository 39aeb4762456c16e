"""Optimistix without argrad: it asks for tolerances, everything else is its default."""

import jax
import jax.numpy as jnp
import optimistix as optx

from contestants.in_jax import contestant, lower

TOLERANCE = 1e-8


def minimiser(solver_class):
    solver = solver_class(rtol=TOLERANCE, atol=TOLERANCE)

    def solution(theta, X, signs):
        return optx.minimise(
            lambda w, args: lower(w, *args),
            solver,
            jnp.zeros_like(theta),
            (theta, X, signs),
            max_steps=2000,
        ).value

    return contestant(f"Optimistix {solver_class.__name__}", f"rtol=atol={TOLERANCE:g}", solution)


def newton():
    """A root of the gradient: no check that it is a minimum."""
    solver = optx.Newton(rtol=TOLERANCE, atol=TOLERANCE)
    gradient = jax.grad(lower)

    def solution(theta, X, signs):
        return optx.root_find(
            lambda w, args: gradient(w, *args), solver, jnp.zeros_like(theta), (theta, X, signs)
        ).value

    return contestant("Optimistix Newton", f"root of the gradient, {TOLERANCE:g}", solution)
