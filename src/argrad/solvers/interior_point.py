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
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

from argrad.solvers.interior_step import (
    Now,
    direction,
    line_search,
    relaxation,
    relaxed,
    violation_left,
    violation_of,
)
from argrad.solvers.quadratic_model import Flat, Model, first_order

_FILTER = 32  # pairs that the filter remembers
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

    Source: Wächter and Biegler 2006; Nocedal and Wright 2006, chapter 19; Vanderbei and Shanno
    1999.

    >>> import jax.numpy as jnp, optimistix as optx, argrad as ag
    >>> rows = lambda y, args: (jnp.zeros(0), jnp.array([y @ y - 1]))  # inside the unit disc
    >>> nearest = lambda y, args: jnp.sum((y - args) ** 2)
    >>> found = optx.minimise(nearest, ag.InteriorPoint(), jnp.zeros(2), jnp.array([3.0, 4.0]),
    ...                       options=dict(constraints=rows))
    >>> found.value.round(1)
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
        first_violation = jnp.maximum(1, violation_left(c, slack, e))
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
        now = Now(
            violation=violation_left(model.c, state.slack, e),
            violated=violation_of(model.c, e),
            slack=jnp.where(restoring, relaxed(model.c[e:], barrier)[0], state.slack),
            multipliers=state.multipliers,
            filter=jnp.where(solved, jnp.inf, state.filter),
            barrier=barrier,
            last_shift=state.shift,
            most_violation=1e4 * state.first_violation,
            restoring=restoring,
            weight=jnp.where(restoring, state.curved, 1),
        )
        move = direction(flat, v, model, now)
        found = line_search(flat, v, model, move, now)
        accepted = found.accepted & ~converged

        # Restoration begins where no step is acceptable although constraints are violated. It
        # ends well where little of the violation is left, badly where that cannot be lowered.
        begins = ~found.accepted & ~restoring & (now.violation > tol)
        # It is done by the method of Gauss and Newton, and by Newton's once steps are cut short or
        # gain little: where much of the violation has to stay, the former zigzags.
        cut = ~found.accepted | (found.length < 0.05) | (found.poor & (found.length == 1))
        stuck = ~found.accepted & ~begins & ~(restoring & (state.curved == 0))
        # Where the finest relaxation is at its minimum, nothing that this moved is left to gain.
        margin = relaxation(barrier) ** 0.5
        finest = (barrier <= final) & (now.violated > 100 * margin)
        slope = _violation_slope(model, e)
        slope = jnp.where(finest, jnp.minimum(slope, move.slope_size), slope)
        least = (slope <= tol * jnp.minimum(1, now.violated)) | stuck
        infeasible = restoring & least & (now.violated > tol)
        ends = accepted & restoring
        ends &= found.violated <= jnp.maximum(_RESTORED * state.began, 0.1 * tol)
        began = jnp.where(begins, now.violated, jnp.where(ends, jnp.inf, state.began))
        # The relaxation goes with the barrier; at its minimum it has to be made finer.
        finer = restoring & (move.slope_size <= 0.1 * margin)
        curved = jnp.where(begins, 0, jnp.maximum(state.curved, restoring & (cut | finer)))

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
        barrier = jnp.where(finer, next_barrier, barrier)
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
