"""A penalty a feature in scikit-learn's estimator, against a direct minimisation."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from argrad.sklearn import PerFeature, Shared
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
