"""A primal-dual interior point method for smooth constrained problems, as an Optimistix minimiser.

    minimise f(y) subject to h(y) = 0, g(y) + s = 0, s >= 0

by Newton's method on its perturbed optimality conditions, s μ = barrier, the barrier driven to
zero. Everything is condensed to one d × d matrix, whose Cholesky factor exists just where the
whole system has the inertia of a minimum, so that the test for curvature costs nothing extra.
"""

from collections.abc import Callable
from typing import Any

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
_TRIES = 30  # step lengths tried along one direction


class InteriorPointState(eqx.Module):
    """Iterate, multipliers and barrier; all in the scaled units of `scale` and `row_scale`.

    `multipliers` holds those of the equalities, then those of the inequalities.
    `wanted` is where the current restoration phase brings the violation, infinite outside of one.
    """

    slack: Float[Array, " i"]
    multipliers: Float[Array, " m"]
    barrier: Float[Array, ""]
    scale: Float[Array, ""]
    row_scale: Float[Array, " m"]
    filter: Float[Array, "entries 2"]
    entries: Int[Array, ""]
    first_violation: Float[Array, ""]
    shift: Float[Array, ""]
    wanted: Float[Array, ""]
    error: Float[Array, ""]
    infeasible: Bool[Array, ""]
    terminate: Bool[Array, ""]
    result: optx.RESULTS


