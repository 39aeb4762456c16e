"""A certificate for the derivative of a lower solution at one x."""

from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from argrad.diagnose.branches import Branches, branches, isolation
from argrad.diagnose.certificate import Certificate, Line
from argrad.diagnose.curvature import DENSE, Curvature, curvature
from argrad.diagnose.qualification import qualification
from argrad.diagnose.smoothness import smoothness
from argrad.diagnose.spot_check import NOTHING, relative, spot_check, transposition
from argrad.diagnose.subject import Evaluation, Subject
from argrad.diagnose.verdict import Accuracy, Findings, judge
from argrad.external import External
from argrad.transformation import Argmin

Array = np.ndarray
_DIRECTIONS = 3


def check(
    solve: Argmin | External,
    x: PyTree,
    init: PyTree,
    *args: Any,
    starts: int = 16,
    tol: float | None = None,
    seed: int = 0,
) -> Certificate:
    """Whether the derivative of `solve` at x can be trusted, and why or why not.

    `solve`, `x`, `init` and `args` are those of `solve(x, init, *args)`, with `solve` made by
    `argmin`, `argmax` or `implicit`. The result is a `Certificate`; print it. Its verdicts, of the
    claim that jvp and vjp of `solve` at x are the derivative D of y*:

    - **valid**: y*(x) is an isolated, smooth solution, and D is its derivative to within `tol`.
    - **one-sided**: y* has a slope to each side, lim (y*(x + td) − y*(x)) / t as t falls to 0, but
      they differ (a kink), or argrad gives no D because active constraints are weakly active or
      redundant. `argrad.directional` gives either side.
    - **approximate**: D is the derivative up to a measured relative error above `tol`: an
      approximate adjoint, an inexact solve, a condition number that costs digits.
    - **invalid**: neither. There is no isolated solution here (no convergence, a saddle, a flat
      direction), it does not move continuously with x, the objective has a jump or kink at y*
      that derivatives cannot see, or D is not the slope of the solution (wrong conditions).

    What is looked at, a line each: convergence; smoothness of the Lagrangian around y*;
    curvature on the null space of the active rows; constraint qualification, strict
    complementarity and the distance to the next change of active rows; the digits that rounding
    leaves; differences of y* from both sides against D, and D against its transpose; other minima;
    whether y* depends on x at all. `argrad.diagnose` has a module for each, with its definitions.

    It is evidence, not proof: D and y* are looked at along up to three random directions, other
    minima from `starts` other starts (0 for none), and a kink or jump is seen at x, or further
    from it than about the root of the rounding of x.

    - `tol`: the relative error up to which D counts as right: 1e-4, in float32 3e-3.
    - `seed`: of directions and starts.

    Some tens of solves, on the host: not for use inside `jit`. A problem that is bad gives a
    verdict, not an error; TypeError and ValueError are raised for arguments of the wrong kind,
    and whatever the objective raises when it is called with arguments that do not fit.

    Source: Fiacco 1983 for what makes D exist; Ridders 1982 for differences; Gauvin 1977 for
    multipliers.

    >>> import argrad as ag
    >>> capped = ag.argmin(lambda y, x: (y - x) ** 2, subject_to=[ag.box(None, 1.0)])
    >>> ag.check(capped, 2.0, 0.0).verdict
    'valid'
    >>> print(ag.check(capped, 1.0, 0.0).reason)
    Y* has a kink where box.upper becomes active: its slopes to the two sides differ.
    """
    if not isinstance(solve, Argmin | External):
        raise TypeError(f"check needs what argrad.argmin, argmax or implicit made, got {solve!r}.")
    if starts < 0:
        raise ValueError(f"starts must not be negative, got {starts}.")
    if tol is not None and not 0 < tol < 1:
        raise ValueError(f"check needs 0 < tol < 1, got {tol}.")
    if any(isinstance(a, jax.core.Tracer) for a in jax.tree.leaves((x, init, args))):
        raise TypeError("check runs on the host and cannot be used inside jit, vmap or grad.")
    subject = Subject(solve, x, init, args)
    if subject.x.size == 0:
        raise ValueError("x holds no floating-point numbers to differentiate by.")
    rng = np.random.default_rng(seed)
    tol = max(1e-4, 8 * subject.eps**0.5) if tol is None else tol

    directions = _directions(subject, rng)
    base = subject.at(subject.x, subject.start, directions[0])
    if base.status == "raised":
        subject.shapes()  # where the arguments are to blame, their own error is the better one
    centre, slopes = base, [base]
    if base.status != "raised" and subject.reference is not subject.solve:
        centre = subject.at(subject.x, base.y_tree, directions[0], solve=subject.reference)
    units = _units(subject, base, [base, centre])
    cotangent = 1 / units
    if base.found or subject.approximate:
        slopes = [subject.at(subject.x, subject.start, d, cotangent) for d in directions]
        units = _units(subject, centre, [*slopes, centre])
    exact = slopes
    if centre is not base and centre.found:
        exact = [
            subject.at(subject.x, centre.y_tree, d, solve=subject.reference) for d in directions
        ]
    held = qualification(subject, centre, units, exact)
    ended = ("raised", "unbounded", "nonfinite", "nonfinite_start", "infeasible")
    usable = centre.status not in ended
    around = centre if usable else centre._replace(y=np.full(subject.size, np.nan))
    smooth = smoothness(subject, around, units, rng)
    curved = curvature(subject, around, held.active, units)
    spot, branched = NOTHING, Branches(True, np.zeros(1), 0, False, np.inf, False)
    accuracy = _accuracy(subject, base, centre, slopes, exact, curved, units, directions)
    if centre.found and not smooth.stochastic:
        found = isolation(subject, centre, directions[0], units, curved.inverse, rng)
        both = transposition(directions, slopes, cotangent)
        spot = spot_check(subject, centre, directions, exact, found[1], units, tol, both)
        if (spot.diverges or spot.jumps) and np.any(accuracy.left > found[1]):
            # Where the solver stops early, y* is no smoother than its error.
            rough = np.maximum(found[1], accuracy.left)
            spot = spot_check(subject, centre, directions, exact, rough, units, tol, both)
            if spot.diverges and accuracy.step > subject.eps**0.5:
                spot = spot._replace(diverges=False, resolution=np.inf, error=0.0)
        branched = branches(subject, centre, found, directions, units, starts, rng)
    refused = any(s.refused for s in slopes)
    at = base if centre.found else centre
    findings = Findings(
        at, subject.approximate, isinstance(solve, External), accuracy, smooth, curved, held,
        spot, branched, refused, subject.eps, tol, subject.eps**0.5,
    )  # fmt: skip
    verdict, reason, remedy, error = judge(findings)
    lines = (
        accuracy.line(at, subject.approximate),
        smooth.line(),
        curved.line(),
        held.line(),
        curved.head_room(subject.eps),
        spot.line(tol),
        branched.line(),
        _dependence(spot),
    )
    reason = reason[0].upper() + reason[1:]
    return Certificate(verdict, reason, remedy[:1].upper() + remedy[1:], error, lines)


