"""Many rows: the same criterion, by passes for all folds at once."""

import numpy as np
import pytest
from sklearn.linear_model import (
    GammaRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from sklearn.model_selection import KFold, RepeatedKFold, StratifiedKFold, TimeSeriesSplit
from sklearn.preprocessing import StandardScaler

from argrad import SolveError
from argrad.sklearn import GradientSearchCV, PerFeature, Shared
from argrad.sklearn.criteria import together
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.deciding import settled
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds

from ..reference import logistic, reference_loss


@pytest.fixture
def many(monkeypatch):
    """Any number of rows is many, and a first solution is had from a part of them."""
    monkeypatch.setattr(together, "_MANY", 0)
    monkeypatch.setattr(together, "_EACH", 3)


def binary(rng, n=400, d=5):
    X = rng.normal(size=(n, d)) + 3.0
    w = rng.normal(size=d)
    y = (rng.random(n) < 1 / (1 + np.exp(-(X - 3.0) @ w - 0.4))).astype(int)
    return X, y


def counts(rng, n=300, d=4):
    X = rng.normal(size=(n, d))
    mean = np.exp(X @ rng.normal(size=d) * 0.4 + 0.3)
    return X, rng.poisson(mean) + 0.5 * (rng.random(n) < 0.3)


CASES = [
    pytest.param(LogisticRegression(), binary, id="logistic"),
    pytest.param(LogisticRegression(fit_intercept=False), binary, id="no-intercept"),
    pytest.param(LogisticRegression(class_weight="balanced"), binary, id="balanced"),
    pytest.param(PoissonRegressor(), counts, id="poisson"),
    pytest.param(
        GammaRegressor(), lambda rng: (lambda X, y: (X, y + 0.1))(*counts(rng)), id="gamma"
    ),
    pytest.param(TweedieRegressor(power=1.5), counts, id="tweedie"),
]


def criteria(monkeypatch, estimator, X, y, splits, kind, preprocess=None, weights=None):
    """The criterion of few rows, and that of many, of the same folds."""
    model, encoded = model_of(estimator).for_target(y)

    def make():
        folds = stack_folds(
            preprocess, X, y, encoded.values, splits, estimator.fit_intercept, weights
        )
        return Criterion(model, folds, kind(1e-6, 1e6))

    made = make()
    with monkeypatch.context() as patched:
        patched.setattr(together, "_MANY", np.inf)
        return make(), made


def assert_same(few, many, h):
    assert few._many is None
    assert many._many is not None
    a, b = few(h), many(h)
    np.testing.assert_allclose(b.split_losses, a.split_losses, rtol=1e-8)
    # Relative to the change that a whole unit of the logarithm makes.
    scale = np.abs(a.gradient).max() + abs(a.curvature or 0.0) + 1e-4 * a.value
    np.testing.assert_allclose(b.gradient, a.gradient, rtol=1e-6, atol=1e-6 * scale)
    if a.curvature is not None:  # its terms are good to 1e-4, and may cancel
        assert b.curvature == pytest.approx(a.curvature, rel=2e-3, abs=1e-4 * scale)


@pytest.mark.parametrize(("estimator", "data"), CASES)
@pytest.mark.parametrize("kind", [Shared, PerFeature])
def test_agrees_with_the_criterion_of_few_rows(many, monkeypatch, rng, estimator, data, kind):
    X, y = data(rng)
    splits = list(KFold(4, shuffle=True, random_state=0).split(X))
    weights = rng.uniform(0.5, 2.0, size=len(y))
    weights[::7] = 0.0
    pair = criteria(monkeypatch, estimator, X, y, splits, kind, weights=weights)
    h = pair[0].start()
    for step in (0.0, 0.7, -3.0, 6.0):  # near enough to be foreseen, and not
        assert_same(*pair, h + step + (0.2 * rng.normal(size=h.size) if h.size > 1 else 0.0))


def test_value_and_derivatives_are_those_of_scikit_learn(many, rng):
    X, y = binary(rng)
    splits = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    model, encoded = model_of(logistic()).for_target(y)
    criterion = Criterion(
        model, stack_folds(StandardScaler(), X, y, encoded.values, splits, True), Shared(1e-4, 1e4)
    )
    assert criterion._many is not None
    t = rng.uniform(-5.0, 1.0)
    found = criterion(np.array([t]))

    def loss(step):
        return reference_loss(logistic(), np.exp(t + step), X, y, splits)

    assert found.value == pytest.approx(loss(0.0), rel=1e-9)
    first = (loss(1e-3) - loss(-1e-3)) / 2e-3
    second = (loss(1e-2) - 2 * loss(0.0) + loss(-1e-2)) / 1e-4
    assert found.gradient[0] == pytest.approx(first, rel=1e-5, abs=1e-8)
    assert found.curvature == pytest.approx(second, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    "splitter",
    [
        pytest.param(TimeSeriesSplit(4), id="growing"),
        pytest.param(RepeatedKFold(n_splits=5, n_repeats=3, random_state=0), id="many-sets"),
    ],
)
def test_folds_that_have_little_in_common(many, monkeypatch, rng, splitter):
    X, y = binary(rng)
    X[:200] += 1.0
    splits = list(splitter.split(X))
    assert_same(*criteria(monkeypatch, LogisticRegression(), X, y, splits, Shared), np.zeros(1))


def test_a_first_solution_from_rows_that_may_lack_a_class(many, monkeypatch, rng):
    splits = list(TimeSeriesSplit(4).split(np.zeros(400)))
    for _ in range(5):
        X, y = binary(rng)
        y[:80] = 1
        y[rng.choice(80, 2, replace=False)] = 0
        assert_same(*criteria(monkeypatch, LogisticRegression(), X, y, splits, Shared), np.zeros(1))


def test_folds_so_different_that_each_needs_its_own_hessian(many, monkeypatch, rng):
    """Within a fold nearly separable, together not: curvatures have nothing in common."""
    X, y = binary(rng, n=600)
    y[:300] = (X[:300, 0] > 3.0).astype(int)
    y[300:] = (X[300:, 0] < 3.0).astype(int)
    splits = [
        (np.arange(0, 350), np.arange(350, 600)),
        (np.arange(250, 600), np.arange(0, 250)),
    ]
    assert_same(*criteria(monkeypatch, LogisticRegression(), X, y, splits, Shared), np.full(1, 4.0))


def test_rows_drawn_more_than_once_count_as_often(many, monkeypatch, rng):
    X, y = binary(rng)
    splits = [(rng.integers(0, 300, size=300), np.arange(300, 400)) for _ in range(3)]
    assert_same(*criteria(monkeypatch, LogisticRegression(), X, y, splits, Shared), np.zeros(1))


def test_own_designs_in_a_pipeline(many, monkeypatch, rng):
    X, y = binary(rng)
    splits = list(KFold(4).split(X))
    pair = criteria(monkeypatch, LogisticRegression(), X, y, splits, PerFeature, StandardScaler())
    assert len(pair[1]._many.each) == 4
    assert_same(*pair, rng.normal(size=X.shape[1]))


def test_several_blocks_of_rows_on_several_threads(many, monkeypatch, rng):
    """Blocks of which the last is not full, shared out among more threads than processors."""
    from argrad.sklearn.criteria import passes

    monkeypatch.setattr(passes, "_BLOCK", 1)
    monkeypatch.setattr(passes, "cpu_count", lambda: 3)
    X, y = binary(rng, n=507)
    splits = list(KFold(4).split(X))
    assert_same(*criteria(monkeypatch, LogisticRegression(), X, y, splits, Shared), np.zeros(1))


def test_a_search_ends_where_it_does_with_few_rows(many, monkeypatch, rng):
    X, y = binary(rng)
    search = GradientSearchCV(LogisticRegression(), {"C": Shared(1e-4, 1e4)}, cv=4)
    by_passes = search.fit(X, y)
    monkeypatch.setattr(together, "_MANY", np.inf)
    plain = GradientSearchCV(LogisticRegression(), {"C": Shared(1e-4, 1e4)}, cv=4).fit(X, y)
    assert by_passes.best_score_ == pytest.approx(plain.best_score_, rel=1e-7)
    # Both end where less than 1e-8 of the loss is to be gained, from different sides.
    assert by_passes.best_params_["C"] == pytest.approx(plain.best_params_["C"], rel=1e-2)


def test_sums_of_squares_are_condensed_instead(many, rng):
    X = rng.normal(size=(200, 3))
    model, encoded = model_of(Ridge()).for_target(X[:, 0])
    splits = list(KFold(3).split(X))
    folds = stack_folds(None, X, X[:, 0], encoded.values, splits, True)
    assert Criterion(model, folds, Shared(1e-4, 1e4))._many is None


def test_a_problem_without_solution_is_told_as_one(many, rng):
    X, y = binary(rng)
    X = np.hstack([X, X]) * 1e6
    model, encoded = model_of(LogisticRegression()).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, list(KFold(3).split(X)), True)
    with pytest.raises(SolveError, match=r"cannot be fitted on the training rows.*C=1e"):
        Criterion(model, folds, Shared(1e-4, 1e30))(np.log([1e25]))


