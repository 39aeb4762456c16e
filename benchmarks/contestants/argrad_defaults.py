"""argrad as its README shows it: no solver, no adjoint, no tolerance is named."""

import jax.numpy as jnp

import argrad as ag
from contestants.in_jax import chain_lower, chain_upper, contestant, logistic_lower


def logistic():
    solve = ag.argmin(logistic_lower)
    return contestant(
        "argrad",
        "defaults",
        lambda theta, X, signs: solve(theta, jnp.zeros_like(theta), X, signs),
    )


def chain():
    solve = ag.argmin(chain_lower)
    return contestant("argrad", "defaults", lambda x: solve(x, jnp.zeros_like(x)), chain_upper)
