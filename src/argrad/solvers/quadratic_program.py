"""Solve a convex quadratic program to rounding, and judge it."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt

from argrad.linalg.fingerprint import fingerprint
from argrad.solvers.active_set import WEAKLY_ACTIVE
from argrad.solvers.quadratic_program_active import Start, candidate
from argrad.solvers.quadratic_program_careful import (
    NAMED,
    Found,
    accepted,
    careful,
    parts,
)
from argrad.solvers.quadratic_program_data import Program, Units, once, units
from argrad.solvers.quadratic_program_forms import (
    DualForm,
    PrimalForm,
    cholesky,
    condensed,
    least_share,
)
from argrad.status import Rows, Status


class Factors(eqx.Module):
    """What a solve leaves to one of a program with the same Q and rows, which `matrices` tells.

    `form` without its program, and `factor`, of the rows `held`; `share` as `least_share` has it
    for Q, zero where the next program must not begin with these.
    """

    matrices: UInt[Array, "2 w"]
    form: DualForm | PrimalForm
    held: Bool[Array, " m"]
    factor: Float[Array, "k k"]
    share: Float[Array, ""]

    def belong_to(self, program: Program) -> Bool[Array, ""]:
        """Whether they are those of `program`."""
        return jnp.all(self.matrices == _matrices(program))


class Solved(eqx.Module):
    """A program with its solution, how it was found, and the factor that differentiates it.

    `form`, without its program, and `factor` are of the program in y/scale. `trusted` where that
    factor solves to rounding without any refinement.
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
    form: DualForm | PrimalForm
    factor: Float[Array, "k k"]
    scale: Float[Array, " n"]
    share: Float[Array, ""]
    trusted: Bool[Array, ""]

    def solve(
        self, a: Float[Array, " n"], b: Float[Array, " m"]
    ) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
        """(u, l) with Q u + Jᵀl = a, J u = b on the held rows, −l = b on the others, nearly."""
        whole = lambda form: form.program
        program = self.program.symmetrised().scaled(self.scale)
        form = eqx.tree_at(whole, self.form, program, is_leaf=lambda leaf: leaf is None)
        rows = self.program.row_scale(self.scale)
        u, l = form.solve(self.factor, self.held, None, self.scale * a, rows * b)
        return self.scale * u, jnp.where(self.held, rows * l, -b)

    def factors(self) -> Factors:
        """What the next solve may use again."""
        known = _matrices(self.program)
        return Factors(known, self.form, self.held, self.factor, self.share)


def solve_quadratic_program(
    program: Program, start: Start | None, known: Factors | None, max_steps: int
) -> Solved:
    """The solution, from the rows that `start` holds where there is one.

    First by exchanging active rows, which is all that most programs need. Where that does not end,
    or the solution is not plainly regular, all is done again, with care. With `known` factors the
    first attempt takes them for those of `program`, and all is begun anew where they are not.
    """
    if known is None or start is None:
        return solved(program, *_anew(program, start, max_steps))
    # Of the dual form nothing but residuals is taken with Q, for which half of it need not move.
    dual = isinstance(known.form, DualForm)
    form = known.form.of(program if dual else program.symmetrised())
    begin = start._replace(held=known.held)
    again, certain = _by_exchange(units(program), form, known.share, begin, known.factor)
    found = once(
        ~certain | ~known.belong_to(program),
        lambda program, start: _anew(program, start, max_steps),
        (again, known.share),
        program,
        start,
    )
    return solved(program, *found)


def _anew(program: Program, start: Start | None, max_steps: int) -> tuple[Found, Array]:
    """What is found without knowing anything, and the share as `Factors` has it."""
    given, program = program, program.symmetrised()
    sizes = units(program)
    U = cholesky(program.Q)
    share = least_share(U, jnp.diagonal(program.Q))
    form = condensed(program, sizes, U, None)
    begin = _guess(form) if start is None else start
    plain, certain = _by_exchange(sizes, form, share, begin)
    found = once(
        ~certain,
        lambda given, begin, best: careful(given.symmetrised(), begin, best, max_steps),
        plain,
        given,
        begin,
        plain.best,
    )
    return found, jnp.where(certain, share, 0)


def _by_exchange(
    sizes: Units,
    form: DualForm | PrimalForm,
    share: Float[Array, ""],
    begin: Start,
    known: Float[Array, "k k"] | None = None,
) -> tuple[Found, Bool[Array, ""]]:
    """Where exchanging rows leads, and whether that is a plainly regular solution."""
    program = form.program
    m, dtype = program.size, program.p.dtype
    posed = share > float(jnp.finfo(dtype).eps) ** 0.5
    # XLA must not take two of these factors side by side (see `convex_factor`), so each waits to
    # hear how the one before has ended: rows are exchanged once Q is known to be definite (of
    # another what comes here is not used), and looked at once they have led to a solution.
    best = candidate(form, sizes, begin._replace(held=begin.held | ~posed), known)
    certain = posed & (best.error <= accepted(dtype))
    independent = form.independent(best.factor, best.held & certain)
    certain &= independent & ~jnp.any(best.activity == WEAKLY_ACTIVE)
    found = Found(
        form=parts(form),
        best=best,
        scale=jnp.ones_like(program.p),
        status=Status.converged,
        named=jnp.full(min(NAMED, m), -1),
    )
    return found, certain


def solved(program: Program, found: Found, share: Float[Array, ""]) -> Solved:
    """A program with what was found for it."""
    best, e = found.best, program.equalities
    # Exchanges of the primal form are refinements themselves, of a factor with a penalty's error.
    unrefined = jnp.isnan(best.step_norm) & isinstance(found.form, DualForm)
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
        form=found.form,
        factor=best.factor,
        scale=found.scale,
        share=share,
        trusted=unrefined & (share > float(jnp.finfo(program.p.dtype).eps) ** 0.25),
    )


def _matrices(program: Program) -> UInt[Array, "2 w"]:
    return jnp.stack([fingerprint(program.Q), fingerprint(program.rows)])


def _guess(form: DualForm | PrimalForm) -> Start:
    """No multipliers; the rows that are violated by the minimum without constraints."""
    program = form.program
    y, l = jnp.zeros_like(program.p), jnp.zeros(program.size, program.p.dtype)
    if isinstance(form, DualForm):
        return Start(y, l, form.offset < 0)
    return Start(y, l, jnp.zeros(program.size, bool))
