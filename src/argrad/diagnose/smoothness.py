"""Whether the lower problem is smooth at y*: jumps, kinks, bends, and numbers drawn at random.

Along a direction u let r(δ) = L(y + δu) − L(y) − δ/2 (∇L(y) + ∇L(y + δu))·u, the error of the
trapezoidal rule, and q(δ) = ∇L(y + δu) − ∇L(y) − δ/2 (∇²L(y) + ∇²L(y + δu)) u. Both are O(δ³)
where L is smooth. As δ falls, r tends to a constant where L jumps, q to one where its gradient
does (a kink), and q/δ where its second derivative does (a bend, as of a squared hinge). A constant
is told from rounding by being the same, in sign and in size, on several scales.
"""

from typing import NamedTuple

import numpy as np

from argrad.diagnose.certificate import Line
from argrad.diagnose.subject import Evaluation, Subject

Array = np.ndarray
_ALIKE = 0.2  # relative difference up to which two scales show the same
_CALLS = 4  # with the same arguments, which a function answers with the same number


class Smoothness(NamedTuple):
    """What L does at y* and, for `near`, within a relative distance of 1e-2 of it."""

    looked: bool
    stochastic: float  # relative difference of two calls with the same arguments
    jump: float  # of L at y*, 0 where there is none
    kink: float  # of ∇L
    bend: float  # of ∇²L, relative to it
    near: str

    def line(self) -> Line:
        if not self.looked:
            return Line("smoothness", {}, "skip", "no finite solution to look around")
        values = {"jump": self.jump, "kink": self.kink, "bend": self.bend}
        if self.stochastic:
            values = {"spread": self.stochastic}
            return Line("smoothness", values, "fail", "two calls with the same arguments differ")
        if self.jump:
            return Line("smoothness", values, "fail", "the objective jumps at y*")
        if self.kink:
            return Line("smoothness", values, "fail", "the gradient jumps at y*: a kink")
        if self.bend:
            meaning = "the Hessian jumps at y*; the spot check says what that does to y*(x)"
            return Line("smoothness", values, "warn", meaning)
        if self.near:
            return Line("smoothness", values, "warn", f"{self.near} within 1e-2 of y*, not at it")
        return Line("smoothness", values, "pass", "the Hessian is continuous around y*")


def smoothness(
    subject: Subject, at: Evaluation, units: Array, rng: np.random.Generator
) -> Smoothness:
    """Look around the solution `at`, in steps relative to `units`, one a variable."""
    if not np.all(np.isfinite(at.y)) or np.max(np.abs(at.y)) > 1e100:
        return Smoothness(False, 0.0, 0.0, 0.0, 0.0, "")
    spread = _spread(subject, at, units)
    if spread:
        return Smoothness(True, spread, 0.0, 0.0, 0.0, "")
    found = [
        _along(subject, at, sign * u, units)
        for u in _directions(units, rng)
        for sign in (1.0, -1.0)
    ]
    jump, kink, bend = (max(f[i] for f in found) for i in range(3))
    near = next((f[3] for f in found if f[3]), "")
    return Smoothness(True, 0.0, jump, kink, bend, near)


def _spread(subject: Subject, at: Evaluation, units: Array) -> float:
    """How much calls with the same arguments differ, relative to what they return; 0 for rounding.

    Sums over several threads may round differently from call to call.
    """
    calls = [subject.model(at, at.y, units) for _ in range(_CALLS)]
    flat = np.array([np.concatenate([[f], g]) for _, g, _, f in calls])
    if not np.all(np.isfinite(flat[:, 1:])):
        return 0.0
    flat = np.nan_to_num(flat)
    difference = np.max(flat, axis=0) - np.min(flat, axis=0)
    scale = np.max(np.abs(flat), axis=0)
    scale[1:] = np.max(scale[1:]) + np.max(np.abs(calls[0][2]))
    beyond = difference > subject.eps**0.75 * scale
    return float(np.max(difference[beyond] / scale[beyond])) if np.any(beyond) else 0.0


def _directions(units: Array, rng: np.random.Generator) -> list[Array]:
    count = 1 if units.size == 1 else 2
    return [units * rng.choice([-1, 1], units.size) * rng.uniform(0.5, 1.5, units.size)
            for _ in range(count)]  # fmt: skip


def _along(subject: Subject, at: Evaluation, u: Array, units: Array):
    """(jump, kink, bend, what is near) on one side."""
    eps = subject.eps
    finest = eps**0.5
    scales = 1e-2 * (finest / 1e-2) ** np.linspace(0, 1, 7)
    value, gradient, product, _ = subject.model(at, at.y, u)
    tops, sides, bends = [], [], []
    curved, forces = [np.max(np.abs(product * u))], [np.max(np.abs(gradient * units))]
    for h in scales:
        other = subject.model(at, at.y + h * u, u)
        if not (np.isfinite(other[0]) or np.isnan(value)) or not np.all(np.isfinite(other[1])):
            tops.append(np.nan)
            sides.append(np.full(u.size, np.nan))
            bends.append(np.nan)
            continue
        tops.append(other[0] - value - h / 2 * (gradient + other[1]) @ u)
        # In the units of each variable, so that components can be compared.
        sides.append((other[1] - gradient - h / 2 * (product + other[2])) * units)
        bends.append(np.max(np.abs(other[2] - product) * units))
        curved.append(np.max(np.abs(other[2] * units)))
        forces.append(np.max(np.abs(other[1] * units)))
    curvature = np.max(curved)
    height = abs(value) + curvature
    jump = _constant(np.array(tops)[:, None], 1e4 * eps * height + 1e-300)
    # A kink is one if it outweighs what the curvature does over a millionth of y.
    least = max(1e-6, eps**0.5) * curvature + 1e3 * eps * np.max(forces) + 1e-300
    kink = _constant(np.array(sides), least)
    ends = np.array(bends[-3:])
    bend = 0.0
    if np.all(np.isfinite(ends)) and curvature > 0 and np.min(ends) > 1e-3 * curvature:
        bend = float(ends[-1] / curvature)
    near = ""
    if not (jump or kink or bend):
        wide = np.array(bends[:3])
        wide = wide[np.isfinite(wide)]
        expected = bends[3] * scales[0] / scales[3] if np.isfinite(bends[3]) else np.inf
        if wide.size and np.max(wide) > 0.3 * curvature and np.max(wide) > 10 * expected:
            near = "the Hessian jumps"
        if np.isfinite(tops[0]) and abs(tops[0]) > 0.1 * height and abs(tops[-1]) < 1e-3 * height:
            near = "the objective jumps"
    return jump, kink, bend, near


def _constant(values: Array, least: float) -> float:
    """The size of what the values on the finest four scales have in common, 0 if nothing."""
    ends = values[-4:]
    if not np.all(np.isfinite(ends)):
        return 0.0
    sizes = np.max(np.abs(ends), axis=1)
    if np.min(sizes) <= least:
        return 0.0
    apart = np.max(np.abs(ends[1:] - ends[:-1]), axis=1)
    return float(sizes[-1]) if np.all(apart <= _ALIKE * np.max(sizes)) else 0.0
