"""The derivative against differences of the solution, from both sides, and against its transpose.

Along a direction d of x the one-sided quotients s±(h) = ±(y*(x ± hd) − y*(x)) / h tend to the
one-sided derivatives. Richardson's extrapolation takes each to its limit, over steps h from a tenth
down to the root of the rounding; how far neighbouring steps agree, with the measured noise of the
solution divided by h, estimates its error, and the finest step at which that is small decides.
Equal limits that the derivative does not match: the derivative is wrong. Different limits: a
kink of y*. No limit: y* jumps, or its slope is infinite.

Source: Ridders 1982 for the choice of the step.
"""

from typing import NamedTuple

import numpy as np

from argrad.diagnose.certificate import Line
from argrad.diagnose.subject import Evaluation, Subject
from argrad.transformation import Argmin

Array = np.ndarray
_STEPS = 8
_OFF = 1e-3  # relative distance from y* at which neighbouring solves start


class Side(NamedTuple):
    """The limit of quotients to one side and an estimate of its error, per variable; `exists`
    false where they have none, and then `jumps` says whether y* itself has none."""

    slope: Array
    error: Array
    exists: bool
    jumps: bool
    lost: bool  # no solution on that side


class Spot(NamedTuple):
    """`error` is the relative distance of the derivative from the differences beyond what these
    cannot resolve, `resolution`; `gap` the relative distance of the two sides."""

    looked: bool
    error: float
    resolution: float
    gap: float
    kink: bool
    jumps: bool
    diverges: bool
    lost: bool
    transposed: float
    zero: bool
    scale: float

    def line(self, tol: float) -> Line:
        if not self.looked:
            return Line("spot check", {}, "skip", "no solution to differentiate")
        values = {
            "error": self.error,
            "resolution": self.resolution,
            "gap": self.gap,
            "transpose": self.transposed,
        }
        for hit, meaning in (
            (self.jumps, "y* jumps as x moves"),
            (self.lost, "there is no solution on one side of x"),
            (self.diverges, "differences have no limit: no slope, or an infinite one"),
            (self.kink, "the slopes to the two sides differ: a kink of y*"),
            (self.error > tol, "the derivative is not the slope of the solution"),
            (self.transposed > tol, "reverse and forward mode disagree"),
        ):
            if hit:
                return Line("spot check", values, "fail", meaning)
        if np.isnan(self.error):
            return Line("spot check", values, "fail", "argrad gives no derivative; y* has slopes")
        if self.resolution > tol:
            meaning = "nothing against the derivative, as far as differences can be resolved"
            return Line("spot check", values, "warn", meaning)
        return Line("spot check", values, "pass", "differences of the solution agree, both sides")


NOTHING = Spot(False, np.nan, np.nan, np.nan, False, False, False, False, np.nan, False, np.nan)


class _Checker(NamedTuple):
    subject: Subject
    centre: Evaluation
    noise: Array
    units: Array
    tol: float

    def quotient(self, direction: Array, h: float) -> Array:
        """s(h) to the side of the sign of h; NaN where there is no solution."""
        subject = self.subject
        start = subject.start
        if isinstance(subject.solve, Argmin):
            # Not from y* itself: Newton's first step from there would be the derivative under
            # test, and be taken for the last one where it is short.
            signs = np.where(np.arange(subject.size) % 2, -1.0, 1.0)
            start = subject.y_tree(self.centre.y + _OFF * signs * self.units)
        at = subject.at(subject.x + h * direction, start, direction, solve=subject.reference)
        # Where active rows depend on each other, the solution may be a compromise between them.
        torn = at.status == "dependent" and at.violation > 100 * np.max(self.blur(at.y, 1.0))
        if not at.found or torn:
            return np.full(subject.size, np.nan)
        return (at.y - self.centre.y) / h

    def blur(self, slope: Array, h: float) -> Array:
        """The error of a quotient from rounding: of y* and of x + hd."""
        return (2 * self.noise + self.subject.eps * np.abs(slope)) / abs(h)


def spot_check(
    subject: Subject,
    centre: Evaluation,
    directions: list[Array],
    derivatives: list[Evaluation],
    noise: Array,
    units: Array,
    tol: float,
    transposed: float,
) -> Spot:
    """Compare `derivatives` along `directions` with differences of y* around `centre`.

    `noise` is how far y* is reproduced by the solver, `transposed` what `transposition` found.
    """
    checker = _Checker(subject, centre, noise, units, tol)
    pairs = [
        _agreed(checker, d, at.slope) or (_limit(checker, d, 1.0), _limit(checker, d, -1.0))
        for d, at in zip(directions, derivatives, strict=True)
    ]
    sides = [side for pair in pairs for side in pair]
    claimed = np.array([at.slope for at in derivatives])
    known = np.array([np.where(side.exists, side.slope, 0) for side in sides])
    sizes = np.max(np.abs(np.vstack([known, np.nan_to_num(claimed)])), axis=0)
    floor = 1e-7 * units + 100 * noise + 1e-300
    weights = 1 / (sizes + floor)
    jumps, lost = any(s.jumps for s in sides), any(s.lost for s in sides)
    diverges = not all(s.exists for s in sides) and not jumps and not lost
    gap = resolution = 0.0
    whole = np.linalg.norm(sizes / units) or 1.0
    kink = False
    means, blurs = [], []
    for ahead, back in pairs:
        if not (ahead.exists and back.exists):
            continue
        blur = ahead.error + back.error
        apart = np.maximum(np.abs(ahead.slope - back.slope) - 3 * blur, 0) * weights
        gap = max(gap, float(np.max(apart)))
        means.append((ahead.slope + back.slope) / 2)
        blurs.append(blur / 2)
        resolution = max(resolution, float(np.linalg.norm(blur / 2 / units) / whole))
    kink = gap > 5 * tol
    error = np.nan
    if means and not kink and len(means) == len(derivatives) and np.all(np.isfinite(claimed)):
        off = np.maximum(np.abs(claimed - np.array(means)) - 3 * np.array(blurs), 0)
        error = relative(off, np.array(means), weights)
    return Spot(
        looked=True,
        error=error,
        resolution=resolution,
        gap=gap,
        kink=kink,
        jumps=jumps,
        diverges=diverges,
        lost=lost,
        transposed=transposed,
        zero=bool(np.all(claimed == 0)) and bool(np.all(sizes <= floor)),
        scale=float(np.max(sizes / units)),
    )


