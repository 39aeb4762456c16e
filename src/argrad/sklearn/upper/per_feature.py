"""The upper level with many hyperparameters: projected L-BFGS on their logarithms."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.quasi_newton import Pair, times_inverse

_MEMORY = 20
# The first step, if nobody says, and the longest in any logarithm: factors of 7 and 55 in the
# hyperparameter.
FIRST, _LONGEST = 2.0, 4.0
_SHORTEST = 1e-6


def projected_descent(
    low: np.ndarray,
    high: np.ndarray,
    start: np.ndarray | Evaluation,
    tol: float,
    first: float = FIRST,
) -> Generator[np.ndarray, Evaluation, None]:
    """Minimise F(h) over the box low <= h <= high: yields h (d,), is sent evaluations.

    A start within the box that has been evaluated is not asked for again. Steps follow L-BFGS in
    the variables that no bound holds back and are projected onto the box. None is longer than a
    radius, which is halved where F does not fall (Armijo) and grows where it does; the gradient at
    a rejected point, which is paid for, still teaches the curvature. The first step has the length
    `first`, so nothing depends on the scale of F. Ends when an accepted step lowered F by less than
    `tol` |F| and the next promises no more.

    Source: Nocedal and Wright 2006, chapters 4 and 7; projection as in Kelley 1999, section 5.5.
    """
    here = start if isinstance(start, Evaluation) else (yield np.clip(start, low, high))
    pairs: list[Pair] = []
    radius, gained = first, np.inf
    while True:
        h, g = here.log_values, here.gradient
        free = ~(((h <= low) & (g > 0)) | ((h >= high) & (g < 0)))
        if not np.any(g[free]):
            return
        step = _direction(g, free, pairs)
        longest = float(np.max(np.abs(step)))
        trial = np.clip(h + step * min(1.0, radius / longest), low, high)
        length = float(np.max(np.abs(trial - h)))
        promised = float(g @ (h - trial))
        if promised <= 0 and pairs:  # the projection has turned the step uphill
            pairs = []
            continue
        small = tol * abs(here.value)
        if length < _SHORTEST or promised <= 0.01 * small or max(promised, gained) <= small:
            return
        there = yield trial
        moved, bent = there.log_values - h, there.gradient - g
        if moved @ bent > 1e-8 * np.linalg.norm(moved) * np.linalg.norm(bent):
            pairs = [*pairs, (moved, bent)][-_MEMORY:]
        if there.value <= here.value - 1e-4 * promised:
            gained, here = here.value - there.value, there
            radius = min(max(radius, 2 * length), _LONGEST)
        else:
            radius = length / 2


def _direction(g: np.ndarray, free: np.ndarray, pairs: list[Pair]) -> np.ndarray:
    """−H g by the two-loop recursion in the free variables."""
    q = np.where(free, g, 0.0)
    used = [(s * free, y * free) for s, y in pairs]
    used = [(s, y) for s, y in used if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y)]
    if not used:  # before anything is known of the curvature only the direction counts
        return -q / np.max(np.abs(q)) * FIRST
    s, y = used[-1]
    scale = (s @ y) / (y @ y)
    return -times_inverse(lambda v: scale * v, used, q)
