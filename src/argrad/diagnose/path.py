"""Following the solution along a segment of parameters, through every change of active rows."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from argrad.diagnose.local import Local, as_direction, hessian_at, local_model, on_rows, rates
from argrad.diagnose.one_sided import one_sided, vanishing_combinations
from argrad.problem import extra_arguments
from argrad.rows import row_name
from argrad.status import SolveError
from argrad.transformation import Argmin, Solution

_CHANGES = 1000  # of the active rows, after which something is wrong
_REFINEMENTS = 60  # Newton or bisection steps to one of them


class Segment(NamedTuple):
    """A stretch start <= t <= end on which the active rows stay the same.

    `primal` is y* at its start, `slope` dy*/dt there, `active` the names of the active
    inequalities, `change` what happens at its end.
    """

    start: float
    end: float
    primal: PyTree[Array]
    slope: PyTree[Array]
    active: tuple[str, ...]
    change: str


class Path(NamedTuple):
    """y* along x0 + t (x1 − x0), 0 <= t <= 1, made by `path`.

    - `segments`: one for each set of active rows.
    - `end`: the exact solution at x1, solved anew.
    - `drift`: the largest difference between it and where the path arrived. Beyond rounding only
      if the path of local solutions that begins at x0 is not the one that the solver finds at x1.
    - `valid`: how far, in t, the active rows and so the first derivative at x0 hold, backwards
      and forwards; 1 where nothing changes within the length of the segment.
    """

    segments: tuple[Segment, ...]
    end: Solution
    drift: float
    valid: tuple[float, float]

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The t at which active rows change."""
        return tuple(s.end for s in self.segments[:-1])

    def predict(self, t: float) -> PyTree[Array]:
        """y* at t, to first order from the start of its stretch; exact where y* is linear in x.

        ValueError for t outside of 0 to 1.
        """
        if not 0 <= t <= 1:
            raise ValueError(f"t must lie between 0 and 1, got {t}.")
        segment = next(s for s in self.segments if t <= s.end)
        return jax.tree.map(lambda y, d: y + (t - segment.start) * d, segment.primal, segment.slope)


class _Line(NamedTuple):
    """The problem along x0 + t · direction."""

    solve: Argmin
    x0: PyTree
    direction: PyTree
    args: tuple

    def at(self, t: float) -> PyTree:
        return jax.tree.map(lambda a, d: a + jnp.asarray(t * d, d.dtype), self.x0, self.direction)

    def local(self, t: float, init: PyTree) -> Local:
        return local_model(self.solve, self.at(t), self.direction, init, self.args, "path")

    def side(self, local: Local, t: float):
        y, dtype = local.solution.primal, local.v.dtype
        x = self.at(t)
        return one_sided(
            local, lambda dual: hessian_at(self.solve, y, jnp.asarray(dual, dtype), x, self.args)
        )


class _Point(NamedTuple):
    """Where the path is, how it moves on, and the rows that it moves on with."""

    t: float
    v: np.ndarray
    multipliers: np.ndarray
    rows: np.ndarray
    v_dot: np.ndarray
    multipliers_dot: np.ndarray
    rows_dot: np.ndarray


class _Change(NamedTuple):
    t: float
    row: int
    v: np.ndarray
    multipliers: np.ndarray


