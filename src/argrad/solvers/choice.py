"""Which solver a lower problem gets when nobody says."""

from typing import Any

import jax.numpy as jnp
import optax
import optimistix as optx

from argrad.solvers.newton import FACTORISED, Newton


def choose_solver(d: int, dtype: Any = float) -> optx.AbstractMinimiser:
    """Newton up to 1000 variables, Optimistix' L-BFGS above.

    The tolerance of L-BFGS is that of a start: `argmin` polishes what it finds. It keeps its
    history in JAX's default precision, so that variables of another are left to Newton as well.
    """
    if d <= FACTORISED or jnp.dtype(dtype) != jnp.result_type(float):
        return Newton()
    return optx.LBFGS(rtol=1e-4, atol=1e-6)


def as_minimiser(solver: object) -> optx.AbstractMinimiser:
    """An Optimistix minimiser as it is; an Optax optimiser as one; TypeError for the rest."""
    if isinstance(solver, optx.AbstractMinimiser):
        return solver
    if isinstance(solver, optax.GradientTransformation):
        return optx.OptaxMinimiser(solver, rtol=1e-6, atol=1e-8)
    raise TypeError(
        f"solver must be an Optimistix minimiser or an Optax optimiser, got {solver!r}. "
        "For a solver of another kind use argrad.implicit(solver, conditions)."
    )
