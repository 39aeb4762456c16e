"""The upper level with many hyperparameters: first all by one factor, then each by itself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper.per_feature import projected_descent

# How closely the common factor is settled, and by how many evaluations at most.
_ROUGH, _MOST = 1e-3, 6


def levelled_descent(
    low: np.ndarray,
    high: np.ndarray,
    start: np.ndarray,
    tol: float,
    descent: Callable[..., Generator[np.ndarray, Evaluation, None]] = projected_descent,
) -> Generator[np.ndarray, Evaluation, None]:
    """Minimise F(h) over the box: yields h (d,), is sent evaluations, as `projected_descent`.

    It begins with h = start + c for a few numbers c: where the common level is wrong, the
    gradient says more of that than of any single number, and steps that follow it end early, in
    numbers that have run to their bounds. From the best of them on it is `descent(low, high, best,
    tol)`.
    """
    best: Evaluation | None = None
    one = np.ones(1)
    line = projected_descent(np.min(low - start) * one, np.max(high - start) * one, 0 * one, _ROUGH)
    c = next(line)
    for _ in range(_MOST):
        found = yield np.clip(start + c, low, high)
        h = found.log_values
        if best is None or found.value < best.value:
            best = found
        inside = (h > low) & (h < high)
        # Nearer than asked for where there was no solution.
        c = np.mean((h - start)[inside], keepdims=True) if inside.any() else c
        slope = found.gradient[inside].sum(keepdims=True)
        try:
            c = line.send(replace(found, log_values=c, gradient=slope))
        except StopIteration:
            break
    assert best is not None
    yield from descent(low, high, best, tol)
