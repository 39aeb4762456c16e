"""Floor 2: quadratic and linear programs as differentiable functions of their data."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.sparse import BCOO
from jaxtyping import Array, Float, Int

from argrad.adjoints.envelope import envelope
from argrad.linalg.sparse_matrix import SparseMatrix
from argrad.quadratic_adjoint import differentiable, value
from argrad.quadratic_sparse import nothing, plan, sparse, sparse_matrix, sparse_program
from argrad.solvers.active_set import STRONGLY_ACTIVE
from argrad.solvers.quadratic_program import Factors, solve_quadratic_program
from argrad.solvers.quadratic_program_active import Start
from argrad.solvers.quadratic_program_data import Program
from argrad.solvers.sparse_program import solve_sparse_program
from argrad.solvers.sparse_program_data import Plan
from argrad.status import Rows, found, raise_if
from argrad.transformation import Solution


class Multipliers(NamedTuple):
    """Multipliers of a quadratic program, shaped like the limits; None where there are none.

    Those of the Lagrangian

        ½ yᵀQy + pᵀy + inequalityᵀ(G y − h) + equalityᵀ(A y − b) + lowerᵀ(lower limit − y)
            + upperᵀ(y − upper limit)

    all but `equality` nonnegative.
    """

    inequality: Float[Array, " i"] | None
    equality: Float[Array, " e"] | None
    lower: Float[Array, " n"] | None
    upper: Float[Array, " n"] | None


class Activity(NamedTuple):
    """0 where inactive, 1 where weakly, 2 where strongly active; None where there is no row."""

    inequality: Int[Array, " i"] | None
    lower: Int[Array, " n"] | None
    upper: Int[Array, " n"] | None


def quadratic_program(
    Q: Float[Array, "n n"] | BCOO,
    p: Float[Array, " n"],
    G: Float[Array, "i n"] | BCOO | None = None,
    h: Float[Array, " i"] | None = None,
    A: Float[Array, "e n"] | BCOO | None = None,
    b: Float[Array, " e"] | None = None,
    *,
    lower: Float[Array, " n"] | float | None = None,
    upper: Float[Array, " n"] | float | None = None,
    init: Solution | None = None,
    max_steps: int = 50,
    throw: bool = True,
) -> Solution:
    """Solve a convex quadratic program; the solution is differentiable in all of its data.

        minimise ½ yᵀQy + pᵀy   subject to   G y <= h,   A y = b,   lower <= y <= upper

    What is None is not there; infinite limits limit nothing, bounds broadcast against p. Of a Q
    that is not symmetric, (Q + Qᵀ)/2 counts, and the derivative with respect to Q is symmetric.
    This is a JAX function: `jit`, `vmap`, and derivatives of any order in either mode.

    Returns a `Solution`: `primal` is y*; `value`, differentiated by the envelope theorem, the
    objective; `multipliers` a `Multipliers`; `activity` an `Activity`. `status` and `step_norm`
    (NaN where rounding left nothing to refine) are as for `argmin`.

    - `init`: a solution of a program of the same shapes, as a warm start: the rows it found active
      are tried first. It has no influence on what is found but in rounding, nor a derivative.
    - `max_steps`: the most steps of the interior point method, which is only begun where
      exchanging active rows does not lead to the solution.
    - `throw`: raise SolveError, also inside `jit`, where there is no solution: nothing is
      feasible (the error names the rows that cannot be met together), the objective falls for
      ever, Q has negative curvature. Where only the derivative does not exist, the error is
      raised when it is asked for: the solution is not unique, active rows depend on each other,
      or one is weakly active. With False `status` says so, for each element of a batch, and
      derivatives are NaN there.

    The solution satisfies the optimality conditions to rounding: active rows are exchanged until
    all signs are right, each exchange one Cholesky factor of a matrix with a row for each
    constraint or for each variable, whichever are fewer. Derivatives use the last factor.

    Large sparse programs: Q, G and A, those that there are, may be `jax.experimental.sparse.BCOO`
    matrices whose indices are known before anything is traced; their data are differentiated.
    Variables are put in an order in which Q + GᵀG + AᵀA has entries near the diagonal only; at
    most w from it, a step takes O(n w²) time and O(n w) memory. ValueError where w is more than
    a quarter of n (and than 32) in every order tried: a row with many entries rules it out.
    There the interior point method is begun at once where there is no `init`. Whether active
    rows depend on each other or leave a direction flat is judged by inverse iteration: what is
    only nearly so may pass, and its derivative is then inaccurate, or raises that its linear
    solve failed.

    Where many programs share Q, G and A, give them to `vmap` with `in_axes=None`, so that they are
    factorised once. A loop that solves one program after another is quickest with `init`.

    Raises ValueError for arrays that do not fit together, and, where their values are known, for
    NaN or contradictory bounds; with `throw=False` these are a status, too.

    Source: Amos and Kolter 2017, arXiv:1703.00443.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> Q, p = 2 * jnp.eye(2), jnp.array([-2.0, -4.0])
    >>> G, h = jnp.array([[1.0, 1.0]]), jnp.array([2.0])
    >>> solution = ag.quadratic_program(Q, p, G, h)  # the point of y1 + y2 <= 2 nearest to (1, 2)
    >>> solution.primal.round(4), solution.multipliers.inequality.round(4)
    (Array([0.5, 1.5], dtype=float32), Array([1.], dtype=float32))
    >>> jax.jacobian(lambda h: ag.quadratic_program(Q, p, G, h).primal)(h).round(4)
    Array([[0.5], [0.5]], dtype=float32)
    """
    given = _given(Q, p, G, h, A, b, lower, upper, throw)
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, got {max_steps}.")
    warm = None if init is None else _warm(init, given)
    solution, failed, rows = _solve(given, warm, max_steps, throw)
    if not throw:
        return solution
    numbers = {
        "iterations": solution.iterations,
        "gradient_norm": solution.gradient_norm,
        "violation": solution.violation,
    }
    return raise_if(solution, failed, solution.status, numbers, rows)


def linear_program(
    c: Float[Array, " n"],
    G: Float[Array, "i n"] | BCOO | None = None,
    h: Float[Array, " i"] | None = None,
    A: Float[Array, "e n"] | BCOO | None = None,
    b: Float[Array, " e"] | None = None,
    *,
    lower: Float[Array, " n"] | float | None = None,
    upper: Float[Array, " n"] | float | None = None,
    init: Solution | None = None,
    max_steps: int = 50,
    throw: bool = True,
) -> Solution:
    """Solve a linear program; the solution is differentiable in all of its data.

        minimise cᵀy   subject to   G y <= h,   A y = b,   lower <= y <= upper

    Everything is as for `quadratic_program`, sparse G and A included. A solution that is unique
    is a vertex, which moves with the limits and rows that meet there but not with c: that
    derivative is zero. For one that moves with c, add curvature:
    `quadratic_program(strength * jnp.eye(n), c, ...)`.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> G, h = jnp.array([[1.0, 0.0], [1.0, 2.0]]), jnp.array([2.0, 4.0])
    >>> best = lambda h: ag.linear_program(jnp.array([-1.0, -1.0]), G, h, lower=0.0)
    >>> best(h).primal.round(4), best(h).value.round(4)
    (Array([2., 1.], dtype=float32), Array(-3., dtype=float32))
    >>> jax.grad(lambda h: best(h).value)(h).round(4)  # prices, −multipliers
    Array([-0.5, -0.5], dtype=float32)
    """
    n, dtype = jnp.size(c), jnp.result_type(c)
    Q: Any = jnp.zeros((n, n), dtype) if not sparse({"G": G, "A": A}) else nothing(n, dtype)
    bounds: dict[str, Any] = {"lower": lower, "upper": upper}
    return quadratic_program(
        Q, c, G, h, A, b, **bounds, init=init, max_steps=max_steps, throw=throw
    )


class _Given(NamedTuple):
    """The arrays of a program as its author has them, of one dtype."""

    Q: Any  # Float[Array, "n n"], or a SparseMatrix as are G and A
    p: Float[Array, " n"]
    G: Any
    h: Float[Array, " i"] | None
    A: Any
    b: Float[Array, " e"] | None
    lower: Float[Array, " n"] | None
    upper: Float[Array, " n"] | None
    plan: Plan | None = None

    def program(self) -> Program:
        dtype, none = self.p.dtype, jnp.zeros(0, self.p.dtype)
        rows = [rows for rows in (self.A, self.G) if rows is not None]
        return Program(
            Q=self.Q,
            p=self.p,
            rows=jnp.concatenate(rows) if rows else jnp.zeros((0, self.p.size), dtype),
            b=none if self.b is None else self.b,
            h=none if self.h is None else self.h,
            lower=self.lower,
            upper=self.upper,
            symmetric=False,
        )

    def below(self, rows: Array) -> Activity:
        """A vector over all rows but those of A, by what they are."""
        i, n = 0 if self.h is None else self.h.size, self.p.size
        return Activity(
            inequality=None if self.h is None else rows[:i],
            lower=None if self.lower is None else rows[i : i + n],
            upper=None if self.upper is None else rows[-n:],
        )


@eqx.filter_jit
def _solve(
    given: _Given, warm: tuple[Start, Factors | None] | None, max_steps: int, throw: bool
) -> tuple[Solution, Any, Rows]:
    start, known = (None, None) if warm is None else warm
    if given.plan is None:
        program = given.program()
        solved = solve_quadratic_program(lax.stop_gradient(program), start, known, max_steps)
    else:
        program = sparse_program(given)
        solved = solve_sparse_program(lax.stop_gradient(program), start, max_steps)
    solved = lax.stop_gradient(solved)
    point, outcome = differentiable(solved, program, throw)
    below = given.below(point.below)
    solution = Solution(
        primal=point.y,
        value=value(point, envelope(outcome, throw), program),
        multipliers=Multipliers(
            inequality=below.inequality,
            equality=None if given.b is None else point.equal,
            lower=below.lower,
            upper=below.upper,
        ),
        status=outcome.status,
        iterations=outcome.iterations,
        gradient_norm=outcome.gradient_norm,
        step_norm=outcome.step_norm,
        violation=outcome.violation,
        activity=given.below(outcome.activity),
        factors=solved.factors() if given.plan is None else None,
    )
    return solution, ~found(outcome.status), outcome.rows


def _warm(init: Solution, given: _Given) -> tuple[Start, Factors | None]:
    """What a solution says of where to begin, and its factors; NaN and infinity say nothing."""
    if not isinstance(init, Solution) or not isinstance(init.multipliers, Multipliers):
        raise TypeError(
            f"init must be what quadratic_program or linear_program returned, got {init!r}."
        )
    before = {"primal": init.primal, **init.multipliers._asdict()}
    now = {"inequality": given.h, "equality": given.b, "lower": given.lower, "upper": given.upper}
    for name, limit in {"primal": given.p, **now}.items():
        shapes = ["absent" if a is None else str(jnp.shape(a)) for a in (before[name], limit)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"init is the solution of another kind of program: the shape of its "
                f"{name} is {shapes[0]}, here it would be {shapes[1]}."
            )
    init = lax.stop_gradient(init)
    order = ("equality", "inequality", "lower", "upper")
    multipliers = [getattr(init.multipliers, kind) for kind in order]
    none = jnp.zeros(0, given.p.dtype)
    l = jnp.concatenate([none, *[part for part in multipliers if part is not None]])
    active = [part == STRONGLY_ACTIVE for part in init.activity if part is not None]
    e = 0 if given.b is None else given.b.size
    held = jnp.concatenate([jnp.ones(e, bool), *active])
    plain = lambda part: jnp.where(jnp.isfinite(part), part, 0).astype(given.p.dtype)
    same = given.plan is None and init.primal.dtype == given.p.dtype
    known = init.factors if same else None
    return Start(plain(init.primal), plain(l), held), known


def _given(Q, p, G, h, A, b, lower, upper, throw: bool) -> _Given:
    """The arrays, checked."""
    for rows, limits, kinds in ((G, h, ("G", "h")), (A, b, ("A", "b"))):
        if (rows is None) != (limits is None):
            missing, other = kinds if rows is None else kinds[::-1]
            raise ValueError(f"{other} needs {missing}: give both of them or neither.")
    arrays = (Q, p, G, h, A, b, lower, upper)
    named: dict[str, Any] = dict(zip(_Given._fields[:-1], arrays, strict=True))
    there = {name: array for name, array in named.items() if array is not None}
    for name, given in there.items():
        there[name] = np.asarray(given) if isinstance(given, list | tuple) else given
    banded = sparse({name: named[name] for name in ("Q", "G", "A")})
    matrices = ("Q", "G", "A") if banded else ()  # those that are no arrays
    # Of an array, not of its dtype: NumPy's float64 is float32 here where x64 is off.
    dtype = jnp.result_type(*(a.dtype if k in matrices else a for k, a in there.items()))
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise ValueError(f"a quadratic program must be of real numbers, got {dtype}.")
    dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)
    for name, array in there.items():
        if name in matrices:
            there[name] = sparse_matrix(name, array, dtype)
        else:
            there[name] = jnp.asarray(array, dtype)
    shapes = {name: array.shape for name, array in there.items()}
    if len(shapes["p"]) != 1 or not shapes["p"][0]:
        raise ValueError(
            f"p (c of a linear program) has shape {shapes['p']}, but one number a variable is "
            "needed, and at least one variable."
        )
    n = shapes["p"][0]
    i, e = (shapes[name][0] if shapes.get(name) else 0 for name in ("G", "A"))
    wanted = {"Q": (n, n), "G": (i, n), "A": (e, n), "h": (i,), "b": (e,)}
    fitting = {"h": "G", "b": "A"}
    for name, shape in shapes.items():
        if name in ("lower", "upper"):
            if shape not in ((), (1,), (n,)):
                raise ValueError(f"{name} has shape {shape}, but () or {(n,)} is needed.")
            there[name] = jnp.broadcast_to(there[name], (n,))
        elif name in wanted and shape != wanted[name]:
            other = fitting.get(name, "p")
            raise ValueError(
                f"{name} has shape {shape}, but {wanted[name]} is needed beside {other} of shape "
                f"{shapes[other]}."
            )
    if throw:
        _check_values(there)
    named |= there
    return _Given(**named, plan=plan(named["Q"], named["G"], named["A"]) if banded else None)


def _check_values(there: dict[str, Array]) -> None:
    """Raise ValueError for NaN and contradictory bounds where values are known."""
    numbers = {
        name: array.data if isinstance(array, SparseMatrix) else array
        for name, array in there.items()
    }
    known = {
        name: np.asarray(array)
        for name, array in numbers.items()
        if not isinstance(array, jax.core.Tracer)
    }
    for name, array in known.items():
        infinite = {"h": np.inf, "upper": np.inf, "lower": -np.inf}.get(name)
        bad = ~np.isfinite(array) & (array != infinite)
        if np.any(bad):
            first = np.argwhere(bad)[0]
            matrix: Any = there[name]
            entry = isinstance(matrix, SparseMatrix)
            at = (matrix.row[first[0]], matrix.column[first[0]]) if entry else first
            where = [int(i) for i in at]
            raise ValueError(f"{name} is {array[tuple(first)]:g} at {where}.")
    if "lower" in known and "upper" in known and np.any(known["lower"] > known["upper"]):
        at = int(np.argmax(known["lower"] > known["upper"]))
        raise ValueError(
            f"lower {known['lower'][at]:g} is above upper {known['upper'][at]:g} at [{at}]; no y "
            "fits between."
        )
