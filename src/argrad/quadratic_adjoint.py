"""How the solution of a quadratic program moves with its data, by the factor that found it."""

from collections.abc import Callable
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from argrad.adjoints.envelope import Envelope
from argrad.adjoints.implicit import LinearRule, implicit_function
from argrad.conditions import Conditions, Point
from argrad.linalg.self_adjoint import SelfAdjoint
from argrad.solvers.constrained import ConstrainedOutcome
from argrad.solvers.quadratic_program import Solved
from argrad.solvers.quadratic_program_data import Program, once

_STEPS = 9


def differentiable(
    solved: Solved, program: Program, throw: bool
) -> tuple[Point, ConstrainedOutcome]:
    """The solution as a function of `program`, by the implicit function theorem."""
    e = program.equalities
    outcome = ConstrainedOutcome(
        status=solved.status,
        iterations=solved.iterations,
        gradient_norm=solved.gradient_norm,
        step_norm=solved.step_norm,
        factor=None,
        activity=solved.activity,
        active=solved.held,
        violation=solved.violation,
        rows=solved.rows,
    )
    point = Point(solved.y, solved.l[:e], solved.l[e:])
    rule = LinearRule(KnownFactor(solved), throw)
    conditions = LinearKKT(_optimality, "symmetric")
    known = _Known(point, outcome)
    found = implicit_function(known, conditions, point, program, (), rule)
    return cast(tuple[Point, ConstrainedOutcome], found)


class _Known(eqx.Module):
    """A solution that is there already, in the place of a solver."""

    point: Point
    outcome: ConstrainedOutcome

    def __call__(self, conditions, y0, x, args):
        return self.point, self.outcome


def _optimality(
    y: Float[Array, " n"], l: Float[Array, " m"], program: Program
) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
    """Q y + p + Jᵀl, and J y − limits."""
    force = program.curve(y) + program.p + program.transposed(l)
    return force, program.times(y) - program.limits()


class LinearKKT(Conditions):
    """The Karush–Kuhn–Tucker conditions of a quadratic program on the rows that it holds.

    Q y + p + Jᵀl = 0,  J y = limits on those rows, l = 0 on the others
    """

    active: Bool[Array, " i"] | None = None

    def at(self, outcome):
        active = outcome.active[outcome.active.size - outcome.activity.size :]
        return LinearKKT(self.residual, self.curvature, active)

    def __call__(self, point, program, *args):
        below = jnp.where(self.active, point.below, 0)
        gradient, rows = self.residual(point.y, jnp.concatenate([point.equal, below]), program)
        e = point.equal.size
        return Point(gradient, rows[:e], jnp.where(self.active, rows[e:], -point.below))


class KnownFactor(SelfAdjoint[lx.AbstractLinearOperator]):
    """Solve with the KKT matrix by the factor that the last step of the solver left.

    A factor that took the solution to rounding at once, of a matrix that is well conditioned, is
    trusted. Any other is followed by iterative refinement with the matrix itself, until the steps
    are rounding or shrink no more; that succeeds if the last of them was below eps^½.

    Source: Higham 2002, chapter 12.
    """

    solved: Solved

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]):
        del options
        return operator

    def compute(
        self, state: lx.AbstractLinearOperator, vector: PyTree[Array], options: dict[str, Any]
    ) -> tuple[PyTree[Array], lx.RESULTS, dict[str, Any]]:
        del options
        solved, n = self.solved, self.solved.y.size
        b, unravel = ravel_pytree(vector)
        flat = lambda solve: lambda v: jnp.concatenate(solve(v[:n], v[n:]))
        product = lambda v: ravel_pytree(state.mv(unravel(v)))[0]
        unknown = jnp.full((), jnp.inf, b.dtype)

        def with_care(solved, b):
            solve = flat(solved.careful_solve())
            return _refined(solve, product, b, jnp.zeros_like(b), unknown)

        if solved.form is None:
            u, error, steps = with_care(solved, b)
        else:
            solve, plainly = flat(solved.plain_solve()), solved.plainly
            # No right-hand side where care was taken, also since XLA must not take this beside a
            # factorisation of the solver (see `convex_factor`), the last of which tells.
            u = solve(jnp.where(plainly, b, 0))
            good = solved.trusted | ~plainly
            plain = _refined(solve, product, b, u, jnp.where(good, 0, unknown))
            without_form = eqx.tree_at(lambda solved: solved.form, solved, None)
            u, error, steps = once(~plainly, with_care, plain, without_form, b)
        results, eps = lx.RESULTS, float(jnp.finfo(b.dtype).eps)
        result = results.where(error <= eps**0.5, results.successful, results.stagnation)
        return unravel(u), result, {"num_steps": steps}


def _refined(
    approximate: Callable[[Array], Array],
    product: Callable[[Array], Array],
    b: Float[Array, " k"],
    u: Float[Array, " k"],
    error: Float[Array, ""],
) -> tuple[Float[Array, " k"], Float[Array, ""], Int[Array, ""]]:
    """`product`(u) = b, to which `approximate` comes near, from a u with a relative `error`.

    Returns u, the relative size of the last step, and the number of steps.
    """
    eps = float(jnp.finfo(b.dtype).eps)

    def refine(carry):
        u, now, _, steps = carry
        step = approximate(b - product(u))
        new = u + step
        norm = jnp.linalg.norm(step) / jnp.linalg.norm(new)
        norm = jnp.where(jnp.any(step), norm, 0)  # of zero, no step is exact
        better = norm < now
        return jnp.where(better, new, u), jnp.where(better, norm, now), now, steps + 1

    def unfinished(carry):
        _, now, before, steps = carry
        return (now > eps**0.8) & ~(now >= 0.5 * before) & (steps < _STEPS)

    carry = (u, error, jnp.full_like(error, jnp.nan), jnp.array(0))
    u, error, _, steps = lax.while_loop(unfinished, refine, carry)
    return u, error, steps


@eqx.filter_custom_jvp
def value(point: Point, envelope: Envelope, program: Program) -> Scalar:
    """½ yᵀQy + pᵀy at the solution, differentiated by the envelope theorem.

    Its derivative is that of the Lagrangian with respect to the data, y and multipliers held.
    """
    del envelope
    return point.y @ (program.Q @ point.y) / 2 + program.p @ point.y


@value.def_jvp
def _value_jvp(primals, tangents):
    point, envelope, program = primals
    still = jax.tree.map(lambda t: t is None, tangents[2], is_leaf=lambda t: t is None)
    fixed, moving = eqx.partition(program, still, is_leaf=lambda t: t is None)
    if not jax.tree.leaves(moving):
        return value(*primals), jnp.zeros_like(point.y, shape=())

    def lagrangian(moving):
        program = eqx.combine(moving, fixed)
        # y and multipliers stay in the expression: second derivatives see how they move.
        y, l = point.y, jnp.concatenate([point.equal, point.below])
        limits = program.limits()
        excess = program.times(y) - jnp.where(jnp.isfinite(limits), limits, 0)
        return y @ (program.Q @ y) / 2 + program.p @ y + l @ excess

    slope = jax.jvp(lagrangian, (moving,), (tangents[2],))[1]
    return value(*primals), envelope.checked(slope)
