"""The upper level with many hyperparameters: projected L-BFGS on their logarithms."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from argrad.sklearn.criterion import Evaluation

_MEMORY = 20
# The longest step in any logarithm: a factor of 20 in the hyperparameter.
_LONGEST = 3.0
_SHORTEST = 1e-6


def projected_descent(
    low: np.ndarray, high: np.ndarray, start: np.ndarray, tol: float
) -> Generator[np.ndarray, Evaluation, None]:
    """Minimise F(h) over the box low <= h <= high: yields h (d,), is sent evaluations.

    Steps follow L-BFGS in the variables that no bound holds back, are projected onto the box,
    and shortened until F falls (Armijo). The first step is one unit long in the steepest
    direction, so nothing depends on the scale of F. Ends when an accepted step and the one that
    would follow lower F by less than `tol` |F|.

    Source: Kelley 1999, section 5.5 (projected BFGS).
    """
    here = yield np.clip(start, low, high)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    while True:
        h, g = here.log_values, here.gradient
        free = ~(((h <= low) & (g > 0)) | ((h >= high) & (g < 0)))
        if not np.any(g[free]):
            return
        step = _direction(g, free, pairs)
        alpha, there = 1.0, here
        while True:
            trial = np.clip(h + alpha * step, low, high)
            promised = float(g @ (h - trial))
            if promised <= 0 or np.max(np.abs(trial - h)) < _SHORTEST:
                return
            if promised <= tol * abs(here.value) and alpha == 1.0 and pairs:
                return
            there = yield trial
            if there.value <= here.value - 1e-4 * promised:
                break
            # The parabola through both values and the slope.
            shorter = promised / (2 * (there.value - here.value + promised))
            alpha *= float(np.clip(shorter, 0.1, 0.5))
        moved, bent = there.log_values - h, there.gradient - g
        if moved @ bent > 1e-8 * np.linalg.norm(moved) * np.linalg.norm(bent):
            pairs = [*pairs, (moved, bent)][-_MEMORY:]
        here = there


def _direction(
    g: np.ndarray, free: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """−H g by the two-loop recursion in the free variables, no longer than `_LONGEST`."""
    q = np.where(free, g, 0.0)
    used = [(s * free, y * free) for s, y in pairs]
    used = [(s, y) for s, y in used if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y)]
    coefficients = []
    for s, y in reversed(used):
        a = (s @ q) / (s @ y)
        coefficients.append(a)
        q = q - a * y
    if used:
        s, y = used[-1]
        q = q * ((s @ y) / (y @ y))
    for (s, y), a in zip(used, reversed(coefficients), strict=True):
        q = q + s * (a - (y @ q) / (s @ y))
    longest = float(np.max(np.abs(q)))
    if not used:
        return -q / longest
    return -q * min(1.0, _LONGEST / longest)
