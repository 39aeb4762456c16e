"""Prices that are not one number."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from argrad.diagnose.local import local_model
from argrad.diagnose.one_sided import extreme_multipliers
from argrad.problem import extra_arguments, parameters
from argrad.status import SolveError
from argrad.transformation import Argmin


def multiplier_range(
    solve: Argmin, x: PyTree, init: PyTree, *args: Any
) -> tuple[tuple[PyTree[Array], ...], tuple[PyTree[Array], ...]]:
    """The least and the greatest value that each multiplier can have at y*(x).

    Two tuples shaped like `.solution(...).multipliers`. They differ where active constraints
    depend on each other (LICQ fails), as at a degenerate vertex: the price of such a row is one
    thing for a little more of it and another for a little less. ±inf where there is no bound.

    Two small linear programs a row, on the host. Raises SolveError where the solve fails.

    >>> import argrad as ag
    >>> twice = [ag.box(None, 1.0, name="once"), ag.box(None, 1.0, name="again")]
    >>> lowest, highest = ag.multiplier_range(
    ...     ag.argmin(lambda y, x: (y - x) ** 2, subject_to=twice), 2.0, 0.0)
    >>> lowest[0]["upper"].round(3), highest[0]["upper"].round(3)  # both bounds share the force 2
    (Array(0., dtype=float32), Array(2., dtype=float32))
    """
    still = jax.tree.map(jnp.zeros_like, parameters(x))
    local = local_model(solve, x, still, init, args, "multiplier_range")
    lowest, highest = local.multipliers.copy(), local.multipliers.copy()
    if local.dependent:
        for row in np.flatnonzero(local.active):
            for sign, bound in ((-1, lowest), (1, highest)):
                weights = np.zeros(local.rows.size)
                weights[row] = sign
                try:
                    bound[row] = extreme_multipliers(local, weights)[row]
                except SolveError:
                    bound[row] = sign * np.inf
    constraints = solve.problem.constraints
    assert constraints is not None
    y, e = local.solution.primal, local.equalities
    shapes = constraints.shapes(y, parameters(x), extra_arguments(args))
    low, high = (
        constraints.by_constraint(shapes, *map(jnp.asarray, np.split(bound, [e])))
        for bound in (lowest, highest)
    )
    return low, high
