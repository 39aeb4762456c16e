"""Solve a convex quadratic program to rounding, and judge it."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from argrad.solvers.active_set import WEAKLY_ACTIVE
from argrad.solvers.quadratic_program_active import Start, candidate
from argrad.solvers.quadratic_program_careful import (
    NAMED,
    Found,
    accepted,
    careful,
    parts,
)
from argrad.solvers.quadratic_program_data import Program, once, units
from argrad.solvers.quadratic_program_forms import (
    DualForm,
    Factors,
    Held,
    PrimalForm,
    condensed,
    factors,
    forwards,
    least_share,
)
from argrad.status import Rows, Status


class Solved(eqx.Module):
    """A program with its solution, how it was found, and the factor that differentiates it.

    `factors` are of the program itself, None where nobody keeps any; `form` and `factor` of the
    one in y/scale. `trusted` where that factor solves to rounding without any refinement.
    """

    program: Program
    y: Float[Array, " n"]
    l: Float[Array, " m"]
    held: Bool[Array, " m"]
    activity: Int[Array, " m-e"]
    status: Any
    iterations: Int[Array, ""]
    gradient_norm: Float[Array, ""]
    step_norm: Float[Array, ""]
    violation: Float[Array, ""]
    rows: Rows
    factors: Factors | None
    form: DualForm | PrimalForm
    factor: Float[Array, "k k"]
    scale: Float[Array, " n"]
    trusted: Bool[Array, ""]

    def solve(
        self, a: Float[Array, " n"], b: Float[Array, " m"]
    ) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
        """(u, l) with Q u + Jᵀl = a, J u = b on the held rows, −l = b on the others, nearly."""
        whole = lambda form: form.program
        program = self.program.scaled(self.scale)
        form = eqx.tree_at(whole, self.form, program, is_leaf=lambda leaf: leaf is None)
        rows = self.program.row_scale(self.scale)
        u, l = form.solve(self.factor, self.held, None, self.scale * a, rows * b)
        return self.scale * u, jnp.where(self.held, rows * l, -b)


def solve_quadratic_program(
    program: Program, start: Start | None, known: Factors | None, max_steps: int
) -> Solved:
    """The solution, from the rows that `start` holds where there is one.

    First by exchanging active rows, which is all that most programs need. Where that does not end,
    or the solution is not plainly regular, all is done again, with care. `known` factors are used
    where they are those of `program`.
    """
    sizes = units(program)
    m, dtype = program.size, program.p.dtype
    mine = factors(program) if known is None else _renewed(known, program)
    eps, share = float(jnp.finfo(dtype).eps), least_share(mine.L, jnp.diagonal(program.Q))
    posed = share > eps**0.5
    form = condensed(program, sizes, mine, None)
    begin = _guess(form) if start is None else start
    # XLA must not take two of these factors side by side (see `convex_factor`), so each waits to
    # hear how the one before has ended: rows are exchanged once Q is known to be definite (of
    # another what comes here is not used), and looked at once they have led to a solution.
    best = candidate(form, sizes, begin._replace(held=begin.held | ~posed), mine.held)
    certain = posed & (best.error <= accepted(dtype))
    independent = form.independent(best.factor, best.held & certain)
    certain &= independent & ~jnp.any(best.activity == WEAKLY_ACTIVE)
    plain = Found(
        form=parts(form),
        best=best,
        scale=jnp.ones_like(program.p),
        status=Status.converged,
        named=jnp.full(min(NAMED, m), -1),
    )
    found = once(
        ~certain,
        lambda program, begin, best: careful(program, begin, best, max_steps),
        plain,
        program,
        begin,
        best,
    )
    last = Held(best.held, best.factor, jnp.array(True))
    unrefined = jnp.isnan(best.step_norm)
    trusted = certain & unrefined & (share > eps**0.25)
    return solved(program, found, replace(mine, held=last), trusted)


def solved(
    program: Program, found: Found, mine: Factors | None, trusted: Bool[Array, ""]
) -> Solved:
    """A program with what was found for it."""
    best, e = found.best, program.equalities
    return Solved(
        program=program,
        y=best.y,
        l=best.l,
        held=best.held,
        activity=best.activity[e:],
        status=found.status,
        iterations=best.steps,
        gradient_norm=best.gradient_norm,
        step_norm=best.step_norm,
        violation=best.violation,
        rows=Rows(found.named, program.layout()),
        factors=mine,
        form=found.form,
        factor=best.factor,
        scale=found.scale,
        trusted=trusted,
    )


def _renewed(known: Factors, program: Program) -> Factors:
    """Those of `program`: `known` if they are."""
    assert known.held is not None
    kept = lambda mine, held: (mine.L, mine.R, mine.S, held)
    stale = replace(known.held, valid=jnp.array(False))
    renew = lambda program: kept(factors(program), stale)
    # Not Q and the rows as well: what goes through a loop is copied.
    L, R, S, held = once(~known.belong_to(program), renew, kept(known, known.held), program)
    q = None if R is None else forwards(L, program.p)
    return Factors(program.Q, program.rows, L, R, S, q, held)


def _guess(form: DualForm | PrimalForm) -> Start:
    """No multipliers; the rows that are violated by the minimum without constraints."""
    program = form.program
    y, l = jnp.zeros_like(program.p), jnp.zeros(program.size, program.p.dtype)
    if isinstance(form, DualForm):
        return Start(y, l, form.offset < 0)
    return Start(y, l, jnp.zeros(program.size, bool))
