import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

from argrad.sklearn.rows.folds import stack_folds


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(3.0, 2.0, 10), "kind": list("aabbabcabc")})
    return frame, random.normal(size=10)


SPLITS = [(np.arange(6), np.arange(6, 10)), (np.arange(3, 10), np.arange(3))]


def rows(fold, part="training"):
    """The design, formed, and the target of the rows that have a weight in a part of a fold."""
    design, weight = fold.design, getattr(fold, part)
    ones = design.ones[:, None]
    formed = np.hstack([design.columns - ones * design.centre, ones])
    return formed[weight > 0], fold.target[weight > 0]


def test_folds_are_weights_of_one_design(table):
    X, y = table[0][["size"]], table[1]
    folds = stack_folds(None, X, y, y[:, None], SPLITS, fit_intercept=True)
    assert folds.count == 2
    assert folds.features == ["size"]
    assert folds.one_design
    assert folds.each[0].design.columns is folds.each[1].design.columns
    assert [fold.training.sum() for fold in folds.each] == [6, 7]
    np.testing.assert_allclose([fold.validation.sum() for fold in folds.each], 1.0)
    assert folds.each[1].validation.tolist() == [1 / 3, 1 / 3, 1 / 3] + [0] * 7
    design, target = rows(folds.each[0])
    np.testing.assert_array_equal(target.ravel(), y[:6])
    np.testing.assert_array_equal(design[:, 1], 1.0)
    np.testing.assert_allclose(design[:, 0], X["size"][:6] - X["size"][:6].mean())


def test_a_design_of_floats_is_not_copied():
    X, y = np.random.default_rng(0).normal(size=(10, 2)), np.arange(10.0)
    folds = stack_folds(None, X, y, y[:, None], SPLITS, fit_intercept=True)
    assert folds.each[0].design.columns is X


def test_validation_rows_are_centred_on_the_training_rows(table):
    X, y = table[0][["size"]], table[1]
    folds = stack_folds(None, X, y, y[:, None], SPLITS, fit_intercept=True)
    design, _ = rows(folds.each[0], "validation")
    np.testing.assert_allclose(design[:, 0], X["size"][6:] - X["size"][:6].mean())


def test_without_intercept_nothing_is_centred(table):
    X, y = table[0][["size"]], table[1]
    folds = stack_folds(None, X, y, y[:, None], SPLITS, fit_intercept=False)
    np.testing.assert_array_equal(rows(folds.each[1])[0][:, :1], X.to_numpy()[3:])
    assert not folds.fit_intercept


def test_rows_that_are_drawn_several_times_count_as_often():
    X, y = np.random.default_rng(0).normal(size=(5, 2)), np.arange(5.0)
    splits = [(np.array([0, 0, -1, 2]), np.array([3, 3, 1]))]
    (fold,) = stack_folds(None, X, y, y[:, None], splits, True).each
    assert fold.training.tolist() == [2, 0, 1, 0, 1]
    np.testing.assert_allclose(fold.validation, [0, 1 / 3, 0, 2 / 3, 0])
    np.testing.assert_allclose(fold.design.centre, X[[0, 0, 4, 2]].mean(axis=0))


@pytest.mark.parametrize("preprocess", [None, StandardScaler()])
def test_rows_of_weight_zero_might_as_well_not_be_there(preprocess, rng):
    X, y = rng.normal(size=(12, 2)), rng.normal(size=12)
    weight = rng.uniform(0.5, 2.0, size=12)
    weight[[1, 4, 10]] = 0.0
    splits = [(np.arange(7), np.arange(7, 12)), (np.arange(5, 12), np.arange(5))]
    folds = stack_folds(preprocess, X, y, y[:, None], splits, True, weight)
    for (train, valid), fold in zip(splits, folds.each, strict=True):
        train, valid = train[weight[train] > 0], valid[weight[valid] > 0]
        (left,) = stack_folds(preprocess, X, y, y[:, None], [(train, valid)], True, weight).each
        for part in ("training", "validation"):
            for one, other in zip(rows(fold, part), rows(left, part), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12)
            one, other = getattr(fold, part), getattr(left, part)
            np.testing.assert_allclose(one[one > 0], other[other > 0])


def test_a_part_without_weight_is_named():
    X, y = np.ones((10, 1)), np.arange(10.0)
    with pytest.raises(ValueError, match="no validation row of fold 0 has a positive weight"):
        stack_folds(None, X, y, y[:, None], SPLITS, True, (np.arange(10) < 6).astype(float))


def test_preprocessing_is_fitted_on_the_training_rows_of_each_fold(table):
    X, y = table[0][["size"]], table[1]
    scaler = StandardScaler()
    folds = stack_folds(scaler, X, y, y[:, None], SPLITS, fit_intercept=False)
    for i, (train, valid) in enumerate(SPLITS):
        expected = StandardScaler().fit(X.iloc[train])
        np.testing.assert_allclose(rows(folds.each[i])[0][:, :1], expected.transform(X.iloc[train]))
        np.testing.assert_allclose(
            rows(folds.each[i], "validation")[0][:, :1], expected.transform(X.iloc[valid])
        )
    assert not hasattr(scaler, "mean_")


def test_training_rows_go_through_fit_transform(table):
    """A TargetEncoder encodes what it is fitted on by cross-fitting, other rows plainly."""
    X, y = table[0][["kind"]], (table[1] > 0).astype(float)
    encoder = TargetEncoder(cv=2, random_state=0, target_type="continuous")
    folds = stack_folds(encoder, X, y, y[:, None], SPLITS, fit_intercept=False)
    train = SPLITS[1][0]
    np.testing.assert_allclose(
        rows(folds.each[1])[0][:, :1], encoder.fit_transform(X.iloc[train], y[train])
    )


def test_names_are_those_of_the_preprocessed_columns(table):
    X, y = table
    encode = OneHotEncoder(categories=[["a", "b", "c"]], sparse_output=False)
    transform = make_column_transformer((StandardScaler(), ["size"]), (encode, ["kind"]))
    folds = stack_folds(transform, X, y, y[:, None], SPLITS, fit_intercept=True)
    assert folds.features == [
        "standardscaler__size",
        "onehotencoder__kind_a",
        "onehotencoder__kind_b",
        "onehotencoder__kind_c",
    ]
    plain = stack_folds(None, X[["size"]].to_numpy(), y, y[:, None], SPLITS, True)
    assert plain.features == ["x0"]


def test_folds_of_different_widths_are_refused(table):
    X, y = table
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    splits = [(np.arange(5), np.arange(5, 10)), (np.arange(5, 10), np.arange(5))]
    with pytest.raises(ValueError, match=r"2 columns in one fold and 3 in another.*categories"):
        stack_folds(encode, X[["kind"]], y, y[:, None], splits, True)


def test_sparse_output_of_preprocessing_stays_sparse(table):
    X, y = table
    encode = OneHotEncoder(categories=[["a", "b", "c"]])
    folds = stack_folds(encode, X[["kind"]], y, y[:, None], SPLITS, True)
    columns = folds.each[0].design.columns
    assert columns.format == "csr"
    np.testing.assert_array_equal(columns.toarray(), encode.fit_transform(X[["kind"]]).toarray())
