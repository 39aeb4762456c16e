"""The one-sided derivative of a solution: a quadratic program on the critical cone.

Along a direction of x, strongly active rows stay active, inactive ones do not matter, and each
weakly active row either stays active or opens. Which of them do is decided by

    minimise ½ dᵀWd + dᵀ L̇   subject to  A d = −ċ on strong rows,  A d <= −ċ on weak ones

(W and L̇ derivatives of the Lagrangian, A of the rows). Where multipliers are not unique, those
that maximise lᵀċ decide what is strong.

Source: Jittorntrum 1984; Ralph and Dempe 1995.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.optimize import linprog, nnls

from argrad.diagnose.local import Local
from argrad.linalg.cholesky import DEFINITE
from argrad.linalg.kkt import balancing_units, null_space_form
from argrad.rows import row_name
from argrad.status import SolveError

Array = np.ndarray

_NAMED = 8  # rows that an error names


class OneSided(NamedTuple):
    """Derivatives to one side of the point, of v, multipliers and rows, and of the optimal value.

    `tight` are the rows that stay active on that side; `multipliers` those at the point that
    hold there.
    """

    v: Array
    multipliers_dot: Array
    rows_dot: Array
    value: float
    tight: Array
    multipliers: Array


def one_sided(local: Local, hessian_at: Callable[[Array], Array]) -> OneSided:
    """Solve for the derivative to the side that `local` points to.

    `hessian_at(multipliers)` gives W. SolveError where no point is feasible to first order on
    that side, and where the derivative is not unique because second-order sufficiency fails.
    """
    multipliers, hessian, strong = local.multipliers, local.hessian, local.strong
    if local.dependent:
        multipliers = extreme_multipliers(local, local.rows_dot)
        hessian = np.asarray(hessian_at(multipliers))
        strong = pressing(local, multipliers)
    weak = local.active & ~strong
    a = -(local.gradient_dot + multipliers @ local.jacobian_dot)
    b = np.where(strong, -local.rows_dot, 0)
    curved, jacobian, held = map(jnp.asarray, (hessian, local.jacobian, strong))
    units = balancing_units(curved, jacobian, held)
    inverse = null_space_form(curved, jacobian, held, units)
    _check(local, inverse, strong, b)
    primal = np.asarray(inverse.primal)
    unopposed, _ = inverse.solve(jnp.asarray(a), jnp.asarray(b))
    excess = local.jacobian @ np.asarray(unopposed) + local.rows_dot
    terms = np.abs(local.jacobian) @ np.abs(unopposed) + np.abs(local.rows_dot)
    excess = np.where(np.abs(excess) > rank_tol(local) * terms, excess, 0)
    change = np.zeros_like(multipliers)
    change[weak] = _cone(primal, local.jacobian[weak], excess[weak], rank_tol(local))
    force = jnp.asarray(a - change @ local.jacobian)
    d, dual = map(np.asarray, inverse.solve(force, jnp.asarray(b)))
    change = np.where(strong, dual, change)
    rows_dot = local.jacobian @ d + local.rows_dot
    size = 1 + np.max(np.abs(rows_dot), initial=0)
    resting = (change > 0) | (rows_dot > -max(1e-9, rank_tol(local)) * size)
    tight = strong | (weak & resting)
    value = float(local.objective_dot + multipliers @ local.rows_dot)
    return OneSided(d, change, rows_dot, value, tight, multipliers)


def _check(local: Local, inverse, strong, b) -> None:
    if int(inverse.curvature) != DEFINITE:
        raise SolveError(
            "the one-sided derivative is not unique: second-order sufficiency fails, the objective "
            "is flat (or falls) along a direction that the strongly active constraints leave free."
        )
    if not np.any(inverse.dependent):
        return
    explained, _ = inverse.solve(jnp.zeros(local.v.size), jnp.asarray(b))
    left = np.where(strong, np.abs(local.jacobian @ explained - b), 0)
    if np.max(left) > 1e-8 * (1 + np.max(np.abs(b))):
        worst = row_name(local.layout, int(np.argmax(left)))
        raise SolveError(
            f"nothing is feasible in that direction: to first order, {worst} contradicts the "
            "other active constraints."
        )


def _cone(primal: Array, rows: Array, excess: Array, tol: float) -> Array:
    """Multipliers ν >= 0 that bring the weak rows down to zero: least distance programming.

    In u = P^½ d the program is the shortest u with R u <= −excess (Lawson and Hanson 1974,
    chapter 23), R = rows P^½. Entries of R within `tol` of rounding are zero.
    """
    most = np.max(excess, initial=0)
    if most <= 0:
        return np.zeros(rows.shape[0])
    values, vectors = np.linalg.eigh((primal + primal.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0))
    scaled = rows @ root
    scaled[np.abs(scaled) <= tol * (np.abs(rows) @ np.abs(root))] = 0
    largest = np.max(np.abs(scaled)) or 1
    stacked = np.vstack([-scaled.T / largest, excess[None] / most])
    target = np.zeros(stacked.shape[0])
    target[-1] = 1
    weights, distance = nnls(stacked, target)
    residual = stacked @ weights - target
    if distance < 1e-10:
        raise SolveError(
            "nothing is feasible in that direction: to first order, the weakly active constraints "
            "contradict the others."
        )
    return weights / -residual[-1] * most / largest**2


def pressing(local: Local, multipliers: Array) -> Array:
    """Rows whose multiplier is positive beyond rounding, equalities included."""
    norms = np.linalg.norm(local.jacobian, axis=1)
    force = multipliers * norms
    scale = np.max(np.abs(local.gradient)) + np.max(np.abs(force), initial=0)
    strong = local.active & (force > 1e-8 * scale)
    strong[: local.equalities] = True
    return strong


def extreme_multipliers(local: Local, weights: Array) -> Array:
    """The multipliers of the solution that maximise their product with `weights`.

    All multipliers are those at hand plus a combination of the active rows that vanishes; a
    linear program in its coefficients. SolveError where there is no bound: then no point is
    feasible on that side (by duality).
    """
    active = np.flatnonzero(local.active)
    vanishing = vanishing_combinations(local)
    if vanishing.shape[1] == 0:
        return local.multipliers
    at_hand = np.where(local.active, local.multipliers, 0)[active]
    below = active >= local.equalities
    gain = weights[active] @ vanishing
    rounding = rank_tol(local) * (np.abs(weights[active]) @ np.abs(vanishing))
    gain = np.where(np.abs(gain) > rounding, gain, 0)
    found = linprog(
        -gain / (np.max(np.abs(gain)) or 1),
        A_ub=-vanishing[below],
        b_ub=np.maximum(at_hand[below], 0),
        bounds=(None, None),
    )
    if found.status == 3:
        rows = active[_contradiction(vanishing * _norms(local), below, gain)]
        names = ", ".join(row_name(local.layout, int(i)) for i in rows[:_NAMED])
        more = f" and {rows.size - _NAMED} more" if rows.size > _NAMED else ""
        raise SolveError(
            f"nothing is feasible in that direction: the active constraints ({names}{more}) "
            "contradict each other there."
        )
    if found.status != 0:
        raise SolveError(f"no multipliers were found for the active constraints: {found.message}.")
    dual = at_hand + vanishing @ found.x
    dual[below & (dual < 1e-7 * (1 + np.max(np.abs(dual))))] = 0
    # The linear program is solved to 1e-7; its support is exact, and gives the rest.
    support = active[dual != 0]
    if np.linalg.matrix_rank(local.jacobian[support]) == support.size:
        exact = np.linalg.lstsq(local.jacobian[support].T, -local.gradient, rcond=None)[0]
        dual[dual != 0] = exact
    multipliers = np.zeros(local.rows.size)
    multipliers[active] = dual
    return multipliers


def _contradiction(vanishing: Array, below: Array, gain: Array) -> Array:
    """Which active rows contradict each other, by Farkas' lemma: those in a combination that
    vanishes, is not negative `below` and has a gain; the lightest such is a vertex, with few."""
    rows, free = vanishing.shape
    each = np.eye(rows)
    found = linprog(
        np.concatenate([np.zeros(free), np.ones(rows)]),  # the weights z, and |vanishing z|
        A_ub=np.block(
            [
                [vanishing, -each],
                [-vanishing, -each],
                [-vanishing[below], np.zeros((np.sum(below), rows))],
            ]
        ),
        b_ub=np.zeros(2 * rows + np.sum(below)),
        A_eq=np.concatenate([gain / np.max(np.abs(gain)), np.zeros(rows)])[None],
        b_eq=np.ones(1),
        bounds=(None, None),
    )
    if found.status != 0:
        return np.arange(rows)
    weights = np.abs(vanishing @ found.x[:free])
    return np.flatnonzero(weights > 1e-6 * np.max(weights))


def _norms(local: Local) -> Array:
    """The lengths of the active rows, 1 for those that are zero."""
    norms = np.linalg.norm(local.jacobian[local.active], axis=1, keepdims=True)
    return np.where(norms > 0, norms, 1)


def vanishing_combinations(local: Local) -> Array:
    """An orthonormal basis of the n with nᵀA = 0, A the active rows in units of their own."""
    norms = _norms(local)
    left, sigma, _ = np.linalg.svd(local.jacobian[local.active] / norms, full_matrices=True)
    rank = np.sum(sigma > rank_tol(local))
    return left[:, rank:] / norms


def rank_tol(local: Local) -> float:
    return float(np.finfo(local.jacobian.dtype).eps) ** 0.625
