"""One step of the interior point method: its direction, and how far to go along it."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Bool, Float

from argrad.solvers.quadratic_model import Flat, Model, lagrangian_hessian

_SHORTEST = 2.0**-30  # step tried, of what is allowed


def violation_left(c, slack, e):
    """‖h‖₁ + ‖g + s‖₁."""
    return jnp.sum(jnp.abs(c[:e])) + jnp.sum(jnp.abs(c[e:] + slack))


def violation_of(c, e):
    """‖h‖₁ + ‖max(g, 0)‖₁."""
    return jnp.sum(jnp.abs(c[:e])) + jnp.sum(jnp.maximum(c[e:], 0))


def relaxation(barrier):
    """ρ of `relaxed`: as large as keeps the two phases' iterates about as far inside."""
    return 1e-4 * jnp.minimum(1, barrier)


def relaxed(g, barrier):
    """The slack s that minimises ½(g + s)² − ρ log s, g + s there, and its slope in g.

    What restoration minimises, summed over the rows: a smooth form of ½ max(g, 0)², whose
    minimum lies inside the constraints where these have an inside.
    """
    rho = relaxation(barrier)
    root = jnp.sqrt(g**2 + 4 * rho)
    larger = (root + jnp.abs(g)) / 2  # the smaller of the two as a quotient: no cancellation
    smaller = rho / larger
    residual = jnp.where(g > 0, larger, smaller)
    return jnp.where(g > 0, smaller, larger), residual, residual / root


class Now(NamedTuple):
    """Where a step begins."""

    violation: Float[Array, ""]
    violated: Float[Array, ""]
    slack: Float[Array, " i"]
    multipliers: Float[Array, " m"]
    filter: Float[Array, "entries 2"]
    barrier: Float[Array, ""]
    last_shift: Float[Array, ""]
    most_violation: Float[Array, ""]
    restoring: Bool[Array, ""]
    weight: Float[Array, ""]  # of the Hessian


class Move(NamedTuple):
    """A direction; `slope` is that of what it lowers, `slope_size` its largest derivative."""

    v: Float[Array, " d"]
    slack: Float[Array, " i"]
    multipliers: Float[Array, " m"]
    shift: Float[Array, ""]
    slope: Float[Array, ""]
    slope_size: Float[Array, ""]


def direction(flat: Flat, v, model: Model, now: Now) -> Move:
    """Newton's step on the optimality conditions, or in restoration on the violation."""
    e, eps = flat.equalities, float(jnp.finfo(v.dtype).eps)
    jacobian, restoring = model.jacobian, now.restoring
    mu = now.multipliers[e:]
    residual = model.c.at[e:].add(now.slack)
    lowered = Flat(lambda v: jnp.where(restoring, 0, flat.objective(v)), flat.rows, e)
    hessian = lagrangian_hessian(lowered, v, jnp.where(restoring, residual, now.multipliers))
    hessian = now.weight * hessian
    # Equalities are met up to eps^½ times their multiplier's step, which keeps the matrix
    # invertible where they depend on each other.
    steep = jnp.concatenate([jnp.full(e, eps**-0.5, v.dtype), mu / now.slack])
    central = jnp.concatenate([now.multipliers[:e], now.barrier / now.slack])
    soft = relaxed(model.c[e:], now.barrier)[2]
    weights = jnp.where(restoring, jnp.concatenate([jnp.ones(e, v.dtype), soft]), steep)
    force = jnp.where(restoring, residual, central + weights * residual)
    # Without the slacks and multipliers, which these determine.
    gradient = jnp.where(restoring, 0, model.gradient) + force @ jacobian
    rows = (jacobian.T * weights) @ jacobian
    # Restoration may leave variables without a say; damping in their own units holds these.
    diagonal = jnp.diagonal(rows)
    damped = jnp.where(restoring, 1e-6 * diagonal + eps**0.75 * jnp.max(diagonal), 0)
    base = hessian + rows + jnp.diag(damped)
    size = jnp.maximum(1, jnp.max(jnp.abs(jnp.diagonal(hessian))))
    first = jnp.where(now.last_shift > 0, jnp.maximum(now.last_shift / 3, 1e-10), 1e-4)

    eye = jnp.eye(v.size, dtype=v.dtype)

    def attempt(carry):
        shift, _ = carry
        shift = jnp.where(shift < 0, 0, jnp.where(shift == 0, first, 8 * shift))
        return shift, lax.linalg.cholesky(base + shift * size * eye)

    def unfinished(carry):
        shift, lower = carry
        return ~jnp.all(jnp.isfinite(lower)) & (shift < 1 / eps**2)

    start = (jnp.full((), -1, base.dtype), jnp.full_like(base, jnp.nan))
    shift, lower = lax.while_loop(unfinished, attempt, start)
    p = cho_solve((lower, True), -gradient)
    moved = jacobian @ p + residual
    slack = -moved[e:]
    slope = jnp.where(restoring, gradient @ p, model.gradient @ p - central[e:] @ slack)
    return Move(
        v=p,
        slack=slack,
        multipliers=central - now.multipliers + weights * moved,
        shift=shift,
        slope=slope,
        slope_size=jnp.max(jnp.abs(gradient)),
    )


