"""The references that the benchmark measures errors against."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from problems import chain, logistic, reference


def _central_difference(value, x, direction, step):
    return (value(x + step * direction) - value(x - step * direction)) / (2 * step)


@pytest.mark.parametrize(("make", "condition"), [(logistic.easy, 4.0), (logistic.hard, 5e3)])
def test_logistic_reference_agrees_with_central_differences(make, condition):
    problem = make()
    found = reference.solve_precisely(problem)
    assert found.condition == pytest.approx(condition, rel=0.1)
    assert found.residual < 1e-18
    direction = np.random.default_rng(0).normal(size=logistic.FEATURES)

    def value(theta):
        return reference.solve_precisely(problem._replace(theta=theta)).value

    difference = _central_difference(value, problem.theta, direction, 1e-4)
    assert found.gradient @ direction == pytest.approx(difference, rel=1e-6)


def test_chain_reference_agrees_with_central_differences():
    problem = chain.chain()
    found = chain.solve_precisely(problem)
    assert found.residual < 1e-15
    direction = np.random.default_rng(0).normal(size=chain.SAMPLES)

    def value(x):
        return chain.solve_precisely(problem._replace(x=x)).value

    difference = _central_difference(value, problem.x, direction, 1e-4)
    assert found.gradient @ direction == pytest.approx(difference, rel=1e-6)
