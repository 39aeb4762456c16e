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
    init = {"a": jnp.zeros(2), "b": {"c": jnp.array(0.1), "d": jnp.array(0.0)}}
    found, h = jax.jit(lambda p: solve.solution({"p": p}, init)), 1e-4
    while True:  # until no row becomes active or inactive within the differences below
        p = rng.normal(size=d)
        p[3] = 2 * (0.3 * p[1] + p[2]) + 0.8 * rng.choice([-1, 1])  # reachable, off the centre
        solution = found(p)
        around = [found(p + step) for step in np.vstack([-h * np.eye(d), h * np.eye(d)])]
        if all(
            jax.tree.all(jax.tree.map(jnp.array_equal, solution.activity, s.activity))
            for s in around
        ):
            break
    y, c = np.asarray(flat(solution.primal)), np.asarray(flat(centre({"p": p})))
    r = float(radius({"p": p}))
    tree = lambda v: {"a": v[:2], "b": {"c": v[2], "d": v[3]}}
    assert np.sum(np.abs(y - c)) == pytest.approx(r) or kind == "ball"
    multipliers = solution.multipliers[0]
    outer = multipliers["norm"] if kind == "ball" else multipliers[0]
    if outer >= 0:  # then the best of a sphere is that of its ball, which is convex
        lifted = minimize(
            lambda z: -float(gain(tree(z[:d]), {"p": p})),
            np.concatenate([y, np.abs(y - c)]) + rng.uniform(0, 0.1, 2 * d),
            constraints=[
                {"type": "ineq", "fun": lambda z: z[d:] - (z[:d] - c)},
                {"type": "ineq", "fun": lambda z: z[d:] + (z[:d] - c)},
                {"type": "ineq", "fun": lambda z: r - np.sum(z[d:])},
                {"type": "eq", "fun": lambda z: z[0] + z[3] - 0.5 * p[3]},
            ],
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        np.testing.assert_allclose(lifted.x[:d], y, atol=1e-5)
    below = multipliers if kind == "ball" else multipliers[1]
    assert jax.tree.map(jnp.shape, below["orthant"]) == jax.tree.map(jnp.shape, init)
    run = jax.jit(lambda p: flat(solve({"p": p}, init)))
    np.testing.assert_allclose(
        jax.jit(jax.jacfwd(run))(p), central_difference(run, p, h), atol=1e-7
    )


# Two equalities that few signs can meet, for a ball that is convex all the same.
def narrow(y, x):
    return x["A"] @ y - x["b"]


def test_a_start_in_an_orthant_with_nothing_feasible_is_no_obstacle(rng):
    """Against the same problem with Σ t <= 1, −t <= y <= t for the ball."""
    n, d = 30, 5
    inside = rng.normal(size=(n, d)) * np.concatenate(
        [np.ones((n, 2)), rng.integers(0, 2, (n, 3))], 1
    )
    inside *= rng.uniform(0.3, 0.95, (n, 1)) / np.sum(np.abs(inside), 1, keepdims=True)
    A = rng.normal(size=(n, 2, d))
    x = {"p": rng.normal(size=(n, d)), "A": A, "b": np.einsum("nij,nj->ni", A, inside)}
    cost = lambda y, x: jnp.sum((y - x["p"]) ** 2 + 0.1 * y**4)
    solve = ag.argmin(cost, subject_to=[ag.ball(norm=1), ag.equality(narrow)], throw=False)
    rows = lambda z, x: (z["y"] - z["t"], -z["y"] - z["t"], jnp.sum(z["t"]) - 1)
    lifted = ag.argmin(
        lambda z, x: cost(z["y"], x),
        subject_to=[ag.inequality(rows), ag.equality(lambda z, x: narrow(z["y"], x))],
        throw=False,
    )
    starts = jnp.asarray(rng.normal(size=(n, d)))
    found = jax.jit(jax.vmap(solve.solution))(x, starts)
    assert jnp.all((found.status == S.converged) | (found.status == S.kink))
    begin = {"y": jnp.zeros((n, d)), "t": jnp.full((n, d), 1 / d)}
    reference = jax.jit(jax.vmap(lifted))(x, begin)
    np.testing.assert_allclose(found.primal, reference["y"], atol=1e-9)


def test_the_1_ball_at_its_kinks():
    """(2, x) projects to the corner (1, 0) for |x| <= 1, and on beyond."""
    solve = ag.argmin(lambda y, x: distance(y, jnp.stack([2.0, x])), subject_to=[ag.ball(norm=1)])
    init = jnp.array([0.2, 0.7])
    solution = solve.solution(1.0, init)
    np.testing.assert_allclose(solution.primal, [1, 0], atol=1e-12)
    assert solution.status == S.kink
    np.testing.assert_array_equal(solution.activity[0]["orthant"], [0, 1])
    with pytest.raises(Exception, match=r"ball\.orthant\[1\]"):
        jax.jacfwd(solve)(1.0, init)
    for x in (1.0, -1.0):
        away = ag.directional(solve, x, x, init)
        np.testing.assert_allclose(away, [-0.5, 0.5 * x], atol=1e-12)
        np.testing.assert_allclose(ag.directional(solve, x, -x, init), [0, 0], atol=1e-12)
    # In the corner for good, at whichever side of it the coordinate is held.
    for x in (0.5, 0.0, -0.5):
        np.testing.assert_allclose(jax.jacfwd(solve)(x, init), [0, 0], atol=1e-12)
    warm = solve.solution(-0.9, solution)
    np.testing.assert_allclose(warm.primal, [1, 0], atol=1e-12)
    assert warm.status == S.converged
    beyond = solve.solution(-2.0, solution)
    np.testing.assert_allclose(beyond.primal, [0.5, -0.5], atol=1e-12)


def test_between_pieces_without_force_directional_says_that_it_cannot():
    """At x = (1, 0) on the surface the projection may move on to two sides of the corner."""
    solve = ag.argmin(distance, subject_to=[ag.ball(norm=1)])
    x, aside = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
    assert solve.solution(x, jnp.zeros(2)).status == S.kink
    with pytest.raises(ag.SolveError, match="edge of a ball"):
        ag.directional(solve, x, aside, jnp.zeros(2))
    assert ag.directional(ag.value(solve), x, aside, jnp.zeros(2)) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="piece to piece"):
        ag.path(solve, x, 2 * x, jnp.zeros(2))
    smooth = ag.argmin(distance, subject_to=[ag.ball(norm=1)], adjoint=ag.Barrier(10.0))
    with pytest.raises(ValueError, match="several pieces"):
        smooth(x, jnp.zeros(2))


