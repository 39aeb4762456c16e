"""Proximal operators, against their definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import argrad as ag

D = 12


def terms(rng):
    groups = np.sort(rng.integers(0, 4, D))
    groups[:4] = range(4)
    weight = rng.uniform(0.1, 1.0, D)
    return {
        "l1": ag.prox.l1(weight),
        "elastic_net": ag.prox.elastic_net(weight, rng.uniform(0, 2, D)),
        "group_lasso": ag.prox.group_lasso(rng.uniform(0.1, 2.0, 4), groups),
        "box": ag.prox.box(-weight, 2 * weight),
        "simplex": ag.prox.simplex(2.0),
        "total_variation": ag.prox.total_variation(weight[1:]),
        "mcp": ag.prox.mcp(weight, 3.0),
        "hinge": ag.prox.hinge(weight),
        "hinge.dual": ag.prox.hinge(weight).dual(),
        "squared_hinge": ag.prox.squared_hinge(weight),
        "squared_hinge.dual": ag.prox.squared_hinge(weight).dual(),
    }


NAMES = tuple(terms(np.random.default_rng(0)))


@pytest.mark.parametrize("name", NAMES)
def test_prox_is_lower_than_its_neighbours(name, rng):
    v, step = jnp.asarray(rng.normal(0, 1.5, D)), 0.7
    term = terms(rng)[name].at(v, None, ())
    prox = jax.jit(lambda v, step: term.prox(v, step))
    y = prox(v, step)

    @jax.jit
    def height(y):
        return term.value(y) + jnp.sum((y - v) ** 2) / (2 * step)

    lowest = height(y)
    assert np.isfinite(lowest)
    for scale in (1e-4, 1e-2, 1.0):
        for _ in range(50):
            # A proximal step from elsewhere stays in the domain of an indicator.
            other = y + scale * (prox(jnp.asarray(rng.normal(0, 1.5, D)), step) - y)
            assert height(other) >= lowest - 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_prox_is_stationary_on_its_piece(name, rng):
    # y = prox(v, t) has v − y in t ∂g(y), whose part along the piece is the gradient there.
    v, step = jnp.asarray(rng.normal(0, 1.5, D)), 0.7
    term = terms(rng)[name].at(v, None, ())
    y = term.prox(v, step)
    piece = term.piece(y)
    slope = jax.grad(term.smooth)(y, piece)
    np.testing.assert_allclose(piece.project((v - y) / step - slope), 0, atol=1e-12)
    assert jnp.min(term.margins(y, (v - y) / step, step, piece)) > 0
    if np.isfinite(term.value(y)):
        np.testing.assert_allclose(term.smooth(y, piece), term.value(y), rtol=1e-12)
    held = term.held(y, piece)
    np.testing.assert_allclose(held + piece.project(y - held), y, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_a_basis_spans_the_directions_of_the_piece(name, rng):
    v = jnp.asarray(rng.normal(0, 1.5, D))
    term = terms(rng)[name].at(v, None, ())
    piece = term.piece(term.prox(v, 0.7))
    basis = piece.basis(D)
    for _ in range(3):
        u, w = jnp.asarray(rng.normal(size=(2, D)))
        np.testing.assert_allclose(
            basis.embed(basis.project(basis.restrict(u))), piece.project(u), atol=1e-14
        )
        np.testing.assert_allclose(u @ piece.project(w), piece.project(u) @ w, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_total_variation_satisfies_its_dual_conditions(size, rng):
    v = jnp.asarray(rng.normal(size=size).cumsum())
    weight = jnp.asarray(rng.uniform(0, 1, size - 1) * rng.choice([0, 0.3, 3], size - 1))
    y = ag.prox.total_variation(weight).at(v, None, ()).prox(v, 1.0)
    pressed = -np.cumsum(v - y)
    np.testing.assert_allclose(pressed[-1], 0, atol=1e-12)
    assert np.all(np.abs(pressed[:-1]) <= weight + 1e-12)
    np.testing.assert_allclose(pressed[:-1] * np.diff(y), weight * np.abs(np.diff(y)), atol=1e-11)


def test_mcp_with_a_long_step_goes_to_the_lower_end(rng):
    # Longer than the concavity, where the objective of the proximal step is not convex.
    term = ag.prox.mcp(0.8, 1.5).at(jnp.zeros(1), None, ())
    for v in rng.uniform(0.1, 4, 20):
        height = lambda y: float(term.value(jnp.array([y]))) + (y - v) ** 2 / 4
        ends = [0.0, v, minimize_scalar(height, bounds=(0, 4), method="bounded").x]
        y = float(term.prox(jnp.array([v]), 2.0)[0])
        assert height(y) <= min(map(height, ends)) + 1e-9


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ag.prox.l1(-1.0), "l1: weight must be nonnegative and finite, got -1"),
        (lambda: ag.prox.elastic_net(1.0, -2.0), "squares"),
        (lambda: ag.prox.mcp(1.0, 0.0), "concavity must be positive"),
        (lambda: ag.prox.simplex(0.0), "total must be positive"),
        (lambda: ag.prox.box(1.0, 0.0), "above"),
        (lambda: ag.prox.group_lasso(1.0, np.array([-1, 0])), "counted from 0"),
        (lambda: ag.prox.total_variation(np.nan), "finite"),
    ],
)
def test_wrong_parameters(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_groups_must_be_integers():
    with pytest.raises(TypeError, match="integers"):
        ag.prox.group_lasso(1.0, np.array([0.5, 1.0]))


@pytest.mark.parametrize("term", [ag.prox.l1(0.7), ag.prox.total_variation(0.7)])
def test_the_moreau_envelope_is_an_optimal_value(rng, term, central_difference):
    """Its gradient is (x − prox(x)) / τ, and its slopes are those of differences."""
    tau, x = 0.5, jnp.asarray(2 * rng.normal(size=6))
    nearest = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2) / (2 * tau), nonsmooth=term)
    envelope = ag.value(nearest)
    slope = jax.grad(envelope)(x, x)
    np.testing.assert_allclose(slope, (x - nearest(x, x)) / tau, atol=1e-12)
    differences = central_difference(lambda x: envelope(jnp.asarray(x), jnp.asarray(x)), x, 1e-5)
    np.testing.assert_allclose(slope, differences, atol=1e-8)
