"""One step after the other along a segment of parameters, from change to change."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree

from argrad.diagnose.local import Local, hessian_at, local_model, on_rows, rates
from argrad.diagnose.one_sided import one_sided, vanishing_combinations
from argrad.linalg.cholesky import DEFINITE
from argrad.status import SolveError
from argrad.transformation import Argmin, Solution

_STEPS = 1000  # to one change
_SHORTEST = 1e-9  # step, in t
_INNER = 0.382  # where in a step it is looked at once more; no simple fraction of any period
_EARLY = np.linspace(0.1, 0.9, 9)


class Line(NamedTuple):
    """The problem along x0 + t · direction."""

    solve: Argmin
    x0: PyTree
    direction: PyTree
    args: tuple

    def at(self, t: float) -> PyTree:
        return jax.tree.map(lambda a, d: a + jnp.asarray(t * d, d.dtype), self.x0, self.direction)

    def local(self, t: float, init: PyTree) -> Local:
        with told(t):
            return local_model(self.solve, self.at(t), self.direction, init, self.args, "path")

    def side(self, local: Local, t: float):
        y, dtype = local.solution.primal, local.v.dtype
        x = self.at(t)
        hessian = lambda l: hessian_at(self.solve, y, jnp.asarray(l, dtype), x, self.args)
        with told(t):
            return one_sided(local, hessian)


@contextmanager
def told(t: float) -> Iterator[None]:
    """Says in a SolveError how far the path has come."""
    try:
        yield
    except SolveError as error:
        raise SolveError(f"the path cannot be followed beyond t = {t:.6g}: {error}") from error


class LostError(SolveError):
    """The minimum cannot be followed beyond t."""

    def __init__(self, t: float):
        super().__init__(
            f"the path cannot be followed beyond t = {t:.6g}: the minimum ceases to be a strict "
            "one there, or bends too sharply."
        )
        self.t = t


class Point(NamedTuple):
    """Where the path is, how it moves on, and the rows that it moves on with."""

    t: float
    v: np.ndarray
    multipliers: np.ndarray
    rows: np.ndarray
    v_dot: np.ndarray
    multipliers_dot: np.ndarray
    rows_dot: np.ndarray


class Follower:
    """Moves along one line; holds what does not change on the way."""

    def __init__(self, line: Line, local: Local):
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

    def depart(self, local: Local, t: float) -> tuple[Point, np.ndarray]:
        """How the path leaves a point, and with which rows active."""
        side = self.line.side(local, t)
        # Rows that the one-sided derivative keeps tight are zero, not merely small.
        multipliers = np.where(side.tight, side.multipliers, 0)
        rows = np.where(side.tight, 0, local.rows)
        point = Point(t, local.v, multipliers, rows, side.v, side.multipliers_dot, side.rows_dot)
        return point, side.tight

    def go(self, point: Point, active: np.ndarray, t: float) -> Point | None:
        """The solution at t on these rows, from a nearby one, with its derivatives; None where
        Newton's method does not lead to a strict minimum."""
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
        size = 1 + float(jnp.linalg.norm(found.v))
        settled = found.step_norm <= float(np.finfo(self.dtype).eps) ** 0.5 * size
        if not settled or int(found.inverse.curvature) != DEFINITE:
            return None
        moving = rates(
            self.line.solve,
            self.unravel(found.v),
            found.multipliers,
            jnp.asarray(active),
            x,
            self.line.direction,
            self.line.args,
        )
        arrived = Point(t, *map(np.asarray, (found.v, found.multipliers, *moving)))
        return arrived if np.all(np.isfinite(arrived.v_dot)) else None

    def next_change(self, start: Point, active: np.ndarray) -> tuple[Point, int | None]:
        """Where the first row changes before t = 1, located on the exact solution, and which row;
        or the point at t = 1 and None."""
        low, last, high, cap = start, start, np.inf, np.inf
        for _ in range(_STEPS):
            t, row = self._crossing(last, active, low.t)
            if not low.t < t < high:
                t = (low.t + high) / 2 if np.isfinite(high) else t
            t = min(t, cap, 1.0)
            new = self.go(last, active, t)
            if new is not None:
                margin, _ = self._margins(new, active)
                broken = np.flatnonzero(margin < -self.tol)
                if broken.size:
                    last, high = new, t
                    if high - low.t <= 4 * np.finfo(self.dtype).eps * max(1, t):
                        return new, int(broken[np.argmin(margin[broken])])
                    continue
                if self._seen_through(low, new, active):
                    if margin[row] <= self.tol:
                        return new, row
                    if t == 1:
                        return new, None
                    low = last = new
                    cap = np.inf
                    continue
            # A shorter step, from where all is well.
            last, cap = low, (low.t + t) / 2
            if cap - low.t < _SHORTEST:
                break
        raise LostError(low.t)

    def _seen_through(self, low: Point, new: Point, active: np.ndarray) -> bool:
        """Whether a step is so short that nothing can have happened on its way unseen.

        It is where everything is linear; elsewhere where one point on the way is where the cubics
        through both ends put it, and these keep clear of any change.
        """
        h, e, d = new.t - low.t, self.e, low.v.size

        def flat(point: Point) -> tuple[np.ndarray, np.ndarray]:
            gaps = np.where(active, point.multipliers, -point.rows)[e:]
            rates = np.where(active, point.multipliers_dot, -point.rows_dot)[e:]
            return np.concatenate([point.v, gaps]), h * np.concatenate([point.v_dot, rates])

        (a, a_dot), (b, b_dot) = flat(low), flat(new)
        size = 1 + np.max(np.abs([a, b]))
        small = self.tol**0.5 * size
        bent = np.abs(np.array([b - a - a_dot, b_dot - a_dot]))
        if np.max(bent) <= small:
            return True
        middle = self.go(low, active, low.t + _INNER * h)
        if middle is None:
            return False

        def cubic(s):
            s = np.reshape(s, (-1, 1))
            left, right = (1 - s) ** 2, s**2
            values = left * (1 + 2 * s) * a + right * (3 - 2 * s) * b
            return values + left * s * a_dot - right * (1 - s) * b_dot

        error = np.abs(cubic(_INNER)[0] - flat(middle)[0])
        clear = cubic(_EARLY) - 3 * error >= -small
        return bool(np.max(error[:d]) <= 1e-2 * size and np.all(clear[:, d:]))

    def _margins(self, point: Point, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far each inequality is from changing, and how fast that grows."""
        scale = 1 + np.max(np.abs(point.multipliers), initial=0)
        margin = np.where(active, point.multipliers / scale, -point.rows)
        rate = np.where(active, point.multipliers_dot / scale, -point.rows_dot)
        margin[: self.e], rate[: self.e] = np.inf, 0
        return margin, rate

    def _crossing(self, point: Point, active: np.ndarray, low: float) -> tuple[float, int]:
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

    def arrive(self, point: Point, row: int) -> Local:
        """The local model at a change, with the row that changes called weakly active."""
        local = self.line.local(point.t, self.as_solution(point.v, point.multipliers))
        active, strong = local.active.copy(), local.strong.copy()
        active[row], strong[row] = True, False
        local = local._replace(active=active, strong=strong)
        return local._replace(dependent=vanishing_combinations(local).shape[1] > 0)
