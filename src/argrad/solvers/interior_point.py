"""A primal-dual interior point method for smooth constrained problems, as an Optimistix minimiser.

    minimise f(y) subject to h(y) = 0, g(y) + s = 0, s >= 0

by Newton's method on its perturbed optimality conditions, s μ = barrier, the barrier driven to
zero. Everything is condensed to one d × d matrix, whose Cholesky factor exists just where the
whole system has the inertia of a minimum, so that the test for curvature costs nothing extra.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Bool, Float, Int, PyTree

from argrad.solvers.quadratic_model import Flat, Model, first_order, lagrangian_hessian

_FILTER = 32  # pairs that the filter remembers
_SHORTEST = 2.0**-30  # step tried, of what is allowed
_RESTORED = 0.1  # of the violation where a restoration phase began, where it ends
_RUNNING, _CONVERGED, _STUCK, _RAN_AWAY, _NONFINITE, _INFEASIBLE = range(6)


class InteriorPointState(eqx.Module):
    """Iterate, multipliers and barrier; all in the scaled units of `scale` and `row_scale`.

    `multipliers` holds those of the equalities, then those of the inequalities. Scalars share an
    array: every value that a loop carries by itself is a kernel to compile.
    """

    slack: Float[Array, " i"]
    multipliers: Float[Array, " m"]
    scale: Float[Array, ""]
    row_scale: Float[Array, " m"]
    filter: Float[Array, "entries 2"]
    numbers: Float[Array, " 5"]
    ended: Int[Array, ""]

    @property
    def barrier(self) -> Float[Array, ""]:
        return self.numbers[0]

    @property
    def shift(self) -> Float[Array, ""]:
        """What the last indefinite Hessian was shifted by, relative to its size."""
        return self.numbers[1]

    @property
    def began(self) -> Float[Array, ""]:
        """The violation where the current restoration phase began, infinite outside of one."""
        return self.numbers[2]

    @property
    def first_violation(self) -> Float[Array, ""]:
        return self.numbers[3]

    @property
    def curved(self) -> Float[Array, ""]:
        """1 where restoration needs the curvature of the rows, 0 while it does without."""
        return self.numbers[4]

    @property
    def infeasible(self) -> Bool[Array, ""]:
        return self.ended == _INFEASIBLE


class InteriorPoint(optx.AbstractMinimiser[PyTree, Any, InteriorPointState]):
    """Primal-dual interior point method for smooth f, h and g, convex or not.

    The default where `argmin` has constraints; also usable by itself, with the constraints in
    `options`:

        optx.minimise(f, InteriorPoint(), y0, args, options=dict(constraints=rows))

    with rows(y, args) -> (h, g), two vectors. The start need not satisfy them. `options` may also
    hold `multipliers`, one vector for h and then g, for a warm start.

    Steps are globalised by a filter; where no step is acceptable, a restoration phase lowers the
    violation alone, and where that ends at a point that violates the constraints, the problem is
    called infeasible (locally, if it is not convex). The Hessian is shifted until it has the
    curvature of a minimum on the constraints.

    - `rtol`: the error in the optimality conditions at which it stops, sqrt(eps) by default.
    - `barrier`: stop at this value of the barrier instead of zero.

    Source: Wächter and Biegler 2006; Nocedal and Wright 2006, chapter 19.

    >>> import jax.numpy as jnp, optimistix as optx, argrad as ag
    >>> rows = lambda y, args: (jnp.zeros(0), jnp.array([y @ y - 1]))  # inside the unit disc
    >>> nearest = lambda y, args: jnp.sum((y - args) ** 2)
    >>> found = optx.minimise(nearest, ag.InteriorPoint(), jnp.zeros(2), jnp.array([3.0, 4.0]),
    ...                       options=dict(constraints=rows))
    >>> found.value.round(2)
    Array([0.6, 0.8], dtype=float32)
    """

    rtol: float | None = None  # type: ignore[assignment]  # None: by dtype
    barrier: float | Array | None = None
    # Part of the Optimistix interface; termination follows `rtol` alone.
    atol: float = 0.0
    norm: Callable[[PyTree], Float[Array, ""]] = optx.max_norm

    def init(self, fn, y, args, options, f_struct, aux_struct, tags) -> InteriorPointState:
        del f_struct, aux_struct, tags
        v, _ = ravel_pytree(y)
        flat = _flat(fn, y, args, options)
        model = first_order(flat, v)
        dtype = v.dtype
        scale = 1 / jnp.maximum(1, jnp.max(jnp.abs(model.gradient)) / 100)
        sizes = jnp.linalg.norm(model.jacobian, axis=1)
        row_scale = 1 / jnp.maximum(1, sizes)
        usable = jnp.isfinite(scale) & jnp.all(jnp.isfinite(row_scale))
        scale = jnp.where(usable, scale, 1)
        row_scale = jnp.where(usable, row_scale, 1)
        c = row_scale * model.c
        # Slacks of one or more, multipliers and barrier of one (Vanderbei and Shanno 1999): well
        # centred, and far enough from all boundaries not to follow the first one met.
        e, least = flat.equalities, 1e-8 if self.barrier is None else self.barrier * scale
        slack, barrier = jnp.maximum(-c[e:], 1), jnp.maximum(1.0, least)
        multipliers = jnp.zeros_like(c).at[e:].set(1)
        if "multipliers" in options:
            given = options["multipliers"] * scale / row_scale
            multipliers = given.at[e:].set(jnp.maximum(given[e:], 1e-8))
            slack = jnp.maximum(-c[e:], 1e-8)
            barrier = jnp.clip(jnp.mean(slack * multipliers[e:]), least, 0.1)
        first_violation = jnp.maximum(1, _violation(c, slack, e))
        numbers = [barrier, 0, jnp.inf, first_violation, 0]
        return InteriorPointState(
            slack=slack,
            multipliers=multipliers,
            scale=scale,
            row_scale=row_scale,
            filter=jnp.full((_FILTER, 2), jnp.inf, dtype),
            numbers=jnp.stack([jnp.asarray(n, dtype) for n in numbers]),
            ended=jnp.array(_RUNNING),
        )

    def step(self, fn, y, args, options, state: InteriorPointState, tags):
        """One Newton step, or one step of restoration."""
        del tags
        v, unravel = ravel_pytree(y)
        flat = _scaled(_flat(fn, y, args, options), state)
        e = flat.equalities
        eps = float(jnp.finfo(v.dtype).eps)
        tol = eps**0.5 if self.rtol is None else self.rtol
        final = tol / 10 if self.barrier is None else self.barrier * state.scale
        goal = 0.0 if self.barrier is None else final
        model = first_order(flat, v)
        restoring = jnp.isfinite(state.began)

        at_goal, at_barrier = _errors(model, state, jnp.stack([goal, state.barrier]), e)
        if self.barrier is None:
            converged = at_goal <= tol
        else:
            converged = (state.barrier <= final) & (at_goal <= tol * jnp.minimum(1, final))
        next_barrier = jnp.maximum(final, jnp.minimum(0.2 * state.barrier, state.barrier**1.5))
        solved = (at_barrier <= 10 * state.barrier) & (state.barrier > final) & ~restoring
        barrier = jnp.where(solved, next_barrier, state.barrier)
        now = _Now(
            violation=_violation(model.c, state.slack, e),
            violated=_violated(model.c, e),
            slack=jnp.where(restoring, _relaxed(model.c[e:], barrier)[0], state.slack),
            multipliers=state.multipliers,
            filter=jnp.where(solved, jnp.inf, state.filter),
            barrier=barrier,
            last_shift=state.shift,
            most_violation=1e4 * state.first_violation,
            restoring=restoring,
            weight=jnp.where(restoring, state.curved, 1),
        )
        move = _direction(flat, v, model, now)
        found = _line_search(flat, v, model, move, now)
        accepted = found.accepted & ~converged

        # Restoration begins where no step is acceptable although constraints are violated. It
        # ends well where little of the violation is left, badly where that cannot be lowered.
        begins = ~found.accepted & ~restoring & (now.violation > tol)
        # It is done by the method of Gauss and Newton, by Newton's once steps are cut short: where
        # much of the violation has to stay, the former zigzags.
        cut = restoring & (~found.accepted | (found.length < 0.05))
        stuck = ~found.accepted & ~begins & ~(restoring & (state.curved == 0))
        curved = jnp.where(begins, 0, jnp.maximum(state.curved, cut))
        slope = _violation_slope(model, e)
        least = (slope <= tol * jnp.minimum(1, now.violated)) | stuck
        infeasible = restoring & least & (now.violated > tol)
        ends = accepted & restoring
        ends &= found.violated <= jnp.maximum(_RESTORED * state.began, 0.1 * tol)
        began = jnp.where(begins, now.violated, jnp.where(ends, jnp.inf, state.began))
        # The relaxation goes with the barrier; at its minimum it has to be made finer.
        relaxed = restoring & (move.slope_size <= 0.1 * _relaxation(barrier) ** 0.5)

        multipliers = state.multipliers + move.multipliers * jnp.where(
            jnp.arange(state.multipliers.size) < e, found.length, found.dual_length
        )
        # The dual step must not run away from the primal one (Wächter and Biegler, eq. 16).
        central = barrier / found.slack
        bounded = jnp.clip(multipliers[e:], central / 1e10, central * 1e10)
        bounded = jnp.where(restoring, central, bounded)
        equal = jnp.where(restoring, 0, multipliers[:e])
        multipliers = jnp.where(accepted, jnp.concatenate([equal, bounded]), state.multipliers)
        # After restoration nothing nearly as infeasible as where it began is taken again.
        entry = jnp.where(ends, jnp.stack([state.began / 2, -jnp.inf]), found.entry)
        enlarged = ends | (found.enlarges & accepted & ~restoring)
        older = jnp.where(ends, jnp.inf, now.filter)
        longer = jnp.concatenate([entry[None], older[:-1]])

        new = jnp.where(accepted, found.v, v)
        finite = jnp.isfinite(model.value) & jnp.all(jnp.isfinite(model.c))
        finite &= jnp.all(jnp.isfinite(model.gradient)) & jnp.all(jnp.isfinite(model.jacobian))
        ran_away = jnp.linalg.norm(new) > 1 / eps
        ran_away |= (model.value < -1 / eps) & (now.violation <= 1)
        ended = jnp.where(converged, _CONVERGED, jnp.where(stuck, _STUCK, _RUNNING))
        ended = jnp.where(ran_away, _RAN_AWAY, ended)
        ended = jnp.where(infeasible, _INFEASIBLE, jnp.where(finite, ended, _NONFINITE))
        shift = jnp.where(restoring, state.shift, move.shift)
        barrier = jnp.where(relaxed, next_barrier, barrier)
        return (
            unravel(new),
            InteriorPointState(
                slack=jnp.where(accepted, found.slack, state.slack),
                multipliers=multipliers,
                scale=state.scale,
                row_scale=state.row_scale,
                filter=jnp.where(enlarged, longer, now.filter),
                numbers=jnp.stack([barrier, shift, began, state.first_violation, curved]),
                ended=ended,
            ),
            fn(y, args)[1],
        )

    def terminate(self, fn, y, args, options, state: InteriorPointState, tags):
        del fn, y, args, options, tags
        results = optx.RESULTS
        result = results.where(
            state.ended == _RAN_AWAY, results.nonlinear_divergence, results.successful
        )
        result = results.where(state.ended == _NONFINITE, results.nonfinite, result)
        stagnant = (state.ended == _STUCK) | state.infeasible
        result = results.where(stagnant, results.stagnation, result)
        return state.ended == _CONVERGED, result

    def postprocess(self, fn, y, aux, args, options, state, tags, result):
        del fn, args, options, state, tags, result
        return y, aux, {}


def _flat(fn, y, args, options) -> Flat:
    """The problem as functions of a flat vector."""
    if "constraints" not in options:
        raise ValueError(
            "InteriorPoint needs options=dict(constraints=rows) with rows(y, args) -> (h, g). "
            "Without constraints use argrad.Newton or any other minimiser."
        )
    _, unravel = ravel_pytree(y)
    constraints = options["constraints"]
    equalities = jax.eval_shape(lambda: constraints(y, args))[0].size
    return Flat(
        lambda v: fn(unravel(v), args)[0],
        lambda v: jnp.concatenate(constraints(unravel(v), args)),
        equalities,
    )


def _scaled(flat: Flat, state: InteriorPointState) -> Flat:
    return Flat(
        lambda v: state.scale * flat.objective(v),
        lambda v: state.row_scale * flat.rows(v),
        flat.equalities,
    )


def _violation(c, slack, e):
    """‖h‖₁ + ‖g + s‖₁."""
    return jnp.sum(jnp.abs(c[:e])) + jnp.sum(jnp.abs(c[e:] + slack))


def _violated(c, e):
    """‖h‖₁ + ‖max(g, 0)‖₁."""
    return jnp.sum(jnp.abs(c[:e])) + jnp.sum(jnp.maximum(c[e:], 0))


def _errors(model: Model, state: InteriorPointState, barriers, e):
    """The largest residual of the optimality conditions, relative to the multipliers' size.

    For each of `barriers`.
    """
    size = jnp.maximum(1, jnp.mean(jnp.abs(state.multipliers)) / 100)
    stationarity = jnp.max(jnp.abs(model.lagrangian_gradient(state.multipliers))) / size
    feasibility = jnp.max(jnp.abs(model.c.at[e:].add(state.slack)))
    products = jnp.abs(state.slack * state.multipliers[e:] - barriers[:, None]) / size
    complementarity = jnp.max(products, axis=1, initial=0.0)
    return jnp.maximum(jnp.maximum(stationarity, feasibility), complementarity)


def _violation_slope(model: Model, e):
    """The largest slope of half the squared violation."""
    violation = jnp.concatenate([model.c[:e], jnp.maximum(model.c[e:], 0)])
    return jnp.max(jnp.abs(violation @ model.jacobian))


def _relaxation(barrier):
    return 1e-4 * jnp.minimum(1, barrier)


def _relaxed(g, barrier):
    """The slack s that minimises ½(g + s)² − ρ log s, g + s there, and its slope in g.

    What restoration minimises, summed over the rows: a smooth form of ½ max(g, 0)², whose
    minimum lies inside the constraints where these have an inside.
    """
    rho = _relaxation(barrier)
    root = jnp.sqrt(g**2 + 4 * rho)
    larger = (root + jnp.abs(g)) / 2  # the smaller of the two as a quotient: no cancellation
    smaller = rho / larger
    residual = jnp.where(g > 0, larger, smaller)
    return jnp.where(g > 0, smaller, larger), residual, residual / root


class _Now(NamedTuple):
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


class _Move(NamedTuple):
    """A direction; `slope` is that of what it lowers, `slope_size` its largest derivative."""

    v: Float[Array, " d"]
    slack: Float[Array, " i"]
    multipliers: Float[Array, " m"]
    shift: Float[Array, ""]
    slope: Float[Array, ""]
    slope_size: Float[Array, ""]


def _direction(flat: Flat, v, model: Model, now: _Now) -> _Move:
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
    steep = jnp.concatenate([jnp.full(e, eps**-0.5), mu / now.slack])
    central = jnp.concatenate([now.multipliers[:e], now.barrier / now.slack])
    _, _, relaxed = _relaxed(model.c[e:], now.barrier)
    weights = jnp.where(restoring, jnp.concatenate([jnp.ones(e), relaxed]), steep)
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

    def attempt(carry):
        shift, _ = carry
        shift = jnp.where(shift < 0, 0, jnp.where(shift == 0, first, 8 * shift))
        return shift, lax.linalg.cholesky(base + shift * size * jnp.eye(base.shape[0]))

    def unfinished(carry):
        shift, lower = carry
        return ~jnp.all(jnp.isfinite(lower)) & (shift < 1 / eps**2)

    start = (jnp.full((), -1, base.dtype), jnp.full_like(base, jnp.nan))
    shift, lower = lax.while_loop(unfinished, attempt, start)
    p = cho_solve((lower, True), -gradient)
    moved = jacobian @ p + residual
    slack = -moved[e:]
    slope = jnp.where(restoring, gradient @ p, model.gradient @ p - central[e:] @ slack)
    return _Move(
        v=p,
        slack=slack,
        multipliers=central - now.multipliers + weights * moved,
        shift=shift,
        slope=slope,
        slope_size=jnp.max(jnp.abs(gradient)),
    )


class _Found(NamedTuple):
    v: Float[Array, " d"]
    slack: Float[Array, " i"]
    length: Float[Array, ""]
    dual_length: Float[Array, ""]
    violated: Float[Array, ""]
    accepted: Bool[Array, ""]
    enlarges: Bool[Array, ""]
    entry: Float[Array, " 2"]


def _to_boundary(value, change, fraction):
    """The longest step up to 1 that leaves `value` at least 1 − fraction of itself."""
    ratio = jnp.where(change < 0, -fraction * value / jnp.where(change < 0, change, -1), 1)
    return jnp.min(ratio, initial=1.0)


def _line_search(flat: Flat, v, model: Model, move: _Move, now: _Now) -> _Found:
    """The longest of the halved steps that the filter accepts, or in restoration Armijo's rule."""
    e, restoring = flat.equalities, now.restoring
    eps = float(jnp.finfo(v.dtype).eps)
    violation = now.violation

    def merits(value, c, slack):
        squares = jnp.sum(c[:e] ** 2) + jnp.sum((c[e:] + slack) ** 2)
        weight = jnp.where(restoring, _relaxation(now.barrier), now.barrier)
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
        slack = jnp.where(restoring, _relaxed(c[e:], now.barrier)[0], slack)
        v_new, m_new = _violation(c, slack, e), merits(value, c, slack)
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
        enlarges = ~(steep & armijo)
        return new, slack, jnp.stack([length, _violated(c, e), good, enlarges])

    fraction = jnp.maximum(0.99, 1 - now.barrier)
    allowed = jnp.where(restoring, 1.0, _to_boundary(now.slack, move.slack, fraction))
    dual_length = _to_boundary(now.multipliers[e:], move.multipliers[e:], fraction)

    def unfinished(carry):
        *_, numbers = carry
        return (numbers[2] == 0) & (numbers[0] > _SHORTEST * allowed)

    zero = jnp.zeros_like(allowed)
    start = (v, now.slack, jnp.stack([2 * allowed, zero, zero, zero]))
    new, slack, numbers = lax.while_loop(unfinished, attempt, start)
    return _Found(
        v=new,
        slack=slack,
        length=numbers[0],
        dual_length=dual_length,
        violated=numbers[1],
        accepted=numbers[2] > 0,
        enlarges=numbers[3] > 0,
        entry=jnp.stack([(1 - 1e-5) * violation, merit - 1e-8 * violation]),
    )
