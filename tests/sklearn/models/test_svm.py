"""Support vector machines against scikit-learn's, with derivatives by central differences."""

from itertools import combinations

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from argrad.sklearn import GradientSearchCV, PerFeature, SampleWeights, Shared
from argrad.sklearn.families import criterion_of
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds
from argrad.sklearn.space import Space

RANGE = Shared(1e-6, 1e6)
TWO = {
    "rbf": SVC(),
    "width alone": SVC(C=2.0),
    "cost alone": SVC(gamma="auto"),
    "linear": SVC(kernel="linear"),
    "polynomial": SVC(kernel="poly", degree=2, coef0=1.0),
    "balanced": SVC(class_weight="balanced"),
    "squared hinge": LinearSVC(class_weight={0: 2.0, 1: 0.7}),
    "without intercept": LinearSVC(fit_intercept=False),
    "hinge": LinearSVC(loss="hinge", intercept_scaling=2.0),
}
NUMBERS = {
    "rbf": SVR(),
    "linear": SVR(kernel="linear"),
    "polynomial": SVR(kernel="poly", coef0=0.5),
    "cost alone": SVR(epsilon=0.2),
    "insensitive": LinearSVR(),
    "squared": LinearSVR(loss="squared_epsilon_insensitive"),
}
ONLY = {"width alone": ["gamma"], "cost alone": ["C"]}
CASES = [(name, each, 2) for name, each in TWO.items()]
CASES += [("rbf", SVC(), 3), ("balanced", SVC(class_weight="balanced"), 3)]
CASES += [("squared hinge", LinearSVC(), 3), ("hinge", LinearSVC(loss="hinge"), 3)]
CASES += [(name, each, 0) for name, each in NUMBERS.items()]


def draw(rng, classes, n=45):
    X = rng.normal(size=(n, 3))
    signal = np.sin(X @ rng.normal(size=3)) + X[:, 0] + 0.3 * rng.normal(size=n)
    if classes == 0:
        return X, signal
    edges = np.quantile(signal, np.arange(1, classes) / classes)
    return X, np.digitize(signal, edges)


def make(estimator, X, y, splits, weight=None, names=None, criterion=None, preprocess=None):
    model, encoded = model_of(estimator).for_target(y)
    model = model.judged_by(criterion)
    folds = stack_folds(preprocess, X, y, encoded.values, splits, False, weight)
    tuned = {name: RANGE for name in model.kinds if names is None or name in names}
    return criterion_of(model, folds, Space(tuned, folds.features, encoded.outputs))


def losses_of(fitted, X, y, classes):
    """The loss of each row: the squared error, or the mean squared hinge of its problems."""
    if classes == 0:
        return (fitted.predict(X) - y) ** 2
    f = fitted.decision_function(X)
    if classes == 2:
        return np.maximum(0, 1 - np.where(y == 1, f, -f)) ** 2
    if isinstance(fitted, LinearSVC):
        signs = np.where(y[:, None] == np.arange(classes), 1, -1)
        return np.mean(np.maximum(0, 1 - signs * f) ** 2, axis=1)
    total = np.zeros(len(y))
    for column, (a, b) in enumerate(combinations(range(classes), 2)):
        margin = np.where(y == a, f[:, column], -f[:, column])
        total += np.where((y == a) | (y == b), np.maximum(0, 1 - margin) ** 2, 0.0)
    return total / (classes - 1)


def explicit(estimator, values, X, y, classes, splits, weight):
    """The losses of the folds by scikit-learn's own fits."""
    settings = {**estimator.get_params(), **values, "tol": 1e-9, "max_iter": 1_000_000}
    if isinstance(estimator, SVC):
        settings["decision_function_shape"] = "ovo"
    if isinstance(estimator, LinearSVC | LinearSVR):
        settings["dual"] = "hinge" in estimator.loss or estimator.loss[0] == "e"
    losses = []
    for train, valid in splits:
        fitted = type(estimator)(**settings).fit(X[train], y[train], weight[train])
        each = losses_of(fitted, X[valid], y[valid], classes)
        losses.append(np.average(each, weights=weight[valid]))
    return np.array(losses)


