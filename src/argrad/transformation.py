"""Floor 2: argmin and argmax as transformations of functions."""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from argrad.adjoints import AbstractAdjoint, Implicit, Unrolled
from argrad.adjoints.envelope import Envelope
from argrad.conditions import Point
from argrad.constraints import Constraint
from argrad.problem import (
    Function,
    Problem,
    Sense,
    extra_arguments,
    parameters,
    starting_point,
)
from argrad.prox.term import Proximable
from argrad.rows import gather, inside
from argrad.solvers.choice import as_minimiser
from argrad.solvers.constrained import ConstrainedOutcome
from argrad.solvers.interior_point import InteriorPoint
from argrad.solvers.run import Outcome
from argrad.status import Rows, Status, found, raise_if


class Solution(eqx.Module):
    """A solved lower problem, as one pytree.

    - `primal`: y*(x), with the structure of `init`, differentiable with respect to x.
    - `value`: f(y*(x), x), differentiable with respect to x by the envelope theorem, without a
      linear solve: its derivative is ∂f/∂x at y*.
    - `multipliers`: one entry a constraint, shaped like its rows, differentiable: λ for h = 0 and
      μ >= 0 for g <= 0 in the Lagrangian f + λᵀh + μᵀg of a minimum, −f + λᵀh + μᵀg of a maximum.
      A constraint with rows of both kinds has a pair.
    - `status`: an item of `Status`.
    - `iterations`: steps of the solver, polishing included.
    - `gradient_norm`: ‖∂f/∂y‖₂, with constraints that of the Lagrangian, at the last point where
      it was taken.
    - `step_norm`: the length of the last Newton step, an estimate of the error before it; NaN
      where no Newton step was taken.
    - `violation`: the largest |h| or positive g.
    - `activity`: one entry a constraint, for its rows below: 0 where inactive, 1 where weakly
      active (g = 0 but μ = 0: a kink of y*), 2 where strongly active (g = 0 < μ).
    - `factors`: what a warm start of `quadratic_program` can use again; None elsewhere.

    Under `vmap` each has one more axis. All but the first three have zero derivative. Given to
    the next solve as its `init`, a solution of a constrained problem is a warm start: the rows
    that it found active are tried first.
    """

    primal: PyTree[Array]
    value: Scalar
    multipliers: tuple[PyTree[Array], ...]
    status: Any
    iterations: Int[Array, ""]
    gradient_norm: Float[Array, ""]
    step_norm: Float[Array, ""]
    violation: Float[Array, ""]
    activity: tuple[PyTree[Array], ...]
    factors: PyTree[Array] | None = None

    def __repr__(self) -> str:
        """With its numbers, where Equinox would have shapes alone."""
        return eqx.tree_pformat(dataclasses.replace(self, factors=None), short_arrays=False)


class Argmin(Function):
    """x -> y*(x), made by `argmin` or `argmax`."""

    problem: Problem
    solver: optx.AbstractMinimiser | None
    adjoint: AbstractAdjoint
    max_steps: int = eqx.field(static=True)
    throw: bool = eqx.field(static=True)

    def __call__(self, x: PyTree, init: PyTree, *args: Any) -> PyTree[Array]:
        """y*(x), from the starting point `init`. See `argmin`."""
        return self._checked(*_primal(self, starting(init), parameters(x), extra_arguments(args)))

    def solution(self, x: PyTree, init: PyTree | Solution, *args: Any) -> Solution:
        """y*(x) and how it was found. Raises and differentiates as `argmin` says."""
        return self._checked(*_solve(self, starting(init), parameters(x), extra_arguments(args)))

    def _checked(self, found: PyTree, *ending: Any) -> PyTree:
        return raise_if(found, *ending) if self.throw else found


def starting(init: PyTree | Solution) -> tuple[PyTree[Array], tuple[PyTree, ...] | None]:
    """The starting point, and multipliers for a warm start or None."""
    if isinstance(init, Solution):
        return lax.stop_gradient((init.primal, init.multipliers or None))
    return starting_point(init), None


@eqx.filter_jit
def _solve(argmin: Argmin, start, x: PyTree, args: tuple) -> tuple:
    solution, outcome = solved(argmin, start, x, args)
    return solution, *verdict(argmin, outcome)


@eqx.filter_jit
def _primal(argmin: Argmin, start, x: PyTree, args: tuple) -> tuple:
    # By itself, so that nothing else of the solution is differentiated along with y*.
    y, outcome, _, _ = _minimise(argmin, start, x, args)
    return y.y if isinstance(y, Point) else y, *verdict(argmin, outcome)


