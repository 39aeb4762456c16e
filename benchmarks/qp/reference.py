"""Solutions and gradients of quadratic programmes to about 17 digits, in extended precision.

One problem at a time: an interior point method in float64 down to its rounding shows which
inequalities are active; the equations that those leave are solved in float64 and refined against
residuals in `numpy.longdouble`. Signs of multipliers and slacks then prove the set right, the
problem being strictly convex. Gradients follow from formulas. No automatic differentiation, no
JAX: nothing shared with a contestant.

With K the matrix of the equations on the active set and K (u, v, w) = (weights, 0, 0),

    ∂F/∂p = -u,                   ∂F/∂h = v,                  ∂F/∂b = w,
    ∂F/∂Q = -(u y' + y u')/2,     ∂F/∂G = -(z u' + v y'),     ∂F/∂A = -(m u' + w y'),

z and m being the multipliers of inequalities and equalities; z and v are 0 where inactive.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from qp.problems import Batch

WIDE = np.longdouble
TOLERANCE = 1e-13
REFINEMENTS = 8


class Reference(NamedTuple):
    solution: np.ndarray  # (BATCH, VARIABLES)
    gradients: tuple[np.ndarray, ...]  # with respect to Q, p, G, h, A, b
    active: np.ndarray  # (BATCH, INEQUALITIES), booleans
    margin: float  # least of max(multiplier, slack): how near an active set is to changing


def _interior_point(Q, p, G, h, A, b):
    """Primal-dual with predictor and corrector on the whole linear system, no tricks."""
    n, m, e = len(p), len(h), len(b)
    y, mu = np.zeros(n), np.zeros(e)
    s, z = np.maximum(h, 1.0), np.ones(m)
    best, least = (y, s, z), np.inf
    for _ in range(100):
        dual = Q @ y + p + G.T @ z + A.T @ mu
        primal, equality = G @ y + s - h, A @ y - b
        gap = s @ z / m
        worst = max(abs(dual).max(), abs(primal).max(), abs(equality).max(), gap)
        if worst < least:
            best, least = (y, s, z), worst
        if worst < TOLERANCE:
            break
        K = np.block(
            [
                [Q, G.T, A.T],
                [G, -np.diag(s / z), np.zeros((m, e))],
                [A, np.zeros((e, m + e))],
            ]
        )
        factor = lu_factor(K)

        def step(centre, factor=factor):
            right = np.concatenate([-dual, -primal + s - centre / z, -equality])
            d = lu_solve(factor, right)
            dz = d[n : n + m]
            return d[:n], (centre - s * z - s * dz) / z, dz, d[n + m :]

        def longest(ds, dz):
            both, move = np.concatenate([s, z]), np.concatenate([ds, dz])
            return min([1.0, *(-both[move < 0] / move[move < 0])])

        _, ds, dz, _ = step(0.0)
        t = longest(ds, dz)
        sigma = ((s + t * ds) @ (z + t * dz) / (m * gap)) ** 3
        dy, ds, dz, dmu = step(sigma * gap - ds * dz)
        t = min(1.0, 0.99 * longest(ds, dz))
        y, s, z, mu = y + t * dy, s + t * ds, z + t * dz, mu + t * dmu
    return best


def _refined(K: np.ndarray, right: np.ndarray) -> np.ndarray:
    factor, wide = lu_factor(K), K.astype(WIDE)
    x = np.zeros(len(right), WIDE)
    for _ in range(REFINEMENTS):
        x = x + lu_solve(factor, (right - wide @ x).astype(float))
    return x


def _solve_one(Q, p, G, h, A, b, weights):
    n, m, e = len(p), len(h), len(b)
    _, s, z = _interior_point(Q, p, G, h, A, b)
    active = z > s
    rows = np.concatenate([G[active], A])
    k = len(rows)
    K = np.block([[Q, rows.T], [rows, np.zeros((k, k))]])
    found = _refined(K, np.concatenate([-p, h[active], b]).astype(WIDE))
    adjoint = _refined(K, np.concatenate([weights, np.zeros(k)]).astype(WIDE))

    def spread(inner):
        """Multipliers of all inequalities, zero where they are not active."""
        full = np.zeros(m, WIDE)
        full[active] = inner[n : n + k - e]
        return full

    y, z, mu = found[:n], spread(found), found[n + k - e :]
    u, v, w = adjoint[:n], spread(adjoint), adjoint[n + k - e :]
    slack = h - G.astype(WIDE) @ y
    if not (np.all(z[active] > 0) and np.all(slack[~active] > 0)):
        raise ArithmeticError("the interior point method did not show which rows are active")
    gradients = (
        -(np.outer(u, y) + np.outer(y, u)) / 2,
        -u,
        -(np.outer(z, u) + np.outer(v, y)),
        v,
        -(np.outer(mu, u) + np.outer(w, y)),
        w,
    )
    return y, gradients, active, float(np.where(active, z, slack).min())


def solve_precisely(batch: Batch) -> Reference:
    found = [_solve_one(*problem) for problem in zip(*batch, strict=True)]
    solutions, gradients, active, margins = zip(*found, strict=True)
    return Reference(
        solution=np.stack(solutions).astype(float),
        gradients=tuple(np.stack(g).astype(float) for g in zip(*gradients, strict=True)),
        active=np.stack(active),
        margin=min(margins),
    )


def central_difference_error(batch: Batch, reference: Reference, problems=(0, 1, 2)) -> float:
    """Largest relative error of the gradients against central differences.

    Each of the six arrays of each of the `problems` moves along a random direction (symmetric
    for Q), by so little that no active set changes.
    """
    rng, worst = np.random.default_rng(2), 0.0
    for k in problems:
        data = [array[k] for array in batch]
        for i, gradient in enumerate(reference.gradients):
            direction = rng.normal(size=data[i].shape)
            if i == 0:
                direction = (direction + direction.T) / 2
            step = 1e-6 * np.linalg.norm(data[i]) / np.linalg.norm(direction)
            upper = []
            for sign in (1, -1):
                trial = list(data)
                trial[i] = data[i] + sign * step * direction
                upper.append(trial[6].astype(WIDE) @ _solve_one(*trial)[0])
            slope = float((upper[0] - upper[1]) / (2 * step))
            exact = float(np.sum(gradient[k] * direction))
            worst = max(worst, abs(slope - exact) / abs(exact))
    return worst
