"""Following the solution along a segment of parameters, through every change of active rows."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from argrad.diagnose.follower import Follower, Line, LostError, Point, told
from argrad.diagnose.local import as_direction
from argrad.problem import extra_arguments
from argrad.rows import row_name
from argrad.status import SolveError
from argrad.transformation import Argmin, Solution

_CHANGES = 1000  # of the active rows, after which something is wrong


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
    x0, end = as_direction(x0, x1, "path", "x1")
    direction = jax.tree.map(jnp.subtract, end, x0)
    line = Line(solve, x0, direction, extra_arguments(args))
    local = line.local(0.0, init)
    first = local.solution
    segments: list[Segment] = []
    follower = Follower(line, local)
    point, active = follower.depart(local, 0.0)
    while True:
        if len(segments) > _CHANGES:
            raise SolveError(f"the active rows changed more than {_CHANGES} times on the way.")
        arrived, row = follower.next_change(point, active)
        segments.append(_segment(follower, point, active, arrived.t, row))
        if row is None:
            break
        local = follower.arrive(arrived, row)
        point, active = follower.depart(local, arrived.t)
    last = follower.as_solution(arrived.v, arrived.multipliers)
    with told(1.0):
        exact = solve.solution(line.at(1.0), last, *args)
    followed, found = (ravel_pytree(y)[0] for y in (last.primal, exact.primal))
    back = _reach(line, first)
    ahead = segments[0].end
    return Path(tuple(segments), exact, float(jnp.max(jnp.abs(followed - found))), (back, ahead))


def _reach(line: Line, init: Solution) -> float:
    """How far the active rows at x0 hold in the direction away from x1."""
    backwards = line._replace(direction=jax.tree.map(jnp.negative, line.direction))
    local = backwards.local(0.0, init)
    follower = Follower(backwards, local)
    try:
        return follower.next_change(*follower.depart(local, 0.0))[0].t
    except LostError as lost:
        return lost.t
    except SolveError:  # there may be no problem to solve on that side
        return 0.0


def _segment(
    follower: Follower, point: Point, active: np.ndarray, stop: float, row: int | None
) -> Segment:
    name = lambda row: row_name(follower.layout, int(row))
    names = tuple(name(i) for i in np.flatnonzero(active) if i >= follower.e)
    happens = "the end"
    if row is not None:
        happens = f"{name(row)} becomes {'inactive' if active[row] else 'active'}"
    start, slope = follower.unravel(point.v), follower.unravel(point.v_dot)
    return Segment(point.t, stop, start, slope, names, happens)
