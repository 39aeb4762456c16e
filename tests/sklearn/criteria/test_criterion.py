"""The criterion and its derivatives against scikit-learn's own cross-validation loss."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from argrad import SolveError
from argrad.sklearn import PerFeature, Shared
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds

from ..reference import logistic, reference_loss, ridge


def make_criterion(model, X, y, splits, shared, preprocess="standard"):
    problem, encoded = model_of(model).for_target(y)
    preprocess = StandardScaler() if preprocess == "standard" else preprocess
    folds = stack_folds(preprocess, X, y, encoded.values, splits, model.fit_intercept)
    return Criterion(problem, folds, (Shared if shared else PerFeature)(1e-4, 1e4))


@pytest.mark.parametrize("value", [1e-2, 1.0, 30.0])
def test_value_is_scikit_learns(task, value):
    model, _, X, y, splits = task
    evaluation = make_criterion(model, X, y, splits, True)(np.log([value]))
    assert evaluation.value == pytest.approx(reference_loss(model, value, X, y, splits), rel=1e-9)
    assert evaluation.value == pytest.approx(evaluation.split_losses.mean(), rel=1e-14)


@pytest.mark.parametrize("value", [1e-2, 1.0, 30.0])
def test_derivatives_in_one_penalty_agree_with_central_differences(task, value):
    model, _, X, y, splits = task
    evaluation = make_criterion(model, X, y, splits, True)(np.log([value]))

    def loss(step):
        return reference_loss(model, value * np.exp(step), X, y, splits)

    first = (loss(1e-4) - loss(-1e-4)) / 2e-4
    second = (loss(1e-2) - 2 * loss(0.0) + loss(-1e-2)) / 1e-4
    scale = abs(evaluation.value)
    assert evaluation.gradient[0] == pytest.approx(first, rel=1e-5, abs=1e-8 * scale)
    assert evaluation.curvature == pytest.approx(second, rel=1e-3, abs=1e-5 * scale)


def test_gradient_in_a_penalty_a_feature_agrees_with_central_differences(task):
    model, _, X, y, splits = task
    h = np.random.default_rng(0).normal(size=X.shape[1])
    evaluation = make_criterion(model, X, y, splits, False)(h)
    assert evaluation.value == pytest.approx(
        reference_loss(model, np.exp(h), X, y, splits), rel=1e-9
    )
    for j in range(len(h)):
        ahead, behind = h.copy(), h.copy()
        ahead[j] += 1e-3
        behind[j] -= 1e-3
        losses = [reference_loss(model, np.exp(each), X, y, splits) for each in (ahead, behind)]
        expected = (losses[0] - losses[1]) / 2e-3
        assert evaluation.gradient[j] == pytest.approx(
            expected, rel=1e-4, abs=1e-7 * evaluation.value
        )


def test_one_penalty_is_equal_penalties_for_all_features(task):
    model, _, X, y, splits = task
    shared = make_criterion(model, X, y, splits, True)(np.zeros(1))
    each = make_criterion(model, X, y, splits, False)(np.zeros(X.shape[1]))
    assert each.value == pytest.approx(shared.value, rel=1e-12)
    assert each.gradient.sum() == pytest.approx(shared.gradient[0], rel=1e-8)


def test_without_intercept(task):
    model, _, X, y, splits = task
    plain = type(model)(**{**model.get_params(), "fit_intercept": False})
    evaluation = make_criterion(plain, X, y, splits, True)(np.zeros(1))
    assert evaluation.value == pytest.approx(reference_loss(plain, 1.0, X, y, splits), rel=1e-9)
    assert abs(evaluation.value - reference_loss(model, 1.0, X, y, splits)) > 1e-6


def test_where_it_has_been_does_not_matter(task):
    """Warm starts change the time, not the result."""
    model, _, X, y, splits = task
    fresh = make_criterion(model, X, y, splits, True)(np.array([3.0]))
    criterion = make_criterion(model, X, y, splits, True)
    for h in (-6.0, 8.0, 2.5):
        criterion(np.array([h]))
    again = criterion(np.array([3.0]))
    assert again.value == pytest.approx(fresh.value, rel=1e-11)
    assert again.gradient[0] == pytest.approx(fresh.gradient[0], rel=1e-7, abs=1e-12)


def test_folds_of_different_sizes(breast):
    X, y = breast[0][:200, :5], breast[1][:200]
    splits = [(np.arange(0, 90), np.arange(90, 200)), (np.arange(50, 200), np.arange(50))]
    evaluation = make_criterion(logistic(), X, y, splits, True)(np.zeros(1))
    assert evaluation.value == pytest.approx(
        reference_loss(logistic(), 1.0, X, y, splits), rel=1e-9
    )


def test_start_follows_the_units_of_the_columns(diabetes):
    """In other units the same model needs other penalties, and the search starts there."""
    X, y = diabetes
    splits = [(np.arange(300), np.arange(300, 442))]
    scale = 10.0 ** np.arange(-3, 7)
    plain = make_criterion(ridge(), X, y, splits, False, None)
    scaled = make_criterion(ridge(), X * scale, y, splits, False, None)
    np.testing.assert_allclose(scaled.start() - plain.start(), 2 * np.log(scale), rtol=1e-9)
    assert scaled(scaled.start()).value == pytest.approx(plain(plain.start()).value, rel=1e-7)


def test_columns_that_do_not_vary_have_a_finite_start(diabetes):
    X, y = diabetes[0].copy(), diabetes[1]
    X[:, 3] = 7.0
    criterion = make_criterion(ridge(), X, y, [(np.arange(300), np.arange(300, 442))], False)
    assert np.all(np.isfinite(criterion(criterion.start()).gradient))


def test_a_fold_that_cannot_be_fitted_is_named(diabetes):
    """Two equal columns of huge scale and next to no penalty: singular to working precision."""
    X, y = diabetes
    X = np.hstack([X, X]) * 1e6
    criterion = make_criterion(ridge(), X, y, [(np.arange(300), np.arange(300, 442))], True, None)
    with pytest.raises(SolveError, match=r"fold 0 at alpha=1e-20: .*singular"):
        criterion(np.log([1e-20]))


def test_too_many_coefficients_are_refused():
    X = np.random.default_rng(0).normal(size=(12, 5001))
    with pytest.raises(ValueError, match=r"5002 coefficients.*PCA"):
        make_criterion(ridge(), X, np.arange(12.0), [(np.arange(6), np.arange(6, 12))], True)