def path(solve: Argmin, x0: PyTree, x1: PyTree, init: PyTree, *args: Any) -> Path:
    """Follow y* from x0 to x1 through every change of its active constraints.

    Between two changes y* is a smooth function of t; at a change the one-sided derivative
    (`directional`) says which rows go on being active. Where objective and constraints are
    quadratic and linear, with t entering linearly, y* is piecewise linear and the prediction
    exact; elsewhere changes are located by Newton's method on the exact solution, and the
    prediction is of first order in each stretch.

    `init` is where the solve at x0 starts, `args` are those of `solve(x, init, *args)`. Runs on
    the host: not for use inside `jit`. Raises SolveError where a solve fails or the path cannot
    be followed (nothing feasible further on, or a local minimum that ceases to be one), TypeError
    and ValueError for arguments of the wrong kind or shape, ValueError for balls of the 1-norm and
    spheres of the 1- and ∞-norm, whose rows change from piece to piece.

    Source: Gal 1995 for linear and quadratic programs; Guddat, Guerra Vazquez and Jongen 1990.

    >>> import argrad as ag
    >>> capped = ag.argmin(lambda y, x: (y - x) ** 2, subject_to=[ag.box(None, 1.0)])
    >>> followed = ag.path(capped, 0.0, 2.0, 0.0)
    >>> [round(t, 4) for t in followed.breakpoints], followed.segments[0].change
    ([0.5], 'box.upper becomes active')
    >>> followed.predict(0.25).round(4), followed.predict(0.75).round(4)
    (Array(0.5, dtype=float32), Array(1., dtype=float32))
    """
    problem = getattr(solve, "problem", None)
    if problem is not None and problem.constraints is not None and problem.constraints.piecewise:
        raise ValueError(
            "path cannot follow a solution from piece to piece of a 1-norm ball or a sphere of the "
            "1- or ∞-norm; solve at several x instead."
        )
    x0 = jax.tree.map(jnp.asarray, x0)
    x0, end = as_direction(x0, x1, "path")
    direction = jax.tree.map(jnp.subtract, end, x0)
    line = _Line(solve, x0, direction, extra_arguments(args))
    local = line.local(0.0, init)
    first = local.solution
    segments: list[Segment] = []
    follower = _Follower(line, local)
    point, active = follower.depart(local, 0.0)
    while True:
        if len(segments) > _CHANGES:
            raise SolveError(f"the active rows changed more than {_CHANGES} times on the way.")
        change = follower.next_change(point, active)
        stop = 1.0 if change is None else change.t
        segments.append(follower.segment(point, active, stop, change))
        if change is None:
            break
        local = follower.arrive(change)
        point, active = follower.depart(local, change.t)
    arrived = follower.go(point, active, 1.0)
    last = follower.as_solution(arrived.v, arrived.multipliers)
    exact = solve.solution(line.at(1.0), last, *args)
    followed, found = (ravel_pytree(y)[0] for y in (last.primal, exact.primal))
    back = _reach(line, first)
    ahead = segments[0].end
    return Path(tuple(segments), exact, float(jnp.max(jnp.abs(followed - found))), (back, ahead))


def _reach(line: _Line, init: Solution) -> float:
    """How far the active rows at x0 hold in the direction away from x1."""
    backwards = line._replace(direction=jax.tree.map(jnp.negative, line.direction))
    local = backwards.local(0.0, init)
    follower = _Follower(backwards, local)
    try:
        change = follower.next_change(*follower.depart(local, 0.0))
    except SolveError:  # there may be no problem to solve on that side
        return 0.0
    return 1.0 if change is None else change.t


