from copy import deepcopy
from functools import partial

import numpy as np
import pytest

from argrad.sklearn import Grouped, PerClass, PerFeature, Shared


@pytest.mark.parametrize("kind", [Shared, PerFeature, PerClass, partial(Grouped, ["a"])])
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


FEATURES = ["length", "width", "years"]
GROUPS = {"size": ["length", "width"], "age": ["years"]}


def test_which_number_penalises_which_coefficient():
    bounds = (1e-2, 1e2)
    assert Shared(*bounds).index(FEATURES, 2).tolist() == [[0, 0]] * 3
    assert PerFeature(*bounds).index(FEATURES, 2).tolist() == [[0, 0], [1, 1], [2, 2]]
    assert PerClass(*bounds).index(FEATURES, 2).tolist() == [[0, 1]] * 3
    for groups in (GROUPS, ["size", "size", "age"], np.array([7, 7, 3])):
        grouped = Grouped(groups, *bounds)
        assert grouped.index(FEATURES, 2).tolist() == [[0, 0], [0, 0], [1, 1]]
        assert grouped.size(3) == 2
    assert Grouped(GROUPS, *bounds).names("C", FEATURES) == ["C[size]", "C[age]"]
    assert PerClass(*bounds).names("C", FEATURES, ["u", "v"]) == ["C[u]", "C[v]"]
    assert PerClass(*bounds).size(3, 2) == 2


def test_groups_are_values_that_can_be_compared_and_copied():
    grouped = Grouped(GROUPS, 1e-2, 1e2)
    assert deepcopy(grouped) == grouped
    assert hash(deepcopy(grouped)) == hash(grouped)
    assert grouped != Grouped({"all": FEATURES}, 1e-2, 1e2)
    np.testing.assert_allclose(grouped.value(np.log([0.5, 1e3])), [0.5, 1e2])


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"size": ["length"]}, "leaves 'width', 'years' without a group"),
        ({"size": ["length", "witdh"], "age": ["years"]}, "'witdh'.*do you mean 'width'"),
        ({"a": ["zz"]}, "column 'zz' that the model lacks: there are 'length', 'width', 'years'"),
        ({"a": FEATURES, "b": ["years"]}, "'years' in two groups, 'a' and 'b'"),
        (["a", "b"], "labels for 2 columns, but the model sees 3: 'years' would have none"),
        (list("abcd"), "labels for 4 columns, but the model sees 3"),
    ],
)
def test_groups_that_do_not_fit_the_columns(groups, said):
    with pytest.raises(ValueError, match=said):
        Grouped(groups, 1e-2, 1e2).index(FEATURES, 1)


@pytest.mark.parametrize(
    ("groups", "error", "said"),
    [
        ("abc", TypeError, "got 'abc'"),
        (3, TypeError, "got 3"),
        ({"a": "length"}, TypeError, "list of column names for the group 'a', got 'length'"),
        ([], ValueError, "got none"),
        ({}, ValueError, "there are no groups"),
        ({"a": []}, ValueError, "the group 'a' has no columns"),
    ],
)
def test_what_is_no_grouping(groups, error, said):
    with pytest.raises(error, match=said):
        Grouped(groups, 1e-2, 1e2)


def test_one_class_against_another_has_one_set_of_coefficients():
    with pytest.raises(ValueError, match="three classes or more, or several targets"):
        PerClass(1e-2, 1e2).index(FEATURES, 1)
