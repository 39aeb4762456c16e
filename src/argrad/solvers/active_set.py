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
    v: Array
    multipliers: Array
    active: Array
    last: Array
    inverse: KKTInverse
    curvature: Array
    step_norm: Array
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
    """
    e, d, m = flat.equalities, v.size, multipliers.size
    eps = float(jnp.finfo(v.dtype).eps)
    tol = eps**0.75
    equal = jnp.arange(m) < e

    def step(carry: _Carry) -> _Carry:
        v, active = carry.v, carry.active
        dual = jnp.where(active, carry.multipliers, 0)
        model = first_order(flat, v)
        hessian = lagrangian_hessian(flat, v, dual)
        inverse = kkt_inverse(hessian, model.jacobian, active)
        p, change = inverse.solve(-model.lagrangian_gradient(dual), jnp.where(active, -model.c, 0))
        dual = dual + change
        step_norm, size = jnp.linalg.norm(p), jnp.linalg.norm(v + p)
        curvature = jnp.max(jnp.abs(hessian))
        scales = _scales(model, dual, v, curvature)
        ahead = model.c + model.jacobian @ p
        leaves = active & ~equal & (dual * scales.row_norms < -tol * scales.force)
        joins = ~active & (ahead > tol * scales.rows)
        if fixed:
            leaves = joins = jnp.zeros_like(active)
        # Steps that shrink no more, near enough, are at the mercy of rounding.
        short = step_norm <= eps**0.5 * size
        floor = (step_norm <= eps**0.5 * (1 + size)) & (step_norm >= 0.5 * carry.step_norm)
        settled = (short | floor | (step_norm == 0)) & ~jnp.any(leaves | joins)
        # Where the curvature vanishes at the solution, Newton's method is linear, and each step
        # leaves half of it or less (Decker and Kelley 1980).
        same = (carry.steps > 0) & jnp.all(active == carry.last)
        largest = lambda inverse: jnp.max(jnp.abs(inverse.primal))
        growth = jnp.where(same, largest(inverse) / largest(carry.inverse), 1)
        good = jnp.isfinite(step_norm)
        return _Carry(
            v=jnp.where(good, v + p, v),
            multipliers=jnp.where(good, dual, carry.multipliers),
            active=jnp.where(good & ~settled, (active & ~leaves) | joins, active),
            last=active,
            inverse=inverse,
            curvature=curvature,
            step_norm=step_norm,
            growth=growth,
            steps=carry.steps + 1,
            settled=settled | ~good,
        )

    def unfinished(carry: _Carry):
        return ~carry.settled & (carry.steps < max_steps)

    zeros = lambda *shape: jnp.zeros(shape, v.dtype)
    start = _Carry(
        v=v,
        multipliers=multipliers,
        active=active | equal,
        last=active | equal,
        inverse=KKTInverse(zeros(d, d), zeros(m, d), zeros(m, m), jnp.array(DEFINITE), zeros(m)),
        curvature=zeros(),
        step_norm=jnp.full((), jnp.inf, v.dtype),
        growth=jnp.ones((), v.dtype),
        steps=jnp.array(0),
        settled=jnp.array(False),
    )
    return _judge(flat, lax.while_loop(unfinished, step, start), v, multipliers, fixed)


def _scales(model: Model, dual, v, curvature) -> _Scales:
    size = 1 + jnp.max(jnp.abs(v))
    norms = jnp.linalg.norm(model.jacobian, axis=1)
    force = jnp.max(jnp.abs(model.gradient)) + jnp.max(jnp.abs(dual) * norms) + curvature * size
    return _Scales(force, norms * size, norms)


def _judge(flat: Flat, found: _Carry, v0, dual0, fixed: bool) -> Polished:
    """The verdict on what was found, or on what it began with if that is nearer to optimal.

    On `fixed` rows, where signs may be wrong, it is on what was found.
    """
    e = flat.equalities

    def conditions(v, dual):
        model = first_order(flat, v)
        scales = _scales(model, dual, v, found.curvature)
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
    touching = jnp.where(excess[e:] >= -tol, WEAKLY_ACTIVE, INACTIVE)
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
        error=error,
        gradient_norm=jnp.linalg.norm(model.lagrangian_gradient(multipliers)),
        violation=jnp.concatenate([jnp.abs(model.c[:e]), jnp.maximum(model.c[e:], 0)]),
        nonfinite=~(jnp.isfinite(model.c) & jnp.isfinite(norms)),
        step_norm=found.step_norm,
        steps=found.steps,
    )