class InteriorPoint(optx.AbstractMinimiser[PyTree, Any, InteriorPointState]):
    """Primal-dual interior point method for smooth f, h and g, convex or not.

    The default where `argmin` has constraints; also usable by itself, with the constraints in
    `options`:

        optx.minimise(f, InteriorPoint(), y0, args, options=dict(constraints=rows))

    with rows(y, args) -> (h, g), two vectors. The start need not satisfy them. `options` may also
    hold `multipliers`, one vector for h and then g, for a warm start.

    Steps are globalised by a filter with second-order corrections; where no step is acceptable,
    a restoration phase lowers the violation alone, and where that ends at a point that violates
    the constraints, the problem is called infeasible (locally, if it is not convex). The Hessian
    is shifted until it has the curvature of a minimum on the constraints.

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
        slack = jnp.maximum(-c[flat.equalities :], 1e-2)
        barrier = jnp.full((), 0.1, dtype)
        if self.barrier is not None:
            barrier = jnp.maximum(barrier, self.barrier * scale)
        e = flat.equalities
        multipliers = jnp.zeros_like(c).at[e:].set(barrier / slack)
        if "multipliers" in options:
            given = options["multipliers"] * scale / row_scale
            multipliers = given.at[e:].set(jnp.maximum(given[e:], 1e-8))
            slack = jnp.maximum(-c[e:], 1e-8)
            least = 1e-8 if self.barrier is None else self.barrier * scale
            barrier = jnp.clip(jnp.mean(slack * multipliers[e:]), least, 0.1).astype(dtype)
        return InteriorPointState(
            slack=slack,
            multipliers=multipliers,
            barrier=barrier,
            scale=scale,
            row_scale=row_scale,
            filter=jnp.full((_FILTER, 2), jnp.inf, dtype),
            entries=jnp.array(0),
            first_violation=jnp.maximum(1, _violation(c, slack, flat.equalities)),
            shift=jnp.zeros((), dtype),
            wanted=jnp.full((), jnp.inf, dtype),
            error=jnp.full((), jnp.inf, dtype),
            infeasible=jnp.array(False),
            terminate=jnp.array(False),
            result=optx.RESULTS.successful,  # type: ignore[arg-type]
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
        model = first_order(flat, v)
        restoring = jnp.isfinite(state.wanted)

        def error(barrier):
            return _error(model, state.slack, state.multipliers, barrier, e)

        if self.barrier is None:
            converged = error(0.0) <= tol
        else:
            converged = (state.barrier <= final) & (error(final) <= tol * jnp.minimum(1, final))
        lower = (error(state.barrier) <= 10 * state.barrier) & (state.barrier > final) & ~restoring
        next_barrier = jnp.maximum(final, jnp.minimum(0.2 * state.barrier, state.barrier**1.5))
        barrier = jnp.where(lower, next_barrier, state.barrier)
        emptied = jnp.where(lower, jnp.inf, state.filter)
        state = eqx.tree_at(lambda s: (s.barrier, s.filter), state, (barrier, emptied))

        hessian = lagrangian_hessian(flat, v, state.multipliers)
        move = _direction(model, hessian, state, restoring, e)
        found = _line_search(flat, v, model, move, state, restoring)
        accepted = found.accepted & ~converged

        violation = _violation(model.c, state.slack, e)
        violated = _violated(found.c, e)
        # Restoration: begins where no step is acceptable although constraints are violated.
        begins = ~found.accepted & ~restoring & (violation > tol)
        stuck = ~found.accepted & ~begins
        flat_violation = jnp.max(jnp.abs(move.violation_gradient)) <= tol * jnp.minimum(
            1, _violated(model.c, e)
        )
        infeasible = restoring & (stuck | flat_violation) & (_violated(model.c, e) > tol)
        ends = restoring & accepted & (violated <= jnp.maximum(state.wanted, 0.1 * tol))
        wanted = jnp.where(begins, 0.5 * _violated(model.c, e), state.wanted)
        wanted = jnp.where(ends, jnp.inf, wanted)

        keep = lambda new, old: jnp.where(accepted, new, old)
        restart = jnp.maximum(-found.c[e:], jnp.minimum(1e-2, jnp.maximum(barrier, 1e-6)))
        slack = jnp.where(restoring, restart, found.slack)
        multipliers = state.multipliers + found.dual_length * move.multipliers
        multipliers = multipliers.at[:e].set(
            state.multipliers[:e] + found.length * move.multipliers[:e]
        )
        # The dual step must not run away from the primal one (Wächter and Biegler, eq. 16).
        bounded = jnp.clip(multipliers[e:], barrier / (1e10 * slack), 1e10 * barrier / slack)
        multipliers = multipliers.at[e:].set(bounded)
        fresh = jnp.zeros_like(multipliers).at[e:].set(barrier / slack)
        multipliers = jnp.where(restoring, fresh, multipliers)
        # After restoration, nothing as infeasible as where it began is taken again.
        barred = jnp.full_like(state.filter, jnp.inf)
        barred = barred.at[0].set(jnp.stack([2 * state.wanted, -jnp.inf]))
        remembered = state.filter.at[state.entries % _FILTER].set(found.entry)
        enlarged = found.enlarges & accepted & ~restoring
        filtered = jnp.where(ends, barred, jnp.where(enlarged, remembered, state.filter))

        new = v + jnp.where(accepted, found.length, 0) * found.p
        new = jnp.where(accepted, found.v, v)
        finite = jnp.isfinite(model.value) & jnp.all(jnp.isfinite(model.c))
        finite &= jnp.all(jnp.isfinite(model.gradient))
        ran_away = (jnp.linalg.norm(new) > 1 / eps) | ((model.value < -1 / eps) & (violation <= 1))
        results = optx.RESULTS
        result = results.where(stuck & ~converged, results.stagnation, results.successful)
        result = results.where(ran_away, results.nonlinear_divergence, result)
        result = results.where(finite, result, results.nonfinite)
        return (
            unravel(new),
            InteriorPointState(
                slack=keep(slack, state.slack),
                multipliers=keep(multipliers, state.multipliers),
                barrier=barrier,
                scale=state.scale,
                row_scale=state.row_scale,
                filter=filtered,
                entries=state.entries + enlarged,
                first_violation=state.first_violation,
                shift=move.shift,
                wanted=wanted,
                error=error(0.0 if self.barrier is None else final),
                infeasible=infeasible,
                terminate=converged,
                result=results.where(infeasible, results.stagnation, result),
            ),
            fn(y, args)[1],
        )

    def terminate(self, fn, y, args, options, state: InteriorPointState, tags):
        del fn, y, args, options, tags
        return state.terminate, state.result

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


def _error(model: Model, slack, multipliers, barrier, e):
    """The largest residual of the optimality conditions, relative to the multipliers' size."""
    size = jnp.maximum(1, jnp.mean(jnp.abs(multipliers)) / 100)
    stationarity = jnp.max(jnp.abs(model.lagrangian_gradient(multipliers))) / size
    feasibility = jnp.max(jnp.abs(model.c.at[e:].add(slack)))
    if slack.size == 0:
        return jnp.maximum(stationarity, feasibility)
    complementarity = jnp.max(jnp.abs(slack * multipliers[e:] - barrier)) / size
    return jnp.maximum(jnp.maximum(stationarity, feasibility), complementarity)


