import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation
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


def test_it_descends_again_unless_it_comes_to_the_same():
    def value(h):  # minima at −2, of height 1, and 2, of height 0
        return float(((h[0] ** 2 - 4) ** 2) / 32 + (2 - h[0]) / 4)

    def gradient(h):
        return h * (h**2 - 4) / 8 - 0.25

    low, high = np.full(1, -9.0), np.full(1, 9.0)
    points = [np.array([2.5]), np.array([-3.5]), np.array([1.2])]
    alone = walk(scanned_descent(low, high, points, 1e-6), value, gradient)
    both = walk(scanned_descent(low, high, points, 1e-6, 1), value, gradient)
    same = walk(scanned_descent(low, high, points, 1e-6, 2), value, gradient)
    assert alone[3:].min() > 0
    assert abs(both[-1, 0] + 1.73) < 0.1
    assert len(both) > len(same)
    assert np.all(np.abs(same[len(alone) :] - alone[-1]) >= 0.5)
