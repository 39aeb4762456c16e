"""Kernel ridge regression against scikit-learn's, with derivatives by central differences."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import KFold, LeaveOneOut

from argrad import SolveError
from argrad.sklearn import GradientSearchCV, PerClass, PerFeature, Shared
from argrad.sklearn.families import criterion_of
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds
from argrad.sklearn.space import Space

RANGE = Shared(1e-5, 1e5)
BOTH = {"alpha": RANGE, "gamma": RANGE}
KERNELS = {
    "rbf": (KernelRidge(kernel="rbf"), BOTH),
    "width alone": (KernelRidge(kernel="rbf", alpha=0.3), {"gamma": RANGE}),
    "penalty alone": (KernelRidge(kernel="rbf", gamma=0.2), {"alpha": RANGE}),
    "linear": (KernelRidge(kernel="linear"), {"alpha": RANGE}),
    "polynomial": (KernelRidge(kernel="poly", degree=3, coef0=0.7), BOTH),
    "straight": (KernelRidge(kernel="polynomial", degree=1), BOTH),
    "a penalty a target": (KernelRidge(kernel="rbf"), {**BOTH, "alpha": PerClass(1e-5, 1e5)}),
}
SPLITS = {"folds": KFold(3, shuffle=True, random_state=0), "leave one out": LeaveOneOut()}


@pytest.fixture(params=SPLITS)
def splits(request):
    return list(SPLITS[request.param].split(np.zeros(24)))


def draw(rng):
    X = rng.normal(size=(24, 3))
    return X, np.sin(X @ rng.normal(size=(3, 2))) + 0.1 * rng.normal(size=(24, 2))


def make(estimator, tuned, X, y, splits, weight=None):
    model, encoded = model_of(estimator).for_target(y)
    folds = stack_folds(None, X, y, encoded.values, splits, False, weight)
    return criterion_of(model, folds, Space(tuned, folds.features, encoded.outputs))


def explicit(estimator, tuned, h, X, y, splits, weight):
    """The criterion by scikit-learn's own fits."""
    values = Space(tuned, ["x0", "x1", "x2"], ["y0", "y1"]).params(h)
    losses = []
    for train, valid in splits:
        fitted = KernelRidge(**{**estimator.get_params(), **values})
        fitted.fit(X[train], y[train], sample_weight=weight[train])
        errors = np.mean((fitted.predict(X[valid]) - y[valid]) ** 2, axis=1)
        losses.append(np.average(errors, weights=weight[valid]))
    return np.array(losses)


@pytest.mark.parametrize("name", KERNELS)
def test_values_and_derivatives(name, splits, rng):
    estimator, tuned = KERNELS[name]
    X, y = draw(rng)
    weight = rng.uniform(0.3, 2.0, size=24)
    criterion = make(estimator, tuned, X, y, splits, weight)
    h = rng.normal(size=criterion.size) - 1.0
    found = criterion(h)
    data = X, y, splits, weight
    np.testing.assert_allclose(
        found.split_losses, explicit(estimator, tuned, h, *data), rtol=1e-7, atol=1e-12
    )
    scale = np.abs(found.gradient).max() + 1e-3 * found.value
    for j, unit in enumerate(np.eye(len(h))):
        ahead, behind = (
            explicit(estimator, tuned, h + step * unit, *data).mean() for step in (1e-4, -1e-4)
        )
        assert found.gradient[j] == pytest.approx((ahead - behind) / 2e-4, abs=1e-5 * scale)
    if criterion.shared:
        slopes = [criterion(h + step).gradient[0] for step in (1e-4, -1e-4)]
        expected = (slopes[0] - slopes[1]) / 2e-4
        assert found.curvature == pytest.approx(expected, rel=1e-5, abs=1e-5 * scale)
    else:
        assert found.curvature is None


def test_sparse_columns_give_the_same(splits, rng):
    X, y = draw(rng)
    X = X * (rng.uniform(size=X.shape) < 0.6)
    dense = make(*KERNELS["rbf"], X, y, splits)
    kept = make(*KERNELS["rbf"], sparse.csr_array(X), y, splits)
    np.testing.assert_allclose(kept.start(), dense.start(), rtol=1e-12)
    one, two = dense(dense.start()), kept(dense.start())
    np.testing.assert_allclose(one.split_losses, two.split_losses, rtol=1e-9)
    np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-7, atol=1e-12)


def test_the_start_follows_the_units(rng):
    X, y = draw(rng)
    folds = list(KFold(3).split(X))
    for estimator, tuned in KERNELS.values():
        if "gamma" in tuned:
            start = make(estimator, tuned, X, y, folds).start()
            scaled = make(estimator, tuned, 1e3 * X, y, folds).start()
            assert scaled[-1] - start[-1] == pytest.approx(-2 * np.log(1e3))


@pytest.mark.parametrize("params", [None, BOTH, {"alpha": PerClass(1e-4, 1e4)}])
@pytest.mark.parametrize("cv", [3, LeaveOneOut()])
def test_searches(params, cv, rng):
    X, y = draw(rng)
    search = GradientSearchCV(KernelRidge(kernel="rbf"), params, cv=cv).fit(X, y)
    best = search.best_estimator_
    known = KernelRidge(kernel="rbf").set_params(**search.best_params_).fit(X, y)
    np.testing.assert_allclose(best.dual_coef_, known.dual_coef_, rtol=1e-12)
    assert search.best_score_ >= search.cv_results_["mean_test_score"][0]
    splits = list((KFold(3) if cv == 3 else cv).split(X))
    expected = explicit(best, {}, np.zeros(0), X, y, splits, np.ones(24))
    assert -search.best_score_ == pytest.approx(expected.mean(), rel=1e-7)


@pytest.mark.parametrize("cv", [3, LeaveOneOut()])
def test_a_singular_kernel(cv, rng):
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    search = GradientSearchCV(KernelRidge(), {"alpha": Shared(1e-30, 1e-29)}, cv=cv)
    with pytest.raises(SolveError, match=r"singular.*Raise the lower bound of alpha"):
        search.fit(1e6 * X, y)


def test_what_cannot_be_tuned():
    X, y = np.eye(6), np.arange(6.0)
    with pytest.raises(ValueError, match=r"kernel='cosine'"):
        GradientSearchCV(KernelRidge(kernel="cosine")).fit(X, y)
    with pytest.raises(ValueError, match=r"degree=2\.5"):
        GradientSearchCV(KernelRidge(kernel="poly", degree=2.5)).fit(X, y)
    with pytest.raises(ValueError, match="'gamma' of KernelRidge cannot"):
        GradientSearchCV(KernelRidge(kernel="linear"), {"gamma": RANGE}).fit(X, y)
    with pytest.raises(TypeError, match=r"must be Shared\(low, high\), PerClass"):
        GradientSearchCV(KernelRidge(), {"alpha": PerFeature(0.1, 1.0)}).fit(X, y)
