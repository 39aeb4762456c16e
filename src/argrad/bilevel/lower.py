"""The solution of a lower problem together with the conditions that it satisfies."""

from jax import lax
from jaxtyping import Array, PyTree

from argrad.adjoints.implicit import Minimise, conditions_of
from argrad.conditions import Conditions, Point
from argrad.external import External, runner
from argrad.rows import inside
from argrad.solvers.run import Outcome
from argrad.transformation import Argmin


def lower_solution(
    solve: Argmin | External, y0: PyTree[Array], x: PyTree, args: tuple
) -> tuple[Conditions, PyTree[Array] | Point, Outcome]:
    """C, the point where C(point, x) = 0 as nearly as the solver has it, and how it ended.

    The point is y, with its multipliers where there are constraints. Nothing of it is
    differentiated, and nothing is raised.
    """
    if isinstance(solve, External):
        conditions = solve.conditions.closed(y0, x, args)
        point, outcome = runner(solve, y0, x, args)(conditions, y0, x, args)
    else:
        conditions = conditions_of(solve.problem.closed(y0, x, args))
        constraints = solve.problem.constraints
        if constraints is not None:
            y0 = inside(constraints, y0, x, args)
        run = Minimise(solve.solver, solve.max_steps)
        point, outcome = run(conditions, y0, x, args)
    point, outcome = lax.stop_gradient((point, outcome))
    return conditions.at(outcome), point, outcome
