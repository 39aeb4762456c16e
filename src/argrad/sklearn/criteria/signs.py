"""The minimiser of a quadratic with absolute values, exactly, by the signs that it has.

    ½ wᵀ Q w − qᵀ w + ½ Σ_j μ_j w_j² + Σ_j λ_j |w_j|

Where the support S and the signs σ of the minimiser are known, it solves one linear system,
(Q_SS + diag μ_S) w_S = q_S − λ_S σ_S. So S and σ are what is searched for: solve, go towards that
as far as f falls, let columns enter that pull harder than their penalty holds. f falls with every
step and there are finitely many signs, so it ends at the minimiser, to rounding.

Source: the feature-sign search of Lee, Battle, Raina and Ng 2006, Efficient sparse coding
algorithms (NIPS 19), here with several columns that enter at a time and an exact line search.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path

from argrad.sklearn.criteria.lower import LowerError

# A pull is stronger than its penalty if by more than this part of it, and of the largest pull.
_DOUBT, _ROUNDING = 1e-10, 1e-13
# What of a penalty rounding may be, where columns that depend on each other are to be told apart.
_HIDDEN = 1e-4
# A pivot so small, relative to its diagonal entry, is one of a singular matrix.
SINGULAR = 1e-12
# How many columns may enter at a time: this many, or this part of those that are in.
_ENTER, _ENTER_PART = 16, 0.5
_MOST_STEPS = 2000
# Where so many columns are to enter, coordinate descent comes first: to this part of `size`².
_MANY, _SWEPT, _SWEEPS = 20, 1e-7, 1000


class Quadratic(NamedTuple):
    """Q (K, K), q, λ = `l1` and μ = `ridge` (K,), and the pulls (K,) up to which columns stay out.

    `size` is the root of what ½ wᵀ Q w − qᵀ w + ½ size² is not negative for.
    """

    gram: np.ndarray
    pull: np.ndarray
    l1: np.ndarray
    ridge: np.ndarray
    held: np.ndarray
    size: float


def held(l1: np.ndarray, largest: float) -> np.ndarray:
    """Pulls up to which columns stay out, where the `largest` is what rounding is relative to."""
    return l1 * (1.0 + _DOUBT) + _ROUNDING * largest


def entering(size: int) -> int:
    """How many columns may enter a support of that size."""
    return max(_ENTER, int(_ENTER_PART * size))


def minimise(quadratic: Quadratic, start: np.ndarray) -> np.ndarray:
    """The minimiser (K,), begun at `start`; coefficients that are zero are exactly that.

    Raises `LowerError` where the columns of the support are linearly dependent.
    """
    Q, q, penalty, mu, bound, size = quadratic
    w = start.copy()
    sign, most, swept = np.sign(w), len(w), False
    for _ in range(_MOST_STEPS):
        S = np.flatnonzero(sign)
        system = Q[np.ix_(S, S)]
        system[np.diag_indices(len(S))] += mu[S]
        new = w[S] == 0
        factor = factorised(system)
        if factor is None:
            if new.sum() > 1:
                most, sign = 1, _only(sign, w, S)
                continue
            w[S] = _spared(system, q[S] - penalty[S] * sign[S], sign[S], w[S])
            sign = np.sign(w)
            continue
        aim = solved(factor, q[S] - penalty[S] * sign[S])
        agrees = aim * sign[S] > 0
        if agrees.all():
            w[S] = aim
            pulls = q - Q[:, S] @ aim
            excess = np.where(sign == 0, np.abs(pulls) - bound, -np.inf)
            enter = np.flatnonzero(excess > 0)
            if not len(enter):
                hidden = bound > (1.0 + _HIDDEN) * penalty
                if hidden.any():
                    _tell_apart(Q, mu, np.flatnonzero(hidden | (sign != 0)))
                return w
            if len(enter) > _MANY and not swept:
                swept = True
                w = _swept(Q + np.diag(mu), q, penalty, w, size)
                sign = np.sign(w)
                continue
            enter = enter[np.argsort(-excess[enter])][: min(most, entering(len(S)))]
            sign[enter] = np.sign(pulls[enter])
            most = len(w)
            continue
        wrong = new & ~agrees
        if wrong.any():  # several that enter together may be in each other's way
            if new.sum() == 1:
                raise LowerError("the columns that it needs are linearly dependent")
            sign[S[wrong]] = 0
            if wrong.sum() == new.sum():
                most = 1
            continue
        w[S] = _towards(w[S], aim, system, q[S], penalty[S])
        sign = np.sign(w)
    raise LowerError("the signs of its coefficients do not settle, its penalties are so small")


def _tell_apart(Q: np.ndarray, mu: np.ndarray, W: np.ndarray) -> None:
    """Raise where columns W depend on each other: their penalties alone say which are needed."""
    if factorised(Q[np.ix_(W, W)] + np.diag(mu[W])) is None:
        raise LowerError("rounding hides which columns it needs, its penalties are so small")


def _swept(
    Q: np.ndarray, q: np.ndarray, penalty: np.ndarray, w: np.ndarray, size: float
) -> np.ndarray:
    """w after sweeps of coordinate descent, scikit-learn's, that lower f to about its minimum.

    `size` is ‖u‖, which the end of the sweeps is relative to.
    """
    scale = 1.0 / penalty
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what is left is done exactly
        _, found, _ = lasso_path(
            np.empty((1, len(w)), order="F"),
            np.array([size]),
            alphas=[1.0],
            precompute=np.ascontiguousarray(scale[:, None] * Q * scale),
            Xy=scale * q,
            coef_init=w / scale,
            check_input=False,
            tol=_SWEPT,
            max_iter=_SWEEPS,
        )
    return scale * found[:, 0]


def _spared(system: np.ndarray, aim: np.ndarray, sign: np.ndarray, w: np.ndarray) -> np.ndarray:
    """w with a coefficient less, where f is no higher, of a singular system.

    Along p with Q p = 0 the loss stays and the penalty changes linearly, until a coefficient is
    zero, as in Carathéodory's theorem.
    """
    _, p = flattest(system)
    p = p if aim @ p - w @ system @ p > 0 else -p
    shrinking = np.flatnonzero((w != 0) & (p * w < 0))
    if not len(shrinking) or (p * sign)[w == 0].min(initial=0.0) < 0:
        raise LowerError("the columns that it needs are linearly dependent")
    at = -w[shrinking] / p[shrinking]
    first = np.argmin(at)
    there = w + at[first] * p
    there[shrinking[first]] = 0.0
    return there


def _only(sign: np.ndarray, w: np.ndarray, S: np.ndarray) -> np.ndarray:
    """The signs without those of columns that were to enter."""
    kept = sign.copy()
    kept[S[w[S] == 0]] = 0
    return kept


def flattest(gram: np.ndarray) -> tuple[float, np.ndarray]:
    """The least eigenvalue in units of the diagonal, and p with gram p = 0 if that is zero."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(scale[:, None] * gram * scale)
    return float(values[0]), scale * vectors[:, 0]