class Found(NamedTuple):
    """The last point tried, and whether it will do."""

    v: Float[Array, " d"]
    slack: Float[Array, " i"]
    length: Float[Array, ""]
    dual_length: Float[Array, ""]
    violated: Float[Array, ""]
    accepted: Bool[Array, ""]
    enlarges: Bool[Array, ""]
    poor: Bool[Array, ""]  # a tenth or less of what a quadratic model promised
    entry: Float[Array, " 2"]


def _to_boundary(value, change, fraction):
    """The longest step up to 1 that leaves `value` at least 1 − fraction of itself."""
    ratio = jnp.where(change < 0, -fraction * value / jnp.where(change < 0, change, -1), 1)
    return jnp.min(ratio, initial=1.0)


def line_search(flat: Flat, v, model: Model, move: Move, now: Now) -> Found:
    """The longest of the halved steps that the filter accepts, or in restoration Armijo's rule."""
    e, restoring = flat.equalities, now.restoring
    eps = float(jnp.finfo(v.dtype).eps)
    violation = now.violation

    def merits(value, c, slack):
        squares = jnp.sum(c[:e] ** 2) + jnp.sum((c[e:] + slack) ** 2)
        weight = jnp.where(restoring, relaxation(now.barrier), now.barrier)
        return jnp.where(restoring, squares / 2, value) - weight * jnp.sum(jnp.log(slack))

    merit = merits(model.value, model.c, now.slack)
    rounding = 10 * eps * jnp.abs(merit)

    def attempt(carry):
        *_, numbers = carry
        length = numbers[0] / 2
        new = v + length * move.v
        value, c = flat.objective(new), flat.rows(new)
        # A slack may always grow up to what there is.
        slack = jnp.maximum(now.slack + length * move.slack, -c[e:])
        slack = jnp.where(restoring, relaxed(c[e:], now.barrier)[0], slack)
        v_new, m_new = violation_left(c, slack, e), merits(value, c, slack)
        passes = jnp.all((v_new < now.filter[:, 0]) | (m_new < now.filter[:, 1]))
        passes &= v_new <= now.most_violation
        steep = (move.slope < 0) & (violation <= 1e-8 * now.most_violation)
        steep &= length * jnp.abs(move.slope) ** 2.3 > violation**1.1
        armijo = m_new <= merit + 1e-8 * length * move.slope + rounding
        either = (v_new <= (1 - 1e-5) * violation) | (
            m_new <= merit - 1e-8 * violation + rounding * (violation <= eps**0.5)
        )
        good = jnp.where(restoring, armijo, passes & jnp.where(steep, armijo, either))
        good &= jnp.isfinite(value) & jnp.isfinite(v_new) & jnp.isfinite(m_new)
        enlarges, poor = ~(steep & armijo), merit - m_new < 0.05 * jnp.abs(move.slope)
        return new, slack, jnp.stack([length, violation_of(c, e), good, enlarges, poor])

    fraction = jnp.maximum(0.99, 1 - now.barrier)
    allowed = jnp.where(restoring, 1.0, _to_boundary(now.slack, move.slack, fraction))
    dual_length = _to_boundary(now.multipliers[e:], move.multipliers[e:], fraction)

    def unfinished(carry):
        *_, numbers = carry
        return (numbers[2] == 0) & (numbers[0] > _SHORTEST * allowed)

    zero = jnp.zeros_like(allowed)
    start = (v, now.slack, jnp.stack([2 * allowed, zero, zero, zero, zero]))
    new, slack, numbers = lax.while_loop(unfinished, attempt, start)
    return Found(
        v=new,
        slack=slack,
        length=numbers[0],
        dual_length=dual_length,
        violated=numbers[1],
        accepted=numbers[2] > 0,
        enlarges=numbers[3] > 0,
        poor=numbers[4] > 0,
        entry=jnp.stack([(1 - 1e-5) * violation, merit - 1e-8 * violation]),
    )
