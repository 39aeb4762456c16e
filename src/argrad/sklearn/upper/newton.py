"""The upper level where its Hessian is known: Newton's method within a trust region."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation

# The first step, and the longest, in any logarithm: factors of 2.7 and 55 in the hyperparameter.
_FIRST, _LONGEST = 1.0, 4.0
_SHORTEST = 1e-6
# Curvatures below this part of the largest say nothing of how far to go.
_FLAT = 1e-4


def newton_descent(
    low: np.ndarray,
    high: np.ndarray,
    start: np.ndarray | Evaluation,
    tol: float,
    hessian: Callable[[np.ndarray], np.ndarray],
) -> Generator[np.ndarray, Evaluation, None]:
    """Minimise F(h) over the box low <= h <= high: yields h (d,), is sent evaluations.

    `hessian(h)` is that of F, asked for where a step is to begin. In the variables that no bound
    holds back, with H = Q diag(c) Qᵀ, a step is −Q (|c| + μ)⁻¹ Qᵀ g: it goes down along directions
    of negative curvature as well, and μ ≥ 0 is such that none of its entries is longer than a
    radius, which follows how well F agrees with its quadratic model. It is projected onto the box.
    A start within the box that has been evaluated is not asked for again. Ends as
    `projected_descent` does, or where the Hessian is not finite.

    Source: Nocedal and Wright 2006, sections 3.4, 4.1 and 4.3; absolute curvatures as in Gill,
    Murray and Wright 1981, Practical Optimization, section 4.4.2.
    """
    here = start if isinstance(start, Evaluation) else (yield np.clip(start, low, high))
    radius, gained = _FIRST, np.inf
    bent = np.empty((0, 0))
    while True:
        h, g = here.log_values, here.gradient
        free = ~(((h <= low) & (g > 0)) | ((h >= high) & (g < 0)))
        if not np.any(g[free]):
            return
        if not bent.size:
            bent = hessian(h)
            if not np.all(np.isfinite(bent)):
                return
            curvatures, directions = np.linalg.eigh(bent[np.ix_(free, free)])
        step = np.zeros_like(h)
        step[free] = _step(g[free], curvatures, directions, radius)
        trial = np.clip(h + step, low, high)
        moved = trial - h
        length, promised = float(np.max(np.abs(moved))), float(-g @ moved)
        small = tol * abs(here.value)
        if length < _SHORTEST or max(promised / 2, gained) <= small:
            return
        foreseen = promised - 0.5 * float(moved @ bent @ moved)
        there = yield trial
        fallen = here.value - there.value
        if fallen >= 1e-4 * promised and fallen > 0:
            gained, here, bent = fallen, there, np.empty((0, 0))
            if fallen > 0.5 * foreseen:
                radius = min(max(radius, 2 * length), _LONGEST)
            elif fallen < 0.1 * foreseen:
                radius = length / 2
        else:
            radius = length / 3


def _step(
    g: np.ndarray, curvatures: np.ndarray, directions: np.ndarray, radius: float
) -> np.ndarray:
    """−Q (|c| + μ)⁻¹ Qᵀ g for a small μ with which no entry is above `radius`."""
    bent = np.abs(curvatures)
    most = max(float(bent.max()), np.finfo(float).tiny)
    bent = np.maximum(bent, _FLAT * most)
    along, shift = directions.T @ g, 0.0
    while True:
        step = -directions @ (along / (bent + shift))
        if np.max(np.abs(step)) <= radius:
            return step
        shift = max(2.0 * shift, _FLAT * most)
