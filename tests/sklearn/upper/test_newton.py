import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper import newton_descent, projected_descent


def descend(f, hessian, start, low=-9.0, high=9.0, tol=1e-9, evaluated=False):
    """Values at the points that are asked for, and the best of them; and where Hessians were."""
    size, bent_at = np.ones(len(start)), []

    def counted(h):
        bent_at.append(h)
        return hessian(h)

    def at(h):
        value, gradient = f(h)
        return Evaluation(h, value, np.array([value]), gradient, None)

    start = np.asarray(start, float)
    upper = newton_descent(low * size, high * size, at(start) if evaluated else start, tol, counted)
    found, point = [], next(upper)
    while True:
        found.append(at(point))
        assert len(found) < 200, "does not end"
        try:
            point = upper.send(found[-1])
        except StopIteration:
            return found, bent_at


def test_a_quadratic_takes_as_many_steps_as_its_length_in_radii(rng):
    basis, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    hessian = basis @ np.diag(np.geomspace(1, 100, 20)) @ basis.T
    minimum = rng.uniform(-0.9, 0.9, size=20)
    found, _ = descend(
        lambda h: (1 + 0.5 * (h - minimum) @ hessian @ (h - minimum), hessian @ (h - minimum)),
        lambda h: hessian,
        np.zeros(20),
    )
    assert len(found) <= 4
    np.testing.assert_allclose(found[-1].log_values, minimum, atol=1e-6)


def test_a_bent_valley_takes_fewer_evaluations_than_without_the_hessian():
    start = [-1.5, 2.0, 1.0]
    found, bent_at = descend(lambda h: (rosen(h) + 1, rosen_der(h)), rosen_hess, start, tol=1e-12)
    np.testing.assert_allclose(found[-1].log_values, 1.0, atol=1e-4)
    upper, count = projected_descent(np.full(3, -9.0), np.full(3, 9.0), np.array(start), 1e-12), 0
    h = next(upper)
    while h is not None:
        count += 1
        value = rosen(h) + 1
        try:
            h = upper.send(Evaluation(h, value, np.array([value]), rosen_der(h), None))
        except StopIteration:
            h = None
    assert len(found) < count
    # A rejected point costs no Hessian.
    values = np.array([each.value for each in found])
    best_so_far = np.minimum.accumulate(values)
    assert len(bent_at) <= 1 + np.sum(np.diff(best_so_far) < 0)


def test_a_saddle_is_left_downhill_and_bounds_hold(rng):
    """F = Σ cos h_j over the box [-4, 2]: from near a maximum in some, and a minimum in others."""
    centre = rng.normal(scale=0.05, size=6) + np.array([0.0, 0.0, np.pi, -np.pi, 0.1, -0.1]) * 0.9
    centre = np.clip(centre, -4, 2)
    found, _ = descend(
        lambda h: (10 + np.cos(h).sum(), -np.sin(h)),
        lambda h: np.diag(-np.cos(h)),
        centre, low=-4.0, high=2.0, tol=1e-10,
    )  # fmt: skip
    points = np.array([each.log_values for each in found])
    assert np.all((points >= -4.0) & (points <= 2.0))
    best = min(found, key=lambda each: each.value).log_values
    assert np.all(np.isclose(best, -np.pi, atol=1e-3) | np.isclose(best, 2.0, atol=1e-9))


def test_as_low_as_another_bounded_method(rng):
    hessian = np.diag(rng.uniform(0.5, 2.0, size=5)) + 0.2
    minimum = 3 * rng.normal(size=5)

    def f(h):
        away = h - minimum
        return 1 + 0.5 * away @ hessian @ away, hessian @ away

    found, _ = descend(f, lambda h: hessian, np.zeros(5), low=-1.0, high=1.0)
    other = minimize(f, np.zeros(5), jac=True, method="L-BFGS-B", bounds=[(-1, 1)] * 5)
    assert min(each.value for each in found) == pytest.approx(other.fun, rel=1e-6)


def test_a_start_that_was_evaluated_is_not_asked_for_again():
    found, _ = descend(lambda h: (1 + h @ h, 2 * h), lambda h: 2 * np.eye(2), [0.5, -0.5],
                       evaluated=True)  # fmt: skip
    assert not np.array_equal(found[0].log_values, [0.5, -0.5])


def test_it_ends_where_the_hessian_is_not_finite():
    found, bent_at = descend(
        lambda h: (1 + h @ h, 2 * h), lambda h: np.full((2, 2), np.inf), [1, 2]
    )
    assert len(found) == len(bent_at) == 1
