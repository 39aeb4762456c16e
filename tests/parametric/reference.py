"""Solutions, multipliers and their derivatives, from SciPy and NumPy alone.

SLSQP finds a solution, Newton on the optimality conditions of its active set polishes it, and
central differences of polished solutions, the active set held, are the derivatives. JAX only
differentiates objective and constraints, in float64 whatever the caller has set.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import jax
import numpy as np
from scipy.optimize import minimize, nnls

from .problem import bounds, equalities, rows

EIGHTH_ORDER = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))
STEPS = tuple(2.0**-k for k in range(4, 15))  # relative to the size of a parameter


class Solution(NamedTuple):
    """y*, λ and μ in the order of `rows`, and which of these are active."""

    y: np.ndarray
    equality: np.ndarray
    inequality: np.ndarray
    active: np.ndarray


class Conditions(NamedTuple):
    """What a Newton step of the optimality conditions needs."""

    value: np.ndarray
    gradient: np.ndarray
    h: np.ndarray
    c: np.ndarray
    h_y: np.ndarray
    c_y: np.ndarray
    hessian: np.ndarray  # of the Lagrangian


class UnsolvedError(Exception):
    """No polished solution was found."""


@cache
def _compiled(problem):
    """Conditions, as a function of y, λ, μ and p."""

    def lagrangian(y, equality, inequality, p):
        value = problem.objective(y, p) + equality @ equalities(problem, y, p)
        return value + inequality @ rows(problem, y, p)

    def conditions(y, equality, inequality, p):
        return Conditions(
            *jax.value_and_grad(problem.objective)(y, p),
            equalities(problem, y, p),
            rows(problem, y, p),
            jax.jacobian(lambda y: equalities(problem, y, p))(y),
            jax.jacobian(lambda y: rows(problem, y, p))(y),
            jax.hessian(lagrangian)(y, equality, inequality, p),
        )

    return jax.jit(conditions)


def conditions(problem, y, equality, inequality, p) -> Conditions:
    with jax.enable_x64(True):
        arguments = [np.asarray(a, dtype=np.float64) for a in (y, equality, inequality, p)]
        return Conditions(*map(np.asarray, _compiled(problem)(*arguments)))


def no_multipliers(problem):
    """λ = 0 and μ = 0, of the right lengths."""
    y, p = np.asarray(problem.start), np.asarray(problem.points[0])
    sizes = [jax.eval_shape(lambda f=f: f(problem, y, p)).size for f in (equalities, rows)]
    return tuple(map(np.zeros, sizes))


def slsqp(problem, p, start=None) -> np.ndarray:
    """What SciPy's SLSQP makes of the problem, started again from where it first ends."""
    p = np.asarray(p, dtype=np.float64)
    start = np.asarray(problem.start if start is None else start, dtype=np.float64)
    with jax.enable_x64(True):
        lower, upper = (np.asarray(bound) for bound in bounds(problem, p))
    none = no_multipliers(problem)
    m, q = none[0].size, none[1].size - 2 * problem.n

    @cache
    def at_bytes(y):
        return conditions(problem, np.frombuffer(y), *none, p)

    def at(y):
        return at_bytes(y.tobytes())

    constraints = []
    if m:
        constraints.append({"type": "eq", "fun": lambda y: at(y).h, "jac": lambda y: at(y).h_y})
    if q:
        constraints.append(
            {"type": "ineq", "fun": lambda y: -at(y).c[:q], "jac": lambda y: -at(y).c_y[:q]}
        )
    y = start
    for _ in range(2):
        y = minimize(
            lambda y: (at(y).value, at(y).gradient),
            np.clip(y, lower, upper),
            jac=True,
            method="SLSQP",
            bounds=np.stack([lower, upper], axis=1),
            constraints=constraints,
            options={"ftol": 1e-15, "maxiter": 500},
        ).x
    return y


def estimate(at: Conditions, near: np.ndarray):
    """λ and μ ≥ 0 that leave the least gradient of the Lagrangian, μ on the rows `near` alone."""
    columns = np.concatenate([at.h_y, -at.h_y, at.c_y[near]]).T
    weights = np.zeros(columns.shape[1])
    if columns.size:
        weights, _ = nnls(columns, -at.gradient)
    m = at.h.size
    inequality = np.zeros(at.c.size)
    inequality[near] = weights[2 * m :]
    return weights[:m] - weights[m : 2 * m], inequality