@pytest.mark.parametrize(("name", "estimator", "classes"), CASES)
def test_values_and_derivatives(name, estimator, classes, rng):
    X, y = draw(rng, classes)
    weight = rng.uniform(0.3, 2.0, size=len(y))
    splits = list(KFold(3, shuffle=True, random_state=1).split(X))
    criterion = make(estimator, X, y, splits, weight, ONLY.get(name))
    h = criterion.start() + rng.normal(size=criterion.size)
    found = criterion(h)
    values = criterion.space.params(h)
    expected = explicit(estimator, values, X, y, classes, splits, weight)
    np.testing.assert_allclose(found.split_losses, expected, rtol=1e-4, atol=1e-7)
    scale = np.abs(found.gradient).max() + 1e-2 * found.value
    for j, unit in enumerate(np.eye(len(h))):
        # The nearer of two steps: one may have a kink in between.
        errors = []
        for step in (1e-4, 1e-6):
            ahead, behind = (criterion(h + s * unit).value for s in (step, -step))
            errors.append(abs((ahead - behind) / (2 * step) - found.gradient[j]))
        assert min(errors) < 1e-6 * scale


def test_the_logistic_loss_is_descended_on(rng):
    X, y = draw(rng, 2)
    splits = list(KFold(3).split(X))
    criterion = make(SVC(), X, y, splits, criterion="logistic_loss")
    h = criterion.start()
    losses = []
    for train, valid in splits:
        fitted = SVC(**criterion.space.params(h), tol=1e-9).fit(X[train], y[train])
        f = fitted.decision_function(X[valid])
        losses.append(np.mean(np.log1p(np.exp(-np.where(y[valid] == 1, f, -f)))))
    found = criterion(h)
    np.testing.assert_allclose(found.split_losses, losses, rtol=1e-6)
    for j, unit in enumerate(1e-6 * np.eye(2)):
        difference = criterion(h + unit).value - criterion(h - unit).value
        assert found.gradient[j] == pytest.approx(difference / 2e-6, abs=1e-7)


@pytest.mark.parametrize("classes", [0, 2])
def test_all_rows_at_their_bounds(classes, rng):
    """Then nothing but two rows tells where the intercept is."""
    X, y = draw(rng, classes, 40)
    y = y if classes == 0 else np.arange(40) % 2
    estimator = SVC() if classes else SVR(epsilon=0.0)
    splits = [(np.arange(20), np.arange(20, 40))]
    criterion = make(estimator, X, y, splits, names=["C", "gamma"])
    h = np.log([1e-5, 0.3])
    found = criterion(h)
    values = criterion.space.params(h)
    expected = explicit(estimator, values, X, y, classes, splits, np.ones(40))
    np.testing.assert_allclose(found.split_losses, expected, rtol=1e-9)
    for j, unit in enumerate(1e-3 * np.eye(2)):
        difference = criterion(h + unit).value - criterion(h - unit).value
        assert found.gradient[j] == pytest.approx(difference / 2e-3, rel=1e-5, abs=1e-11)


@pytest.mark.parametrize(
    "estimator", [SVC(), LinearSVC(), LinearSVC(loss="hinge"), SVR(), LinearSVR()]
)
def test_sparse_columns_give_the_same(estimator, rng):
    X, y = draw(rng, 0 if isinstance(estimator, SVR | LinearSVR) else 2)
    X = X * (rng.uniform(size=X.shape) < 0.7)
    splits = list(KFold(3).split(X))
    dense, kept = (make(estimator, each, y, splits) for each in (X, sparse.csr_array(X)))
    np.testing.assert_allclose(kept.start(), dense.start(), rtol=1e-9)
    one, two = dense(dense.start()), kept(dense.start())
    np.testing.assert_allclose(one.split_losses, two.split_losses, rtol=1e-7)
    np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-5, atol=1e-9)