def factorised(system: np.ndarray) -> Any:
    """Its Cholesky factor, None if it is singular to working precision."""
    if not len(system):
        return ()
    try:
        factor = cho_factor(system, lower=True, check_finite=False)
    except LinAlgError:
        return None
    singular = np.diag(factor[0]) ** 2 <= SINGULAR * np.diag(system)
    return None if singular.any() else factor


def solved(factor: Any, b: np.ndarray) -> np.ndarray:
    """The solution of the system with that factor for right-hand sides b (|S|, ...)."""
    return cho_solve(factor, b, check_finite=False) if len(b) else np.zeros_like(b)


def _towards(
    w: np.ndarray, aim: np.ndarray, system: np.ndarray, q: np.ndarray, penalty: np.ndarray
) -> np.ndarray:
    """Where f is lowest between w and `aim`; coefficients that end at zero are exactly zero.

    Along p = aim − w the slope of f grows linearly, and jumps by 2 λ_j |p_j| where w_j changes
    sign.
    """
    p = aim - w
    moving = np.flatnonzero(w * aim < 0)
    at = -w[moving] / p[moving]
    order = np.argsort(at)
    moving, at = moving[order], at[order]
    sign = np.where(w == 0, np.sign(p), np.sign(w))
    slope, bend = (system @ w - q) @ p + penalty * sign @ p, p @ system @ p
    jumps = np.cumsum(2 * penalty[moving] * np.abs(p[moving]))
    after = slope + bend * at + jumps
    first = int(np.argmax(after >= 0)) if (after >= 0).any() else len(at)
    before = slope + (jumps[first - 1] if first else 0.0)
    free = min(-before / bend, 1.0)
    if first < len(at) and free >= at[first]:
        there = w + at[first] * p
        there[moving[first]] = 0.0
        return there
    return w + free * p