def verdict(argmin: Argmin, outcome: Outcome) -> tuple:
    """Whether the solve failed, its status, and what else an error says of it."""
    # As a pytree, a plain dictionary would be sorted.
    numbers = OrderedDict(
        iterations=outcome.iterations,
        gradient_norm=outcome.gradient_norm,
        step_norm=outcome.step_norm,
    )
    if isinstance(outcome, ConstrainedOutcome):
        numbers["violation"] = outcome.violation
    rows: Rows | None = getattr(outcome, "rows", None)
    return _failed(argmin, outcome), outcome.status, numbers, rows


def _failed(argmin: Argmin, outcome: Outcome) -> Bool[Array, ""]:
    # What is wrong with the derivative only is no fault of the solution; a truncated unrolled
    # iteration is what was asked for.
    failed = ~found(outcome.status)
    if isinstance(argmin.adjoint, Unrolled):
        failed &= outcome.status != Status.max_steps_reached
    return failed


def _minimise(argmin: Argmin, start, x: PyTree, args: tuple):
    """y, with its multipliers where there are constraints, how it was found, of which problem,
    and the shapes of its constraints' rows."""
    y0, multipliers = start
    problem = argmin.problem.closed(y0, x, args)
    shapes: Any = ()
    constraints = argmin.problem.constraints
    if constraints is not None:
        shapes = constraints.shapes(y0, x, args)
        if multipliers is None:
            y0 = inside(constraints, y0, x, args)
        else:
            y0 = Point(y0, *constraints.flat(shapes, multipliers))
    y, outcome = argmin.adjoint.solve(
        problem, argmin.solver, argmin.max_steps, argmin.throw, y0, x, args
    )
    return y, outcome, problem, shapes


def solved(argmin: Argmin, start, x: PyTree, args: tuple) -> tuple[Solution, Outcome]:
    """Solve without raising; `start` is a starting point and multipliers or None."""
    y, outcome, problem, shapes = _minimise(argmin, start, x, args)
    constraints = argmin.problem.constraints
    report: dict[str, Any] = {
        "status": outcome.status,
        "iterations": outcome.iterations,
        "gradient_norm": outcome.gradient_norm,
        "step_norm": outcome.step_norm,
    }
    envelope = Envelope(outcome, _failed(argmin, outcome), argmin.throw)
    if constraints is None:
        problem = problem.on(getattr(outcome, "pieces", None))
        value = _value(y, (), envelope, (problem, x, args))
        none = jnp.zeros_like(outcome.gradient_norm)
        return Solution(y, value, (), violation=none, activity=(), **report), outcome
    assert isinstance(outcome, ConstrainedOutcome)
    problem = problem.on(outcome.pieces)
    dual = y.equal, y.below
    solution = Solution(
        primal=y.y,
        value=_value(y.y, dual, envelope, (problem, x, args)),
        multipliers=constraints.by_constraint(shapes, *dual),
        violation=outcome.violation,
        activity=constraints.by_constraint(shapes, None, outcome.activity),
        **report,
    )
    return solution, outcome


@eqx.filter_custom_jvp
def _value(y, dual, envelope, inputs):
    del dual, envelope
    problem, x, args = inputs
    return problem.value(y, x, *args)


@_value.def_jvp
def _value_jvp(primals, tangents):
    """Envelope theorem: the derivative is that of the Lagrangian with respect to x, at y*(x).

    y and the multipliers stay in the tangent's expression, so that second derivatives do see how
    they move.
    """
    y, dual, envelope, inputs = primals
    still = jax.tree.map(lambda t: t is None, tangents[3], is_leaf=lambda t: t is None)
    fixed, moving = eqx.partition(inputs, still, is_leaf=lambda t: t is None)
    value = _value(*primals)
    if not jax.tree.leaves(moving):
        return value, jnp.zeros_like(value)

    def partial(moving):
        problem, x, args = eqx.combine(moving, fixed)
        lagrangian = problem.value(y, x, *args)
        if problem.constraints is None:
            return lagrangian
        forces = sum(map(jnp.matmul, dual, problem.constraints(y, x, *args)))
        return lagrangian + forces if problem.sense == "min" else lagrangian - forces

    return value, envelope.checked(jax.jvp(partial, (moving,), (tangents[3],))[1])


class Value(Function):
    """x -> f(y*(x), x), made by `value`."""

    solve: Argmin

    def __call__(self, x: PyTree, init: PyTree | Solution, *args: Any) -> Scalar:
        """The optimal value, from the starting point `init`. See `value`."""
        start, x, args = starting(init), parameters(x), extra_arguments(args)
        found, *ending = _optimum(self.solve, start, x, args)
        return raise_if(found, *ending) if self.solve.throw else found