def test_rows_that_are_drawn_twice(rng):
    """Twice the weight is the same as two rows, also in gamma='scale' and for balanced classes."""
    X, y = draw(rng, 2)
    train, valid = np.r_[0:30, 5:20], np.arange(30, 45)
    estimator = SVC(class_weight="balanced")
    one = make(estimator, X, y, [(train, valid)], names=["C"])
    rows = np.r_[train, valid]
    two = make(estimator, X[rows], y[rows], [(np.arange(45), np.arange(45, 60))], names=["C"])
    h = np.log([0.7])
    np.testing.assert_allclose(one(h).value, two(h).value, rtol=1e-8)
    np.testing.assert_allclose(one(h).gradient, two(h).gradient, rtol=1e-6)


@pytest.mark.parametrize("estimator", [SVC(), SVR(), LinearSVC(), LinearSVR()])
def test_the_start_follows_the_units(estimator, rng):
    regressor = isinstance(estimator, SVR | LinearSVR)
    X, y = draw(rng, 0 if regressor else 2)
    splits = list(KFold(3).split(X))
    names = list(make(estimator, X, y, splits).space.tuned)
    start = make(estimator, X, y, splits).start()
    scaled = make(estimator, 1e3 * X, 1e2 * y if regressor else y, splits).start()
    changed = dict(zip(names, np.exp(scaled - start), strict=True))
    linear = isinstance(estimator, LinearSVC | LinearSVR)
    targets = 1e2 if regressor else 1.0
    assert changed["C"] == pytest.approx(targets * (1e-6 if linear else 1.0))
    assert changed.get("gamma", 1e-6) == pytest.approx(1e-6)
    assert changed.get("epsilon", targets) == pytest.approx(targets)


@pytest.mark.parametrize(
    "estimator",
    [SVC(), SVC(kernel="linear"), LinearSVC(), SVR(), LinearSVR(random_state=0)],
)
def test_searches(estimator, rng):
    classes = 0 if isinstance(estimator, SVR | LinearSVR) else 2
    X, y = draw(rng, classes)
    pipeline = make_pipeline(StandardScaler(), estimator)
    search = GradientSearchCV(pipeline, cv=3).fit(X, y)
    assert search.n_fits_ == 3 * len(search.history_) + 1
    first = -search.cv_results_["mean_test_score"][0]
    assert -search.best_score_ <= first
    known = make_pipeline(StandardScaler(), estimator).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_allclose(search.predict(X), known.predict(X), rtol=1e-9)
    splits = (StratifiedKFold if classes else KFold)(3).split(X, y)
    losses = []
    for train, valid in splits:
        tight = {f"{pipeline.steps[-1][0]}__tol": 1e-8}
        fitted = known.set_params(**tight).fit(X[train], y[train])
        losses.append(losses_of(fitted, X[valid], y[valid], classes).mean())
    # libsvm keeps kernels in single precision, which counts C times.
    C = search.best_params_[f"{pipeline.steps[-1][0]}__C"]
    assert -search.best_score_ == pytest.approx(np.mean(losses), rel=max(1e-3, 1e-6 * C))


def test_a_search_within_lists_of_values_scans_once(rng):
    X, y = draw(rng, 2)
    params = {"kernel": ["rbf", "poly"], "C": Shared(1e-2, 1e3), "gamma": Shared(1e-3, 1e2)}
    search = GradientSearchCV(SVC(), params, cv=3, max_fits=61).fit(X, y)
    results = search.cv_results_
    kernels = np.array(results["param_kernel"])
    best_of_first = np.argmax(np.where(kernels == "rbf", results["mean_test_score"], -np.inf))
    begun = int(np.flatnonzero(kernels == "poly")[0])
    for name in ("param_C", "param_gamma"):
        assert results[name][begun] == pytest.approx(results[name][best_of_first])
    assert results["param_C"][1] != results["param_C"][0]  # the first looks around


