"""The collection: no wrong derivative is called valid, and hardly any right one anything else."""

import jax
import pytest

import argrad as ag

from .adversarial import accuracy, constrained, good, jumps, kinks, stationary

CASES = [
    case
    for family in (stationary, kinks, jumps, constrained, accuracy, good)
    for case in family.CASES
]


def _parameter(case):
    marks = () if case.fast else (pytest.mark.slow,)
    return pytest.param(case, id=f"{case.name} {case.seed}".replace(" ", "-"), marks=marks)


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_verdict(case):
    with jax.enable_x64(not case.float32):
        solve, x, init, args = case.problem()
        certificate = ag.check(solve, x, init, *args)
    assert certificate.verdict == case.verdict, str(certificate)
    assert bool(certificate.remedy) == (case.verdict != "valid")
