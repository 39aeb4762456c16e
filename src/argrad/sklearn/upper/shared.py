"""The upper level with one hyperparameter: safeguarded descent on its logarithm."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper.hermite import quintic_minimum

# The longest step without a bracket: the criterion is not a parabola much further away.
_LONGEST = 2.5
# How much longer later steps without a bracket may be.
_GROWTH = 1.5
# So many evaluations settle nearly every criterion; a further one must promise more.
_CHEAP, _DEARER = 4, 1000.0
# Part of a bracket at its far end where no new point is put.
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

    Each evaluation brings F, F' and F''. Without a bracket the next point is that of a Newton
    step, or of a long step downhill where F is not convex; within one it is the minimum of the
    quintic that agrees with all three at both ends. Ends when the decrease to be expected is below
    `tol` |F| (from the fourth evaluation on below a thousand times that), or at a bound from which
    F rises inwards.
    """
    points: list[_Point] = []
    t = start
    while True:
        e = yield np.array([t])
        assert e.curvature is not None
        t = float(e.log_values[0])  # nearer than asked for where there was no solution
        points.append(_Point(t, e.value, float(e.gradient[0]), e.curvature))
        best = min(points, key=lambda point: point.value)
        t, decrease = _next(points, best, low, high)
        asked = tol if len(points) < _CHEAP else _DEARER * tol
        if decrease <= asked * abs(best.value):
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
        # The far end is known to be worse; near it the polynomial only repeats that.
        furthest = end.t + _MARGIN * (best.t - end.t)
        t = min(t, furthest) if downhill > 0 else max(t, furthest)
        return t, best.value - value
    step, decrease = _beyond(points, best, downhill)
    t = float(np.clip(best.t + step, low, high))
    return t, decrease if t != best.t else 0.0


def _beyond(points: list[_Point], best: _Point, downhill: float) -> tuple[float, float]:
    """A step where no bracket is known, and by how much F should fall.

    Far from a minimum F'' mostly dies away, and Newton's steps are too short. With two points at
    which F is convex, F'' is taken to be exponential in t between and beyond them.
    """
    longest = _LONGEST * (1.0 if len(points) == 1 else _GROWTH)
    slope, curvature = abs(best.slope), best.curvature
    if curvature <= 0:
        return downhill * longest, slope * longest
    others = [p for p in points if p is not best]
    rate = 0.0
    if others:
        near = min(others, key=lambda p: abs(p.t - best.t))
        if near.curvature > 0:
            rate = np.log(near.curvature / curvature) / abs(best.t - near.t)
    rest = 1.0 - rate * slope / curvature  # what is left of F'' where F' = 0
    if abs(rate) < 1e-3:
        step = slope / curvature
    elif rest > 0:
        step = -np.log(rest) / rate
    else:
        step = np.inf
    step = min(step, longest)
    # At least half the triangle under F' from here to its root, whatever way F'' bends.
    return downhill * step, slope * step / 2