def test_far_fewer_fits_than_a_grid(breast):
    X, y = breast
    X, y = X[::2], y[::2]
    pipeline = make_pipeline(StandardScaler(), SVC())
    splits = list(StratifiedKFold(3).split(X, y))
    search = GradientSearchCV(pipeline, cv=splits).fit(X, y)
    grid = []
    for C in 10.0 ** np.arange(-1, 4):
        for gamma in 10.0 ** np.arange(-4, 1):
            losses = []
            for train, valid in splits:
                fitted = make_pipeline(StandardScaler(), SVC(C=C, gamma=gamma))
                fitted.fit(X[train], y[train])
                losses.append(losses_of(fitted, X[valid], y[valid], 2).mean())
            grid.append(np.mean(losses))
    assert -search.best_score_ <= min(grid)
    assert search.n_fits_ <= 3 * len(grid)


def test_what_cannot_be_tuned(rng):
    X, y = np.eye(8), np.arange(8) % 2
    for kernel in ("sigmoid", "precomputed", lambda a, b: a @ b.T):
        with pytest.raises(ValueError, match=r"kernel=.* cannot .* Set kernel='linear', 'poly"):
            GradientSearchCV(SVC(kernel=kernel)).fit(X, y)
    with pytest.raises(ValueError, match=r"'gamma' of SVC cannot be tuned .*'C' can"):
        GradientSearchCV(SVC(kernel="linear"), {"gamma": RANGE}).fit(X, y)
    with pytest.raises(TypeError, match=r"must be Shared\(low, high\) or Auto"):
        GradientSearchCV(SVC(), {"C": PerFeature(0.1, 1.0)}).fit(X, y)
    with pytest.raises(ValueError, match=r"penalty='l1'"):
        GradientSearchCV(LinearSVC(penalty="l1")).fit(X, y)
    with pytest.raises(ValueError, match=r"multi_class='crammer_singer'"):
        GradientSearchCV(LinearSVC(multi_class="crammer_singer")).fit(X, y)
    with pytest.raises(ValueError, match=r"C=-1\.0"):
        GradientSearchCV(SVC(C=-1.0)).fit(X, y)
    with pytest.raises(ValueError, match=r"gamma='wide'"):
        GradientSearchCV(SVC(gamma="wide")).fit(X, y)
    with pytest.raises(ValueError, match=r"criterion='log_loss' .* Do you mean 'logistic_loss'"):
        GradientSearchCV(SVC(), criterion="log_loss").fit(X, y)
    with pytest.raises(ValueError, match="weights of rows cannot be tuned for SVC"):
        GradientSearchCV(SVC(), {"sample_weight": SampleWeights()}).fit(X, y)
    with pytest.raises(ValueError, match="no training row of fold 0 is of class"):
        GradientSearchCV(SVC(), cv=[(np.arange(0, 8, 2), np.arange(1, 8, 2))]).fit(X, y)
    with pytest.raises(ValueError, match="names 7, but the classes"):
        GradientSearchCV(SVC(class_weight={7: 2.0})).fit(X, y)


def test_a_fold_in_which_the_target_is_constant(rng):
    """The intercept alone meets it, as libsvm has it."""
    X, y = rng.normal(size=(60, 3)), np.r_[np.ones(30), rng.normal(size=30)]
    splits = list(KFold(2).split(X))
    search = GradientSearchCV(SVR(), {"C": Shared(1e-2, 1e2)}, cv=splits).fit(X, y)
    model = SVR(**search.best_params_, tol=1e-10)
    losses = [np.mean((model.fit(X[a], y[a]).predict(X[b]) - y[b]) ** 2) for a, b in splits]
    assert -search.best_score_ == pytest.approx(np.mean(losses), rel=1e-5)
