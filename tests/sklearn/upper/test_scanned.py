import numpy as np

from argrad.sklearn.criterion import Evaluation
from argrad.sklearn.upper import scanned_descent


def walk(upper, value, gradient):
    seen, h = [], next(upper)
    while True:
        seen.append(h)
        try:
            h = upper.send(Evaluation(h, value(h), np.zeros(1), gradient(h), None))
        except StopIteration:
            return np.array(seen)


def test_it_descends_from_the_best_of_the_points():
    def value(h):  # flat at the left, where a descent would end at once
        return float(min(0.0, np.sum(np.maximum(h, 0) ** 2 - 4 * np.maximum(h, 0))))

    def gradient(h):
        return np.where(h > 0, 2 * h - 4, 0.0)

    low, high = np.full(1, -9.0), np.full(1, 9.0)
    points = [np.array([-5.0]), np.array([-20.0]), np.array([1.0]), np.array([-30.0])]
    seen = walk(scanned_descent(low, high, points, 1e-6), value, gradient)
    np.testing.assert_allclose(seen[:3, 0], [-5.0, -9.0, 1.0])  # two coincide at the bound
    assert abs(seen[-1, 0] - 2.0) < 1e-3
    assert len(walk(scanned_descent(low, high, points[:1], 1e-6), value, gradient)) == 1
