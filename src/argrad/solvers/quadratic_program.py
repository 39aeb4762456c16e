"""Solve a convex quadratic program to rounding, and judge it."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt

from argrad.linalg.cholesky import lower_cholesky
from argrad.linalg.fingerprint import fingerprint
from argrad.solvers.active_set import WEAKLY_ACTIVE
from argrad.solvers.quadratic_program_active import Start, candidate
from argrad.solvers.quadratic_program_careful import NAMED, Dense, Found, accepted, careful
from argrad.solvers.quadratic_program_data import Program, Units, once, units
from argrad.solvers.quadratic_program_forms import (
    DualForm,
    PrimalForm,
    condensed,
    least_share,
)
from argrad.status import Rows, Status

Solve = Callable[
    [Float[Array, " n"], Float[Array, " m"]], tuple[Float[Array, " n"], Float[Array, " m"]]
]


class Factors(eqx.Module):
    """What a solve leaves to one of a program with the same Q and rows, which `matrices` tells.

    `form` without its program and with Lᵀ for L, and `factor`, of the rows `held`; `share` as
    `least_share` has it for Q, zero where the next program must not begin with these.
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

    `factor` is of the rows `held`, in y/scale and with `shift` added to Q. `form`, without its
    program, is that of the program as it stands, to which the factor belongs where the solution
    was found `plainly`; None for sparse programs, of which none is. Of what was found with care
    `matrices` makes the form anew: to hand it on out of a branch that is seldom taken would copy
    it for all programs of a batch. `trusted` where form and factor solve to rounding without any
    refinement.
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
    form: DualForm | PrimalForm | None
    factor: Float[Array, "k k"]
    scale: Float[Array, " n"]
    shift: Float[Array, ""]
    share: Float[Array, ""]
    trusted: Bool[Array, ""]
    matrices: Any = eqx.field(static=True)

    @property
    def plainly(self) -> Bool[Array, ""]:
        """Whether the solution was found without care."""
        return self.share > 0

    def plain_solve(self) -> Solve:
        """From (a, b) nearly to (u, l) with Q u + Jᵀl = a, J u = b on the held rows and −l = b on
        the others, for what was found plainly."""
        form = _with_program(self.form, self.program.symmetrised())
        return lambda a, b: form.solve(self.factor, self.held, None, a, b)

    def careful_solve(self) -> Solve:
        """The same for what was found with care."""
        scaled = self.program.symmetrised().scaled(self.scale)
        form = self.matrices.shifted(scaled, units(scaled), self.shift)
        rows = self.program.row_scale(self.scale)

        def solve(a, b):
            u, l = form.solve(self.factor, self.held, None, self.scale * a, rows * b)
            return self.scale * u, jnp.where(self.held, rows * l, -b)

        return solve

    def factors(self) -> Factors:
        """What the next solve may use again."""
        assert self.form is not None
        known = _matrices(self.program)
        return Factors(known, _turned(self.form), self.held, self.factor, self.share)


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
    form = _turned(known.form).of(program)
    begin = start._replace(held=known.held)
    again, certain = _by_exchange(units(program), form, known.share, begin, known.factor)
    turned = lambda form, *others: (_turned(form), *others)
    found = once(
        ~certain | ~known.belong_to(program),
        lambda program, start: turned(*_anew(program, start, max_steps)),
        turned(_with_program(form, None), again, known.share),
        program,
        start,
    )
    return solved(program, *turned(*found))


def _anew(
    program: Program, start: Start | None, max_steps: int
) -> tuple[DualForm | PrimalForm, Found, Array]:
    """What is found without knowing anything, its form, and the share as `Factors` has it."""
    sizes = units(program)
    L = lower_cholesky(program.symmetrised().Q)
    share = least_share(L, program.curvatures())
    form = condensed(program, sizes, L, None)
    begin = _guess(form) if start is None else start
    plain, certain = _by_exchange(sizes, form, share, begin)

    def with_care(program, begin, best):
        return careful(program.symmetrised(), begin, best, max_steps), jnp.zeros_like(share)

    found, share = once(~certain, with_care, (plain, share), program, begin, plain.best)
    return _with_program(form, None), found, share


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
        best=best,
        scale=jnp.ones_like(program.p),
        shift=jnp.zeros((), dtype),
        status=Status.converged,
        named=jnp.full(min(NAMED, m), -1),
    )
    return found, certain


def solved(
    program: Program,
    form: DualForm | PrimalForm | None,
    found: Found,
    share: Float[Array, ""],
    matrices: Any = Dense,
) -> Solved:
    """A program with what was found for it."""
    best, e = found.best, program.equalities
    # Exchanges of the primal form are refinements themselves, of a factor with a penalty's error.
    unrefined = jnp.isnan(best.step_norm) & isinstance(form, DualForm)
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
        form=form,
        factor=best.factor,
        scale=found.scale,
        shift=found.shift,
        share=share,
        trusted=unrefined & (share > float(jnp.finfo(program.p.dtype).eps) ** 0.25),
        matrices=matrices,
    )


def _with_program(form, program: Program | None):
    """A form that was without its program with it, or the other way round."""
    return eqx.tree_at(lambda form: form.program, form, program, is_leaf=lambda leaf: leaf is None)


def _turned(form: DualForm | PrimalForm) -> DualForm | PrimalForm:
    """A form with Lᵀ for L, as it goes through loops and to callers (see `cholesky`)."""
    return eqx.tree_at(lambda form: form.L, form, form.L.T) if isinstance(form, DualForm) else form


def _matrices(program: Program) -> UInt[Array, "2 w"]:
    return jnp.stack([fingerprint(program.Q), fingerprint(program.rows)])


def _guess(form: DualForm | PrimalForm) -> Start:
    """No multipliers; the rows that are violated by the minimum without constraints."""
    program = form.program
    y, l = jnp.zeros_like(program.p), jnp.zeros(program.size, program.p.dtype)
    if isinstance(form, DualForm):
        return Start(y, l, form.offset < 0)
    return Start(y, l, jnp.zeros(program.size, bool))