@eqx.filter_jit
def _optimum(argmin: Argmin, start, x, args):
    # Compiled by itself, so that y* is not differentiated along with the value.
    solution, outcome = solved(argmin, start, x, args)
    ending, value = verdict(argmin, outcome), solution.value
    if not argmin.throw:  # added, so that the derivative is what it is
        value += jnp.where(ending[0], jnp.nan, 0.0)
    return value, *ending


def value(solve: Argmin) -> Value:
    """The value function x -> f(y*(x), x) of a lower problem made by `argmin` or `argmax`.

    By the envelope theorem its derivative is that of the Lagrangian at fixed y* and multipliers,

        dF*/dx = ∂f/∂x + λᵀ∂h/∂x + μᵀ∂g/∂x   (of a maximum: ∂f/∂x − λᵀ∂h/∂x − μᵀ∂g/∂x)

    without any linear solve, and two-sided also at kinks of y*, where the active rows change.
    Second derivatives take one solve with the factor of the lower problem a direction. Raises
    SolveError (NaN with `throw=False`) where the solve failed, and in the derivative where
    multipliers are not unique. TypeError unless `solve` was made by `argmin` or `argmax`.

    Source: Danskin 1967; Fiacco 1983, theorem 3.4.1.

    >>> import jax, argrad as ag
    >>> capped = ag.argmin(lambda y, x: (y - x) ** 2, subject_to=[ag.box(None, 1.0)])
    >>> jax.grad(ag.value(capped))(1.5, 0.0).round(4)  # 2 (x − 1) beyond x = 1
    Array(1., dtype=float32, weak_type=True)
    """
    if not isinstance(solve, Argmin):
        raise TypeError(f"value needs what argrad.argmin or argrad.argmax made, got {solve!r}.")
    return Value(solve)


def argmin(
    objective: Callable[..., Scalar],
    *,
    subject_to: Iterable[Constraint] = (),
    nonsmooth: Proximable | None = None,
    solver: optx.AbstractMinimiser | Any | None = None,
    adjoint: AbstractAdjoint | None = None,
    max_steps: int = 1000,
    throw: bool = True,
) -> Argmin:
    """The function x -> y*(x) = argmin over y of f(y, x, *args), differentiable in x.

    `objective(y, x, *args)` returns a scalar; y and x are any pytrees, y of real floating-point
    arrays. Call the result as `solve(x, init, *args)`: `init` is where the solver starts and
    gives the structure of y; `args` are whatever else the objective needs (data, keys, flags),
    passed as they are. It is a JAX function: `jit`, `vmap`, `grad`, `jvp`, `jacobian`,
    `hessian` of any order and nesting in another objective work, also where the objective closes
    over traced values. By the implicit function theorem

        dy*/dx = −(∂²f/∂y²)⁻¹ ∂²f/∂y∂x   at (y*(x), x)

    which needs f twice differentiable near y* and its Hessian there positive definite.

    The derivative with respect to `init` is zero: a local minimum does not move with the place
    the search for it began. Where the start should matter, add it to the problem
    (`argrad.proximal`) or differentiate the iteration (`adjoint=argrad.Unrolled(steps)`).

    - `subject_to`: constraints made by `equality`, `inequality`, `box`, `linear` and the sets, any
      of which may depend on x. The derivative is then that of the Karush–Kuhn–Tucker conditions
      on the active rows, of y* and of its multipliers (`.solution(...).multipliers`). Where it
      does not exist it raises and names the rows: at kinks (weakly active rows), where active
      rows depend on each other, or where second-order sufficiency fails.
    - `nonsmooth`: a term g(y, x, *args) of `argrad.prox`, added to f: an L1 norm and others with
      known proximal operators. y* is then differentiated on the support (or piece) that it lies
      on; where it is about to change that, at a kink, the derivative raises.
    - `solver`: an Optimistix minimiser or an Optax optimiser; chosen by size if None, and
      `InteriorPoint()` where there are constraints. Whatever it finds is polished by Newton's
      method.
    - `adjoint`: `Implicit()` by default; `Barrier(t)` smooths the kinks that constraints make.
    - `max_steps`: the most iterations of the solver and of polishing together.
    - `throw`: raise SolveError where the solve did not converge or did not end at a minimum, and
      where its derivative does not exist or could not be computed; also inside `jit`. With False,
      `.solution(...).status` says so, for each element of a batch, and the derivative is NaN.

    Also raises TypeError for an `init` or solver of the wrong kind, and ValueError for an
    objective that does not return one number.

    Define the objective once and pass data through `x` and `args`: a new function object at
    every call is compiled at every call.

    Source: Gould et al. 2016, arXiv:1607.05447.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> solve = ag.argmin(lambda y, x: jnp.sum((y - jnp.sin(x)) ** 2) + 0.5 * jnp.sum(y**2))
    >>> solve(jnp.array([0.5, 1.0]), jnp.zeros(2)).round(4)
    Array([0.3196, 0.561 ], dtype=float32)
    >>> slope = jax.jacobian(lambda x: solve(x, jnp.zeros(2)).sum())
    >>> slope(jnp.array([0.5, 1.0])).round(4)  # 2/3 cos x
    Array([0.5851, 0.3602], dtype=float32)
    """
    return _make(objective, "min", subject_to, solver, adjoint, max_steps, throw, nonsmooth)


