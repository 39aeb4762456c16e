import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.criteria.lower import LowerError, LowerProblem
from argrad.sklearn.models.logistic import LogisticModel
from argrad.sklearn.models.ridge import RidgeModel

from ..reference import logistic


def problem_of(model, X, y):
    model, encoded = model().for_target(y)
    columns = StandardScaler().fit_transform(X)
    n, d = columns.shape
    design = Centred(columns, np.zeros(d), np.ones(n))
    free = model.free(d, model.outputs(encoded.values.shape[1]), True)
    problem = LowerProblem(model, design, encoded.values, np.ones(n), free)
    return problem, np.zeros(free.sum())


def derivative(problem, y, ridge):
    return problem.gradient(problem.predictor(y), y, ridge)


@pytest.mark.parametrize("C", [1e-4, 1.0, 1e3])
def test_two_classes_as_scikit_learn(breast, C):
    problem, zero = problem_of(LogisticModel, *breast)
    found = problem.solve(np.full((30, 1), -np.log(C)), [zero])
    expected = logistic().set_params(C=C).fit(problem.design.columns, breast[1])
    np.testing.assert_allclose(found.y[:-1], expected.coef_[0], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.y[-1], expected.intercept_[0], rtol=1e-6)


@pytest.mark.parametrize("C", [1e-3, 1.0, 100.0])
def test_three_classes_as_scikit_learn(wine, C):
    """Coefficients sum to zero by the penalty; intercepts agree up to the pinned shift."""
    problem, zero = problem_of(LogisticModel, *wine)
    found = problem.solve(np.full((13, 1), -np.log(C)), [zero])
    w = np.append(found.y, 0.0).reshape(14, 3)
    expected = logistic().set_params(C=C).fit(problem.design.columns, wine[1])
    np.testing.assert_allclose(w[:-1].T, expected.coef_, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(w[:-1].sum(axis=1), 0.0, atol=1e-9)
    shift = w[-1] - expected.intercept_
    np.testing.assert_allclose(shift, shift[0], rtol=1e-5)


def test_ridge_as_scikit_learn(diabetes):
    problem, zero = problem_of(RidgeModel, *diabetes)
    found = problem.solve(np.full((10, 1), np.log(3.0)), [zero])
    expected = Ridge(3.0).fit(problem.design.columns, diabetes[1])
    np.testing.assert_allclose(found.y, [*expected.coef_, expected.intercept_], rtol=1e-9)


def test_inverse_hessian_is_that_of_the_solution(wine):
    """H⁻¹ applied to a change of the gradient is the change of y that made it."""
    problem, zero = problem_of(LogisticModel, *wine)
    found = problem.solve(np.zeros((13, 1)), [zero])
    ridge = problem.ridge(np.zeros((13, 1)))
    step = 1e-6 * np.random.default_rng(0).normal(size=len(zero))
    ahead = derivative(problem, found.y + step, ridge)
    behind = derivative(problem, found.y - step, ridge)
    np.testing.assert_allclose(found.inverse_hessian @ (ahead - behind) / 2, step, rtol=1e-4)


def test_any_start_ends_at_the_same_minimum(breast):
    """Far starts are where undamped Newton steps diverge."""
    problem, zero = problem_of(LogisticModel, *breast)
    penalty = np.full((30, 1), 2.0)
    near = problem.solve(penalty, [zero]).y
    far = 20 * np.random.default_rng(0).normal(size=zero.size)
    np.testing.assert_allclose(problem.solve(penalty, [far]).y, near, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(problem.solve(penalty, [far, zero]).y, near, rtol=1e-7, atol=1e-10)


def test_separable_classes_with_a_weak_penalty_converge(wine):
    problem, zero = problem_of(LogisticModel, *wine)
    found = problem.solve(np.full((13, 1), -np.log(1e6)), [zero])
    gradient = derivative(problem, found.y, problem.ridge(np.full((13, 1), -np.log(1e6))))
    assert np.abs(gradient).max() < 1e-9


def test_a_singular_hessian_is_an_error(diabetes):
    X, y = diabetes
    problem, _ = problem_of(RidgeModel, np.hstack([X, X]), y)
    with pytest.raises(LowerError, match="singular to working precision"):
        problem.solve(np.full((20, 1), -60.0), [np.zeros(21)])


def test_many_coefficients_take_few_hessians(rng, monkeypatch):
    """Steps between them bring one up to date, whether it is of this problem or of one nearby."""
    X = rng.normal(size=(150, 60))
    labels = np.argmax(X[:, :4] + rng.gumbel(size=(150, 4)), axis=1)
    problem, zero = problem_of(LogisticModel, X, labels)
    assert zero.size > 200
    formed = []
    hessian = LowerProblem._hessian
    monkeypatch.setattr(
        LowerProblem, "_hessian", lambda *arguments: formed.append(0) or hessian(*arguments)
    )
    weak, strong = np.full((60, 1), np.log(0.01)), np.full((60, 1), np.log(0.02))
    near = problem.solve(strong, [zero])
    assert len(formed) <= 5
    formed.clear()
    found = problem.solve(weak, [near.y], near.inverse_hessian)
    assert len(formed) <= 3
    ridge = problem.ridge(weak)
    slope = problem.gradient(problem.predictor(found.y), found.y, ridge)
    assert np.linalg.norm(slope) < 1e-8
    step = 1e-6 * rng.normal(size=zero.size)
    moved = problem.gradient(problem.predictor(found.y + step), found.y + step, ridge) - slope
    np.testing.assert_allclose(found.inverse_hessian @ moved, step, atol=1e-4 * np.abs(step).max())
