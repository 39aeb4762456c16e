"""One-sided derivatives at the kinks of nonsmooth terms, against differences and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag

D = 9


def rising(x, *data):
    return x["w"]


def quadratic(y, x, A):
    return y @ A @ y / 2 - x["b"] @ y


def solver(term):
    return ag.argmin(quadratic, nonsmooth=term)


# Of each term: solver, and from random numbers a solution y with a force u = b − A y in ∂g(y) that
# is at a kink in some parts (the last of each kind), and the parameters w.


def l1_like(rng, squares=0.0, curve=0.0):
    """Two parts of each of: moving, held, at a kink that may go up, at one that may go down."""
    w, s = rng.uniform(0.5, 1.5, D), rng.choice([-1.0, 1.0], D)
    y, u = s * rng.uniform(0.2, 0.8, D), w * s
    y[3:] = 0
    u[3:5] *= rng.uniform(0, 0.9, 2)
    return y, u + squares * y - curve * y, w


def boxed(rng, lower=-1.0, upper=2.0, slope=0.0):
    w = rng.uniform(0.5, 1.5, D)
    low, high = lower * w, upper * w
    y = low + rng.uniform(0.2, 0.8, D) * (high - low)
    u = np.zeros(D)
    y[3:6], y[6:] = low[3:6], high[6:]
    u[3], u[6] = -rng.uniform(0.2, 1), rng.uniform(0.2, 1)
    return y, u + slope, w


def hinged(rng):
    w, y = rng.uniform(0.5, 1.5, D), np.ones(D)
    y[:2] -= rng.uniform(0.2, 1, 2)
    y[2:4] += rng.uniform(0.2, 1, 2)
    u = -w * np.array([1, 1, 0, 0, 0.3, 0, 0, 1, 1])
    return y, u, w


def squared_hinged(rng):
    w, y = rng.uniform(0.5, 1.5, D), np.ones(D)
    y[:3] -= rng.uniform(0.2, 1, 3)
    y[3:5] += rng.uniform(0.2, 1, 2)
    return y, -2 * w * np.maximum(0, 1 - y), w


def squared_hinge_dual(rng):
    w = rng.uniform(0.5, 1.5, D)
    a = np.where(np.arange(D) < 4, rng.uniform(0.2, 1, D), 0)
    u = a / (2 * w) - 1
    u[4:6] -= rng.uniform(0.2, 1, 2)
    return a, u, w


def concave(rng):
    y, u, w = l1_like(rng, curve=1 / 8)
    s = rng.choice([-1.0, 1.0], 3)
    y[2], u[2] = 10 * w[2], 0  # flat
    y[7:], u[7:] = s[1:] * 8 * w[7:], 0  # at the knot
    return y, u, w


def on_simplex(rng):
    y = np.where(np.arange(D) < 4, rng.uniform(0.2, 1, D), 0)
    u = np.full(D, rng.normal())
    u[4:6] -= rng.uniform(0.2, 1, 2)
    return y, u, np.sum(y)


def segments(rng):
    s = np.array([0.4, 1, -1, 1, -0.2, -1, 1, 1])
    jump = np.array([0, 2, 0, 0, 0, -1.0, 0, 1])
    w = rng.uniform(0.5, 1.5, D - 1)
    pressed = w * s
    return (
        np.append(0, np.cumsum(jump)) + rng.normal(),
        np.append(0, pressed) - np.append(pressed, 0),
        w,
    )


GROUPS = np.arange(D) // 2


def grouped(rng):
    w, v = rng.uniform(0.5, 1.5, GROUPS[-1] + 1), rng.normal(size=D)
    unit = v / np.sqrt(np.bincount(GROUPS, v**2))[GROUPS]
    y = np.where(GROUPS < 2, unit * rng.uniform(0.5, 2, GROUPS[-1] + 1)[GROUPS], 0)
    return y, w[GROUPS] * unit * np.where(GROUPS == 2, 0.6, 1), w


CASES = {
    "l1": (ag.prox.l1(rising), l1_like),
    "elastic_net": (ag.prox.elastic_net(rising, 0.5), lambda rng: l1_like(rng, squares=0.5)),
    "group_lasso": (ag.prox.group_lasso(rising, GROUPS), grouped),
    "total_variation": (ag.prox.total_variation(rising), segments),
    "box": (ag.prox.box(lambda x, A: -x["w"], lambda x, A: 2 * x["w"]), boxed),
    "simplex": (ag.prox.simplex(rising), on_simplex),
    "mcp": (ag.prox.mcp(rising, 8.0), concave),
    "hinge": (ag.prox.hinge(rising), hinged),
    "squared_hinge": (ag.prox.squared_hinge(rising), squared_hinged),
    "hinge.dual": (ag.prox.hinge(rising).dual(), lambda rng: boxed(rng, 0.0, 1.0, slope=-1.0)),
    "squared_hinge.dual": (ag.prox.squared_hinge(rising).dual(), squared_hinge_dual),
}


@pytest.mark.parametrize("name", CASES)
def test_one_sided_differences(name, rng):
    """A quadratic loss that couples all parts, and every parameter moving."""
    term, make = CASES[name]
    solve = solver(term)
    for _ in range(3):
        A = rng.normal(size=(D, 3 * D))
        A = A @ A.T / D
        y, u, w = make(rng)
        x = {"b": jnp.asarray(A @ y + u), "w": jnp.asarray(w)}
        assert solve.solution(x, y, A).status == ag.Status.kink
        side = {
            "b": jnp.asarray(rng.normal(size=D)),
            "w": jnp.asarray(rng.normal(size=np.shape(w))),
        }
        for sign in (1.0, -1.0):
            along = jax.tree.map(lambda d, sign=sign: sign * d, side)
            found = ag.directional(solve, x, along, y, A)

            def moved(h, along=along):
                at = jax.tree.map(lambda a, d: a + h * d, x, along)
                return np.asarray(solve(at, y, A)) - y

            h = 1e-4
            expected = (4 * moved(h / 2) - moved(h)) / h
            np.testing.assert_allclose(found, expected, atol=1e-6 * (1 + np.abs(expected).max()))


def test_soft_thresholds_of_a_maximum_and_pytrees():
    """max −½ (y − b)² − w |y| is at b less w, and at 0 between −w and w."""
    gap = lambda y, x: jnp.sum((y["many"] - x["b"]) ** 2) + (y["one"] - x["b"][0]) ** 2
    solve = ag.argmax(lambda y, x: -gap(y, x) / 2, nonsmooth=ag.prox.l1(rising))
    x = {"b": jnp.array([1.0, -1.0, 3.0, 0.2]), "w": jnp.array(1.0)}
    init = {"many": jnp.zeros(4), "one": 0.0}
    for b, w, expected in (
        ([2, 2, 2, 2], 0.5, [1.5, 0, 1.5, 0]),
        ([-2, -2, 2, 2], 0.5, [0, -1.5, 1.5, 0]),
        ([0.2, 0, 0, 0], 0.5, [0, 0, -0.5, 0]),
        ([0, 0, 0, 0], -0.5, [0.5, -0.5, 0.5, 0]),
    ):
        found = ag.directional(solve, x, {"b": jnp.array(b, float), "w": jnp.array(w)}, init)
        np.testing.assert_allclose(found["many"], expected, atol=1e-14)
        np.testing.assert_allclose(found["one"], expected[0], atol=1e-14)
    # At a kink to which no side leads, beside no kink, and of the value.
    beside = x | {"b": jnp.array([2.0, -0.5, 3.0, 0.2])}
    side = {"b": jnp.arange(4.0), "w": jnp.array(1.0)}
    found = ag.directional(solve, beside, side, init)
    np.testing.assert_allclose(found["many"], [-1, 0, 1, 0], atol=1e-14)
    of_value = ag.directional(ag.value(solve), x, side, init)
    np.testing.assert_allclose(of_value, 1 - 2 - 0.2 * 3 - 2, atol=1e-12)


def test_a_bound_that_moves_at_zero():
    """The nearest y >= w to b, where b is on the bound."""
    solve = ag.argmin(lambda y, x: jnp.sum((y - x["b"]) ** 2), nonsmooth=ag.prox.box(rising))
    x = {"b": jnp.array([0.0, 0.0, -1.0, 2.0]), "w": jnp.array(0.0)}
    for w in (0.0, 1.0, -1.0):
        side = {"b": jnp.array([0.5, -0.5, 3.0, 3.0]), "w": jnp.array(w)}
        expected = [max(0.5, w), max(-0.5, w), w, 3]
        found = ag.directional(solve, x, side, jnp.zeros(4))
        np.testing.assert_allclose(found, expected, atol=1e-14)


def test_a_solution_that_only_its_kink_holds(rng):
    """Of two equal columns either may enter: no derivative to any side."""
    X = rng.normal(size=(3 * D, D))
    X[:, 1] = X[:, 0]
    A = X.T @ X / D
    y, u = np.zeros(D), np.append([1.0, 1.0], rng.uniform(-0.9, 0.9, D - 2))
    x = {"b": jnp.asarray(A @ y + u), "w": jnp.ones(D)}
    with pytest.raises(ag.SolveError, match="not unique"):
        ag.directional(solver(CASES["l1"][0]), x, x, y, A)


def entering(rng, count):
    """A matrix of rank one and a force in w ∂‖M‖ with `count` singular values about to enter."""
    left, right = (np.linalg.qr(rng.normal(size=(k, k)))[0] for k in (4, 3))
    w = rng.uniform(0.5, 1.5)
    M = rng.uniform(0.5, 2) * np.outer(left[:, 0], right[:, 0])
    forces = w * np.where(np.arange(3) <= count, 1, 0.4)
    return M, (left[:, :3] * forces) @ right.T, w


def coupled(y, x, A):
    return y.ravel() @ A @ y.ravel() / 2 - jnp.sum(x["b"] * y)


MATRIX = ag.argmin(coupled, nonsmooth=ag.prox.nuclear_norm(rising))


def test_a_singular_value_that_enters(rng):
    for _ in range(2):
        A = rng.normal(size=(12, 36))
        A = A @ A.T / 12
        M, force, w = entering(rng, 1)
        x = {"b": jnp.asarray((A @ M.ravel()).reshape(4, 3) + force), "w": jnp.asarray(w)}
        side = {"b": jnp.asarray(rng.normal(size=(4, 3))), "w": jnp.asarray(rng.normal())}
        for sign in (1.0, -1.0):
            along = jax.tree.map(lambda d, sign=sign: sign * d, side)
            found = ag.directional(MATRIX, x, along, M, A)

            def moved(h, along=along, x=x, M=M, A=A):
                at = jax.tree.map(lambda a, d: a + h * d, x, along)
                return np.asarray(MATRIX(at, M, A)) - M

            h = 1e-5
            expected = (4 * moved(h / 2) - moved(h)) / h
            np.testing.assert_allclose(found, expected, atol=1e-6 * (1 + np.abs(expected).max()))


def test_singular_values_that_enter_together(rng):
    M, force, w = entering(rng, 2)
    x = {"b": jnp.asarray(M + force), "w": jnp.asarray(w)}
    with pytest.raises(ag.SolveError, match="several singular values are about to enter"):
        ag.directional(MATRIX, x, x, M, np.eye(12))
