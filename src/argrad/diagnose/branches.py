"""Other solutions: as near as rounding, as far as other starts lead, and whether x lies between.

The derivative belongs to the branch of solutions that goes through y*. It means little if the
solver leaves that branch at the slightest change of x, or if another minimum is as low: the
difference Δ(x) of the two optimal values has, by the envelope theorem, a derivative without any
linear solve, and −Δ/Δ' is how far x may move until the global minimum jumps. Where both vanish,
as by symmetry, it does not jump.
"""

from typing import NamedTuple

import numpy as np

from argrad.diagnose.certificate import Line
from argrad.diagnose.subject import Evaluation, Subject
from argrad.transformation import Argmin

Array = np.ndarray
_FAR = 1e-3  # relative distance from which two solutions are two


class Branches(NamedTuple):
    """`noise` is how far y* is reproduced; `margin` the least relative change of x at which
    another minimum becomes the lower one."""

    isolated: bool
    noise: Array
    others: int
    lower: bool
    margin: float
    hops: bool

    def line(self) -> Line:
        noise = float(np.max(self.noise, initial=0.0))
        values = {"noise": noise, "others": self.others, "margin": self.margin}
        if not self.isolated:
            meaning = "started next to y*, the solver stays there: minima are not isolated"
            return Line("branches", values, "fail", meaning)
        if self.hops:
            meaning = "from init, the solver finds another minimum at the slightest change of x"
            return Line("branches", values, "fail", meaning)
        if self.margin < 1e-2:
            meaning = "another minimum is as low, and which is lower changes near x"
            return Line("branches", values, "warn", meaning)
        if self.lower:
            return Line("branches", values, "warn", "another start finds a lower minimum")
        if self.others:
            return Line("branches", values, "pass", "other minima exist; none is lower or near it")
        return Line("branches", values, "pass", "other starts find no other minimum")


def isolation(
    subject: Subject,
    centre: Evaluation,
    direction: Array,
    units: Array,
    inverse: Array | None,
    rng: np.random.Generator,
) -> tuple[bool, Array]:
    """Whether solves started next to y* return to it, and how well they reproduce it.

    With the inverse of the Hessian at y*, one that stays is told from one that stopped on its way,
    as may happen to variables that are small beside others.
    """
    noise = 4 * subject.eps * np.abs(centre.y)
    external = not isinstance(subject.solve, Argmin)
    eps = subject.eps
    isolated = True
    for scale in (1e-2,) if external else (eps**0.25, eps**0.375):
        for sign in (1, -1):
            jitter = scale * sign * units * rng.choice([-1, 1], subject.size)
            start = subject.y_tree(centre.y + jitter)
            again = subject.at(subject.x, start, direction, solve=subject.reference)
            if not again.found:
                continue
            apart = np.abs(again.y - centre.y)
            moved = np.abs(again.y - centre.y - jitter)
            stays = np.max(apart / units) > 0.3 * scale and np.max(moved / units) < 0.5 * scale
            if stays and inverse is not None:
                force = subject.model(centre, again.y, units)[1]
                stays = np.max(np.abs(inverse @ force) / units) < 0.1 * scale
                apart = np.zeros_like(apart)
            if stays and not np.max(np.abs(again.y - centre.y) / units) > 3 * scale:
                isolated = False
            elif not stays:
                noise = np.maximum(noise, apart)
    if external:  # the same start again: does the solver repeat itself?
        again = subject.at(subject.x, subject.start, direction)
        noise = 4 * subject.eps * np.abs(centre.y)
        if again.found:
            noise = np.maximum(noise, np.abs(again.y - centre.y))
    return isolated, noise


def branches(
    subject: Subject,
    centre: Evaluation,
    found: tuple[bool, Array],
    directions: list[Array],
    units: Array,
    starts: int,
    rng: np.random.Generator,
) -> Branches:
    """Look for other minima from `starts` other starts, and for changes of branch near x."""
    isolated, noise = found
    hops = isolated and _hops(subject, centre, directions, units)
    problem = subject.problem
    if problem is None or not isolated:
        return Branches(isolated, noise, 0, False, np.inf, hops)
    _, _, product, _ = subject.model(centre, centre.y, units)
    energy = float(np.sum(np.abs(product * units)))  # what values are large or small against
    sense = 1.0 if problem.sense == "min" else -1.0
    others: list[Evaluation] = []
    lower, margin = False, np.inf
    eps = subject.eps
    for y0 in _starts(subject, centre, units, starts, rng):
        other = subject.at(subject.x, y0, directions[0], solve=subject.reference)
        if not other.found or not _apart(other.y, centre.y, units):
            continue
        if any(not _apart(other.y, known.y, units) for known in others):
            continue
        others.append(other)
        difference = sense * (other.value - centre.value)
        size = abs(other.value) + abs(centre.value) + energy
        lower |= difference < -(eps**0.5) * size
        for d in directions:
            there = subject.at(subject.x, other.y_tree, d, solve=subject.reference)
            mine = subject.at(subject.x, centre.y_tree, d, solve=subject.reference)
            speed = sense * (there.value_slope - mine.value_slope)
            steep = abs(there.value_slope) + abs(mine.value_slope) + size
            if abs(speed) > eps**0.5 * steep:
                margin = min(margin, max(abs(difference) - 100 * eps * size, 0) / abs(speed))
    return Branches(isolated, noise, len(others), lower, float(margin), hops)


def _apart(a: Array, b: Array, units: Array) -> bool:
    return bool(np.max(np.abs(a - b) / (units + np.maximum(np.abs(a), np.abs(b)))) > _FAR)


def _starts(subject: Subject, centre: Evaluation, units: Array, count: int, rng):
    """The start, y* mirrored, and pairs to either side of y*, a tenth to ten times its size off."""
    if count:
        yield subject.start
        yield subject.y_tree(-centre.y)
    wide = units + 0.1 * np.median(units)
    for i in range(count):
        if i % 2 == 0:
            width = 10.0 ** (2 * i / max(count - 2, 1) - 1)
            signs = rng.choice([-1, 1], units.size)
            away = width * wide * signs * rng.uniform(0.5, 1.5, units.size)
        yield subject.y_tree(centre.y + (away if i % 2 == 0 else -away))


def _hops(subject: Subject, centre: Evaluation, directions: list[Array], units: Array) -> bool:
    """Whether solves from `init` at x ± a very little end far from where the branch leads."""
    if not isinstance(subject.solve, Argmin):
        return False  # there the spot check itself starts from init
    h = subject.eps**0.5
    solve = subject.reference if subject.approximate else subject.solve
    for d in directions[:2]:
        for sign in (1, -1):
            x = subject.x + sign * h * d
            fresh = subject.at(x, subject.start, d, solve=solve)
            along = subject.at(x, centre.y_tree, d, solve=subject.reference)
            if fresh.found and along.found and _apart(fresh.y, along.y, units):
                return True
    return False
