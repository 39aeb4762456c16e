"""Lasso and elastic net against scikit-learn's, with derivatives by central differences."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import ElasticNet, Lasso, LassoCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argrad import SolveError
from argrad.sklearn import Auto, GradientSearchCV, Grouped, PerFeature, SampleWeights, Shared
from argrad.sklearn.families import criterion_of
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds
from argrad.sklearn.space import Space

from .on_a_piece import check_derivatives, near_start

RANGE = Shared(1e-5, 1e3)
SHARE = Shared(0.01, 1.0)
CASES = {
    "lasso": (Lasso(), {"alpha": RANGE}),
    "no intercept": (Lasso(fit_intercept=False), {"alpha": RANGE}),
    "one a column": (Lasso(), {"alpha": PerFeature(1e-5, 1e3)}),
    "one a group": (Lasso(), {"alpha": Grouped([j % 3 for j in range(40)], 1e-5, 1e3)}),
    "elastic net": (ElasticNet(), {"alpha": RANGE, "l1_ratio": SHARE}),
    "its penalty alone": (ElasticNet(l1_ratio=0.7), {"alpha": RANGE}),
    "its share alone": (ElasticNet(alpha=0.1), {"l1_ratio": SHARE}),
}
SPLITS = list(KFold(3, shuffle=True, random_state=0).split(np.zeros(60)))


def draw(rng, n=60, d=40):
    X = rng.normal(size=(n, d)) + 0.5 * rng.normal(size=(n, 1)) + 0.3
    return X, X[:, :5] @ rng.normal(size=5) + 0.5 * rng.normal(size=n) + 1.0


def make(estimator, tuned, X, y, weight=None):
    model, encoded = model_of(estimator).for_target(y)
    intercept = estimator.fit_intercept
    folds = stack_folds(None, X, y, encoded.values, SPLITS, intercept, weight)
    return criterion_of(model, folds, Space(tuned, folds.features, encoded.outputs))


@pytest.mark.parametrize("name", CASES)
def test_losses_are_scikit_learn_s(name, rng):
    estimator, tuned = CASES[name]
    X, y = draw(rng)
    weight = rng.uniform(0.3, 2.0, size=60)
    criterion = make(estimator, tuned, X, y, weight)
    h = near_start(criterion, rng)
    values = criterion.space.params(h)
    alpha = np.asarray(values.get("alpha", estimator.alpha))
    each = alpha[np.arange(40) % 3] if name == "one a group" else np.broadcast_to(alpha, 40)
    scale, losses = each[0] / each, []
    ratio = values.get("l1_ratio", getattr(estimator, "l1_ratio", 1.0))
    exact = {"tol": 1e-13, "max_iter": 1_000_000, "fit_intercept": estimator.fit_intercept}
    for train, valid in SPLITS:
        fitted = ElasticNet(alpha=each[0], l1_ratio=ratio, **exact)
        fitted.fit(X[train] * scale, y[train], sample_weight=weight[train])
        errors = (fitted.predict(X[valid] * scale) - y[valid]) ** 2
        losses.append(np.average(errors, weights=weight[valid]))
    np.testing.assert_allclose(criterion(h).split_losses, losses, rtol=1e-6)


@pytest.mark.parametrize("kept_sparse", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_derivatives(name, kept_sparse, rng):
    estimator, tuned = CASES[name]
    X, y = draw(rng)
    if kept_sparse:
        X = X * (rng.uniform(size=X.shape) < 0.6)
    weight = rng.uniform(0.3, 2.0, size=60)
    check_derivatives(
        make(estimator, tuned, sparse.csr_array(X) if kept_sparse else X, y, weight), rng
    )


def test_sparse_columns_give_the_same(rng):
    X, y = draw(rng)
    X = X * (rng.uniform(size=X.shape) < 0.6)
    dense = make(*CASES["elastic net"], X, y)
    kept = make(*CASES["elastic net"], sparse.csr_array(X), y)
    h = dense.start() - 0.5
    np.testing.assert_allclose(kept.start(), dense.start(), rtol=1e-12)
    np.testing.assert_allclose(dense(h).split_losses, kept(h).split_losses, rtol=1e-10)
    np.testing.assert_allclose(dense(h).gradient, kept(h).gradient, rtol=1e-8, atol=1e-12)


def test_no_worse_than_lasso_cv_in_few_evaluations(rng):
    X = rng.normal(size=(150, 250))
    y = X[:, :8] @ rng.choice([-1.0, 1.0], size=8) + rng.normal(size=150)
    known = LassoCV(cv=5).fit(X, y)
    search = GradientSearchCV(Lasso(), {"alpha": Shared(1e-4, 1e2)}).fit(X, y)
    assert -search.best_score_ <= known.mse_path_.mean(axis=1).min() * 1.001
    assert len(search.history_) <= 15
    fitted = Lasso(**search.best_params_).fit(X, y)
    np.testing.assert_allclose(search.best_estimator_.coef_, fitted.coef_, atol=1e-12)


def test_an_elastic_net_is_tuned_in_both(rng):
    X, y = draw(rng)
    search = GradientSearchCV(ElasticNet(), cv=3).fit(X, y)
    assert sorted(search.best_params_) == ["alpha", "l1_ratio"]
    assert 0.05 <= search.best_params_["l1_ratio"] <= 1.0
    assert search.best_score_ > search.cv_results_["mean_test_score"][0]


def test_one_penalty_a_column_is_the_lasso_on_scaled_columns(rng):
    X, y = draw(rng)
    table = pd.DataFrame(X, columns=[f"c{j}" for j in range(40)])
    exact = Lasso(tol=1e-12, max_iter=100_000)
    search = GradientSearchCV(exact, {"alpha": PerFeature(1e-3, 10.0)}, max_fits=60).fit(table, y)
    alpha, best = search.best_params_["alpha"], search.best_estimator_
    assert list(best.feature_names_in_) == list(table.columns)
    pulls = (X - X.mean(axis=0)).T @ (y - best.predict(table)) / len(y)
    used = best.coef_ != 0
    np.testing.assert_allclose(pulls[used], (alpha * np.sign(best.coef_))[used], atol=1e-6)
    assert np.all(np.abs(pulls) <= alpha + 1e-6)


@pytest.mark.parametrize("groups", [None, [j < 5 for j in range(20)]])
def test_auto_decides_how_many(groups, rng):
    X, y = draw(rng, 80, 20)
    search = GradientSearchCV(Lasso(), {"alpha": Auto(groups=groups)}, cv=3).fit(X, y)
    tried = list(search.granularity_results_["candidate"])
    assert tried[0] == "shared"
    assert ("grouped" in tried) == (groups is not None)
    assert "adaptive" in tried
    assert search.granularity_ in ("shared", "grouped", "adaptive", "per-feature")
    kinds = {"shared": float, "adaptive": dict}
    assert isinstance(search.best_params_["alpha"], kinds.get(search.granularity_, np.ndarray))


def test_in_a_pipeline_with_weights(rng):
    X, y = draw(rng)
    pipeline = make_pipeline(StandardScaler(), Lasso())
    search = GradientSearchCV(pipeline, {"lasso__alpha": RANGE}, cv=3)
    weighted = search.fit(X, y, sample_weight=rng.integers(0, 3, size=60))
    assert 0 < np.count_nonzero(weighted.best_estimator_[-1].coef_) < 40


def test_more_columns_than_rows_without_a_penalty_are_refused(rng):
    X, y = rng.normal(size=(20, 60)), rng.normal(size=20)
    search = GradientSearchCV(Lasso(), {"alpha": Shared(1e-13, 1.1e-13)}, cv=3)
    with pytest.raises(SolveError, match=r"Raise the lower bound of alpha"):
        search.fit(X, y)


def test_what_cannot_be_tuned(rng):
    X, y = draw(rng)
    with pytest.raises(ValueError, match="positive=True"):
        GradientSearchCV(Lasso(positive=True)).fit(X, y)
    with pytest.raises(ValueError, match=r"l1_ratio=0.*Tune Ridge"):
        GradientSearchCV(ElasticNet(l1_ratio=0)).fit(X, y)
    with pytest.raises(ValueError, match="must not exceed 1"):
        GradientSearchCV(ElasticNet(), {"l1_ratio": Shared(0.1, 2.0)}).fit(X, y)
    with pytest.raises(TypeError, match=r"Shared\(low, high\)"):
        GradientSearchCV(ElasticNet(), {"alpha": PerFeature(0.1, 1.0)}).fit(X, y)
    with pytest.raises(TypeError, match=r"finds no range"):
        GradientSearchCV(ElasticNet(), {"l1_ratio": Auto()}).fit(X, y)
    with pytest.raises(ValueError, match="one target at a time"):
        GradientSearchCV(Lasso()).fit(X, np.c_[y, y])
    weights = {"sample_weight": SampleWeights(np.arange(60) % 2)}
    with pytest.raises(ValueError, match="weights of rows cannot be tuned for Lasso"):
        GradientSearchCV(Lasso(), weights).fit(X, y)