def newton_matrix(at: Conditions, active) -> np.ndarray:
    """The Jacobian of the optimality conditions by (y, λ, μ of the active rows)."""
    A = np.concatenate([at.h_y, at.c_y[active]])
    return np.block([[at.hessian, A.T], [A, np.zeros((len(A), len(A)))]])


def polish(problem, p, near: Solution) -> Solution:
    """Newton on stationarity, h = 0 and c = 0 on the active rows, until it is at rounding."""
    n, m = problem.n, near.equality.size
    y, equality, inequality = near.y, near.equality, np.where(near.active, near.inequality, 0.0)
    left = 30
    while left:
        at = conditions(problem, y, equality, inequality, p)
        c, c_y = at.c[near.active], at.c_y[near.active]
        slope = at.gradient + at.h_y.T @ equality + c_y.T @ inequality[near.active]
        try:
            step = np.linalg.solve(
                newton_matrix(at, near.active), -np.concatenate([slope, at.h, c])
            )
        except np.linalg.LinAlgError as error:
            raise UnsolvedError(f"{problem.name} at {p}: singular conditions") from error
        y, equality = y + step[:n], equality + step[n : n + m]
        inequality = inequality.copy()
        inequality[near.active] += step[n + m :]
        values = np.concatenate([y, equality, inequality[near.active]])
        if not np.all(np.isfinite(values)):
            break
        size = np.max(np.abs(step) / (1 + np.abs(values)))
        left = min(left, 2) - 1 if size < 1e-8 else left - 1
        if left == 0 and size < 1e-8:
            return Solution(y, equality, inequality, near.active)
    raise UnsolvedError(f"{problem.name} at {p}: Newton did not converge")


def solve(problem, p, start=None) -> Solution:
    """The solution that SLSQP finds from the start, polished, with a consistent active set."""
    start = problem.start if start is None else start
    return _solve(problem, *(tuple(np.asarray(a, dtype=np.float64).tolist()) for a in (p, start)))


@cache
def _solve(problem, p, start) -> Solution:
    y = slsqp(problem, p, start)
    at = conditions(problem, y, *no_multipliers(problem), p)
    near = at.c > -1e-5
    equality, inequality = estimate(at, near)
    active = near & (inequality > 1e-9)
    for _ in range(10):
        found = polish(problem, p, Solution(y, equality, inequality, active))
        c = conditions(problem, found.y, found.equality, found.inequality, p).c
        wrong, violated = active & (found.inequality < 0), ~active & (c > 1e-11)
        if not np.any(wrong | violated):
            return found
        active = (active & ~wrong) | violated
    raise UnsolvedError(f"{problem.name} at {p}: no consistent active set")


def _flat(found: Solution) -> np.ndarray:
    return np.concatenate([found.y, found.equality, found.inequality])


def derivative(problem, p, start=None):
    """(dy*/dp, dλ/dp, dμ/dp), one column a parameter, the active set as it is at p."""
    p = np.asarray(p, dtype=np.float64)
    found = solve(problem, p, start)
    columns = [_column(problem, p, unit, found)[0] for unit in np.eye(p.size)]
    sizes = found.y.size, found.equality.size
    return tuple(np.split(np.stack(columns, axis=1), np.cumsum(sizes)))


def _column(problem, p, unit, found):
    """The derivative in one direction, and by how much it may be wrong, entry by entry.

    Steps are halved for as long as that makes the value of any entry more certain: by how much it
    changed, and by what rounding does to it.
    """
    size = max(abs(p @ unit), 0.1)
    rounding = np.finfo(np.float64).eps * (1 + np.abs(_flat(found)))
    best, error, last = np.zeros_like(rounding), np.full_like(rounding, np.inf), None
    for step in STEPS:
        h = step * size
        try:
            quotient = sum(
                weight / h * side * _flat(polish(problem, p + side * k * h * unit, found))
                for k, weight in EIGHTH_ORDER
                for side in (-1, 1)
            )
        except UnsolvedError:  # too far from p
            last = None
            continue
        if last is not None:
            uncertain = np.abs(quotient - last) + rounding / h
            better = uncertain < error
            best, error = np.where(better, (quotient, uncertain), (best, error))
            if not np.any(better):
                break
        last = quotient
    if not np.all(np.isfinite(error)):
        raise UnsolvedError(f"{problem.name} at {p}: no two steps could be compared")
    return best, error
