"""What an adjoint is given and what it returns."""

import abc

import equinox as eqx
import optimistix as optx
from jaxtyping import Array, PyTree

from argrad.problem import Problem
from argrad.solvers.run import Outcome


class AbstractAdjoint(eqx.Module):
    """How the solution of a lower problem is found and differentiated."""

    @abc.abstractmethod
    def solve(
        self,
        problem: Problem,
        solver: optx.AbstractMinimiser | None,
        max_steps: int,
        throw: bool,
        y0: PyTree[Array],
        x: PyTree,
        args: tuple,
    ) -> tuple[PyTree[Array], Outcome]:
        """y* from `y0` and how the solve ended; `problem` is closed (`Problem.closed`).

        y* is differentiable with respect to whatever `problem`, `x` and `args` hold, and is NaN
        in its derivative, or raises SolveError if `throw`, where that derivative would be wrong.
        With constraints y* is a `Point`, y and its multipliers, and so may `y0` be, for a warm
        start.
        """


def without_constraints(adjoint: AbstractAdjoint, problem: Problem) -> None:
    """Raise ValueError if there are constraints, for an adjoint that would ignore them."""
    if problem.constraints is not None:
        raise ValueError(
            f"{type(adjoint).__name__} knows nothing of constraints. Use Implicit(), or "
            "Barrier(t) for a smooth approximation."
        )