def argmax(
    objective: Callable[..., Scalar],
    *,
    subject_to: Iterable[Constraint] = (),
    nonsmooth: Proximable | None = None,
    solver: optx.AbstractMinimiser | Any | None = None,
    adjoint: AbstractAdjoint | None = None,
    max_steps: int = 1000,
    throw: bool = True,
) -> Argmin:
    """The function x -> y*(x) = argmax over y of f(y, x, *args), differentiable in x.

    Everything is as for `argmin`; the Hessian at the solution is negative definite, and
    `.solution(...).value` is the maximum. A `nonsmooth` term g is a cost: f − g is maximised.

    >>> import jax, argrad as ag
    >>> best = ag.argmax(lambda price, cost: (price - cost) * (10 - price))
    >>> best(2.0, 3.0), jax.grad(best)(2.0, 3.0)
    (Array(6., dtype=float32), Array(0.5, dtype=float32, weak_type=True))
    """
    return _make(objective, "max", subject_to, solver, adjoint, max_steps, throw, nonsmooth)


def _make(
    objective, sense: Sense, subject_to, solver, adjoint, max_steps, throw, nonsmooth=None
) -> Argmin:
    if not callable(objective):
        raise TypeError(f"objective must be a function f(y, x, *args), got {objective!r}.")
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, got {max_steps}.")
    adjoint = Implicit() if adjoint is None else adjoint
    if not isinstance(adjoint, AbstractAdjoint):
        raise TypeError(
            f"adjoint must be Implicit(), Unrolled(steps) or OneStep(), got {adjoint!r}."
        )
    minimiser = None if solver is None else as_minimiser(solver)
    constraints = gather(subject_to)
    constrained = isinstance(minimiser, InteriorPoint)
    if minimiser is not None and constrained != (constraints is not None):
        raise ValueError(
            f"{type(minimiser).__name__} "
            + ("needs subject_to=[...]" if constrained else "would ignore the constraints")
            + "; use "
            + ("Newton()." if constrained else "InteriorPoint(), the default there.")
        )
    if nonsmooth is not None:
        _check_nonsmooth(nonsmooth, constraints, minimiser, adjoint)
    problem = Problem(objective, sense, constraints, nonsmooth)
    return Argmin(problem, minimiser, adjoint, max_steps, throw)


def _check_nonsmooth(nonsmooth, constraints, solver, adjoint) -> None:
    if not isinstance(nonsmooth, Proximable):
        raise TypeError(f"nonsmooth must come from argrad.prox, got {nonsmooth!r}.")
    if constraints is not None:
        raise ValueError(
            "nonsmooth=... and subject_to=[...] do not go together. A box or simplex alone can be "
            "the nonsmooth term; otherwise write the term as constraints of a longer y: w |y| is "
            "w (up + down) of y = up - down with ag.box(0.0) on both, see docs/nonsmooth.md."
        )
    if solver is not None:
        raise ValueError(
            f"{type(solver).__name__} would ignore the nonsmooth term; leave the solver out."
        )
    if not isinstance(adjoint, Implicit):
        raise ValueError(
            f"{type(adjoint).__name__} knows nothing of nonsmooth terms. Use Implicit()."
        )


def proximal(objective: Callable[..., Scalar], strength: float) -> Callable[..., Scalar]:
    """f(y, x, *args) + strength/2 ‖y − anchor‖², a function of y and the pair (x, anchor).

    What to differentiate instead of a starting point: y* follows its anchor, and with what
    slope is exact (Rajeswaran et al. 2019, implicit MAML). ValueError unless strength > 0.

    >>> import jax, argrad as ag
    >>> solve = ag.argmin(ag.proximal(lambda y, x: (y - x) ** 2, strength=2.0))
    >>> jax.grad(lambda anchor: solve((1.0, anchor), anchor))(0.0)
    Array(0.5, dtype=float32, weak_type=True)
    """
    if not strength > 0:
        raise ValueError(f"strength must be positive, got {strength}.")

    def anchored(y, pair, *args):
        x, anchor = pair
        squares = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), y, anchor)
        return objective(y, x, *args) + strength / 2 * sum(jax.tree.leaves(squares))

    return anchored
