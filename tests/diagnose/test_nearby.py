"""Neighbours of kinks, whose slopes to either side are known."""

import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag


@pytest.mark.slow
def test_both_sides_of_a_breakpoint(rng):
    """The nearest point of a box has slope 0 or 1, in each coordinate, by the side of the bound."""
    bound = rng.uniform(0.5, 1.5, size=2)
    nearest = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.box(None, bound)])
    for side in rng.choice([-1.0, 1.0], size=(1, 2)):
        found = ag.neighbour(nearest, bound, np.zeros(2), toward=side)
        np.testing.assert_allclose(found.jacobian, np.diag(side < 0), atol=1e-8)
        assert 0 < found.moved <= 1e-2 * max(np.linalg.norm(bound), 1) * 1.001
        assert found.moved_primal <= found.moved * 1.001
        assert found.certificate.verdict == "valid"
    anywhere = ag.neighbour(nearest, bound, np.zeros(2), key=int(rng.integers(1000)))
    np.testing.assert_allclose(anywhere.jacobian, np.diag(anywhere.x < bound), atol=1e-8)


def test_a_smooth_point_is_not_moved():
    found = ag.neighbour(ag.argmin(lambda y, x: (y - x**2) ** 2), 1.5, 0.0)
    assert found.moved == found.moved_primal == 0
    assert found.jacobian == pytest.approx(3.0)


def test_no_neighbour():
    with pytest.raises(ValueError, match="no point within"):
        ag.neighbour(ag.argmin(lambda y, x: (y**2 - 1) ** 2 * 0 + 0 * x * y), 1.0, 0.5)
    solve = ag.argmin(lambda y, x: (y - x) ** 2)
    with pytest.raises(ValueError, match="distance must be"):
        ag.neighbour(solve, 1.0, 0.0, distance=0.0)
    with pytest.raises(ValueError, match="toward must be"):
        ag.neighbour(solve, 1.0, 0.0, toward=0.0)
