"""Cheapest paths, and costs learnt from them."""

import numpy as np

from examples import shortest_path


def every_path(n, i=0, j=0):
    """All sequences of places from (i, j) to the last one."""
    if (i, j) == (n - 1, n - 1):
        return [[(i, j)]]
    onward = [(i + 1, j), (i, j + 1), (i + 1, j + 1)]
    return [[(i, j), *rest] for a, b in onward if max(a, b) < n for rest in every_path(n, a, b)]


def test_no_path_is_cheaper(rng):
    costs = rng.normal(size=(20, 4, 4))
    paths = shortest_path.cheapest_path(costs)
    everyone = every_path(4)
    assert len(everyone) == 63  # the central Delannoy number
    for cost, path in zip(costs, paths, strict=True):
        least = min(sum(cost[place] for place in places) for places in everyone)
        np.testing.assert_allclose(np.sum(path * cost), least)
        assert any({*map(tuple, np.argwhere(path))} == {*places} for places in everyone)


def test_what_places_cost_is_learnt_from_paths(rng):
    known, unseen = shortest_path.maps(rng, 40), shortest_path.maps(rng, 100)
    weights = shortest_path.learn(known)
    found = weights[1:] / np.linalg.norm(weights[1:])
    wanted = shortest_path.TRUE / np.linalg.norm(shortest_path.TRUE)
    assert found @ wanted > 0.99
    learnt = shortest_path.excess(weights[0] + unseen.features @ weights[1:], unseen)
    alike = shortest_path.excess(np.ones_like(unseen.costs), unseen)
    assert learnt < 0.02
    assert alike > 10 * learnt
