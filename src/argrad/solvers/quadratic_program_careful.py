"""Quadratic programs that are not solved at first sight, and what is wrong with some of them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from argrad.linalg.cholesky import DEFINITE, lower_cholesky
from argrad.linalg.kkt import null_space_form
from argrad.solvers import quadratic_program_interior as interior
from argrad.solvers.active_set import INACTIVE, STRONGLY_ACTIVE, WEAKLY_ACTIVE
from argrad.solvers.quadratic_program_active import Candidate, Start, candidate
from argrad.solvers.quadratic_program_data import Program, Units, residual, units
from argrad.solvers.quadratic_program_forms import (
    DualForm,
    PrimalForm,
    condensed,
    convex_factor,
)
from argrad.status import Status

NAMED = 3  # rows that an error names at most
_TURNS = 5


class Found(eqx.Module):
    """The best point and what there is to say of it; its factor is that of Q + shift in y/scale."""

    best: Candidate
    scale: Float[Array, " n"]
    shift: Float[Array, ""]
    status: Any
    named: Int[Array, " k"]


def accepted(dtype) -> float:
    """The error at which a candidate is a solution."""
    return float(jnp.finfo(dtype).eps) ** 0.7


def variable_scale(program: Program) -> Float[Array, " n"]:
    """Units of the variables in which Q has diagonal 1; by the rows where that is zero."""
    diagonal = jnp.abs(program.curvatures())
    column = program.columns(1 / jnp.sqrt(program.squares()))
    column = jnp.where(column > 0, column, 1)
    largest = jnp.max(diagonal)
    size = column**2 * jnp.where(largest > 0, largest, 1)
    scale = 1 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, size))
    return jnp.where(jnp.isfinite(scale), scale, 1)


class Dense:
    """What is done to the matrices of a program, here as dense ones."""

    @staticmethod
    def form(program: Program, sizes: Units) -> tuple[DualForm | PrimalForm, Bool[Array, ""]]:
        """The condensed systems, shifted where that is needed, and whether Q is convex."""
        L, shift, convex = convex_factor(program.Q, sizes.stiffness)
        return condensed(program, sizes, L, shift), convex

    @staticmethod
    def shifted(program: Program, sizes: Units, shift: Float[Array, ""]) -> DualForm | PrimalForm:
        """The condensed systems with a shift that is known."""
        eye = jnp.eye(program.p.size, dtype=program.p.dtype)
        return condensed(program, sizes, lower_cholesky(program.Q + shift * eye), shift)

    @staticmethod
    def regularity(
        program: Program, activity: Int[Array, " m"]
    ) -> tuple[Int[Array, ""], Float[Array, " m"]]:
        """The curvature that strongly active rows leave, and how active rows depend on each other.

        As `argrad.linalg.kkt` has them: DEFINITE or another verdict, and 0 for no part in it.
        """
        jacobian = jnp.pad(program.jacobian(), ((0, 1), (0, 0)))  # there may be no row at all
        both = jnp.stack([activity == STRONGLY_ACTIVE, activity != INACTIVE])
        form = lambda held: null_space_form(program.Q, jacobian, held)[3:]
        views = jax.vmap(form)(jnp.pad(both, ((0, 0), (0, 1))))
        return views[0][0], views[1][1][:-1]


def careful(
    original: Program,
    start: Start,
    first: Candidate,
    max_steps: int,
    matrices: Any = Dense,
    turn: int | None = None,
) -> Found:
    """Active sets from better and better interior points, with a verdict on the best.

    `first` is what `start` has led to without care. The first turn exchanges rows from `start`;
    None leaves that turn out where it would only repeat what led to `first`.
    """
    scale = variable_scale(original)
    rescale = original.row_scale(scale)
    program = original.scaled(scale)
    sizes = units(program)
    form, convex = matrices.form(program, sizes)
    rows, it = interior.begin(program, sizes)
    enough = accepted(program.p.dtype)
    usable = convex & _finite(original)
    again = first.error <= enough
    start = jax.tree.map(lambda a, b: jnp.where(again, a, b), Start(*first[:3]), start)
    start = Start(start.y / scale, start.l / rescale, start.held)

    def approach(carry):
        turn, it, best = carry
        tol = 10.0 ** (-2 - 3.0 * turn)

        def unfinished(it):
            return (turn > 0) & (it.gap > tol) & ~it.ended & (it.steps < max_steps)

        it = lax.while_loop(unfinished, lambda it: interior.step(form, sizes, rows, it), it)
        active = rows.present & (it.l * rows.weight > it.s)
        inner = Start(it.y / it.tau, it.l / it.tau, active)
        origin = jax.tree.map(lambda a, b: jnp.where(turn == 0, a, b), start, inner)
        new = candidate(form, sizes, origin)
        better = new.error < best.error
        new = new._replace(steps=new.steps + best.steps)
        kept = best._replace(steps=new.steps)
        return turn + 1, it, jax.tree.map(lambda a, b: jnp.where(better, a, b), new, kept)

    def unfinished(carry):
        turn, it, best = carry
        going = ~it.ended & (it.steps < max_steps) & (turn < _TURNS)
        return (best.error > enough) & going & usable

    # Exchanges that came to nothing would come to nothing again, but for a shift.
    repeated = jnp.where(again | (form.shift > 0), 0, 1)
    begin = repeated if turn is None else jnp.asarray(turn)
    best = first._replace(error=jnp.full_like(first.error, jnp.inf))
    carry = (begin, it, best)
    _, it, best = lax.while_loop(unfinished, approach, carry)
    optimal = best.error <= enough
    curvature, dependent = matrices.regularity(program, best.activity)
    status, guilty = _judge(curvature, dependent, rows, it, best, optimal)
    status = Status.where(convex, status, Status.nonconvex)
    status = Status.where(_finite(original), status, Status.nonfinite_start)
    named = jnp.zeros(0, int)
    if guilty.size:
        weight, order = lax.top_k(guilty, min(NAMED, guilty.size))
        named = jnp.where(weight > 1e-3, order, -1)
    y, l = best.y * scale, best.l * rescale
    now = residual(original, units(original), y, l)
    best = best._replace(
        y=y,
        l=l,
        steps=best.steps + it.steps,
        gradient_norm=jnp.linalg.norm(now.gradient),
        violation=now.violation(original.equalities),
    )
    return Found(best, scale, form.shift, status, named)


def _judge(curvature, dependent, rows, it, best: Candidate, optimal: Bool[Array, ""]):
    """The status, and how much each row has to do with it."""
    activity = best.activity
    weak = activity == WEAKLY_ACTIVE
    status = Status.where(optimal, Status.converged, Status.max_steps_reached)
    for condition, verdict in (
        (jnp.any(dependent > 0), Status.dependent),
        (curvature != DEFINITE, Status.singular),
        (jnp.any(weak), Status.kink),
    ):
        status = Status.where((status == Status.converged) & condition, verdict, status)
    status = Status.where(~optimal & it.infeasible, Status.infeasible, status)
    status = Status.where(~optimal & it.unbounded, Status.unbounded, status)

    proof = jnp.abs(it.l) * rows.lengths
    proof = proof / jnp.max(proof, initial=float(jnp.finfo(proof.dtype).tiny))
    guilty = jnp.where(status == Status.infeasible, proof, 0)
    guilty = jnp.where(status == Status.kink, weak, guilty)
    guilty = jnp.where(status == Status.dependent, dependent, guilty)
    return status, guilty.astype(proof.dtype)


def _finite(program: Program) -> Bool[Array, ""]:
    """Whether the data are numbers; only limits of inequalities may be infinite, from above."""
    arrays = jax.tree.leaves((program.Q, program.p, program.rows, program.b))
    good = jnp.all(jnp.stack([jnp.all(jnp.isfinite(array)) for array in arrays]))
    limits = program.limits()
    return good & ~jnp.any(jnp.isnan(limits) | (limits == -jnp.inf))