class _Move(eqx.Module):
    """A direction, and the factor it came from."""

    p: Float[Array, " d"]
    slack: Float[Array, " i"]
    multipliers: Float[Array, " m"]
    shift: Float[Array, ""]
    correct: Callable[[Float[Array, " m"]], Float[Array, " d"]]
    violation_gradient: Float[Array, " d"]


def _direction(model: Model, hessian, state: InteriorPointState, restoring, e) -> _Move:
    eps = float(jnp.finfo(hessian.dtype).eps)
    jacobian, slack = model.jacobian, state.slack
    mu = state.multipliers[e:]
    # Equalities are met up to eps^½ times their multiplier's step, which keeps the matrix
    # invertible where they depend on each other.
    weights = jnp.concatenate([jnp.full(e, eps**-0.5), mu / slack])
    violation = jnp.concatenate([model.c[:e], jnp.maximum(model.c[e:], 0)])
    violation_gradient = violation @ jacobian
    weights = jnp.where(restoring, (violation != 0).astype(weights.dtype), weights)
    base = jnp.where(restoring, 0, hessian) + (jacobian.T * weights) @ jacobian
    size = jnp.maximum(1, jnp.max(jnp.abs(jnp.diagonal(hessian))))
    first = jnp.where(restoring, 1e-6, 0)
    eye = jnp.eye(base.shape[0], dtype=base.dtype)

    def attempt(carry):
        shift, _, tries = carry
        larger = jnp.where(
            tries == 0,
            first,
            jnp.where(
                tries == 1,
                jnp.maximum(jnp.where(state.shift > 0, state.shift / 3, 1e-4), 1e-10),
                8 * shift,
            ),
        )
        return larger, lax.linalg.cholesky(base + larger * size * eye), tries + 1

    def unfinished(carry):
        _, lower, tries = carry
        return ~jnp.all(jnp.isfinite(lower)) & (tries < 40)

    start = (jnp.zeros((), base.dtype), jnp.full_like(base, jnp.nan), 0)
    shift, lower, _ = lax.while_loop(unfinished, attempt, start)

    def solve(a, b):
        """dv for −stationarity a and −rows b."""
        return cho_solve((lower, True), -a - (weights * b) @ jacobian)

    residual = model.c.at[e:].add(slack)
    gap = jnp.concatenate([jnp.zeros(e), (slack * mu - state.barrier) / slack])
    stationarity = model.lagrangian_gradient(state.multipliers) - gap @ jacobian
    a = jnp.where(restoring, 0, stationarity)
    b = jnp.where(restoring, violation, residual)
    p = solve(a, b)
    moved = jacobian @ p
    return _Move(
        p=p,
        slack=-residual[e:] - moved[e:],
        multipliers=weights * (moved + residual) - gap,
        shift=jnp.where(restoring, state.shift, shift),
        correct=lambda c: solve(a, c),
        violation_gradient=violation_gradient,
    )


class _Found(eqx.Module):
    v: Float[Array, " d"]
    p: Float[Array, " d"]
    slack: Float[Array, " i"]
    c: Float[Array, " m"]
    length: Float[Array, ""]
    dual_length: Float[Array, ""]
    accepted: Bool[Array, ""]
    enlarges: Bool[Array, ""]
    entry: Float[Array, " 2"]


def _to_boundary(value, change, fraction):
    """The longest step up to 1 that leaves `value` at least 1 − fraction of itself."""
    ratio = jnp.where(change < 0, -fraction * value / jnp.where(change < 0, change, -1), 1)
    return jnp.min(ratio, initial=1.0)


