import numpy as np
import pytest

from argrad.sklearn import PerFeature, Shared


@pytest.mark.parametrize("kind", [Shared, PerFeature])
@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.0, 0.1, "low=1.0, high=0.1: swap them"),
        (1.0, 1.0, "give it room"),
        (0.0, 1.0, r"low=0\.0"),
        (-1.0, 1.0, r"low=-1\.0"),
        (1e-3, np.inf, "high=inf"),
        (np.nan, 1.0, "low=nan"),
    ],
)
def test_bounds_that_make_no_interval_are_refused(kind, low, high, said):
    with pytest.raises(ValueError, match=said):
        kind(low, high)


@pytest.mark.parametrize("value", ["1", None, True, [1.0]])
def test_bounds_must_be_numbers(value):
    with pytest.raises(TypeError, match="needs numbers as bounds"):
        Shared(value, 10.0)


def test_values_never_leave_the_bounds_by_rounding():
    low, high = 1e-4, 1e4
    value = Shared(low, high).value(np.log([high]))
    assert isinstance(value, float)
    assert value == high
    assert Shared(10.0, 1e3).value(np.log([10.0])) == 10.0  # exp(log(10)) is not 10
    values = PerFeature(low, high).value(np.log([low, 1.0, high]))
    assert low <= values.min()
    assert values.max() <= high
    np.testing.assert_allclose(values, [low, 1.0, high])


def test_names_and_sizes():
    assert Shared(1, 2).size(5) == 1
    assert PerFeature(1, 2).size(5) == 5
    assert Shared(1, 2).names("C", ["a", "b"]) == ["C"]
    assert PerFeature(1, 2).names("C", ["a", "b"]) == ["C[a]", "C[b]"]
