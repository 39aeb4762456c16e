"""Linear solvers of matrices that are their own transpose."""

from typing import TypeVar

import lineax as lx

State = TypeVar("State")


class SelfAdjoint(lx.AbstractLinearSolver[State]):
    """One that solves with Aᵀ as it does with A, and says nothing of matrices without full rank."""

    def transpose(self, state, options):
        return state, options

    def conj(self, state, options):
        return state, options

    def assume_full_rank(self):
        return True
