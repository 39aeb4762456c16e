"""Active sets of a convex quadratic program: exchanged until all signs are right, then refined.

Given a set of rows to hold with equality, the optimality conditions are linear. Rows with a
negative multiplier are then let go and rows that are violated are held, all at once: Newton's
method on the conditions written as max(0, μ + c·(J y − limits)) = μ, c > 0. As a rule it ends
after very few steps, and what it ends at is exact. Where it does not, nothing is claimed.

Source: Hintermüller, Ito and Kunisch 2002; Júdice and Pires 1994.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from argrad.linalg.extremes import largest
from argrad.solvers.active_set import INACTIVE, STRONGLY_ACTIVE, WEAKLY_ACTIVE
from argrad.solvers.quadratic_program_data import Residual, Units, residual
from argrad.solvers.quadratic_program_forms import (
    DualForm,
    PrimalForm,
    backwards,
    forwards,
    substitute,
)

_PATIENCE = 4  # exchanges without fewer wrong signs than ever before
_REFINEMENTS = 8


class Start(NamedTuple):
    """Where to begin: a point and the rows to hold at first."""

    y: Float[Array, " n"]
    l: Float[Array, " m"]
    held: Bool[Array, " m"]


class Candidate(NamedTuple):
    """A point on the rows that are held, and what is known of it.

    `factor` is that of the held rows; `error` the largest residual of all optimality conditions,
    signs included, relative to the sizes of their terms, infinite for NaN.
    """

    y: Float[Array, " n"]
    l: Float[Array, " m"]
    held: Bool[Array, " m"]
    factor: Float[Array, "k k"]
    error: Float[Array, ""]
    step_norm: Float[Array, ""]
    steps: Int[Array, ""]
    activity: Int[Array, " m"]
    gradient_norm: Float[Array, ""]
    violation: Float[Array, ""]


def candidate(
    form: DualForm | PrimalForm,
    units: Units,
    start: Start,
    known: Float[Array, "k k"] | None = None,
) -> Candidate:
    """Exchange rows until signs are right or progress ends, and refine what is found.

    `known` is the factor in this form of the rows that `start` holds.
    """
    if isinstance(form, DualForm):
        y, l, held, factor, steps = _exchange_dual(form, units, start, known)
    else:
        y, l, held, factor, steps = _exchange_primal(form, units, start, known)
    e = form.program.equalities

    def unfinished(carry):
        _, _, now, before, steps = carry[:5]
        error = now.error(held)
        return (error > rounding) & (error < 0.5 * before) & (steps < _REFINEMENTS)

    def refine(carry):
        y, l, now, _, steps, _ = carry
        slack = jnp.where(held, now.slack, 0)
        dy, dl = form.solve(factor, held, None, -now.gradient, slack)
        new_y, new_l = y + dy, jnp.where(held, l + dl, 0)
        new = residual(form.program, units, new_y, new_l)
        before = now.error(held)
        better = new.error(held) < before
        y, l, now = (
            tuple(jnp.where(better, a, b) for a, b in zip(new_part, part, strict=True))
            for new_part, part in (((new_y,), (y,)), ((new_l,), (l,)), (new, now))
        )
        return y[0], l[0], Residual(*now), before, steps + 1, jnp.linalg.norm(dy)

    eps = float(jnp.finfo(y.dtype).eps)
    rounding = 4 * eps**0.9  # less would refine a whole batch for the worst of its programs
    infinite, unknown = (jnp.full((), value, y.dtype) for value in (jnp.inf, jnp.nan))
    now = residual(form.program, units, y, l)
    carry = (y, l, now, infinite, jnp.array(0), unknown)
    y, l, now, _, refinements, step_norm = lax.while_loop(unfinished, refine, carry)
    below = jnp.arange(l.size) >= e
    force, short = l * units.norms / now.force, now.slack / now.reach
    wrong = jnp.where(below, -jnp.where(held, force, short), 0)
    error = jnp.maximum(now.error(held), largest(wrong))
    touching = jnp.where(short <= eps**0.75, WEAKLY_ACTIVE, INACTIVE)
    activity = jnp.where(force > eps**0.75, STRONGLY_ACTIVE, touching)
    return Candidate(
        y=y,
        l=l,
        held=held,
        factor=factor,
        error=jnp.where(jnp.isnan(error), jnp.inf, error),
        step_norm=step_norm,
        steps=steps + refinements,
        activity=jnp.where(below, activity, STRONGLY_ACTIVE),
        gradient_norm=jnp.linalg.norm(now.gradient),
        violation=now.violation(e),
    )


class _Progress(NamedTuple):
    """How many signs are wrong, the fewest that ever were, and how long ago that was."""

    wrong: Int[Array, ""]
    fewest: Int[Array, ""]
    waited: Int[Array, ""]

    def after(self, wrong: Int[Array, ""]) -> "_Progress":
        waited = jnp.where(wrong < self.fewest, 0, self.waited + 1)
        return _Progress(wrong, jnp.minimum(wrong, self.fewest), waited)

    @property
    def unfinished(self) -> Bool[Array, ""]:
        return (self.wrong > 0) & (self.waited <= _PATIENCE)


def _begin(m: int) -> _Progress:
    return _Progress(jnp.array(m + 1), jnp.array(m + 1), jnp.array(0))


def _exchange_dual(form: DualForm, units: Units, start: Start, known: Array | None):
    """In the space of the multipliers, where only matrices with a row a constraint are met."""
    del units
    program, offset = form.program, form.offset
    m = offset.size
    equal = jnp.arange(m) < program.equalities
    tol = float(jnp.finfo(offset.dtype).eps) ** 0.75
    centre = jnp.zeros_like(start.y)
    if form.shift is not None:  # what was added to Q pulls towards `start`: a proximal step
        centre = form.shift * forwards(form.L, start.y)
        offset = offset - form.R @ centre
    roots = jnp.sqrt(jnp.diagonal(form.S))
    size = jnp.linalg.norm(form.q)

    def step(carry, factor=None):
        held, _, _, steps, progress = carry
        factor = form.factorise(held, None) if factor is None else factor
        l = substitute(factor, jnp.where(held, -offset, 0))
        moved = form.S @ l
        force = jnp.sqrt(jnp.maximum(l @ moved, 0))
        negative = l * roots < -tol * (force + size)
        violated = offset + moved < -tol * (jnp.abs(offset) + roots * force)
        wrong = jnp.where(held, negative, violated) & ~equal
        progress = progress.after(jnp.sum(wrong))
        return held ^ (wrong & progress.unfinished), l, factor, steps + 1, progress

    carry = (start.held | equal, start.l, jnp.zeros_like(form.S), jnp.array(0), _begin(m))
    carry = carry if known is None else step(carry, known)
    held, l, factor, steps, _ = lax.while_loop(lambda c: c[-1].unfinished, step, carry)
    return backwards(form.L, centre - form.q - l @ form.R), l, held, factor, steps


def _exchange_primal(form: PrimalForm, units: Units, start: Start, known: Array | None):
    program = form.program
    m, e = program.size, program.equalities
    equal = jnp.arange(m) < e
    tol = float(jnp.finfo(start.y.dtype).eps) ** 0.75

    def step(carry, factor=None):
        y, l, held, _, steps, progress = carry
        factor = form.factorise(held, None) if factor is None else factor
        l = jnp.where(held, l, 0)
        now = residual(program, units, y, l)
        slack = jnp.where(held, now.slack, 0)
        dy, dl = form.solve(factor, held, None, -now.gradient, slack)
        y, l = y + dy, jnp.where(held, l + dl, 0)
        now = residual(program, units, y, l)
        excess = -now.slack / now.reach
        negative = l * units.norms < -tol * now.force
        wrong = jnp.where(held, negative, _violated(program, excess, tol)) & ~equal
        progress = progress.after(jnp.sum(wrong))
        flip = wrong & progress.unfinished
        held = jnp.where(jnp.any(flip), _pinned(program, held ^ flip, l), held)
        return y, l, held, factor, steps + 1, progress

    shapes = eqx.filter_eval_shape(form.factorise, start.held, None)
    none = jax.tree.map(lambda part: jnp.zeros(part.shape, part.dtype), shapes)
    begin = _pinned(program, start.held | equal, start.l) if known is None else start.held
    carry = (start.y, start.l, begin, none, jnp.array(0), _begin(m))
    carry = carry if known is None else step(carry, known)
    y, l, held, factor, steps, _ = lax.while_loop(lambda c: c[-1].unfinished, step, carry)
    return y, l, held, factor, steps


def _pinned(program, held, l):
    """`held`, but of two equal bounds always one: that which the variable presses against."""
    if program.lower is None or program.upper is None:
        return held
    lower, upper = program.bounds(held)
    force_down, force_up = program.bounds(l)
    fixed, up = program.lower == program.upper, force_up >= force_down
    lower, upper = jnp.where(fixed, ~up, lower), jnp.where(fixed, up, upper)
    return jnp.concatenate([held[: program.rows.shape[0]], lower, upper])


def _violated(program, excess, tol):
    """Rows to be held; of two bounds on one variable only the one that is violated more."""
    violated = excess > tol
    lower, upper = program.bounds(excess)
    if lower is None or upper is None:
        return violated
    first = lower >= upper
    others = jnp.ones(program.rows.shape[0], bool)
    return violated & jnp.concatenate([others, first, ~first])
