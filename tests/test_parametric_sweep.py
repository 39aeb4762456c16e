"""Derivatives of every parametric problem: of solutions, and of their multipliers.

The reference is a closed form where there is one, and eighth-order differences of solutions that
SciPy found otherwise.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag

from .parametric import ALL
from .parametric.reference import derivative, solve
from .parametric.test_problem import closed, relative

ROUNDING = 1e-12  # of a closed form
DIFFERENCES = 1e-11  # what the reference is tested to in parametric/test_reference.py


def subject_to(problem):
    """The constraints as argrad is given them, by name."""
    given = {}
    if problem.equality is not None:
        given["h"] = ag.equality(problem.equality)
    if problem.inequality is not None:
        given["g"] = ag.inequality(problem.inequality)
    if problem.lower is not None or problem.upper is not None:
        given["box"] = ag.box(array(problem.lower), array(problem.upper))
    return given


def array(bound):
    return bound if bound is None or callable(bound) else np.array(bound)


def reference(problem, p):
    """y*, λ, μ and their derivatives, each with its tolerance."""
    found = [*solve(problem, p)[:3], *derivative(problem, p)]
    expected = [(value, DIFFERENCES) for value in found]
    if problem.exact is not None:
        values, slopes = closed(problem, p)
        expected[: len(values)] = [(value, ROUNDING) for value in values]
        expected[3 : 3 + len(slopes)] = [(slope, ROUNDING) for slope in slopes]
    return expected


@pytest.mark.slow
@pytest.mark.parametrize("problem", ALL, ids=lambda problem: problem.name)
def test_solutions_multipliers_and_their_derivatives(problem):
    constraints = subject_to(problem)
    argmin = ag.argmin(problem.objective, subject_to=constraints.values())
    start = jnp.array(problem.start)

    def flat(p):
        """y*, λ and μ, this in the order of the problem's `rows`."""
        solution = argmin.solution(p, start)
        entries = dict(zip(constraints, solution.multipliers, strict=True))
        bounds = {"lower": jnp.zeros(problem.n), "upper": jnp.zeros(problem.n)}
        bounds |= entries.get("box", {})
        below = [entries.get("g", jnp.zeros(0)), bounds["lower"], bounds["upper"]]
        return solution.primal, entries.get("h", jnp.zeros(0)), jnp.concatenate(below)

    def twice(p):
        values = flat(p)
        return values, values

    compiled = jax.jit(jax.jacobian(twice, has_aux=True))
    for p in problem.points:
        slopes, values = compiled(jnp.array(p))
        for found, (wanted, tol) in zip((*values, *slopes), reference(problem, p), strict=True):
            assert found.shape == wanted.shape
            assert relative(found - wanted, wanted) <= tol
