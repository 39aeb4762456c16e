"""The upper level with one hyperparameter: safeguarded descent on its logarithm."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from argrad.sklearn.criterion import Evaluation
from argrad.sklearn.upper.hermite import quintic_minimum

# The longest step without a bracket: the criterion is not a parabola much further away.
_LONGEST = 2.5
# Parts of a bracket at its ends where no new point is put.
_MARGIN = 0.02


@dataclass(frozen=True)
class _Point:
    t: float
    value: float
    slope: float
    curvature: float


def shared_descent(
    low: float, high: float, start: float, tol: float
) -> Generator[np.ndarray, Evaluation, None]:
    """Minimise F(t) over [low, high], t being a logarithm: yields t (1,), is sent evaluations.

    Each evaluation brings F, F' and F''. Without a bracket the next point is Newton's, or a long
    step downhill where F is not convex; within one it is the minimum of the quintic that agrees
    with all three at both ends. Ends when the decrease to be expected is below `tol` |F|, or at a
    bound from which F rises inwards.
    """
    points: list[_Point] = []
    t = start
    while True:
        e = yield np.array([t])
        assert e.curvature is not None
        points.append(_Point(t, e.value, float(e.gradient[0]), e.curvature))
        best = min(points, key=lambda point: point.value)
        t, decrease = _next(points, best, low, high)
        if decrease <= tol * abs(best.value):
            return


def _next(points: list[_Point], best: _Point, low: float, high: float) -> tuple[float, float]:
    """The next point, and by how much F is expected to be lower there."""
    downhill = -np.sign(best.slope)
    beyond = [p for p in points if (p.t - best.t) * downhill > 0]
    if beyond:
        end = min(beyond, key=lambda p: abs(p.t - best.t))
        t, value = quintic_minimum(
            (best.t, best.value, best.slope, best.curvature),
            (end.t, end.value, end.slope, end.curvature),
        )
        width = abs(end.t - best.t)
        inner = sorted((best.t + downhill * _MARGIN * width, end.t - downhill * _MARGIN * width))
        return float(np.clip(t, *inner)), best.value - value
    step = downhill * _LONGEST
    if best.curvature > 0 and abs(best.slope) < best.curvature * _LONGEST:
        step = -best.slope / best.curvature
    step = float(np.clip(best.t + step, low, high)) - best.t
    curvature = max(best.curvature, 0.0)
    return best.t + step, -(best.slope * step + 0.5 * curvature * step**2)