def _line_search(
    flat: Flat, v, model: Model, move: _Move, state: InteriorPointState, restoring
) -> _Found:
    e = flat.equalities
    eps = float(jnp.finfo(v.dtype).eps)
    fraction = jnp.maximum(0.99, 1 - state.barrier)
    violation = _violation(model.c, state.slack, e)
    merit = model.value - state.barrier * jnp.sum(jnp.log(state.slack))
    slope = model.gradient @ move.p - state.barrier * jnp.sum(move.slack / state.slack)
    squares = lambda c: jnp.sum(c[:e] ** 2) + jnp.sum(jnp.maximum(c[e:], 0) ** 2)
    restored = squares(model.c)
    restoring_slope = move.violation_gradient @ move.p

    def trial(p, slack, length):
        """Whether v + length · p will do, and what is known of it."""
        new = v + length * p
        value, c = flat.objective(new), flat.rows(new)
        moved = state.slack + length * slack
        moved = jnp.maximum(moved, -c[e:])  # a slack may always grow up to what there is
        v_new = _violation(c, moved, e)
        m_new = value - state.barrier * jnp.sum(jnp.log(moved))
        finite = jnp.isfinite(value) & jnp.isfinite(v_new) & jnp.isfinite(m_new)
        passes = jnp.all((v_new < state.filter[:, 0]) | (m_new < state.filter[:, 1]))
        passes &= v_new <= 1e4 * state.first_violation
        steep = (slope < 0) & (violation <= 1e-4 * state.first_violation)
        steep &= length * jnp.abs(slope) ** 2.3 > violation**1.1
        rounding = 10 * eps * jnp.abs(merit)
        armijo = m_new <= merit + 1e-8 * length * slope + rounding
        either = (v_new <= (1 - 1e-5) * violation) | (
            m_new <= merit - 1e-8 * violation + rounding * (violation <= eps**0.5)
        )
        good = finite & passes & jnp.where(steep, armijo, either)
        fell = squares(c) <= restored + 1e-4 * length * restoring_slope
        good = jnp.where(restoring, jnp.all(jnp.isfinite(c)) & jnp.isfinite(value) & fell, good)
        return new, moved, c, v_new, good, ~(steep & armijo)

    primal = jnp.where(restoring, 1.0, _to_boundary(state.slack, move.slack, fraction))
    dual = _to_boundary(state.multipliers[e:], move.multipliers[e:], fraction)

    def attempt(carry):
        p, slack, length, uncorrected, tries, _ = carry
        new, moved, c, v_new, good, enlarges = trial(p, slack, length)
        # Second-order correction, once: what the curvature of the rows added is taken back.
        residual = model.c.at[e:].add(state.slack)
        added = length * residual + c.at[e:].add(state.slack + length * slack)
        p_corrected = move.correct(added)
        slack_corrected = -added[e:] - (model.jacobian @ p_corrected)[e:]
        worth = (tries == 0) & ~good & (v_new >= violation) & ~restoring
        choose = lambda corrected, other: jnp.where(worth, corrected, other)
        shorter = choose(uncorrected, uncorrected / 2)
        longest = _to_boundary(state.slack, slack_corrected, fraction)
        found = (new, moved, c, length, good, enlarges, p)
        p = choose(p_corrected, move.p)
        slack = choose(slack_corrected, move.slack)
        return p, slack, choose(longest, shorter), shorter, tries + 1, found

    def unfinished(carry):
        *_, tries, found = carry
        return ~found[4] & (tries < _TRIES)

    never = jnp.array(False)
    nothing = (v, state.slack, model.c, jnp.zeros((), v.dtype), never, never, move.p)
    start = (move.p, move.slack, primal, primal, 0, nothing)
    *_, found = lax.while_loop(unfinished, attempt, start)
    new, slack, c, length, accepted, enlarges, p = found
    entry = jnp.stack([(1 - 1e-5) * violation, merit - 1e-8 * violation])
    return _Found(new, p, slack, c, length, dual, accepted, enlarges, entry)
