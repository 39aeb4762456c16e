"""From what was found to one verdict: the rules in the order in which they are asked."""

from typing import NamedTuple

import numpy as np

from argrad.diagnose.branches import Branches
from argrad.diagnose.certificate import Line, Standing, Verdict
from argrad.diagnose.curvature import Curvature
from argrad.diagnose.qualification import Qualification
from argrad.diagnose.smoothness import Smoothness
from argrad.diagnose.spot_check import Spot
from argrad.diagnose.subject import Evaluation

_WORDS = {
    "max_steps_reached": "max_steps was reached before the solve converged",
    "stalled": "the solve stalled: no step lowers the objective any more",
    "unbounded": "the iterates grow without limit",
    "nonfinite": "NaN or infinity was met on the way",
    "nonfinite_start": "the objective or its gradient is NaN or infinite at init",
    "saddle": "the solve ended at a saddle point or a maximum",
    "infeasible": "no point satisfies the constraints",
}
_TRY = {
    "max_steps_reached": "raise max_steps, start nearer, or choose another solver",
    "stalled": "look whether the objective is smooth and its gradient right, and smooth it if not",
    "unbounded": "add a penalty or a constraint that keeps y finite",
    "nonfinite": "start nearer to the solution, or rewrite what is not finite",
    "nonfinite_start": "start where the objective is finite",
    "saddle": "start elsewhere, or use argmax for argmin (or the reverse)",
    "infeasible": "relax a constraint",
}


class Accuracy(NamedTuple):
    """How well the lower problem was solved.

    `step` is the relative error of y, by the Newton step that is left or from a tighter solve;
    `inexact` what that does to the derivative; `design` the error of an approximate adjoint.
    """

    step: float
    inexact: float
    design: float
    left: np.ndarray | float = 0.0  # the error of each variable

    def line(self, at: Evaluation, approximate: bool) -> Line:
        values = {"status": at.status, "gradient norm": at.gradient_norm, "error of y": self.step}
        if at.rows.size:
            values["violation"] = at.violation
        if at.status == "raised":
            return Line("convergence", {}, "fail", at.message)
        if not at.found and not (approximate and at.status == "max_steps_reached"):
            return Line("convergence", values, "fail", _WORDS.get(at.status, at.status))
        if self.step > 1e-3:
            standing: Standing = "warn" if approximate else "fail"
            return Line("convergence", values, standing, "y is not a solution to three digits")
        if self.inexact > 1e-4:
            return Line("convergence", values, "warn", "solved inexactly, which the derivative has")
        return Line("convergence", values, "pass", "converged")


class Findings(NamedTuple):
    at: Evaluation
    approximate: bool
    external: bool
    accuracy: Accuracy
    smooth: Smoothness
    curved: Curvature
    held: Qualification
    spot: Spot
    branched: Branches
    refused: bool
    eps: float
    tol: float
    tie: float


Judgement = tuple[Verdict, str, str]


def judge(f: Findings) -> tuple[Verdict, str, str, float]:
    """(verdict, reason, remedy, error) for these findings."""
    verdict, reason, remedy = _unusable(f) or _kinked(f) or _wrong(f) or _measured(f)
    error = _error(f)
    if verdict == "one-sided" or (verdict == "invalid" and not error > f.tol):
        error = np.nan  # small errors of a number that is no derivative
    return verdict, reason, remedy, error


def _head_room(f: Findings) -> float:
    room = f.curved.condition * f.eps
    return float(room) if np.isfinite(room) else 0.0


def _error(f: Findings) -> float:
    known = [
        f.accuracy.step if f.external else 0.0,
        f.accuracy.inexact,
        f.accuracy.design,
        f.spot.error,
        _head_room(f),
    ]
    known = [e for e in known if not np.isnan(e)]
    return max(known) if known and not f.refused else np.nan