def relative(off: Array, right: Array, weights: Array) -> float:
    """‖off‖ / ‖right‖ in weights of each variable; at least the worst variable's share."""
    size = np.linalg.norm(right * weights)
    if size == 0:
        return 0.0 if not np.any(off) else np.inf
    worst = np.max(np.abs(off) * weights, initial=0.0)
    whole = np.linalg.norm(off * weights) / size
    return float(max(whole, worst) if worst > 0.5 else whole)


def _agreed(checker: _Checker, d: Array, claimed: Array) -> tuple[Side, Side] | None:
    """Both sides at once where two short steps agree with the derivative: the usual case."""
    if not np.all(np.isfinite(claimed)):
        return None
    eps = checker.subject.eps
    sizes = np.abs(claimed) + 1e-7 * checker.units + 100 * checker.noise + 1e-300
    for h in (eps**0.375, eps**0.375 / 8):
        for sign in (1.0, -1.0):
            found = checker.quotient(d, sign * h)
            off = np.abs(found - claimed) - checker.blur(found, h)
            if not np.all(off <= checker.tol / 2 * sizes):
                return None
            if np.any(checker.blur(found, h) > 100 * checker.tol * (sizes + checker.units)):
                return None
    error = checker.blur(claimed, eps**0.375)
    side = Side(claimed, error, True, False, False)
    return side, side


def _limit(checker: _Checker, d: Array, sign: float) -> Side:
    eps = checker.subject.eps
    steps = 0.1 * (eps**0.5 / 0.1) ** np.linspace(0, 1, _STEPS)
    ratio = steps[0] / steps[1]
    quotients = np.array([checker.quotient(d, sign * h) for h in steps])
    nothing = np.full(checker.subject.size, np.nan)
    there = np.all(np.isfinite(quotients), axis=1)
    if np.sum(there) < 3:
        return Side(nothing, nothing, False, False, True)
    steps, quotients = steps[there], quotients[there]
    best: tuple[float, Array, Array] | None = None
    for k in range(len(steps) - 2, -1, -1):
        fine, coarse = quotients[k + 1], quotients[k]
        blur = checker.blur(fine, steps[k + 1])
        candidates = [(fine, np.abs(fine - coarse) + blur)]
        if k > 0:
            better = (ratio * fine - coarse) / (ratio - 1)
            before = (ratio * coarse - quotients[k - 1]) / (ratio - 1)
            candidates.append((better, np.abs(better - before) + 2 * blur))
        for slope, error in candidates:
            worst = float(np.max(error / (np.abs(slope) + 1e-3 * checker.units)))
            if best is None or worst < best[0]:
                best = worst, slope, error
        if best is not None and best[0] <= checker.tol / 10:
            break  # the finest steps that can be resolved
    assert best is not None
    worst, slope, error = best
    # A slope is one if it was found to within a tenth, and no finer step contradicts it.
    allowed = 0.1 * (np.abs(slope) + 1e-2 * checker.units) + 5 * error
    blurs = np.array([checker.blur(s, h) for s, h in zip(quotients, steps, strict=True)])
    agrees = np.all(np.abs(quotients - slope) <= allowed + 5 * blurs, axis=1)
    if worst <= 0.1 and np.all(agrees[-2:]):
        return Side(slope, error, True, False, False)
    moved = np.max(np.abs(quotients) * steps[:, None] / checker.units, axis=1)
    noisy = np.max(checker.noise / checker.units)
    still = moved[-1] > 0.3 * moved[-3] and moved[-1] > max(1e-4, 100 * noisy)
    return Side(nothing, nothing, False, bool(still), False)


def transposition(
    directions: list[Array], derivatives: list[Evaluation], cotangent: Array
) -> float:
    """|wᵀ(D d) − (Dᵀw)ᵀd| relative to the terms of either sum, the worst over the directions."""
    worst = 0.0
    for d, at in zip(directions, derivatives, strict=True):
        if not (np.all(np.isfinite(at.slope)) and np.all(np.isfinite(at.pulled))):
            continue
        ahead, back = at.slope * cotangent, at.pulled * d
        size = max(np.sum(np.abs(ahead)), np.sum(np.abs(back)))
        if size > 0:
            worst = max(worst, float(abs(np.sum(ahead) - np.sum(back)) / size))
    return worst