def _dependence(spot) -> Line:
    if not spot.looked:
        return Line("dependence", {}, "skip", "no derivative to look at")
    if spot.zero:
        return Line("dependence", {}, "warn", "y* does not move with x: the derivative is zero")
    values = {"sensitivity": spot.scale}
    return Line("dependence", values, "pass", "y* moves with x")


def _directions(subject: Subject, rng: np.random.Generator) -> list[Array]:
    """Random directions of x in which every element moves by about its own size."""
    sizes = np.empty_like(subject.x)
    start = 0
    for leaf in jax.tree.leaves(subject.moving):
        part = np.abs(subject.x[start : start + leaf.size])
        known = part[part > 0]
        # An element that is zero has the size of its neighbours, on a logarithmic scale.
        typical = np.exp(np.mean(np.log(known))) if known.size else 1.0
        sizes[start : start + leaf.size] = np.where(part > 0, part, typical)
        start += leaf.size
    n = sizes.size
    return [
        sizes * rng.choice([-1.0, 1.0], n) * (1.0 if n == 1 else rng.uniform(0.5, 1.5, n))
        for _ in range(min(_DIRECTIONS, n))
    ]


def _units(subject: Subject, at: Evaluation, known: list[Evaluation]) -> Array:
    """The size of each variable: its own, or what it moves by; or, where both are next to
    nothing, what has as much curvature as the others have."""
    sizes = np.zeros(subject.size)
    for e in known:
        for vector in (e.y, e.slope):
            sizes = np.maximum(sizes, np.where(np.isfinite(vector), np.abs(vector), 0))
    sizes = np.minimum(sizes, 1e100)
    softness = np.ones(subject.size)
    if subject.size <= DENSE and np.all(np.isfinite(at.y)):
        diagonal = np.abs(np.diagonal(subject.second_order(at)[0]))
        diagonal = np.where(np.isfinite(diagonal), diagonal, 0)
        positive = diagonal[diagonal > 0]
        if positive.size:
            softness = 1 / np.sqrt(np.where(diagonal > 0, diagonal, np.max(positive)))
    common = np.max(sizes / softness)
    if common * np.max(softness) <= 1e-300 or common == 0:
        common = 1 / np.max(softness)
    return np.maximum(sizes, 1e-3 * common * softness)


