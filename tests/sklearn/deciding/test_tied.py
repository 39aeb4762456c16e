"""The criterion in one number a group."""

import numpy as np
import pytest

from argrad.sklearn.deciding.tied import Tied

from .test_prior import Bowl


def test_gradient_agrees_with_central_differences(rng):
    groups = np.array([2, 0, 1, 0, 2, 2])
    tied = Tied(Bowl(rng, 6), groups)
    g = rng.normal(size=tied.size)
    found = tied(g)
    assert found.value == pytest.approx(tied.criterion(g[groups]).value, rel=1e-15)
    np.testing.assert_array_equal(found.log_values, g)
    for j in range(3):
        step = 1e-3 * np.eye(3)[j]
        expected = (tied(g + step).value - tied(g - step).value) / 2e-3
        assert found.gradient[j] == pytest.approx(expected, rel=1e-9, abs=1e-9)
