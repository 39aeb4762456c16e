"""Sparse logistic regression against scikit-learn's, with derivatives by central differences."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from argrad import SolveError
from argrad.sklearn import Auto, GradientSearchCV, Grouped, PerFeature, Shared
from argrad.sklearn.families import criterion_of
from argrad.sklearn.models import model_of
from argrad.sklearn.models.sparse_logistic import SparseLogisticModel
from argrad.sklearn.rows.folds import stack_folds
from argrad.sklearn.space import Space

from .on_a_piece import check_derivatives, near_start

ROWS, COLUMNS = 90, 30
RANGE, SHARE = Shared(1e-5, 1e5), Shared(0.01, 1.0)


def logistic(ratio=1, solver="saga", **more):
    return LogisticRegression(l1_ratio=ratio, solver=solver, **more)


CASES = {
    "one penalty": (logistic(), {"C": RANGE}),
    "no intercept": (logistic(solver="liblinear", fit_intercept=False), {"C": RANGE}),
    "balanced": (logistic(class_weight="balanced"), {"C": RANGE}),
    "one a column": (logistic(), {"C": PerFeature(1e-5, 1e5)}),
    "one a group": (logistic(), {"C": Grouped([j % 3 for j in range(COLUMNS)], 1e-5, 1e5)}),
    "elastic net": (logistic(0.6), {"C": RANGE, "l1_ratio": SHARE}),
    "its penalty alone": (logistic(0.6), {"C": RANGE}),
    "its share alone": (logistic(0.6, C=0.5), {"l1_ratio": SHARE}),
}


def draw(rng):
    X = rng.normal(size=(ROWS, COLUMNS)) + 0.5 * rng.normal(size=(ROWS, 1)) + 0.3
    z = X[:, :5] @ rng.normal(size=5) + 0.5
    return X, np.where(rng.uniform(size=ROWS) < 1 / (1 + np.exp(-z)), "yes", "no")


def splits_of(y):
    return list(StratifiedKFold(3, shuffle=True, random_state=0).split(np.zeros(len(y)), y))


def make(estimator, tuned, X, y, weight=None, judged=None):
    model, encoded = model_of(estimator).for_target(y)
    model = model.judged_by(judged)
    rows = None, X, y, encoded.values, splits_of(y), estimator.fit_intercept, weight
    folds = stack_folds(*rows)
    return criterion_of(model, folds, Space(tuned, folds.features, encoded.outputs))


@pytest.mark.parametrize("name", ["no intercept", "balanced", "one a column", "elastic net"])
def test_losses_are_scikit_learn_s(name, rng):
    estimator, tuned = CASES[name]
    X, y = draw(rng)
    weight = rng.uniform(0.3, 2.0, size=ROWS)
    criterion = make(estimator, tuned, X, y, weight)
    h = near_start(criterion, rng)
    values = criterion.space.params(h)
    each, losses = np.broadcast_to(values["C"], COLUMNS), []
    known = LogisticRegression(
        l1_ratio=values.get("l1_ratio", estimator.l1_ratio), C=each[0], tol=1e-12, max_iter=100_000,
        solver=estimator.solver, fit_intercept=estimator.fit_intercept,
        class_weight=estimator.class_weight, random_state=0,
    )  # fmt: skip
    scale = each / each[0]
    for train, valid in splits_of(y):
        known.fit(X[train] * scale, y[train], sample_weight=weight[train])
        chances = known.predict_proba(X[valid] * scale)
        losses.append(log_loss(y[valid], chances, sample_weight=weight[valid]))
    np.testing.assert_allclose(criterion(h).split_losses, losses, rtol=1e-6)


@pytest.mark.parametrize("kept_sparse", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_derivatives(name, kept_sparse, rng):
    X, y = draw(rng)
    if kept_sparse:
        X = sparse.csr_array(X * (rng.uniform(size=X.shape) < 0.6))
    check_derivatives(make(*CASES[name], X, y, rng.uniform(0.3, 2.0, size=ROWS)), rng)


def test_derivatives_of_the_brier_score(rng):
    check_derivatives(make(*CASES["one penalty"], *draw(rng), judged="brier_score"), rng)


@pytest.mark.parametrize("judged", ["log_loss", "brier_score"])
def test_losses_of_sure_predictions_do_not_overflow(judged, rng):
    model = model_of(logistic()).judged_by(judged)
    z, u = np.array([800.0, -800.0, 800.0, -800.0]), np.array([1.0, 0.0, 0.0, 1.0])
    each = np.array([part.ravel() for part in model.validation(z[:, None], u[:, None])])
    assert np.all(np.isfinite(each))
    assert np.all(each[:, :2] == 0)


def test_both_ways_to_write_the_penalty():
    if "penalty" not in LogisticRegression().get_params():
        pytest.skip("there is one way only")
    for penalty, ratio in (("l1", 1.0), ("elasticnet", 0.3)):
        model = model_of(LogisticRegression(penalty=penalty, l1_ratio=0.3, solver="saga"))
        assert isinstance(model, SparseLogisticModel)
        assert model.l1_ratio == ratio


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("settings", [{}, {"fit_intercept": False, "solver": "liblinear"}])
def test_the_best_estimator_is_scikit_learn_s(settings, weighted, rng):
    X, y = draw(rng)
    table = pd.DataFrame(X, columns=[f"c{j}" for j in range(COLUMNS)])
    weight = rng.integers(0, 3, size=ROWS) if weighted else None
    estimator = logistic(class_weight="balanced", **settings)
    # Where no column is used saga ends before the intercept is found.
    search = GradientSearchCV(estimator, {"C": Shared(0.5, 5.0)}, cv=splits_of(y))
    best = search.fit(table, y, sample_weight=weight).best_estimator_
    assert type(best) is LogisticRegression
    assert best.get_params() == estimator.set_params(**search.best_params_).get_params()
    assert list(best.feature_names_in_) == list(table.columns)
    exact = LogisticRegression(**{**best.get_params(), "tol": 1e-12, "max_iter": 100_000})
    exact.fit(table, y, sample_weight=weight)
    np.testing.assert_allclose(best.coef_, exact.coef_, atol=1e-6)
    np.testing.assert_allclose(best.intercept_, exact.intercept_, atol=1e-6)
    np.testing.assert_allclose(best.predict_proba(table), exact.predict_proba(table), atol=1e-6)
    assert len(search.history_) <= 12


def test_one_penalty_a_column_holds_its_conditions(rng):
    X, y = draw(rng)
    search = GradientSearchCV(logistic(), {"C": PerFeature(1e-2, 1e2)}, cv=3, max_fits=60)
    best, C = search.fit(X, y).best_estimator_, search.best_params_["C"]
    pulls = X.T @ ((y == "yes") - best.predict_proba(X)[:, 1])
    used = best.coef_[0] != 0
    np.testing.assert_allclose(pulls[used], (np.sign(best.coef_[0]) / C)[used], rtol=1e-9)
    assert np.all(np.abs(pulls) <= (1 + 1e-9) / C)
    np.testing.assert_allclose(best.C, np.exp(np.log(C).mean()))


def test_no_worse_than_a_grid_in_few_evaluations(rng):
    X, y = draw(rng)
    splits = splits_of(y)
    search = GradientSearchCV(logistic(), {"C": RANGE}, cv=splits).fit(X, y)
    criterion = make(*CASES["one penalty"], X, y)
    best = min(criterion(np.array([h])).value for h in np.log(np.geomspace(1e-2, 1e2, 41)))
    assert -search.best_score_ <= 1.02 * best  # there may be several minima


def test_an_elastic_net_is_tuned_in_both(rng):
    X, y = draw(rng)
    search = GradientSearchCV(logistic(0.5), cv=3).fit(X, y)
    assert sorted(search.best_params_) == ["C", "l1_ratio"]
    assert 0.05 <= search.best_params_["l1_ratio"] <= 1.0
    assert search.best_estimator_.l1_ratio == search.best_params_["l1_ratio"]


def test_auto_decides_how_many(rng):
    X, y = draw(rng)
    search = GradientSearchCV(logistic(), {"C": Auto()}, cv=3).fit(X[:, :6], y)
    assert search.granularity_results_["candidate"][0] == "shared"
    assert search.granularity_ in ("shared", "per-feature")
    assert np.ndim(search.best_params_["C"]) == (search.granularity_ != "shared")


def test_in_a_pipeline(rng):
    X, y = draw(rng)
    pipeline = make_pipeline(StandardScaler(), logistic())
    search = GradientSearchCV(pipeline, {"logisticregression__C": RANGE}, cv=3).fit(X, y)
    assert 0 < np.count_nonzero(search.best_estimator_[-1].coef_) < COLUMNS


def test_scores_are_of_exact_fits(rng):
    X, y = draw(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = GradientSearchCV(logistic(), {"C": RANGE}, cv=3, scoring=["neg_log_loss"])
        search.fit(X, y)
    results = search.cv_results_
    np.testing.assert_allclose(
        results["mean_test_neg_log_loss"], results["mean_test_score"], rtol=1e-9
    )


def test_what_cannot_be_tuned(rng):
    X, y = draw(rng)
    with pytest.raises(ValueError, match="liblinear penalises the intercept"):
        GradientSearchCV(logistic(solver="liblinear")).fit(X, y)
    with pytest.raises(ValueError, match="'C' can"):
        GradientSearchCV(logistic(), {"l1_ratio": SHARE}).fit(X, y)
    wide = rng.normal(size=(20, 60))
    tiny = GradientSearchCV(logistic(), {"C": Shared(1e13, 1.1e13)}, cv=2)
    with pytest.raises(SolveError, match=r"Lower the upper bound of C"):
        tiny.fit(wide, np.arange(20) % 2)


def test_class_weights_are_those_of_rows(rng):
    X, y = draw(rng)
    given = {"yes": 3.0, "no": 0.5}
    by_class = make(logistic(class_weight=given), {"C": RANGE}, X, y)
    plain = make(logistic(), {"C": RANGE}, X, y, compute_sample_weight(given, y))
    h = by_class.start() + 0.5
    by_class(h), plain(h)
    for one, other in zip(by_class.supports(), plain.supports(), strict=True):
        np.testing.assert_array_equal(one.columns, other.columns)
        np.testing.assert_allclose(one.coefficients, other.coefficients, rtol=1e-9)


def draw_classes(rng, m):
    X = rng.normal(size=(ROWS, 12)) + 0.5 * rng.normal(size=(ROWS, 1)) + 0.3
    z = X[:, :4] @ rng.normal(size=(4, m)) + rng.gumbel(size=(ROWS, m))
    return X, np.where(np.arange(ROWS) < 3 * m, np.arange(ROWS) % m, np.argmax(z, axis=1))


OF_CLASSES = {
    "one penalty": (logistic(), {"C": RANGE}),
    "no intercept": (logistic(fit_intercept=False), {"C": RANGE}),
    "one a column": (logistic(class_weight="balanced"), {"C": PerFeature(1e-5, 1e5)}),
    "elastic net": (logistic(0.6), {"C": RANGE, "l1_ratio": SHARE}),
}


@pytest.mark.parametrize("m", [3, 4])
@pytest.mark.parametrize("name", OF_CLASSES)
def test_derivatives_of_several_classes(name, m, rng):
    X, y = draw_classes(rng, m)
    if m == 4:
        X = sparse.csr_array(X * (rng.uniform(size=X.shape) < 0.6))
    check_derivatives(make(*OF_CLASSES[name], X, y, rng.uniform(0.3, 2.0, size=ROWS)), rng)


def test_derivatives_of_the_brier_score_of_several_classes(rng):
    X, y = draw_classes(rng, 3)
    check_derivatives(make(*OF_CLASSES["one penalty"], X, y, judged="brier_score"), rng)


@pytest.mark.parametrize("m", [3, 4])
@pytest.mark.parametrize("ratio", [1, 0.6])
def test_several_classes_are_scikit_learn_s(ratio, m, rng):
    """Of an even number of classes coefficients are unique only up to a shift, chances are."""
    X, y = draw_classes(rng, m)
    weight = rng.integers(1, 3, size=ROWS)
    search = GradientSearchCV(logistic(ratio), {"C": Shared(0.5, 2.0)}, cv=splits_of(y))
    best = search.fit(X, y, sample_weight=weight).best_estimator_
    exact = LogisticRegression(**{**best.get_params(), "tol": 1e-12, "max_iter": 100_000})
    # Rows as often as they weigh: saga's steps do not know of weights, and may not come to an end.
    often = np.repeat(np.arange(ROWS), weight)
    exact.fit(X[often], y[often])
    np.testing.assert_allclose(best.predict_proba(X), exact.predict_proba(X), atol=1e-7)
    np.testing.assert_allclose(
        np.abs(best.coef_).sum(axis=0), np.abs(exact.coef_).sum(axis=0), atol=1e-6
    )
    assert best.coef_.shape == exact.coef_.shape
    if m % 2 or ratio < 1:
        np.testing.assert_allclose(best.coef_, exact.coef_, atol=1e-6)
        np.testing.assert_allclose(best.intercept_, exact.intercept_, atol=1e-6)
    losses = []
    for train, valid in splits_of(y):
        often = np.repeat(train, weight[train])
        chances = exact.fit(X[often], y[often]).predict_proba(X[valid])
        of_rows = {"sample_weight": weight[valid], "labels": np.arange(m)}
        losses.append(log_loss(y[valid], chances, **of_rows))
    assert -search.best_score_ == pytest.approx(np.mean(losses), rel=1e-6)


def test_auto_of_several_classes_decides_about_columns(rng):
    X, y = draw_classes(rng, 3)
    search = GradientSearchCV(logistic(), {"C": Auto()}, cv=3).fit(X[:, :5], y)
    assert search.granularity_ in ("shared", "per-feature")
    assert np.size(search.best_params_["C"]) in (1, 5)
