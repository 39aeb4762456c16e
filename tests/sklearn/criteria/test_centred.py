"""Products with a design that is never formed, against the design formed."""

import numpy as np
import pytest
from scipy import sparse

from argrad.sklearn.criteria import centred
from argrad.sklearn.criteria.centred import Centred


@pytest.fixture(params=["dense", "sparse", "in blocks"])
def example(request, rng, monkeypatch):
    columns = rng.normal(size=(23, 3)) * (rng.uniform(size=(23, 3)) < 0.7)
    centre, ones = rng.normal(size=3), rng.uniform(0.5, 1.5, size=23)
    formed = np.hstack([columns - np.outer(ones, centre), ones[:, None]])
    if request.param == "in blocks":
        monkeypatch.setattr(centred, "_BLOCK", 5 * 4)
    kept = sparse.csr_array(columns) if request.param == "sparse" else columns
    return Centred(kept, centre, ones), formed


def test_products(example, rng):
    design, formed = example
    w, r = rng.normal(size=(4, 2)), rng.normal(size=(23, 2))
    assert design.shape == formed.shape
    np.testing.assert_allclose(design.times(w), formed @ w, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(design.transposed_times(r), formed.T @ r, rtol=1e-12, atol=1e-12)


def test_gram_is_the_sum_over_rows(example, rng):
    design, formed = example
    curvature = rng.normal(size=(23, 2, 2))
    curvature += curvature.transpose(0, 2, 1)
    curvature[::3] = 0.0
    rows = [np.kron(row[None, :], np.eye(2)) for row in formed]
    expected = sum(row.T @ c @ row for row, c in zip(rows, curvature, strict=True))
    np.testing.assert_allclose(design.gram(curvature), expected, rtol=1e-11, atol=1e-11)
    positive = curvature[:, :1, :1] ** 2
    np.testing.assert_allclose(
        design.gram(positive), formed.T @ (positive[:, 0] * formed), rtol=1e-11, atol=1e-11
    )


def test_squares_are_the_diagonal_of_the_gram_matrix(example, rng):
    design, formed = example
    weight = rng.uniform(size=(23, 2))
    weight[::4] = 0.0
    expected = (formed[:, :-1] ** 2).T @ weight
    np.testing.assert_allclose(design.squares(weight), expected, rtol=1e-11, atol=1e-11)


def test_blocks_are_the_rows_that_are_kept(example, rng):
    design, formed = example
    kept = rng.uniform(size=23) < 0.5
    parts = list(design.blocks(kept))
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in parts]), np.flatnonzero(kept))
    np.testing.assert_allclose(np.vstack([block for _, block in parts]), formed[kept], atol=1e-14)
