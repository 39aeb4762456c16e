"""Floor 2: quadratic and linear programs as differentiable functions of their data."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from argrad.adjoints.implicit import LinearRule, implicit_function
from argrad.conditions import Conditions, Point
from argrad.solvers.constrained import ConstrainedOutcome
from argrad.solvers.quadratic_program import Solved, solve_quadratic_program
from argrad.solvers.quadratic_program_active import Start
from argrad.solvers.quadratic_program_data import Program
from argrad.status import found, raise_if
from argrad.transformation import Solution


class Multipliers(NamedTuple):
    """One entry a kind of constraint, shaped like its limits; None where there is none.

    In the Lagrangian ½yᵀQy + pᵀy + μᵀ(Gy − h) + λᵀ(Ay − b) + lowerᵀ(l − y) + upperᵀ(y − u) all but
    those of equalities are nonnegative.
    """

    inequality: Any = None
    equality: Any = None
    lower: Any = None
    upper: Any = None


def quadratic_program(
    Q: Float[Array, "n n"],
    p: Float[Array, " n"],
    G: Float[Array, "i n"] | None = None,
    h: Float[Array, " i"] | None = None,
    A: Float[Array, "e n"] | None = None,
    b: Float[Array, " e"] | None = None,
    *,
    lower: Float[Array, " n"] | float | None = None,
    upper: Float[Array, " n"] | float | None = None,
    init: Solution | None = None,
    max_steps: int = 50,
    throw: bool = True,
) -> Solution:
    """The solution of a convex quadratic program, differentiable in all of its data.

    minimise ½ yᵀQy + pᵀy   subject to   G y <= h,   A y = b,   lower <= y <= upper
    """
    given = _arrays(Q, p, G, h, A, b, lower, upper)
    start = None if init is None else _start(init, given)
    solution, failed, rows = _solve(given, start, max_steps, throw)
    if not throw:
        return solution
    numbers = {
        "iterations": solution.iterations,
        "gradient_norm": solution.gradient_norm,
        "violation": solution.violation,
    }
    return raise_if(solution, failed, solution.status, numbers, rows)


def linear_program(
    c,
    G=None,
    h=None,
    A=None,
    b=None,
    *,
    lower=None,
    upper=None,
    init=None,
    max_steps=50,
    throw=True,
):
    n = jnp.shape(c)[0]
    return quadratic_program(
        jnp.zeros((n, n), jnp.result_type(c, float)),
        c,
        G,
        h,
        A,
        b,
        lower=lower,
        upper=upper,
        init=init,
        max_steps=max_steps,
        throw=throw,
    )


class _Given(NamedTuple):
    Q: Any
    p: Any
    G: Any
    h: Any
    A: Any
    b: Any
    lower: Any
    upper: Any

    def program(self) -> Program:
        n, dtype = self.p.size, self.p.dtype
        none = jnp.zeros((0, n), dtype), jnp.zeros(0, dtype)
        A, b = none if self.A is None else (self.A, self.b)
        G, h = none if self.G is None else (self.G, self.h)
        return Program(
            (self.Q + self.Q.T) / 2, self.p, jnp.concatenate([A, G]), b, h, self.lower, self.upper
        )

    def split(self, equal, below):
        """Flat vectors over the rows as `Multipliers`."""
        i = 0 if self.h is None else self.h.size
        n = self.p.size
        return Multipliers(
            inequality=None if self.G is None else below[:i],
            equality=None if self.A is None or equal is None else equal,
            lower=None if self.lower is None else below[i : i + n],
            upper=None if self.upper is None else below[-n:],
        )


def _arrays(Q, p, G, h, A, b, lower, upper):
    dtype = jnp.result_type(float, *(a for a in (Q, p, G, h, A, b, lower, upper) if a is not None))
    dtype = jnp.result_type(*(a for a in (Q, p, G, h, A, b, lower, upper) if a is not None))
    if not jnp.issubdtype(dtype, jnp.floating):
        dtype = jnp.result_type(float)
    arr = lambda a: None if a is None else jnp.asarray(a, dtype)
    Q, p, G, h, A, b, lower, upper = map(arr, (Q, p, G, h, A, b, lower, upper))
    bc = lambda a: None if a is None else jnp.broadcast_to(a, p.shape)
    return _Given(Q, p, G, h, A, b, bc(lower), bc(upper))


def _start(init, given):
    m = init.multipliers
    act = init.activity
    parts = [getattr(m, k) for k in ("inequality", "lower", "upper")]
    parts = [q for q in parts if q is not None]
    z = jnp.zeros(0, given.p.dtype)
    below = jnp.concatenate([z, *parts])
    eq = z if m.equality is None else m.equality
    parts = [getattr(act, k) for k in ("inequality", "lower", "upper")]
    held = jnp.concatenate([jnp.ones(eq.size, bool), *[q == 2 for q in parts if q is not None]])
    return lax.stop_gradient(Start(init.primal, jnp.concatenate([eq, below]), held))


class _KKT(Conditions):
    active: Bool[Array, " i"] | None = None

    def __init__(self, active=None):
        self.residual = None
        self.curvature = "symmetric"
        self.active = active

    def at(self, outcome):
        return _KKT(outcome.active[outcome.active.size - outcome.activity.size :])

    def __call__(self, point, program, *args):
        below = jnp.where(self.active, point.below, 0)
        l = jnp.concatenate([point.equal, below])
        gradient = program.Q @ point.y + program.p + program.transposed(l)
        rows = program.times(point.y) - program.limits()
        e = program.equalities
        return Point(gradient, rows[:e], jnp.where(self.active, rows[e:], -point.below))


class _Known(eqx.Module):
    point: Point
    outcome: ConstrainedOutcome

    def __call__(self, conditions, y0, x, args):
        return self.point, self.outcome


class _FactorSolver(lx.AbstractLinearSolver):
    solved: Solved

    def init(self, operator, options):
        return operator

    def compute(self, state, vector, options):
        solved = self.solved
        n = solved.y.size
        flat, unravel = ravel_pytree(vector)
        eps = float(jnp.finfo(flat.dtype).eps)

        def approx(v):
            u, l = solved.solve(v[:n], v[n:])
            return jnp.concatenate([u, l])

        product = lambda v: ravel_pytree(state.mv(unravel(v)))[0]
        size = jnp.linalg.norm(flat)
        u = approx(flat)
        left = flat - product(u)

        def unfinished(carry):
            _, _, now, before, k = carry
            return (now > eps**0.8 * size) & (now < 0.5 * before) & (k < 8)

        def refine(carry):
            u, left, now, _, k = carry
            new = u + approx(left)
            new_left = flat - product(new)
            norm = jnp.linalg.norm(new_left)
            better = norm < now
            return (
                jnp.where(better, new, u),
                jnp.where(better, new_left, left),
                jnp.where(better, norm, now),
                now,
                k + 1,
            )

        norm = jnp.linalg.norm(left)
        u, left, norm, *_ = lax.while_loop(
            unfinished, refine, (u, left, norm, jnp.full_like(norm, jnp.inf), 0)
        )
        good = norm <= eps**0.5 * size
        res = lx.RESULTS
        return unravel(u), res.where(good, res.successful, res.stagnation), {}

    def transpose(self, state, options):
        return state, options

    def conj(self, state, options):
        return state, options

    def assume_full_rank(self):
        return True


@eqx.filter_jit
def _solve(given, start, max_steps, throw):
    program = given.program()
    solved = solve_quadratic_program(lax.stop_gradient(program), start, max_steps)
    solved = lax.stop_gradient(solved)
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
    rule = LinearRule(_FactorSolver(solved), throw)
    point, outcome = implicit_function(_Known(point, outcome), _KKT(), point, program, (), rule)
    solution = Solution(
        primal=point.y,
        value=_value(point, program),
        multipliers=given.split(point.equal, point.below),
        status=outcome.status,
        iterations=outcome.iterations,
        gradient_norm=outcome.gradient_norm,
        step_norm=outcome.step_norm,
        violation=outcome.violation,
        activity=given.split(None, outcome.activity),
    )
    return solution, ~found(outcome.status), outcome.rows


@jax.custom_jvp
def _value(point, program):
    y = point.y
    return y @ (program.Q @ y) / 2 + program.p @ y


@_value.defjvp
def _value_jvp(primals, tangents):
    point, program = primals

    def lagrangian(program):
        y = point.y
        l = jnp.concatenate([point.equal, point.below])
        limits = jnp.where(jnp.isfinite(program.limits()), program.limits(), 0)
        return y @ (program.Q @ y) / 2 + program.p @ y + l @ (program.times(y) - limits)

    return _value(point, program), jax.jvp(lagrangian, (program,), (tangents[1],))[1]
