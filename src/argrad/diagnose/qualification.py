"""The constraints at y*: independence, strict complementarity, and how near the next change is.

Linear independence of the active rows (LICQ) is the smallest singular value of the active rows,
each of length one, in balanced units. Where it fails, the constraint qualification of Mangasarian
and Fromovitz (MFCQ: equalities independent, and a direction that leaves every active inequality
strictly) tells bounded multipliers from unbounded ones (Gauvin 1977).
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from argrad.constraints import INACTIVE, STRONGLY_ACTIVE, WEAKLY_ACTIVE
from argrad.diagnose.certificate import Line
from argrad.diagnose.subject import Evaluation, Subject
from argrad.rows import row_name

Array = np.ndarray


class Qualification(NamedTuple):
    """`distance` is how far x may move along a tried direction, relative to its size, until to
    first order a row becomes active or inactive."""

    there: bool
    independence: float
    dependent: bool
    bounded: bool  # multipliers: MFCQ holds
    weak: tuple[str, ...]
    force: float
    slack: float
    distance: float
    changing: str
    active: Array

    def line(self) -> Line:
        if not self.there:
            return Line("constraints", {}, "skip", "there are none")
        values = {"independence": self.independence, "force": self.force, "slack": self.slack}
        values["distance"] = self.distance
        if not self.bounded:
            return Line("constraints", values, "fail", "MFCQ fails: multipliers are unbounded")
        if self.dependent:
            return Line("constraints", values, "fail", "LICQ fails: active rows are dependent")
        if self.weak:
            names = ", ".join(self.weak[:3])
            return Line("constraints", values, "fail", f"weakly active, a kink of y*: {names}")
        if self.distance < 1e-2:
            meaning = f"{self.changing} changes when x moves by {self.distance:.1g} of its size"
            return Line("constraints", values, "warn", meaning)
        return Line("constraints", values, "pass", "active rows independent and strongly active")


def qualification(
    subject: Subject, at: Evaluation, units: Array, slopes: list[Evaluation]
) -> Qualification:
    """Look at the solution `at`; `slopes` are evaluations there along several directions of x."""
    m = at.rows.size
    none = Qualification(
        False, np.inf, False, True, (), np.inf, np.inf, np.inf, "", np.zeros(m, bool)
    )
    if m == 0 or not np.all(np.isfinite(at.y)):
        return none
    e = m - at.activity.size
    if subject.barrier:
        return none._replace(active=np.arange(m) < e)
    if not at.found:
        return none._replace(active=at.active.copy())
    active = np.concatenate([np.ones(e, bool), at.activity != INACTIVE])
    strong = np.concatenate([np.zeros(e, bool), at.activity == STRONGLY_ACTIVE])
    weak = tuple(
        row_name(at.layout, e + int(i)) for i in np.flatnonzero(at.activity == WEAKLY_ACTIVE)
    )
    _, jacobian = subject.second_order(at)
    _, gradient, _, _ = subject.model(at, at.y, units)
    scaled = jacobian * units
    norms = np.linalg.norm(scaled, axis=1)
    unit = scaled / np.where(norms > 0, norms, 1)[:, None]
    sigma = np.linalg.svd(unit[active], compute_uv=False)
    independence = float(np.min(sigma, initial=np.inf))
    if np.sum(active) > subject.size:
        independence = 0.0
    dependent = at.status == "dependent"
    bounded = not dependent or _bounded(unit, norms, at, active, e, gradient * units)
    forces = np.abs(at.multipliers) * norms
    scale = np.max(forces, initial=0.0) + np.max(np.abs(gradient * units)) or 1.0
    lengths = np.where(norms > 0, norms, 1)
    distance, changing = _distance(at, slopes, active, strong)
    return Qualification(
        True,
        independence,
        dependent,
        bounded,
        weak,
        float(np.min(forces[strong] / scale, initial=np.inf)),
        float(np.min(-at.rows[~active] / lengths[~active], initial=np.inf)),
        distance,
        changing,
        active,
    )


def _bounded(unit: Array, norms: Array, at: Evaluation, active: Array, e: int, force) -> bool:
    """Whether MFCQ holds on the active rows."""
    held = norms > 1e-4 * np.max(norms, initial=0.0)
    if np.any(active & ~held):  # a row whose gradient vanishes, as that of y² <= 0 does
        return False
    equal, below = unit[:e], unit[e:][active[e:]]
    sigma = np.linalg.svd(equal, compute_uv=False) if e else np.ones(1)
    if e > unit.shape[1] or np.min(sigma) < 1e-8:
        return False
    if not below.size:
        return True
    d = unit.shape[1]
    found = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.hstack([below, np.ones((below.shape[0], 1))]),
        b_ub=np.zeros(below.shape[0]),
        A_eq=np.hstack([equal, np.zeros((e, 1))]) if e else None,
        b_eq=np.zeros(e) if e else None,
        bounds=[(-1, 1)] * d + [(None, 1)],
    )
    return found.status == 0 and -found.fun > 1e-6


def _distance(at, slopes, active, strong) -> tuple[float, str]:
    """The ratio test over rows that are not active and multipliers of those that are."""
    nearest, row = np.inf, -1
    for other in slopes:
        for room, speed, which in (
            (-at.rows, other.rows_slope, ~active),
            (at.multipliers, other.multipliers_slope, strong),
        ):
            if not np.all(np.isfinite(speed)):
                continue
            with np.errstate(divide="ignore", invalid="ignore"):
                far = np.where(which & (speed != 0), np.maximum(room, 0) / np.abs(speed), np.inf)
            if far.size and np.min(far) < nearest:
                nearest, row = float(np.min(far)), int(np.argmin(far))
    return nearest, row_name(at.layout, row) if row >= 0 else ""