def _unusable(f: Findings) -> Judgement | None:
    """Where there is no solution to speak of, or none that is a function of x."""
    at, smooth = f.at, f.smooth
    if smooth.stochastic:
        return (
            "invalid",
            "the objective is stochastic: two calls with the same arguments differ.",
            "fix its random numbers: pass a key or a sample in args.",
        )
    if at.status == "raised":
        return "invalid", f"the derivative cannot be computed: {at.message}.", "rewrite it in JAX."
    stopped = f.approximate and at.status == "max_steps_reached"
    if not at.found and not stopped:
        if at.status == "stalled" and smooth.jump:
            return _jumping()
        if at.status == "stalled" and smooth.kink:
            return _creased("the solve stalled there")
        what = _WORDS.get(at.status, f"the solve ended with status {at.status}")
        if at.status == "saddle" and f.curved.kind in ("saddle", "maximum"):
            what = f"the solve ended at a {f.curved.kind}, not at a minimum of what is minimised"
        hint = _TRY.get(at.status, "look at the lower problem")
        if f.eps > 1e-10 and _head_room(f) > 1e-3:
            hint = "use float64: rounding may be what keeps the solve from converging"
        return "invalid", f"{what}.", hint + "."
    if f.curved.matters and f.curved.kind in ("saddle", "maximum"):
        return (
            "invalid",
            f"y* is a {f.curved.kind} of the objective, not what was asked for.",
            _TRY["saddle"] + ".",
        )
    if smooth.jump:
        return _jumping()
    flat = at.status == "singular" or f.curved.kind == "flat"
    if flat and not (at.status in ("kink", "dependent") and f.curved.kind != "flat"):
        more = ", or use float64, which may tell flat from ill-conditioned" if f.eps > 1e-10 else ""
        return (
            "invalid",
            "the Hessian is singular at y*: the minimum is flat or not isolated, so y* is no "
            "differentiable function of x.",
            f"add a small quadratic penalty, or remove the redundant variable{more}.",
        )
    if not f.branched.isolated:
        return (
            "invalid",
            "y* is not isolated: minima lie arbitrarily near to it.",
            "add a small quadratic penalty.",
        )
    if not f.held.bounded:
        return (
            "invalid",
            "the constraint qualification (MFCQ) fails: multipliers are unbounded.",
            "remove redundant constraints, or state g = y² <= 0 as y = 0.",
        )
    return None


def _jumping() -> Judgement:
    return (
        "invalid",
        "the objective is discontinuous at y*, and its gradient does not see it.",
        "replace the jump by something smooth, such as a sigmoid, or average over a perturbation.",
    )


def _creased(more: str) -> Judgement:
    return (
        "invalid",
        f"the objective has a kink at y*: its gradient jumps, and {more}.",
        "smooth it, or write the kink as a constraint (|y| <= t) or a proximal term.",
    )


def _kinked(f: Findings) -> Judgement | None:
    """Where y* has a slope to each side, or none."""
    spot = f.spot
    if spot.jumps or f.branched.hops:
        return (
            "invalid",
            "y* jumps at x: the slightest change of x leads to another solution.",
            "move x, start from y* to stay on its branch, or smooth or perturb the problem.",
        )
    weak = bool(f.held.weak)
    if spot.lost:
        return (
            "invalid",
            "there is no solution on one side of x, so there is no derivative to that side.",
            "move x into the region where the lower problem can be solved.",
        )
    if spot.diverges:
        return (
            "invalid",
            "differences of y* have no limit: its slope is infinite, or the solver too inexact.",
            "solve more accurately, or regularise the lower problem.",
        )
    if spot.kink:
        names = f" where {', '.join(f.held.weak[:3])} becomes active" if weak else ""
        return (
            "one-sided",
            f"y* has a kink{names}: its slopes to the two sides differ.",
            "use argrad.directional for either side, argrad.value where the value is enough, or "
            "smooth it (Barrier(t) for constraints).",
        )
    if f.refused and (weak or f.held.dependent):
        what = f"{', '.join(f.held.weak[:3])} weakly active" if weak else "dependent active rows"
        return (
            "one-sided",
            f"argrad gives no derivative here ({what}), although the slopes along the directions "
            "that were tried agree.",
            "use argrad.directional, or remove the redundant constraint.",
        )
    return None