def test_the_edge_of_a_cube_is_a_kink_of_its_surface():
    """(2, x, 0) projects to (1, x, 0) up to x = 1; from the other side the face is that of x."""
    target = lambda x: jnp.stack([2.0, x, 0.0])
    surface = ag.sphere(norm=jnp.inf, name="shell")
    solve = ag.argmin(lambda y, x: distance(y, target(x)), subject_to=[surface])
    init = jnp.array([0.1, 0.9, 0.0])
    with pytest.raises(Exception, match=r"shell\.upper\[1\]"):
        jax.jacfwd(solve)(1.0, init)
    np.testing.assert_allclose(ag.directional(solve, 1.0, -1.0, init), [0, -1, 0], atol=1e-12)
    face, others = solve.solution(5.0, init).multipliers[0]
    # Each multiplier is 2 (x_k − 1); the larger is that of the face, whose own bound is void.
    assert face == pytest.approx(8)
    np.testing.assert_allclose(others["upper"], [2, 0, 0], atol=1e-12)
    np.testing.assert_allclose(others["lower"], 0, atol=1e-12)


@pytest.mark.parametrize("norm", [1, 2, jnp.inf])
def test_the_radius_has_its_multiplier_for_a_price_and_may_not_turn_negative(norm):
    solve = ag.argmin(
        lambda y, r: distance(y, jnp.array([2.0, 0.5])),
        subject_to=[ag.ball(lambda r: r, norm=norm, name="reach")],
        throw=False,
    )
    exact = {
        1: lambda r: onto_1_ball(np.array([2.0, 0.5]), r),
        2: lambda r: onto_2_ball(np.array([2.0, 0.5]), r),
        jnp.inf: lambda r: onto_cube(np.array([2.0, 0.5]), r),
    }[norm]
    price = jax.grad(ag.value(solve))(0.8, jnp.zeros(2))
    gap = lambda r: np.sum((exact(r) - [2, 0.5]) ** 2)
    assert price == pytest.approx((gap(0.8 + 1e-6) - gap(0.8 - 1e-6)) / 2e-6, abs=1e-7)
    assert solve.solution(-0.8, jnp.ones(2)).status == S.infeasible


