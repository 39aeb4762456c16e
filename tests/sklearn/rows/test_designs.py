import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from argrad.sklearn.rows.designs import as_design


def test_numbers_of_any_kind_become_floats():
    frame = pd.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]})
    np.testing.assert_array_equal(as_design(frame), [[1.0, 1.0, 0.5], [2.0, 0.0, 1.5]])
    assert as_design([[1, 2]]).dtype == float


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (sparse.csr_array([[0.0, 1.0], [np.inf, 0.0]]), "inf in row 1, column 0, and 0 more"),
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
    with pytest.raises(ValueError, match="the preprocessed X of fold 2 has no columns"):
        as_design(np.ones((3, 0)), "the preprocessed X of fold 2")


def test_sparse_matrices_stay_sparse():
    X = sparse.coo_array(([1, 2, 3], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    design = as_design(X)
    assert design.format == "csr"
    assert design.dtype == float
    np.testing.assert_array_equal(design.toarray(), [[0.0, 3.0], [3.0, 0.0]])
    assert X.nnz == 3
