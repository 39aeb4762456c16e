"""Run every way to compute one hypergradient, and measure it."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree, Scalar

from argrad.adjoints import AbstractAdjoint, Implicit
from argrad.bilevel.certified import System, adjoint_vector
from argrad.bilevel.frontier import Frontier, Row, recommend
from argrad.bilevel.lower import lower_solution
from argrad.bilevel.problem import Bilevel, check_upper
from argrad.conditions import Point
from argrad.external import External
from argrad.linalg import (
    CG,
    MINRES,
    BlockDiagonal,
    DiagonalApproximation,
    Identity,
    Neumann,
    Nystrom,
)
from argrad.problem import extra_arguments, parameters, starting_point
from argrad.status import Status, raise_if
from argrad.transformation import Argmin

EXACT = "exact"
_DENSE = 500  # variables up to which a Hessian without a factor is formed for the reference


def default_adjoints(y: PyTree, constrained: bool = False) -> dict[str, lx.AbstractLinearSolver]:
    """What `compare_adjoints` tries for a lower variable like y, by name.

    >>> import argrad as ag, jax.numpy as jnp
    >>> list(ag.default_adjoints(jnp.zeros(100)))[:3]
    ['identity', 'diagonal', 'Neumann 10']
    """
    leaves = jax.tree.leaves(y)
    d = sum(np.size(leaf) for leaf in leaves)
    if constrained:
        return {f"MINRES {k}": MINRES(max_steps=k, truncate=True) for k in (5, 20, 80) if k < d}
    diagonal = DiagonalApproximation(probes=None if d <= 2000 else 32)
    found: dict[str, lx.AbstractLinearSolver] = {"identity": Identity(), "diagonal": diagonal}
    if len(leaves) > 1 and max(np.size(leaf) for leaf in leaves) <= 300:
        found["blocks"] = BlockDiagonal()
    for k in (10, 50):
        found[f"Neumann {k}"] = Neumann(k)
    for k in (5, 20, 80):
        if k < d:
            found[f"CG {k}"] = CG(max_steps=k, truncate=True)
            diagonally = CG(max_steps=k, truncate=True, preconditioner=diagonal)
            found[f"CG {k}, diagonal"] = diagonally
    for rank in (10, 40):
        if rank < d:
            found[f"Nystrom {rank}"] = Nystrom(rank)
    return found


def compare_adjoints(
    upper: Callable[..., Scalar],
    solve: Argmin | External,
    x: PyTree,
    init: PyTree,
    *args: Any,
    adjoints: Mapping[str, AbstractAdjoint | lx.AbstractLinearSolver] | None = None,
    also_at: Sequence[PyTree] = (),
    subsample: tuple | None = None,
    accuracy: float = 0.1,
    margin: float = 0.5,
    rounds: int = 7,
) -> Frontier:
    """Accuracy against cost of several adjoints for the gradient of F(y*(x), x) at x.

    The lower problem is solved once at each point; every adjoint then computes the gradient there,
    and is compared with the exact one.

    - `adjoints`: by name, an adjoint (`OneStep()`, `Unrolled(5)`, `Implicit(...)`) or a Lineax
      solver, which stands for `Implicit(linear_solver=...)`; `default_adjoints(init)` if None.
    - `also_at`: further values of x. Rows hold the worst of all points.
    - `subsample`: other `args`, such as fewer rows of data, on which accuracy is measured where
      the exact gradient of the whole is out of reach; time and memory are those of the whole.
    - `accuracy`, `margin`: the relative error that will do, and the cosine of the angle to the
      exact gradient at which −g counts as a descent direction. The recommended row is the
      quickest that has both at all points.
    - `rounds`: repetitions, of which times are medians. Compilation is not counted in them.

    The exact gradient is that of the last factor of the lower solve, refined by conjugate
    gradients, of a Cholesky or LU factor up to 500 variables, and beyond these of conjugate
    gradients to a relative residual of eps^(3/4); `reference` says which, and how well it was
    solved.

    Runs on the host. SolveError where a lower solve fails; TypeError unless `solve` comes from
    `argmin`, `argmax` or `implicit`, and for adjoints of another kind; ValueError for accuracy,
    margin or rounds that are not positive.

    >>> import jax.numpy as jnp, argrad as ag
    >>> curvature = jnp.array([1.0, 2.0, 4.0, 8.0])
    >>> solve = ag.argmin(lambda y, x: 0.5 * curvature @ y**2 - x @ y + 0.1 * y[0] * y[1])
    >>> found = ag.compare_adjoints(lambda y, x: jnp.sum(y), solve, jnp.ones(4), jnp.zeros(4))
    >>> found["identity"].cosine < found["diagonal"].cosine, found["diagonal"].error < 0.1
    (True, True)
    """
    if not isinstance(solve, Argmin | External):
        raise TypeError(
            "compare_adjoints needs what argrad.argmin, argrad.argmax or argrad.implicit made, "
            f"got {solve!r}."
        )
    for name, value in (("accuracy", accuracy), ("margin", margin), ("rounds", rounds)):
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}.")
    y0, args = starting_point(init), extra_arguments(args)
    small = args if subsample is None else extra_arguments(tuple(subsample))
    points = [parameters(point) for point in (x, *also_at)]
    constrained = isinstance(solve, Argmin) and solve.problem.constraints is not None
    named = default_adjoints(y0, constrained) if adjoints is None else dict(adjoints)
    chosen = {EXACT: None, **{name: _as_adjoint(name, a) for name, a in named.items()}}
    for point in points:
        check_upper(Bilevel(upper, solve), y0, point, args)

    solved = [_Solved.at(solve, y0, point, args) for point in points]
    judged = solved if subsample is None else [_Solved.at(solve, y0, p, small) for p in points]
    exact, reference = [], ""
    rows = []
    for name, adjoint in chosen.items():
        gradients = [_Gradient(upper, solve, adjoint, y0, s) for s in judged]
        values = [gradient.value() for gradient in gradients]
        if name == EXACT:
            exact, reference = [v for v, *_ in values], _in_words(judged, values, subsample)
        timed = (
            gradients
            if judged is solved
            else [_Gradient(upper, solve, adjoint, y0, s) for s in solved]
        )
        rows.append(_row(name, values, exact, timed, rounds))
    best, reason = recommend(tuple(rows), accuracy, margin)
    milliseconds = statistics.median(s.milliseconds for s in solved)
    return Frontier(tuple(rows), best, reason, reference, milliseconds, accuracy, margin)


def _as_adjoint(name, adjoint) -> AbstractAdjoint:
    if isinstance(adjoint, lx.AbstractLinearSolver):
        return Implicit(linear_solver=adjoint)
    if isinstance(adjoint, AbstractAdjoint):
        return adjoint
    raise TypeError(
        f"the adjoint {name!r} must be an argrad adjoint or a Lineax solver, got {adjoint!r}."
    )


class _Solved(NamedTuple):
    """The lower problem solved at one point."""

    conditions: Any
    z: PyTree
    x: PyTree
    args: tuple
    outcome: Any
    milliseconds: float

    @classmethod
    def at(cls, solve, y0, x, args) -> "_Solved":
        run = eqx.filter_jit(lambda x, args: lower_solution(solve, y0, x, args))
        found = jax.block_until_ready(run(x, args))
        start = time.perf_counter()
        conditions, z, outcome = jax.block_until_ready(run(x, args))
        seconds = time.perf_counter() - start
        del found
        failed = outcome.status != Status.converged
        numbers = {"iterations": outcome.iterations, "gradient_norm": outcome.gradient_norm}
        raise_if(z, failed, outcome.status, numbers, getattr(outcome, "rows", None))
        return cls(conditions, z, x, args, outcome, 1e3 * seconds)


class _Gradient:
    """One adjoint at one point, compiled."""

    def __init__(self, upper, solve, adjoint: AbstractAdjoint | None, y0, solved: _Solved):
        given = (solved.conditions, solved.z, solved.x, solved.args, solved.outcome, y0)
        self.dynamic, static = eqx.partition(given, eqx.is_array)

        def gradient(dynamic):
            conditions, z, x, args, outcome, y0 = eqx.combine(dynamic, static)
            primal = lambda z: z.y if isinstance(z, Point) else z

            def objective(z, x):
                return jnp.asarray(upper(primal(z), x, *args))

            slope, direct = jax.grad(objective, argnums=(0, 1))(z, x)
            system = System(conditions, z, x, args, outcome, 10 * ravel_pytree(z)[0].size + 100)
            b, unravel = ravel_pytree(slope)
            solved_for_u = isinstance(adjoint, Implicit) and adjoint.curvature is None
            if adjoint is not None and not solved_for_u:
                other = eqx.tree_at(lambda s: s.adjoint, solve, adjoint)
                start = y0 if hasattr(adjoint, "steps") else primal(z)
                composite = lambda x: jnp.asarray(upper(other(x, start, *args), x, *args))
                g, _ = ravel_pytree(jax.grad(composite)(x))
                return g, jnp.array(jnp.nan), jnp.array(jnp.nan), jnp.array(True)
            if adjoint is None and outcome.factor is None and b.size <= _DENSE:
                matrix = jax.vmap(system.product)(jnp.eye(b.size, dtype=b.dtype)).T
                u, products, fine = jnp.linalg.solve(matrix.T, b), b.size, jnp.array(True)
            else:
                chosen = None if adjoint is None else adjoint.linear_solver
                u, products, fine = adjoint_vector(chosen, system, b, unravel)
            size = jnp.linalg.norm(b)
            left = jnp.linalg.norm(b - system.transposed(u)) / jnp.where(size > 0, size, 1)
            g = ravel_pytree(direct)[0] - system.pull(u)
            return g, jnp.asarray(products, float), left, fine & jnp.all(jnp.isfinite(g))

        start = time.perf_counter()
        self.compiled = jax.jit(gradient).lower(self.dynamic).compile()
        self.compile_seconds = time.perf_counter() - start

    def value(self):
        """The gradient, products, the relative residual of the adjoint, and whether all is well."""
        g, products, left, fine = self.compiled(self.dynamic)
        return np.asarray(g), float(products), float(left), bool(fine)

    def milliseconds(self, rounds: int) -> float:
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            jax.block_until_ready(self.compiled(self.dynamic))
            seconds.append(time.perf_counter() - start)
        return 1e3 * statistics.median(seconds)

    @property
    def memory(self) -> int:
        """The most that is held at once besides what goes in and comes out, in bytes."""
        analysis = self.compiled.memory_analysis()
        return 0 if analysis is None else int(analysis.temp_size_in_bytes)


def _row(name, values, exact, timed: list[_Gradient], rounds: int) -> Row:
    errors, cosines, signs = [], [], []
    for (g, _, _, fine), wanted in zip(values, exact, strict=True):
        size, length = np.linalg.norm(wanted), np.linalg.norm(g)
        errors.append(np.linalg.norm(g - wanted) / (size or 1) if fine else np.inf)
        cosines.append(g @ wanted / (size * length) if fine and size * length > 0 else 0.0)
        signs.append(np.mean(np.sign(g) != np.sign(wanted)) if fine else 1.0)
    return Row(
        name=name,
        error=float(max(errors)),
        cosine=float(min(cosines)),
        sign_errors=float(max(signs)),
        products=float(max(products for _, products, _, _ in values)),
        milliseconds=statistics.median(g.milliseconds(rounds) for g in timed),
        compile_seconds=sum(g.compile_seconds for g in timed),
        memory=max(g.memory for g in timed),
    )


def _in_words(solved: list[_Solved], values, subsample) -> str:
    """What the exact gradient was."""
    outcome, left = solved[0].outcome, max(left for _, _, left, _ in values)
    size = ravel_pytree(solved[0].z)[0].size
    if outcome.factor is not None:
        how = "the last factor of the lower solve, refined"
    elif size <= _DENSE:
        how = f"a factor of the {size} × {size} matrix"
    else:
        how = "conjugate gradients"
    where = "" if subsample is None else " on the subsample"
    return f"{how}{where}, to a relative residual of {left:.1g}"