def test_rows_of_a_pytree():
    y = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}
    sets = [
        ag.simplex(lambda x: x),
        ag.ball(2.0, centre={"a": jnp.array([0.0, 1.0]), "b": 0.5}),
        ag.ball(lambda x: x, norm=jnp.inf, centre=1.0),
        ag.ball(norm=1, name="few"),
        ag.sphere(norm=jnp.inf),
    ]
    constraints = gather(sets)
    shapes = constraints.shapes(y, 3.0, ())
    names = [name for name, _ in constraints.layout(shapes)]
    assert names[:2] == ["simplex", "sphere"]
    for name in ("simplex.a", "ball", "ball (2).lower.a", "few.norm", "few.orthant.b"):
        assert name in names
    equal, below = constraints(y, 3.0)
    np.testing.assert_allclose(equal[0], 1 - 2 + 0.5 - 3)
    entries = constraints.by_constraint(shapes, equal, below)
    np.testing.assert_allclose(entries[0][1]["a"], [-1, 2])
    np.testing.assert_allclose(entries[1], 1 + 9 - 4)
    np.testing.assert_allclose(entries[2]["upper"]["a"], [1 - 1 - 3, -2 - 1 - 3])
    np.testing.assert_allclose(entries[2]["lower"]["b"], 1 - 3 - 0.5)


@pytest.mark.parametrize("make", [ag.ball, ag.sphere])
def test_bad_parameters(make):
    kind = make.__name__
    with pytest.raises(ValueError, match=f"{kind}: norm must be 1, 2 or jnp.inf, got 3"):
        make(norm=3)
    for radius in (-1.0, 0, jnp.nan, jnp.inf):
        with pytest.raises(ValueError, match=f"{kind}: radius must be positive"):
            make(radius)
    with pytest.raises(ValueError, match=f"{kind}: radius must be one number"):
        make(jnp.ones(2))
    with pytest.raises(ValueError, match=f"{kind}: centre must be finite"):
        make(centre=jnp.array([0.0, jnp.nan]))
    with pytest.raises(ValueError, match="total must be positive"):
        ag.simplex(-1.0)
    # Checks do not need values that are known when the program is traced only.
    assert jax.jit(lambda r: make(r).radius)(2.0) == 2
    for norm in (1, 2, jnp.inf):
        solve = ag.argmin(distance, subject_to=[make(lambda x: x, norm=norm, name="reach")])
        with pytest.raises(ValueError, match="one number") as caught:
            solve(jnp.ones(2), jnp.zeros(2))
        assert "reach" in "".join(caught.value.__notes__)
        solve = ag.argmin(distance, subject_to=[make(norm=norm, centre=jnp.ones(3))])
        with pytest.raises(ValueError, match=r"centre has shape \(3,\), y has \(2,\)"):
            solve(jnp.ones(2), jnp.zeros(2))
