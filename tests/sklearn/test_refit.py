"""A penalty a feature in scikit-learn's estimator, against a direct minimisation."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.linear_model import (
    HuberRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from sklearn.preprocessing import StandardScaler

from argrad.sklearn import GradientSearchCV, Grouped, PerClass, PerFeature, Shared
from argrad.sklearn.place import find_place
from argrad.sklearn.refit import refit

from .reference import logistic, ridge, standardised

RANGE = PerFeature(1e-3, 1e3)


def penalties(d):
    return np.random.default_rng(d).normal(scale=1.5, size=d)


def test_ridge_against_its_normal_equations(diabetes):
    X, y = diabetes[0] * 100, diabetes[1]
    log_alpha = penalties(10)
    fitted = refit(ridge(), find_place(ridge(), {"alpha": RANGE}), log_alpha, X, y)
    centred = X - X.mean(axis=0)
    gram = centred.T @ centred + np.diag(np.exp(log_alpha))
    coefficients = np.linalg.solve(gram, centred.T @ (y - y.mean()))
    np.testing.assert_allclose(fitted.coef_, coefficients, rtol=1e-8)
    predictions = y.mean() + centred @ coefficients
    np.testing.assert_allclose(fitted.predict(X), predictions, rtol=1e-9)


def test_two_classes_against_a_direct_minimisation(breast):
    X, y = StandardScaler().fit_transform(breast[0])[:, :6], breast[1]
    log_c = penalties(6)
    fitted = refit(logistic(), find_place(logistic(), {"C": RANGE}), log_c, X, y)

    def objective(w):
        z = X @ w[:-1] + w[-1]
        return np.logaddexp(0, (1 - 2 * y) * z).sum() + 0.5 * np.sum(w[:-1] ** 2 / np.exp(log_c))

    found = np.append(fitted.coef_[0], fitted.intercept_)
    best = minimize(objective, np.zeros(7), method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(found, best.x, rtol=1e-4, atol=1e-5)
    assert objective(found) <= best.fun + 1e-10


def test_three_classes_against_a_direct_minimisation(wine):
    X, y = StandardScaler().fit_transform(wine[0])[:, :4], wine[1]
    log_c = penalties(4)
    fitted = refit(logistic(), find_place(logistic(), {"C": RANGE}), log_c, X, y)

    def objective(flat):
        w = flat.reshape(5, 3)
        chances = log_softmax(X @ w[:-1] + w[-1], axis=1)
        return -chances[np.arange(len(y)), y].sum() + 0.5 * np.sum(
            w[:-1] ** 2 / np.exp(log_c)[:, None]
        )

    found = np.vstack([fitted.coef_.T, fitted.intercept_])
    best = minimize(objective, np.zeros(15), method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(found[:-1], best.x.reshape(5, 3)[:-1], rtol=1e-3, atol=1e-4)
    assert objective(found.ravel()) <= best.fun + 1e-9


def test_equal_penalties_are_the_plain_estimator(task):
    model, name, X, y, _ = task
    place = find_place(standardised(model), {f"model__{name}": RANGE})
    d = X.shape[1]
    fitted = refit(standardised(model), place, np.full(d, np.log(3.0)), X, y)
    plain = standardised(clone(model).set_params(**{name: 3.0})).fit(X, y)
    np.testing.assert_allclose(fitted[-1].coef_, plain[-1].coef_, rtol=1e-9)
    assert fitted.get_params()[f"model__{name}"] == pytest.approx(3.0)


def test_a_pipeline_predicts_from_plain_rows(diabetes):
    X, y = diabetes
    pipeline = standardised(ridge())
    log_alpha = penalties(10)
    fitted = refit(pipeline, find_place(pipeline, {"model__alpha": RANGE}), log_alpha, X, y)
    scale = np.exp(-0.5 * log_alpha)
    Z = StandardScaler().fit_transform(X)
    expected = Ridge(1.0).fit(Z * scale, y).predict(Z * scale)
    np.testing.assert_allclose(fitted.predict(X), expected, rtol=1e-9)
    assert not hasattr(pipeline[0], "mean_")


def test_a_pipeline_with_a_cache(diabetes, tmp_path):
    X, y = diabetes
    pipeline = standardised(ridge()).set_params(memory=str(tmp_path))
    place = find_place(pipeline, {"model__alpha": RANGE})
    cached = refit(pipeline, place, penalties(10), X, y).predict(X)
    plain = standardised(ridge())
    expected = refit(plain, place, penalties(10), X, y).predict(X)
    np.testing.assert_allclose(cached, expected)


def test_names_of_a_data_frame_are_kept(diabetes):
    X = pd.DataFrame(diabetes[0], columns=[f"c{j}" for j in range(10)])
    place = find_place(Ridge(), {"alpha": RANGE})
    fitted = refit(Ridge(), place, penalties(10), X, diabetes[1])
    assert fitted.feature_names_in_.tolist() == list(X.columns)
    fitted.predict(X)


def test_one_shared_value_is_set_and_fitted(breast):
    X, y = StandardScaler().fit_transform(breast[0]), breast[1]
    estimator = LogisticRegression(max_iter=77)
    place = find_place(estimator, {"C": Shared(1e-3, 1e3)})
    fitted = refit(estimator, place, np.log([0.3]), X, y)
    assert pytest.approx(0.3) == fitted.C
    assert fitted.max_iter == 77
    assert estimator.C == 1.0
    np.testing.assert_array_equal(
        fitted.coef_, LogisticRegression(C=fitted.C, max_iter=77).fit(X, y).coef_
    )


@pytest.mark.parametrize("kept_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_penalty_a_class_is_stationary(wine, rng, class_weight, fit_intercept, kept_sparse):
    """∂/∂W of Σ r log loss + ½ Σ_c ‖w_c‖² / C_c is zero, and ∂/∂b."""
    X, y = StandardScaler().fit_transform(wine[0])[:, :5], wine[1]
    X = X * (np.abs(X) > 0.5) if kept_sparse else X
    weight = rng.uniform(size=len(y)) * (rng.uniform(size=len(y)) < 0.9)
    estimator = logistic().set_params(class_weight=class_weight, fit_intercept=fit_intercept)
    place = find_place(estimator, {"C": PerClass(1e-3, 1e3)})
    log_c = rng.normal(size=3)
    given = sparse.csr_matrix(X) if kept_sparse else X
    fitted = refit(estimator, place, log_c, given, y, weight)
    rows = weight.copy()
    if class_weight == "balanced":
        sums = np.bincount(y, weight)
        rows *= (weight.sum() / 3 / sums)[y]
    residual = rows[:, None] * (fitted.predict_proba(X) - np.eye(3)[y])
    slope = residual.T @ X + fitted.coef_ / np.exp(log_c)[:, None]
    np.testing.assert_allclose(slope, 0.0, atol=1e-6)
    if fit_intercept:
        np.testing.assert_allclose(residual.sum(axis=0), 0.0, atol=1e-6)
        assert fitted.intercept_.sum() == pytest.approx(0.0, abs=1e-9)
    assert pytest.approx(np.exp(log_c.mean())) == fitted.C
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.n_iter_ is not None
    assert fitted.coef_.shape == (3, 5)


def test_equal_penalties_a_class_are_one(wine):
    X, y = StandardScaler().fit_transform(wine[0]), wine[1]
    place = find_place(logistic(), {"C": PerClass(1e-3, 1e3)})
    fitted = refit(logistic(), place, np.log([0.7] * 3), X, y)
    plain = logistic().set_params(C=0.7).fit(X, y)
    np.testing.assert_allclose(fitted.coef_, plain.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fitted.intercept_, plain.intercept_, rtol=1e-6, atol=1e-8)


def test_a_penalty_a_target_is_ridges_own(diabetes):
    X, y = diabetes[0], np.column_stack([diabetes[1], diabetes[0][:, 2] ** 2])
    place = find_place(ridge(), {"alpha": PerClass(1e-3, 1e3)})
    fitted = refit(ridge(), place, np.log([0.1, 10.0]), X, y)
    for c, alpha in enumerate([0.1, 10.0]):
        np.testing.assert_allclose(fitted.coef_[c], Ridge(alpha).fit(X, y[:, c]).coef_, rtol=1e-8)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (PoissonRegressor(solver="newton-cholesky", tol=1e-10), "count"),
        (TweedieRegressor(power=1.7, solver="newton-cholesky", tol=1e-10), "count"),
        (HuberRegressor(tol=1e-10, max_iter=10000), "real"),
        (Ridge(tol=1e-12), "real"),  # on sparse columns its solver is iterative
        (logistic(), "label"),
    ],
    ids=["poisson", "tweedie", "huber", "ridge", "logistic"],
)
@pytest.mark.parametrize("kept_sparse", [False, True], ids=["dense", "sparse"])
def test_groups_are_scaled_columns(model, kind, rng, kept_sparse):
    """Each coefficient solves what it would on columns scaled by hand."""
    X = rng.normal(size=(80, 4)) * (rng.uniform(size=(80, 4)) < 0.8)
    eta = X @ rng.normal(size=4)
    y = {"count": rng.poisson(np.exp(eta / 2)), "real": eta + rng.normal(size=80)}.get(kind)
    y = (eta + rng.logistic(size=80) > 0).astype(int) if y is None else y.astype(float)
    weight = rng.uniform(size=80) * (np.arange(80) % 9 > 0)
    name = "C" if kind == "label" else "alpha"
    place = find_place(model, {name: Grouped(["a", "b", "a", "b"], 1e-3, 1e3)})
    given = sparse.csr_array(X) if kept_sparse else X
    fitted = refit(model, place, np.log([0.2, 3.0]), given, y, weight)
    scale = np.array([0.2, 3.0, 0.2, 3.0]) ** (-0.5 * place.model.sign)
    plain = clone(model).set_params(**{name: 1.0}).fit(X * scale, y, sample_weight=weight)
    np.testing.assert_allclose(np.ravel(fitted.coef_), np.ravel(plain.coef_) * scale, rtol=1e-3)
    predicted = plain.predict(X * scale)  # sums of terms that may cancel
    np.testing.assert_allclose(fitted.predict(X), predicted, atol=1e-3 * np.abs(predicted).max())


def test_rows_of_weight_zero_are_left_out_of_preprocessing_too(diabetes, rng):
    X, y = diabetes
    weight = rng.integers(0, 3, size=len(y)).astype(float)
    pipeline = standardised(ridge())
    for kind, h in ((Shared(1e-3, 1e3), np.zeros(1)), (RANGE, penalties(10))):
        place = find_place(pipeline, {"model__alpha": kind})
        used = weight > 0
        one = refit(pipeline, place, h, X, y, weight)
        two = refit(pipeline, place, h, X[used], y[used], weight[used])
        np.testing.assert_allclose(one.predict(X), two.predict(X), rtol=1e-12)
        assert np.abs(one.predict(X) - refit(pipeline, place, h, X, y).predict(X)).max() > 1e-3


def test_searches_end_to_end(wine, rng):
    """Every kind of hyperparameter, with weights, through the search."""
    X, y = wine[0][:, :4], wine[1]
    weight = rng.integers(1, 3, size=len(y)).astype(float)
    for kind in (PerClass(1e-3, 1e3), Grouped(["a", "b", "b", "a"], 1e-3, 1e3)):
        search = GradientSearchCV(
            standardised(logistic()), {"model__C": kind}, cv=3, max_fits=10
        ).fit(X, y, sample_weight=weight)
        columns = [name for name in search.history_ if str(name).startswith("model__C")]
        assert len(columns) == np.size(search.best_params_["model__C"])
        assert search.score(X, y) > 0.8
    several = np.column_stack([X[:, 0] + y, X[:, 1] - y])
    search = GradientSearchCV(ridge(), {"alpha": PerClass(1e-3, 1e3)}, max_fits=12)
    assert search.fit(X[:, 2:], several).predict(X[:, 2:]).shape == several.shape
