"""The two-loop recursion is BFGS' update of the inverse, pair by pair."""

import numpy as np

from argrad.sklearn.quasi_newton import times_inverse


def test_it_is_the_update_of_the_matrix(rng):
    d = 5
    root = rng.normal(size=(d, d))
    bend, near = root @ root.T + np.eye(d), np.diag(rng.uniform(0.5, 2.0, size=d))
    pairs = [(s, bend @ s) for s in rng.normal(size=(3, d))]
    inverse = near
    for s, y in pairs:
        left = np.eye(d) - np.outer(s, y) / (s @ y)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
    slope = rng.normal(size=d)
    found = times_inverse(lambda v: near @ v, pairs, slope)
    np.testing.assert_allclose(found, inverse @ slope, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(times_inverse(lambda v: near @ v, [], slope), near @ slope)
