"""X, y and weights, of all the kinds that users have."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from argrad.sklearn import GradientSearchCV, PerFeature, Shared
from argrad.sklearn.place import find_place
from argrad.sklearn.rows.inputs import as_weights, checked

from ..reference import logistic, ridge, standardised

WIDE = (1e-4, 1e4)
RIDGE = find_place(Ridge(), {"alpha": Shared(*WIDE)})
LOGISTIC = find_place(LogisticRegression(), {"C": Shared(*WIDE)})


def test_a_column_is_kept_where_several_targets_are_possible(diabetes):
    X, y = diabetes
    assert checked(X, y[:, None], RIDGE)[1].shape == (442, 1)
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        assert checked(X, (y > 100)[:, None], LOGISTIC)[1].shape == (442,)
    search = GradientSearchCV(Ridge(), {"alpha": Shared(*WIDE)}).fit(X, y[:, None])
    itself = Ridge(**search.best_params_).fit(X, y[:, None])
    np.testing.assert_array_equal(search.predict(X), itself.predict(X))


def test_numbers_kept_as_objects(breast):
    X, y = breast[0][:60, :3], breast[1][:60]
    kept = checked(X, pd.Series(y, dtype=object), LOGISTIC)[1]
    assert kept.dtype.kind == "i"
    words = np.where(y == 0, "no", "yes").astype(object)
    assert checked(X, words, LOGISTIC)[1].tolist() == words.tolist()


def test_too_few_rows():
    with pytest.raises(ValueError, match=r"1 rows \(n_samples=1\)"):
        checked(np.ones((1, 2)), [1.0], RIDGE)


@pytest.mark.parametrize("hyperparameter", [Shared(*WIDE), PerFeature(*WIDE)])
def test_frames_of_polars_are_as_good_as_those_of_pandas(breast, hyperparameter):
    polars = pytest.importorskip("polars")
    frame = pd.DataFrame(breast[0][::4, :4], columns=["a", "b", "c", "d"])
    y = np.where(breast[1][::4] == 0, "no", "yes")
    search = GradientSearchCV(
        standardised(logistic()),
        {"model__C": hyperparameter},
        cv=3,
        max_fits=13,
        scoring="f1_macro",
    )
    wanted = search.fit(frame, y)
    expected = wanted.predict_proba(frame), wanted.cv_results_["mean_test_f1_macro"]
    found = search.fit(polars.from_pandas(frame), polars.Series(y))
    np.testing.assert_allclose(found.predict_proba(polars.from_pandas(frame)), expected[0])
    np.testing.assert_allclose(found.cv_results_["mean_test_f1_macro"], expected[1])
    assert found.feature_names_in_.tolist() == ["a", "b", "c", "d"]


def test_sparse_columns(breast):
    X, y = breast[0][::3, :5] / 100, breast[1][::3]
    params = {"C": Shared(*WIDE)}
    dense = GradientSearchCV(logistic(), params, cv=3, scoring="accuracy").fit(X, y)
    thin = GradientSearchCV(logistic(), params, cv=3, scoring="accuracy")
    thin.fit(sparse.csr_array(X), y)
    assert thin.best_params_["C"] == pytest.approx(dense.best_params_["C"], rel=1e-6)
    np.testing.assert_allclose(thin.predict_proba(sparse.csr_array(X)), dense.predict_proba(X))
    assert thin.__sklearn_tags__().input_tags.sparse


@pytest.mark.parametrize(
    ("model", "name", "scoring", "data"),
    [
        (ridge(), "alpha", "neg_mean_squared_error", "diabetes"),
        (logistic(), "C", "neg_log_loss", "breast"),
    ],
)
def test_weights_count_as_in_grid_search(request, rng, model, name, scoring, data):
    """In the fits, in the criterion, in scores and in the best estimator; zero leaves out."""
    X, y = request.getfixturevalue(data)
    X, y = X[::2, :6], y[::2]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    weights = rng.uniform(0.5, 2.0, size=len(y)) * (rng.random(len(y)) < 0.8)
    search = GradientSearchCV(model, {name: Shared(*WIDE)}, cv=3, scoring=scoring, max_fits=13)
    search.fit(X, y, sample_weight=weights)
    values = [params[name] for params in search.cv_results_["params"]]
    grid = GridSearchCV(model, {name: values}, cv=3, scoring=scoring)
    grid.fit(X, y, sample_weight=weights)
    for column in ("mean_test_score", f"mean_test_{scoring}"):
        np.testing.assert_allclose(
            search.cv_results_[column], grid.cv_results_["mean_test_score"], rtol=1e-7
        )
    np.testing.assert_allclose(search.best_estimator_.coef_, grid.best_estimator_.coef_, rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1.0, 2.0], r"shape \(2,\), but there are 3 rows"),
        ([1.0, -2.0, 1.0], "holds -2 in row 1"),
        ([1.0, 1.0, np.nan], "holds nan in row 2"),
        ([0.0, 0.0, 0.0], "is zero in every row"),
        (["a", "b", "c"], "must hold numbers"),
    ],
)
def test_weights_that_are_none(weights, said):
    with pytest.raises(ValueError, match=said):
        as_weights(weights, 3)


def test_weights_as_numbers():
    assert as_weights(None, 3) is None
    np.testing.assert_array_equal(as_weights([1, 0, 2], 3), [1.0, 0.0, 2.0])