def _accuracy(
    subject: Subject,
    base: Evaluation,
    centre: Evaluation,
    slopes: list[Evaluation],
    exact: list[Evaluation],
    curved: Curvature,
    units: Array,
    directions: list[Array],
) -> Accuracy:
    size = float(np.linalg.norm(base.y / units)) or 1.0
    if isinstance(subject.solve, External):
        return _of_external(subject, base, curved, units, size, directions)
    step = base.step_norm / max(float(np.linalg.norm(base.y)), 1e-300)
    if not np.any(base.y):
        step = base.step_norm
    if centre is base or not centre.found:
        return Accuracy(float(step), 0.0, 0.0)
    step = float(np.linalg.norm((base.y - centre.y) / units) / size)
    mine = np.array([s.slope for s in slopes])
    right = np.array([s.slope for s in exact])
    if not (np.all(np.isfinite(mine)) and np.all(np.isfinite(right))):
        return Accuracy(step, np.nan, np.nan)
    weights = 1 / (np.max(np.abs(np.vstack([mine, right])), axis=0) + 1e-7 * units)
    off = np.abs(mine - right)
    error = relative(off, right, weights)
    if subject.approximate:
        # In whichever norm is the kinder: that of a gradient step is below 1 in the plain one.
        plain = np.linalg.norm(off) / (np.linalg.norm(right) or 1.0)
        error = min(error, float(plain))
    return Accuracy(step, 0.0, error) if subject.approximate else Accuracy(step, error, 0.0)


def _of_external(subject, base, curved, units, size, directions) -> Accuracy:
    """The Newton step that is left, and how much the derivative changes over it."""
    if curved.inverse is None or subject.size > DENSE:
        return Accuracy(np.nan, 0.0, 0.0)
    residual = subject.model(base, base.y, units)[1]
    step = curved.inverse @ residual
    error = float(np.linalg.norm(step / units) / size)
    if not error < 0.1:
        return Accuracy(error, np.nan, 0.0)
    nearer = base.y - step
    matrix, _ = subject.second_order(base, nearer)
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return Accuracy(error, np.nan, 0.0)
    mine = np.array([-curved.inverse @ subject.driven(base.y, d) for d in directions])
    right = np.array([-inverse @ subject.driven(nearer, d) for d in directions])
    weights = 1 / (np.max(np.abs(np.vstack([mine, right])), axis=0) + 1e-7 * units)
    return Accuracy(error, relative(np.abs(mine - right), right, weights), 0.0, np.abs(step))
