import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from argrad.sklearn.designs import as_design


def test_numbers_of_any_kind_become_floats():
    frame = pd.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]})
    np.testing.assert_array_equal(as_design(frame), [[1.0, 1.0, 0.5], [2.0, 0.0, 1.5]])
    assert as_design([[1, 2]]).dtype == float


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (sparse.eye(3).tocsr(), r"X is a sparse matrix.*X.toarray\(\)"),
        (np.array([[1.0, np.nan], [np.inf, 0.0]]), "X holds NaN in row 0, column 1, and 1 more"),
        (pd.DataFrame({"a": [1.0], "b": [-np.inf]}), "-inf in row 0, column 'b'"),
        (pd.DataFrame({"a": [1.0], "b": ["red"]}), "'red', column 'b'.*OneHotEncoder"),
        ([["x", 1.0]], "X holds 'x'"),
        (np.ones(3), r"shape \(3,\).*reshape"),
        (np.ones((2, 2, 2)), "two axes"),
        (np.ones((3, 0)), r"no columns, 0 feature\(s\) \(shape=\(3, 0\)\)"),
    ],
)
def test_designs_that_cannot_be_used(X, said):
    with pytest.raises(ValueError, match=said):
        as_design(X)


def test_the_place_is_named():
    with pytest.raises(
        ValueError, match=r"the preprocessed X of fold 2 is a sparse.*sparse_output"
    ):
        as_design(sparse.eye(3), "the preprocessed X of fold 2")


def test_what_is_not_even_text_is_the_wrong_type():
    with pytest.raises(TypeError, match=r"X holds \{'a': 1\}, where numbers are needed"):
        as_design(np.array([[1.0, {"a": 1}]], dtype=object))
