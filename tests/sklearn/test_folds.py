import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

from argrad.sklearn.folds import stack_folds


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(3.0, 2.0, 10), "kind": list("aabbabcabc")})
    return frame, random.normal(size=10)


SPLITS = [(np.arange(6), np.arange(6, 10)), (np.arange(3, 10), np.arange(3))]


def test_rows_are_filled_up_with_weight_zero(table):
    X, y = table[0][["size"]], table[1]
    folds = stack_folds(None, X, y, y[:, None], SPLITS, fit_intercept=True)
    assert folds.count == 2
    assert folds.features == ["size"]
    assert folds.training.design.shape == (2, 7, 2)
    assert folds.training.weight.sum(axis=1).tolist() == [6, 7]
    np.testing.assert_allclose(folds.validation.weight.sum(axis=1), 1.0)
    assert folds.validation.weight[1].tolist() == [1 / 3, 1 / 3, 1 / 3, 0]
    design, target = folds.training.fold(0)
    np.testing.assert_array_equal(target.ravel(), y[:6])
    np.testing.assert_array_equal(design[:, 1], 1.0)
    np.testing.assert_allclose(design[:, 0], X["size"][:6] - X["size"][:6].mean())


def test_validation_rows_are_centred_on_the_training_rows(table):
    X, y = table[0][["size"]], table[1]
    folds = stack_folds(None, X, y, y[:, None], SPLITS, fit_intercept=True)
    design, _ = folds.validation.fold(0)
    np.testing.assert_allclose(design[:, 0], X["size"][6:] - X["size"][:6].mean())


def test_without_intercept_nothing_is_added_or_centred(table):
    X, y = table[0][["size"]], table[1]
    folds = stack_folds(None, X, y, y[:, None], SPLITS, fit_intercept=False)
    np.testing.assert_array_equal(folds.training.fold(1)[0], X.to_numpy()[3:])


def test_preprocessing_is_fitted_on_the_training_rows_of_each_fold(table):
    X, y = table[0][["size"]], table[1]
    scaler = StandardScaler()
    folds = stack_folds(scaler, X, y, y[:, None], SPLITS, fit_intercept=False)
    for i, (train, valid) in enumerate(SPLITS):
        expected = StandardScaler().fit(X.iloc[train])
        np.testing.assert_allclose(folds.training.fold(i)[0], expected.transform(X.iloc[train]))
        np.testing.assert_allclose(folds.validation.fold(i)[0], expected.transform(X.iloc[valid]))
    assert not hasattr(scaler, "mean_")


def test_training_rows_go_through_fit_transform(table):
    """A TargetEncoder encodes what it is fitted on by cross-fitting, other rows plainly."""
    X, y = table[0][["kind"]], (table[1] > 0).astype(float)
    encoder = TargetEncoder(cv=2, random_state=0, target_type="continuous")
    folds = stack_folds(encoder, X, y, y[:, None], SPLITS, fit_intercept=False)
    train = SPLITS[1][0]
    np.testing.assert_allclose(
        folds.training.fold(1)[0], encoder.fit_transform(X.iloc[train], y[train])
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


def test_sparse_output_of_preprocessing_is_refused(table):
    X, y = table
    with pytest.raises(ValueError, match=r"preprocessed X of fold 0 .*sparse_output=False"):
        stack_folds(
            OneHotEncoder(handle_unknown="ignore"), X[["kind"]], y, y[:, None], SPLITS, True
        )