class _Follower:
    """Moves along one line; holds what does not change on the way."""

    def __init__(self, line: _Line, local: Local):
        self.line = line
        self.template = local.solution
        self.e = local.equalities
        self.layout = local.layout
        self.dtype = local.v.dtype
        self.tol = 100 * float(np.finfo(self.dtype).eps)
        constraints = line.solve.problem.constraints
        assert constraints is not None
        self.constraints = constraints
        self.shapes = constraints.shapes(local.solution.primal, line.x0, line.args)

    def unravel(self, v) -> PyTree:
        return ravel_pytree(self.template.primal)[1](jnp.asarray(v, self.dtype))

    def as_solution(self, v, multipliers) -> Solution:
        """A warm start."""
        dual = np.split(np.asarray(multipliers, self.dtype), [self.e])
        entries = self.constraints.by_constraint(self.shapes, *map(jnp.asarray, dual))
        return eqx.tree_at(
            lambda s: (s.primal, s.multipliers), self.template, (self.unravel(v), entries)
        )

    def depart(self, local: Local, t: float) -> tuple[_Point, np.ndarray]:
        """How the path leaves a point, and with which rows active."""
        side = self.line.side(local, t)
        # Rows that the one-sided derivative keeps tight are zero, not merely small.
        multipliers = np.where(side.tight, side.multipliers, 0)
        rows = np.where(side.tight, 0, local.rows)
        point = _Point(t, local.v, multipliers, rows, side.v, side.multipliers_dot, side.rows_dot)
        return point, side.tight

    def go(self, point: _Point, active: np.ndarray, t: float) -> _Point:
        """The solution at t on these rows, from a nearby one, with its derivatives."""
        ahead = t - point.t
        v = point.v + ahead * point.v_dot
        multipliers = point.multipliers + ahead * point.multipliers_dot
        x = self.line.at(t)
        found = on_rows(
            self.line.solve,
            self.unravel(v),
            jnp.asarray(multipliers, self.dtype),
            jnp.asarray(active),
            x,
            self.line.args,
        )
        moving = rates(
            self.line.solve,
            self.unravel(found.v),
            found.multipliers,
            jnp.asarray(active),
            x,
            self.line.direction,
            self.line.args,
        )
        return _Point(t, *map(np.asarray, (found.v, found.multipliers, *moving)))

    def next_change(self, point: _Point, active: np.ndarray) -> _Change | None:
        """Where the first row changes before t = 1, located on the exact solution."""
        low, high = point.t, np.inf
        last = point
        for _ in range(_REFINEMENTS):
            t, row = self._crossing(last, active, low)
            if not low < t < high:
                t = (low + high) / 2 if np.isfinite(high) else t
            if t >= 1 and not np.isfinite(high):
                t = 1.0
            last = self.go(last, active, t)
            margin, _ = self._margins(last, active)
            broken = np.flatnonzero(margin < -self.tol)
            if not np.all(np.isfinite(last.v)):
                raise SolveError(f"the solution cannot be followed to t = {t:g}.")
            if broken.size:
                high = t
                if high - low <= 4 * np.finfo(self.dtype).eps * max(1, t):
                    return _Change(
                        t, int(broken[np.argmin(margin[broken])]), last.v, last.multipliers
                    )
                continue
            if t == 1.0:
                return None
            low = t
            if margin[row] <= self.tol:
                return _Change(t, row, last.v, last.multipliers)
        raise SolveError(
            f"the change of {row_name(self.layout, row)} near t = {low:g} could not be located."
        )

    def _margins(self, point: _Point, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far each inequality is from changing, and how fast that grows."""
        scale = 1 + np.max(np.abs(point.multipliers), initial=0)
        margin = np.where(active, point.multipliers / scale, -point.rows)
        rate = np.where(active, point.multipliers_dot / scale, -point.rows_dot)
        margin[: self.e], rate[: self.e] = np.inf, 0
        return margin, rate

    def _crossing(self, point: _Point, active: np.ndarray, low: float) -> tuple[float, int]:
        """The first t at which a row is predicted to change."""
        margin, rate = self._margins(point, active)
        closing = rate < 0
        # At the start of a stretch rows rest at zero; only those that get worse count.
        when = np.full(margin.size, np.inf)
        when[closing] = point.t - margin[closing] / rate[closing]
        broken = margin < -self.tol
        if np.any(broken):
            when[~broken] = np.inf
        elif point.t == low:
            resting = (np.abs(margin) <= self.tol) & (np.abs(rate) <= self.tol)
            when[resting] = np.inf
        row = int(np.argmin(when))
        return float(when[row]), row

    def arrive(self, change: _Change) -> Local:
        """The local model at a change, with the row that changes called weakly active."""
        local = self.line.local(change.t, self.as_solution(change.v, change.multipliers))
        active, strong = local.active.copy(), local.strong.copy()
        active[change.row], strong[change.row] = True, False
        local = local._replace(active=active, strong=strong)
        return local._replace(dependent=vanishing_combinations(local).shape[1] > 0)

    def segment(self, point: _Point, active, stop: float, change: _Change | None) -> Segment:
        names = [row_name(self.layout, int(i)) for i in np.flatnonzero(active) if i >= self.e]
        happens = "the end"
        if change is not None:
            becomes = "inactive" if active[change.row] else "active"
            happens = f"{row_name(self.layout, change.row)} becomes {becomes}"
        return Segment(
            point.t, stop, self.unravel(point.v), self.unravel(point.v_dot), tuple(names), happens
        )