def _wrong(f: Findings) -> Judgement | None:
    """Where a number exists that is not the derivative."""
    smooth, spot = f.smooth, f.spot
    if f.curved.kind == "degenerate":
        return (
            "invalid",
            "the minimum is degenerate: its curvature vanishes at y*, or so nearly that rounding "
            "decides what it is.",
            "add a small quadratic penalty.",
        )
    if smooth.kink:
        return _creased("its Hessian there says nothing of how y* moves")
    if f.refused:
        if f.external and f.accuracy.step > 1e-3:
            return (
                "invalid",
                "the point that the solver returned does not satisfy the conditions: it stopped "
                "early, or they are those of another problem.",
                "solve more accurately, or check the conditions.",
            )
        return (
            "invalid",
            "argrad refuses the derivative: the linear solve for it failed.",
            "see whether the point is a minimum, or use a stronger Implicit(linear_solver=...).",
        )
    if _head_room(f) > 0.1:
        return (
            "invalid",
            f"the condition number {f.curved.condition:.0e} leaves no digit of the derivative.",
            "use float64, rescale the variables, or add a quadratic penalty.",
        )
    off = 0.0 if np.isnan(spot.error) else spot.error
    if f.approximate:
        worst = max(off, f.accuracy.design)
        if worst >= 1:
            return (
                "invalid",
                f"the approximate derivative is off by {worst:.0%}, no better than none.",
                "use adjoint=Implicit().",
            )
        return None
    step = f.accuracy.step if np.isfinite(f.accuracy.step) else 0.0
    if f.external and step > 1e-2:
        return (
            "invalid",
            f"the lower problem is not solved: y is off by {step:.0%}.",
            "solve more accurately.",
        )
    # A solver that stops early is followed by its derivative with the root of its error, or
    # better (Gilbert 1992).
    allowed = max(f.tol, min(0.1, max(100 * step, step**0.5)))
    if off > allowed:
        return (
            "invalid",
            f"the derivative differs from differences of the solution by {min(off, 9.99):.0%}.",
            "check the conditions, custom derivatives and stop_gradient in the objective; smooth "
            "what has kinks.",
        )
    if spot.transposed > max(f.tol, 100 * _head_room(f)):
        return (
            "invalid",
            "forward and reverse mode disagree.",
            "check custom derivatives in the objective.",
        )
    if f.branched.margin <= f.tie:
        return (
            "invalid",
            "another minimum is exactly as low, and to one side of x it is lower: the argmin jumps "
            "at x, although the branch that was found is smooth.",
            "move x, or regularise until one minimum is left.",
        )
    return None


def _measured(f: Findings) -> Judgement:
    error = _error(f)
    if error > f.tol:
        source = {
            f.accuracy.design: "the adjoint is approximate",
            f.accuracy.inexact: "the lower problem is solved inexactly",
            f.accuracy.step: "the lower problem is solved inexactly",
            _head_room(f): f"the condition number {f.curved.condition:.0e} costs digits",
        }.get(error, "differences of the solution show it")
        remedy = "use adjoint=Implicit()" if f.approximate else "solve more accurately"
        if error == _head_room(f):
            remedy = "use float64" if f.eps > 1e-10 else "rescale or regularise"
        return "approximate", f"right to within {error:.0e}: {source}.", remedy + "."
    if f.spot.zero:
        return "valid", "y* does not depend on x here: its derivative is zero.", ""
    notes = [line for line in (f.branched.line(), f.held.line()) if line.standing == "warn"]
    more = f"; note: {notes[0].meaning}" if notes else ""
    return "valid", f"an isolated smooth solution, confirmed by differences{more}.", ""
