"""Solutions of composite problems and their derivatives, against closed forms on the support."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Lasso
from sklearn.svm import LinearSVC

import argrad as ag
from argrad.solvers import composite, reduced, working_set


def squares(y, x, X, b):
    return jnp.sum((X @ y - b) ** 2) / (2 * b.size)


def design(rng, n, d, k=5):
    X = rng.normal(size=(n, d))
    X[:, 1:] += 0.5 * X[:, :-1]
    truth = np.zeros(d)
    truth[rng.choice(d, k, replace=False)] = rng.choice([-2, -1, 1, 2], k)
    return X, X @ truth + 0.3 * rng.normal(size=n)


weighted = ag.argmin(squares, nonsmooth=ag.prox.l1(lambda x, *data: jnp.exp(x)))


def lasso_jacobian(X, y, x):
    """d y* / d log w of the weighted lasso: −(X_SᵀX_S / n)⁻¹ diag(w_S sign y_S) on the support."""
    S = np.flatnonzero(y)
    hessian = X[:, S].T @ X[:, S] / len(X)
    exact = np.zeros((y.size, y.size))
    exact[np.ix_(S, S)] = -np.linalg.inv(hessian) * (np.sign(y[S]) * np.exp(x[S]))
    return exact


def test_weighted_lasso_in_every_mode(rng):
    X, b = design(rng, 50, 100, 8)  # more than the smallest size: on working sets
    x = np.log(0.1) + rng.uniform(-0.3, 0.3, 100)
    y = np.asarray(weighted(x, np.zeros(100), X, b))
    w = np.exp(x)
    found = Lasso(1.0, fit_intercept=False, tol=1e-14, max_iter=100000).fit(X / w, b)
    np.testing.assert_allclose(y, found.coef_ / w, atol=1e-6)
    assert 0 < np.sum(y != 0) < 50
    exact = lasso_jacobian(X, y, x)
    solve = lambda x: weighted(x, np.zeros(100), X, b)
    for jacobian in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(jacobian(solve)(x), exact, atol=1e-9 * np.abs(exact).max())


def test_second_derivatives_of_the_lasso_are_those_on_the_support(rng, central_difference):
    X, b = design(rng, 30, 10)
    solve = lambda t: weighted(t * jnp.ones(10), np.zeros(10), X, b)
    slope = jax.jacfwd(solve)
    t = np.log(0.2)
    second = jax.jacfwd(slope)(t)
    np.testing.assert_allclose(second, slope(t), atol=1e-9)  # y is affine in e^t
    np.testing.assert_allclose(
        np.asarray(slope(t)), central_difference(lambda t: solve(t[0]), [t])[:, 0], atol=1e-8
    )


def test_derivatives_by_the_data(rng, central_difference):
    X, b = design(rng, 20, 6)
    solve = ag.argmin(
        lambda y, x: jnp.sum((X @ y - x) ** 2) / 40, nonsmooth=ag.prox.elastic_net(0.1, 0.2)
    )
    found = solve(b, np.zeros(6))
    other = ElasticNet(0.3, l1_ratio=1 / 3, fit_intercept=False, tol=1e-12).fit(X, b)
    np.testing.assert_allclose(found, other.coef_, atol=1e-7)
    exact = central_difference(lambda b: solve(b, np.zeros(6)), b)
    np.testing.assert_allclose(jax.jacobian(solve)(b, np.zeros(6)), exact, atol=1e-8)


def test_group_lasso_on_its_groups(rng):
    d, size = 40, 4
    X, b = design(rng, 60, d, 6)
    groups = np.arange(d) // size
    term = ag.prox.group_lasso(lambda x, *data: x, groups)
    solve = ag.argmin(squares, nonsmooth=term)
    x = rng.uniform(0.3, 0.5, d // size)
    y = np.asarray(solve(x, np.zeros(d), X, b))
    present = [g for g in range(d // size) if np.any(y[groups == g])]
    S = np.isin(groups, present)
    assert 0 < len(present) < d // size
    hessian = X[:, S].T @ X[:, S] / len(X)
    right = np.zeros((S.sum(), d // size))
    for i, g in enumerate(present):
        rows = slice(i * size, (i + 1) * size)
        v = y[groups == g]
        norm = np.linalg.norm(v)
        hessian[rows, rows] += x[g] / norm * (np.eye(size) - np.outer(v, v) / norm**2)
        right[rows, g] = -v / norm
    exact = np.zeros((d, d // size))
    exact[S] = np.linalg.solve(hessian, right)
    for jacobian in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(jacobian(solve)(x, np.zeros(d), X, b), exact, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lasso", "group lasso"])
def test_ten_thousand_variables(kind, rng):
    """A derivative forwards and one backwards against the closed form on the support."""
    n, d, size = 300, 10_000, 4
    X, b = design(rng, n, d, 8)
    if kind == "lasso":
        solve, x = weighted, np.log(0.3) + rng.uniform(-0.2, 0.2, d)
    else:
        groups = np.arange(d) // size
        solve = ag.argmin(squares, nonsmooth=ag.prox.group_lasso(lambda x, *data: x, groups))
        x = rng.uniform(0.5, 0.8, d // size)
    function = lambda x: solve(x, jnp.zeros(d), X, b)
    y, pull = jax.vjp(function, jnp.asarray(x))
    y = np.asarray(y)
    if kind == "lasso":
        S = T = np.flatnonzero(y)
        bend, right = np.zeros((S.size, S.size)), np.diag(-np.sign(y[S]) * np.exp(x[S]))
    else:
        T = np.unique(groups[y != 0])
        S = np.flatnonzero(np.isin(groups, T))
        bend, right = np.zeros((S.size, S.size)), np.zeros((S.size, T.size))
        for i, g in enumerate(T):
            rows, v = slice(i * size, (i + 1) * size), y[groups == g]
            norm = np.linalg.norm(v)
            bend[rows, rows] = x[g] / norm * (np.eye(size) - np.outer(v, v) / norm**2)
            right[rows, i] = -v / norm
    assert 0 < S.size < n
    block = np.linalg.solve(X[:, S].T @ X[:, S] / n + bend, right)
    tangent, cotangent = rng.normal(size=x.size), rng.normal(size=d)
    _, pushed = jax.jvp(function, (jnp.asarray(x),), (jnp.asarray(tangent),))
    forward, backward = np.zeros(d), np.zeros(x.size)
    forward[S], backward[T] = block @ tangent[T], cotangent[S] @ block
    np.testing.assert_allclose(pushed, forward, atol=1e-9 * np.abs(forward).max())
    (back,) = pull(jnp.asarray(cotangent))
    np.testing.assert_allclose(back, backward, atol=1e-9 * np.abs(backward).max())


tv = ag.argmin(
    lambda y, x: jnp.sum((y - x["signal"]) ** 2) / 2,
    nonsmooth=ag.prox.total_variation(lambda x: x["weight"]),
)


@pytest.mark.parametrize("d", [60, pytest.param(10000, marks=pytest.mark.slow)])
def test_the_jacobian_of_total_variation_is_the_projection_on_segments(d, rng):
    level = np.cumsum(rng.normal(size=d) * (rng.random(d) < 5 / d) * 5)
    x = {"signal": jnp.asarray(level + rng.normal(size=d)), "weight": jnp.asarray(3.0)}
    solve = lambda x: tv(x, jnp.zeros(d))
    y, pull = jax.vjp(solve, x)
    jumps = np.sign(np.diff(y))
    segment = np.concatenate([[0], np.cumsum(jumps != 0)])
    lengths = np.bincount(segment)
    mean = lambda v: (np.bincount(segment, v) / lengths)[segment]
    tangent = jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape)), x)
    _, pushed = jax.jvp(solve, (x,), (tangent,))
    pressed = np.append(jumps, 0) - np.append(0, jumps)
    exact = mean(tangent["signal"] + pressed * float(tangent["weight"]))
    np.testing.assert_allclose(pushed, exact, atol=1e-9)
    cotangent = rng.normal(size=d)
    (back,) = pull(jnp.asarray(cotangent))
    np.testing.assert_allclose(back["signal"], mean(cotangent), atol=1e-9)
    np.testing.assert_allclose(back["weight"], mean(cotangent) @ pressed, atol=1e-8)


def test_box_and_simplex_agree_with_the_constraints(rng):
    A = rng.normal(size=(6, 6))
    A = A @ A.T + np.eye(6)
    loss = lambda y, x: y @ A @ y / 2 - x @ y
    x, init = rng.normal(0, 4, 6), np.full(6, 1 / 6)
    cases = {
        (ag.prox.box(lambda x: -1 - x[0] / 20, 0.5), ag.box(lambda x: -1 - x[0] / 20, 0.5)),
        (ag.prox.simplex(), ag.simplex()),
    }
    for term, constraint in cases:
        mine = ag.argmin(loss, nonsmooth=term)
        other = ag.argmin(loss, subject_to=[constraint])
        np.testing.assert_allclose(mine(x, init), other(x, init), atol=1e-10)
        np.testing.assert_allclose(
            jax.jacobian(mine)(x, init), jax.jacobian(other)(x, init), atol=1e-10
        )
        # By the envelope theorem, with the force on the lower bound, which moves with x.
        y = mine(x, init)
        slope = -np.asarray(y)
        if term.name == "box":
            force = np.where(np.isclose(y, -1 - x[0] / 20), A @ y - x, 0)
            slope[0] -= np.sum(force) / 20
        np.testing.assert_allclose(jax.grad(ag.value(mine))(x, init), slope, atol=1e-10)


def test_a_support_vector_machine_by_its_dual(rng, central_difference):
    X = rng.normal(size=(40, 3))
    s = np.sign(X[:, 0] + 0.7 * rng.normal(size=40))
    rows = s[:, None] * X
    half = lambda a, logC: jnp.sum((a @ rows) ** 2) / 2 + 0.05 * a @ a
    solve = ag.argmin(half, nonsmooth=ag.prox.hinge(lambda x: jnp.exp(x)).dual())
    weights = lambda logC: solve(logC, np.zeros(40)) @ rows
    # liblinear has no ridge in its dual; with next to none the weights are its own.
    plain = ag.argmin(
        lambda a, C: jnp.sum((a @ rows) ** 2) / 2 + 1e-9 * a @ a,
        nonsmooth=ag.prox.hinge(lambda C: C).dual(),
    )
    other = LinearSVC(C=0.5, loss="hinge", fit_intercept=False, tol=1e-10, max_iter=10**6)
    np.testing.assert_allclose(plain(0.5, np.zeros(40)) @ rows, other.fit(X, s).coef_[0], atol=1e-5)
    exact = central_difference(lambda t: weights(t[0]), [np.log(0.5)])[:, 0]
    np.testing.assert_allclose(jax.jacfwd(weights)(np.log(0.5)), exact, atol=1e-7)


def test_logistic_loss_and_mcp_move_as_differences_say(rng, central_difference):
    X, b = design(rng, 80, 8, 3)
    signs = np.sign(b)
    logistic = lambda y, x: jnp.mean(jax.nn.softplus(-signs * (X @ y)))
    for term in (ag.prox.l1(lambda x: jnp.exp(x)), ag.prox.mcp(lambda x: jnp.exp(x), 100.0)):
        solve = ag.argmin(logistic, nonsmooth=term)
        x = np.log(np.full(8, 0.05))
        exact = central_difference(lambda x: solve(x, np.zeros(8)), x)
        np.testing.assert_allclose(jax.jacobian(solve)(x, np.zeros(8)), exact, atol=1e-7)


def test_more_directions_than_are_factorised(rng, monkeypatch):
    # Small sizes stand for large ones: conjugate gradients on the support.
    for module in (reduced, composite, working_set):
        monkeypatch.setattr(module, "sizes", lambda d: (4,))
    X, b = design(rng, 60, 20, 8)
    x = np.full(20, np.log(0.02))
    solve = ag.argmin(squares, nonsmooth=ag.prox.l1(lambda x, *data: jnp.exp(x)))
    y = np.asarray(solve(x, np.zeros(20), X, b))
    assert np.sum(y != 0) > 4
    exact = lasso_jacobian(X, y, x)
    np.testing.assert_allclose(
        jax.jacrev(solve)(x, np.zeros(20), X, b), exact, atol=1e-8 * np.abs(exact).max()
    )


def test_a_batch_has_a_status_and_a_support_each(rng):
    b = np.array([[3.0, -1.0, 0.25], [0.1, 0.2, 0.3], [np.nan, 0.0, 1.0]])
    solve = ag.argmin(
        lambda y, x: jnp.sum((y - x) ** 2) / 2, nonsmooth=ag.prox.l1(0.5), throw=False
    )
    found = jax.vmap(lambda x: solve.solution(x, jnp.zeros(3)))(b)
    assert [bool(s) for s in found.status == ag.Status.converged] == [True, True, False]
    np.testing.assert_allclose(found.primal[:2], [[2.5, -0.5, 0], [0, 0, 0]])
    slopes = jax.vmap(jax.jacobian(lambda x: solve(x, jnp.zeros(3))))(b)
    np.testing.assert_allclose(slopes[:2], [np.diag([1, 1, 0]), np.zeros((3, 3))], atol=1e-12)
    assert np.all(np.isnan(slopes[2]))


def test_kinks_are_refused_and_called_one_sided():
    solve = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2) / 2, nonsmooth=ag.prox.l1(1.0))
    x = jnp.array([3.0, 1.0])  # the second is about to enter
    np.testing.assert_allclose(solve(x, jnp.zeros(2)), [2.0, 0.0], atol=1e-12)
    assert solve.solution(x, jnp.zeros(2)).status == ag.Status.kink
    with pytest.raises(Exception, match=r"kink.*l1\[1\]"):
        jax.jacobian(solve)(x, jnp.zeros(2))
    assert ag.check(solve, x, jnp.zeros(2)).verdict == "one-sided"
    assert ag.check(solve, jnp.array([3.0, 0.5]), jnp.zeros(2)).verdict == "valid"
    merging = {"signal": jnp.array([0.0, 0.0, 3.0, 3.0]), "weight": jnp.array(3.0)}
    assert tv.solution(merging, jnp.zeros(4)).status == ag.Status.kink
    assert ag.check(tv, merging, jnp.zeros(4)).verdict == "one-sided"


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"subject_to": [ag.box(0.0, 1.0)]}, ValueError, "do not go together"),
        ({"solver": ag.Newton()}, ValueError, "leave the solver out"),
        ({"adjoint": ag.Unrolled(5)}, ValueError, "nonsmooth terms"),
        ({"nonsmooth": abs}, TypeError, "argrad.prox"),
    ],
)
def test_what_does_not_go_with_a_nonsmooth_term(more, error, said):
    with pytest.raises(error, match=said):
        ag.argmin(lambda y, x: y**2, **{"nonsmooth": ag.prox.l1(1.0), **more})


@pytest.mark.parametrize("term", [ag.prox.l1(lambda x: x**2), ag.prox.simplex(lambda x: x)])
def test_of_a_maximum_the_term_is_a_cost(rng, term):
    X, b = design(rng, 12, 4, 3)
    fit = lambda y, x: jnp.sum((X @ y - b * x) ** 2) / 24
    lowest = ag.argmin(fit, nonsmooth=term)
    highest = ag.argmax(lambda y, x: -fit(y, x), nonsmooth=term)
    z = jnp.full(4, 0.25)
    for change in (lambda f: f, jax.jacfwd, lambda f: jax.jacfwd(jax.jacrev(f))):
        np.testing.assert_allclose(change(lowest)(0.7, z), change(highest)(0.7, z), atol=1e-10)
    for change in (lambda f: f, jax.grad, lambda f: jax.grad(jax.grad(f))):
        low, high = change(ag.value(lowest))(0.7, z), change(ag.value(highest))(0.7, z)
        np.testing.assert_allclose(low, -high, rtol=1e-9)


def test_negative_weights_at_run_time_are_no_solution():
    solve = ag.argmin(lambda y, x: jnp.sum(y**2), nonsmooth=ag.prox.l1(lambda x: x))
    with pytest.raises(Exception, match="NaN"):
        solve(-1.0, jnp.ones(2))


@pytest.mark.parametrize("term", [ag.prox.hinge, ag.prox.squared_hinge])
def test_dual_variables_of_weight_zero(term, rng):
    """Some would enter with their weight, others would not."""
    rows = rng.uniform(0.5, 1.0, size=(12, 3)) * np.repeat([1, 20, -1], (6, 3, 3))[:, None]
    half = lambda a, w: jnp.sum((a @ rows) ** 2) / 2
    solve = ag.argmin(lambda a, w: half(a, w) + 0.5 * a @ a, nonsmooth=term(lambda w: w).dual())
    w = np.append(rng.uniform(0.5, 1.0, 6), np.zeros(6))
    jacobian = np.asarray(jax.jacobian(solve)(w, np.zeros(12)))
    for j in range(12):
        moved = lambda h, j=j: solve(w + h * np.eye(12)[j], np.zeros(12)) - solve(w, np.zeros(12))
        difference = (4 * moved(5e-5) - moved(1e-4)) / 1e-4
        np.testing.assert_allclose(jacobian[:, j], difference, atol=1e-6)
    np.testing.assert_allclose(jacobian[6:9], 0, atol=1e-12)
    assert np.all(np.diag(jacobian)[9:] > 0.9)