@pytest.mark.parametrize(
    ("estimator", "name"), [(LogisticRegression(), "C"), (PoissonRegressor(), "alpha")]
)
def test_a_search_begins_where_a_part_of_the_rows_leads(many, monkeypatch, rng, estimator, name):
    """Near the end, for losses that are sums over rows and for means of them."""
    monkeypatch.setattr(settled, "_PART", 1 / 16)
    monkeypatch.setattr(settled, "_EACH", 3)
    X = rng.normal(size=(8000, 30))
    z = X @ (0.2 * rng.normal(size=30))
    y = rng.poisson(np.exp(z)) if name == "alpha" else (rng.random(8000) < 1 / (1 + np.exp(-z)))
    params = {name: Shared(1e-8, 1e4)}
    search = GradientSearchCV(estimator, params, cv=4).fit(X, y)
    monkeypatch.setattr(settled, "_PART", 1.0)
    plain = GradientSearchCV(estimator, params, cv=4).fit(X, y)
    # From the fourth point on a search ends where less than 1e-5 of the loss is in sight.
    assert -search.best_score_ <= -plain.best_score_ * (1 + 2e-5)
    # Points of the part are counted.
    assert search.n_fits_ > 4 * len(search.history_) + 1
    # Sums have their penalty whatever the number of rows, means one that shrinks with it.
    classes = None if name == "alpha" else y
    drawn = settled.draw(8000, 500, classes)
    folds = KFold(4) if name == "alpha" else StratifiedKFold(4)
    model, encoded = model_of(estimator).for_target(y)
    among = settled.among(list(folds.split(X, y)), drawn)
    part = stack_folds(None, X[drawn], y[drawn], encoded.values[drawn], among, True)
    begun = np.log(search.history_[name].iloc[0]) + (np.log(16.0) if name == "alpha" else 0.0)
    near = Criterion(model, part, params[name])(np.array([begun]))
    assert abs(near.gradient[0]) <= 3e-4 * near.value
