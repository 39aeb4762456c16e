"""Newton's method on the active rows: to machine precision from what another solver found.

Also the verdict on the point: which rows are active, by slack and multiplier together, whether
they are independent, and whether it is a minimum on them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from argrad.constraints import INACTIVE, STRONGLY_ACTIVE, WEAKLY_ACTIVE
from argrad.linalg.cholesky import DEFINITE
from argrad.linalg.kkt import KKTInverse, kkt_inverse
from argrad.solvers.quadratic_model import Flat, Model, first_order, lagrangian_hessian

POLISHING_STEPS = 20
_TO_WALL = 0.999  # of the way to a wall, that one step may go at most
_FURTHER = 3  # times as many steps while they are no small part of the distance to a bound


class Polished(NamedTuple):
    """A point that satisfies the optimality conditions on its active rows.

    `error` is the largest residual of all conditions, relative to the sizes of their terms;
    `activity` of each row below is INACTIVE, WEAKLY_ACTIVE or STRONGLY_ACTIVE. `runaway` is how
    far each multiplier runs off, the largest 1, all 0 where they have bounds; `flattening` says
    that the curvature still fell by a share in the last step, so that it may be zero where the
    steps lead. `nonfinite` are the rows that, or whose gradients, are NaN or infinite.
    """

    v: Float[Array, " d"]
    multipliers: Float[Array, " m"]
    active: Bool[Array, " m"]
    activity: Int[Array, " i"]
    inverse: KKTInverse
    runaway: Float[Array, " m"]
    flattening: Bool[Array, ""]
    error: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    violation: Float[Array, " m"]
    nonfinite: Bool[Array, " m"]
    step_norm: Float[Array, ""]
    steps: Int[Array, ""]


class _Carry(NamedTuple):
    """`walls` are rows that y must keep clear of, `gap` is the largest share of its distance to
    one that the last step would have taken, `leap` that to any row without force. Rounding of y
    bends ∇L by up to eps `bending`."""

    v: Array
    multipliers: Array
    active: Array
    last: Array
    walls: Array
    inverse: KKTInverse
    bending: Array
    step_norm: Array
    gap: Array
    leap: Array
    growth: Array
    steps: Array
    settled: Array


class _Scales(NamedTuple):
    """What residuals are small against: of stationarity, and of each row."""

    force: Float[Array, ""]
    rows: Float[Array, " m"]
    row_norms: Float[Array, " m"]


def polish(
    flat: Flat,
    v: Float[Array, " d"],
    multipliers: Float[Array, " m"],
    active: Bool[Array, " m"],
    *,
    fixed: bool = False,
    max_steps: int | Int[Array, ""] = POLISHING_STEPS,
) -> Polished:
    """Newton steps on the rows in `active`, which leave and join it as signs demand.

    A row leaves when its multiplier turns negative and joins when it is violated; the steps end
    when the rows stay the same and the step is so short that the next, quadratically shorter,
    would be lost in rounding. With `fixed` the rows stay as they are, whatever the signs.

    A row on which the objective has no gradient, as an entropy where a probability is zero, is a
    wall: no active row, however small its slack, and each step keeps a share of that.
    """
    e, d, m = flat.equalities, v.size, multipliers.size
    eps = float(jnp.finfo(v.dtype).eps)
    tol = eps**0.75
    equal = jnp.arange(m) < e
    v0, dual0, active0 = v, multipliers, active | equal

    def step(carry: _Carry) -> _Carry:
        v, active, walls = carry.v, carry.active, carry.walls
        dual = jnp.where(active, carry.multipliers, 0)
        model = first_order(flat, v)
        hessian = lagrangian_hessian(flat, v, dual)
        inverse = kkt_inverse(hessian, model.jacobian, active)
        p, change = inverse.solve(-model.lagrangian_gradient(dual), jnp.where(active, -model.c, 0))
        good = jnp.all(jnp.isfinite(p))
        # How much of its distance to each row that does not hold it y goes.
        tiny = jnp.finfo(v.dtype).tiny
        share = jnp.where(active, 0, model.jacobian @ p / jnp.maximum(-model.c, tiny))
        towards = jnp.max(jnp.where(walls, share, 0), initial=_TO_WALL)
        gap = jnp.max(jnp.where(walls, jnp.abs(share), 0), initial=0.0)
        p = p * (_TO_WALL / towards)
        dual = dual + change
        step_norm, size = jnp.linalg.norm(p), jnp.linalg.norm(v + p)
        bending = jnp.max(jnp.abs(hessian) * _sizes(model, v, walls))
        scales = _scales(model, dual, v, bending)
        ahead = model.c + model.jacobian @ p
        leaves = active & ~equal & (dual * scales.row_norms < -tol * scales.force)
        joins = ~active & ~walls & (ahead > tol * scales.rows)
        if fixed:
            leaves = joins = jnp.zeros_like(active)
        # Steps that shrink no more, near enough, are at the mercy of rounding.
        short = step_norm <= eps**0.5 * size
        # What curvature alone holds off its bound may have no gradient there: one more step shows.
        closing = jnp.max(jnp.where(active & ~equal, -model.c / scales.rows, 0), initial=0.0)
        short &= closing * bending <= eps**0.25 * (scales.force - bending)
        # And curvature may change as fast as the distance from a bound does.
        leap = jnp.max(jnp.abs(share), initial=0.0)
        short &= leap <= eps**0.5
        floor = (step_norm <= eps**0.5 * (1 + size)) & (step_norm >= 0.5 * carry.step_norm)
        floor &= leap <= eps**0.25
        settled = (short | floor | (step_norm == 0)) & ~jnp.any(leaves | joins)
        settled &= gap <= eps**0.5
        # Where the curvature vanishes at the solution, Newton's method is linear, and each step
        # leaves half of it or less (Decker and Kelley 1980).
        same = (carry.steps > 0) & jnp.all(active == carry.last)
        largest = lambda inverse: jnp.max(jnp.abs(inverse.primal))
        growth = jnp.where(same, largest(inverse) / largest(carry.inverse), 1)
        onwards = _Carry(
            v=v + p,
            multipliers=dual,
            active=jnp.where(settled, active, (active & ~leaves) | joins),
            last=active,
            walls=walls,
            inverse=inverse,
            bending=bending,
            step_norm=step_norm,
            gap=gap,
            leap=leap,
            growth=growth,
            steps=carry.steps + 1,
            settled=settled,
        )
        # Where a step has led to rows without a gradient, all begins anew without them.
        lost = (~jnp.isfinite(model.gradient)).astype(v.dtype)
        met = (active | (model.c >= 0)) & (jnp.abs(model.jacobian) @ lost > 0)
        met &= ~equal & ~walls & (carry.steps > 0) & (not fixed)
        back = carry._replace(
            v=v0,
            multipliers=dual0,
            active=active0 & ~(walls | met),
            walls=walls | met,
            gap=jnp.where(jnp.any(walls | met), jnp.inf, 0.0).astype(v.dtype),
            steps=carry.steps + 1,
            settled=~jnp.any(met),
        )
        return jax.tree.map(lambda on, off: jnp.where(good, on, off), onwards, back)

    def unfinished(carry: _Carry):
        far = jnp.any(carry.walls) | (carry.leap > eps**0.5)
        most = jnp.where(far, _FURTHER * max_steps, max_steps)
        return ~carry.settled & (carry.steps < most)

    zeros = lambda *shape: jnp.zeros(shape, v.dtype)
    start = _Carry(
        v=v0,
        multipliers=dual0,
        active=active0,
        last=active0,
        walls=jnp.zeros(m, bool),
        inverse=KKTInverse(zeros(d, d), zeros(m, d), zeros(m, m), jnp.array(DEFINITE), zeros(m)),
        bending=zeros(),
        step_norm=jnp.full((), jnp.inf, v.dtype),
        gap=zeros(),
        leap=zeros(),
        growth=jnp.ones((), v.dtype),
        steps=jnp.array(0),
        settled=jnp.array(False),
    )
    return _judge(flat, lax.while_loop(unfinished, step, start), v0, dual0, fixed)


def _sizes(model: Model, v, walls) -> Float[Array, " d"]:
    """What each variable is small against; next to a wall, its distance from that."""
    distance = jnp.where(walls[:, None], -model.c[:, None] / jnp.abs(model.jacobian), jnp.inf)
    return jnp.minimum(1 + jnp.max(jnp.abs(v)), jnp.min(distance, axis=0, initial=jnp.inf))


def _scales(model: Model, dual, v, bending) -> _Scales:
    norms = jnp.linalg.norm(model.jacobian, axis=1)
    force = jnp.max(jnp.abs(model.gradient)) + jnp.max(jnp.abs(dual) * norms) + bending
    return _Scales(force, norms * (1 + jnp.max(jnp.abs(v))), norms)


def _judge(flat: Flat, found: _Carry, v0, dual0, fixed: bool) -> Polished:
    """The verdict on what was found, or on what it began with if that is nearer to optimal.

    On `fixed` rows, where signs may be wrong, it is on what was found.
    """
    e = flat.equalities

    def conditions(v, dual):
        model = first_order(flat, v)
        scales = _scales(model, dual, v, found.bending)
        stationarity = jnp.max(jnp.abs(model.lagrangian_gradient(dual))) / scales.force
        excess, force = model.c / scales.rows, dual * scales.row_norms / scales.force
        apart = jnp.maximum(jnp.abs(jnp.minimum(-excess[e:], force[e:])), excess[e:])
        parts = jnp.concatenate([stationarity[None], jnp.abs(excess[:e]), apart])
        return model, excess, force, jnp.nan_to_num(jnp.max(parts), nan=jnp.inf)

    # Both points at once: one computation to compile instead of two.
    both = jax.vmap(conditions)(jnp.stack([found.v, v0]), jnp.stack([found.multipliers, dual0]))
    better = fixed | (both[-1][0] <= both[-1][1])
    model, excess, force, error = jax.tree.map(lambda pair: jnp.where(better, *pair), both)
    tol = float(jnp.finfo(v0.dtype).eps) ** 0.75
    touching = jnp.where((excess[e:] >= -tol) & ~found.walls[e:], WEAKLY_ACTIVE, INACTIVE)
    multipliers = jnp.where(better, found.multipliers, dual0)
    # Without the constraint qualification of Mangasarian and Fromovitz, multipliers are unbounded
    # (Gauvin 1977), and those found as large as their accuracy lets them be.
    eps = float(jnp.finfo(v0.dtype).eps)
    norms = jnp.linalg.norm(model.jacobian, axis=1)
    share, noise = jnp.abs(multipliers) * norms, eps * jnp.max(jnp.abs(dual0) * norms)
    unbounded = share > eps**-0.5 * jnp.maximum(jnp.max(jnp.abs(model.gradient)), noise)
    unbounded = jnp.any(unbounded & (jnp.abs(force) > tol))
    return Polished(
        v=jnp.where(better, found.v, v0),
        multipliers=multipliers,
        active=found.active,
        activity=jnp.where(force[e:] > tol, STRONGLY_ACTIVE, touching),
        inverse=found.inverse,
        runaway=jnp.where(unbounded, share / jnp.where(unbounded, jnp.max(share), 1), 0),
        flattening=found.growth > 1.5,
        error=jnp.maximum(error, found.gap),
        gradient_norm=jnp.linalg.norm(model.lagrangian_gradient(multipliers)),
        violation=jnp.concatenate([jnp.abs(model.c[:e]), jnp.maximum(model.c[e:], 0)]),
        nonfinite=~(jnp.isfinite(model.c) & jnp.isfinite(norms)),
        step_norm=found.step_norm,
        steps=found.steps,
    )
