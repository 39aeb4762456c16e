"""Simplex, balls and spheres: closed forms of projections and their derivatives, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import argrad as ag
from argrad.rows import gather

S = ag.Status


def distance(y, x):
    return jnp.sum((y - x) ** 2)


def threshold(x, radius):
    """The t with Σ max(|x_i| − t, 0) = radius, negative where x is inside."""
    falling = np.sort(np.abs(x))[::-1]
    levels = (np.cumsum(falling) - radius) / np.arange(1, x.size + 1)
    return levels[np.max(np.flatnonzero(falling > levels))]


def onto_1_sphere(x, radius):
    return np.sign(x) * np.maximum(np.abs(x) - threshold(x, radius), 0)


def onto_1_ball(x, radius):
    return x if np.sum(np.abs(x)) <= radius else onto_1_sphere(x, radius)


def onto_2_sphere(x, radius):
    return radius * x / np.linalg.norm(x)


def onto_2_ball(x, radius):
    return x if np.linalg.norm(x) <= radius else onto_2_sphere(x, radius)


def onto_cube(x, radius):
    return np.clip(x, -radius, radius)


def onto_cube_surface(x, radius):
    y, k = onto_cube(x, radius), np.argmax(np.abs(x))
    y[k] = radius * np.sign(x[k])
    return y


def onto_simplex(x, total):
    falling = np.sort(x)[::-1]
    levels = (np.cumsum(falling) - total) / np.arange(1, x.size + 1)
    return np.maximum(x - levels[np.max(np.flatnonzero(falling > levels))], 0)


CLOSED_FORMS = {
    "simplex": (lambda r: ag.simplex(r), onto_simplex),
    "1-ball": (lambda r: ag.ball(r, norm=1), onto_1_ball),
    "2-ball": (lambda r: ag.ball(r), onto_2_ball),
    "cube": (lambda r: ag.ball(r, norm=jnp.inf), onto_cube),
    "1-sphere": (lambda r: ag.sphere(r, norm=1), onto_1_sphere),
    "2-sphere": (lambda r: ag.sphere(r), onto_2_sphere),
    "cube's surface": (lambda r: ag.sphere(r, norm=jnp.inf), onto_cube_surface),
}


@pytest.mark.parametrize(("make", "project"), CLOSED_FORMS.values(), ids=CLOSED_FORMS)
def test_projections_and_their_derivatives_are_the_closed_forms(
    make, project, rng, central_difference
):
    """In x and in the radius, from inside and outside, under jit and vmap."""
    n, d = 24, 4
    points = rng.normal(size=(n, d)) * rng.choice([0.2, 0.6, 3.0], size=(n, 1))
    radii = rng.uniform(0.5, 1.5, size=n)
    # Convex sets from anywhere; spheres, whose projections are local minima, from x.
    starts = points
    if make(1.0).name != "sphere":
        starts = rng.normal(size=(n, d)) * rng.integers(0, 2, size=(n, 1))
        points[::6, 0] = 0
    radius = make(lambda x: x[0])
    solve = ag.argmin(lambda y, x: distance(y, x[1:]), subject_to=[radius], throw=False)

    def solved(x, start):
        solution = solve.solution(x, start)
        return solution.primal, (solution.primal, solution.status, solution.violation)

    x = np.concatenate([radii[:, None], points], 1)
    slopes, (found, status, violation) = jax.jit(jax.vmap(jax.jacrev(solved, has_aux=True)))(
        jnp.asarray(x), jnp.asarray(starts)
    )
    assert jnp.all(status == S.converged)
    assert jnp.max(violation) < 1e-12
    exact = lambda x: project(x[1:], x[0])
    np.testing.assert_allclose(found, [exact(row) for row in x], atol=1e-12)
    for row, slope in zip(x, slopes, strict=True):
        np.testing.assert_allclose(slope, central_difference(exact, row, h=1e-6), atol=1e-8)


@pytest.mark.parametrize("kind", ["ball", "sphere"])
def test_the_1_norm_with_an_equality_on_a_pytree(kind, rng, central_difference):
    """A quartic maximised over a moving set, against SciPy on Σ t = r, −t <= y − c <= t."""
    d = 4
    curve = jnp.asarray(rng.uniform(0.5, 2, d))
    radius = lambda x: 1 + 0.2 * jnp.sin(x["p"][0])
    centre = lambda x: {"a": 0.3 * x["p"][1:3], "b": {"c": 0.1 * x["p"][0], "d": x["p"][2]}}
    flat = lambda y: jnp.concatenate([y["a"], jnp.stack([y["b"]["c"], y["b"]["d"]])])

    def gain(y, x):
        apart = flat(y) - 2 * x["p"]
        return -jnp.sum(curve * (apart**2 + 0.1 * apart**4))

    level = ag.equality(lambda y, x: y["a"][0] + y["b"]["d"] - 0.5 * x["p"][3])
    made = {"ball": ag.ball, "sphere": ag.sphere}[kind]
    solve = ag.argmax(gain, subject_to=[made(radius, norm=1, centre=centre), level])
    p = rng.normal(size=d)
    p[3] = 2 * (0.3 * p[1] + p[2]) + 0.8 * rng.choice([-1, 1])  # reachable, away from the centre
    init = {"a": jnp.zeros(2), "b": {"c": jnp.array(0.1), "d": jnp.array(0.0)}}
    solution = solve.solution({"p": p}, init)
    y, c = np.asarray(flat(solution.primal)), np.asarray(flat(centre({"p": p})))
    r = float(radius({"p": p}))
    tree = lambda v: {"a": v[:2], "b": {"c": v[2], "d": v[3]}}
    lifted = minimize(
        lambda z: -float(gain(tree(z[:d]), {"p": p})),
        np.concatenate([y, np.abs(y - c)]) + rng.uniform(0, 0.1, 2 * d),
        jac=lambda z: np.concatenate(
            [flat(jax.grad(lambda y: -gain(y, {"p": p}))(tree(jnp.asarray(z[:d])))), np.zeros(d)]
        ),
        constraints=[
            {"type": "ineq", "fun": lambda z: z[d:] - (z[:d] - c)},
            {"type": "ineq", "fun": lambda z: z[d:] + (z[:d] - c)},
            {"type": "ineq", "fun": lambda z: r - np.sum(z[d:])},
            {"type": "eq", "fun": lambda z: z[0] + z[3] - 0.5 * p[3]},
        ],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert np.sum(np.abs(y - c)) <= r + 1e-12
    assert -lifted.fun <= float(solution.value) + 1e-8
    multipliers = solution.multipliers[0]
    below = multipliers if kind == "ball" else multipliers[1]
    assert jax.tree.map(jnp.shape, below["orthant"]) == jax.tree.map(jnp.shape, init)
    run = jax.jit(lambda p: flat(solve({"p": p}, init)))
    np.testing.assert_allclose(
        jax.jit(jax.jacfwd(run))(p), central_difference(run, p, h=1e-4), atol=1e-7
    )
