"""The double loop: where it ends, by which optimiser, and what the warm starts save."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimistix as optx
import pytest

import argrad as ag
from argrad.bilevel import BilevelStatus

EXACT = {
    "default": None,
    "bfgs": optx.BFGS(rtol=1e-9, atol=1e-9),
    "lbfgs": optx.LBFGS(rtol=1e-9, atol=1e-9),
    "nonlinear-cg": optx.NonlinearCG(rtol=1e-10, atol=1e-10),
    "best-so-far": optx.BestSoFarMinimiser(optx.BFGS(rtol=1e-9, atol=1e-9)),
    "newton": ag.Newton(),
    "optax-lbfgs": optax.lbfgs(),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n == "optax-lbfgs" else ()) for n in EXACT],
)
def test_closed_form_optimum_of_a_quadratic_over_a_quadratic(quadratic, rng, name):
    x, y, value = quadratic.solution()
    found = ag.minimise(
        quadratic.bilevel(),
        rng.normal(size=quadratic.p),
        jnp.zeros(quadratic.d),
        *quadratic.data,
        optimiser=EXACT[name],
        max_steps=3000 if name == "nonlinear-cg" else 500,
    )
    # F is flat to second order: an x within 1e-4 has it to 1e-8, and one whose slope is down to a
    # relative 1e-9, as of those that say they converged, to better than 1e-10.
    stops = name not in ("newton", "nonlinear-cg")
    np.testing.assert_allclose(found.value, value, rtol=1e-10 if stops else 1e-8)
    np.testing.assert_allclose(found.x, x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.y, y, rtol=1e-4, atol=1e-5)
    if stops:
        assert found.status == BilevelStatus.converged


def test_ridge_penalties_by_adam_and_by_bfgs_agree_and_are_stationary(ridge, differences):
    start, init = np.zeros(ridge.d), jnp.zeros(ridge.d)
    bfgs = ag.minimise(ridge.bilevel(), start, init, *ridge.data)
    schedule = optax.cosine_decay_schedule(0.3, 1500)
    adam = ag.minimise(
        ridge.bilevel(), start, init, *ridge.data, optimiser=optax.adam(schedule), max_steps=1500
    )
    for found in (bfgs, adam):
        np.testing.assert_allclose(found.value, ridge.pipeline(np.asarray(found.x)), rtol=1e-12)
        assert found.value < ridge.pipeline(start)
        slope = differences(ridge.pipeline, found.x)
        assert np.linalg.norm(slope) < 1e-4 * np.linalg.norm(differences(ridge.pipeline, start))


def test_result_is_the_best_point_and_not_the_last(quadratic):
    points = []
    found = ag.minimise(
        quadratic.bilevel(),
        np.ones(quadratic.p),
        jnp.zeros(quadratic.d),
        *quadratic.data,
        optimiser=optax.sgd(0.9 / quadratic.rho, momentum=0.99),  # overshoots, again and again
        max_steps=40,
        callback=lambda record: points.append((record.value, record.x, record.y)),
    )
    values = [value for value, _, _ in points]
    best = int(np.argmin(values))
    assert best < len(values) - 1
    assert found.value == values[best]
    np.testing.assert_array_equal(found.x, points[best][1])
    np.testing.assert_array_equal(found.y, points[best][2])
    assert found.status == BilevelStatus.max_steps_reached


def test_warm_starts_cut_lower_iterations_and_adjoint_steps(rng):
    """300 weights of a logistic model fitted from nothing at every step, or from the last fit."""
    n, d = 400, 300
    A, V = rng.normal(size=(2, n, d)) / np.sqrt(d)
    w = rng.normal(size=d) * 3
    b, v = (np.sign(M @ w + rng.logistic(size=n)) for M in (A, V))
    data = tuple(map(jnp.asarray, (A, b, V, v)))

    def lower(w, x, A, b, V, v):
        return jnp.sum(jax.nn.softplus(-b * (A @ w))) + 0.5 * jnp.exp(x) * jnp.sum(w**2)

    def upper(w, x, A, b, V, v):
        return jnp.mean(jax.nn.softplus(-v * (V @ w)))

    problem = ag.Bilevel(upper, ag.argmin(lower, solver=ag.Newton(patience=None)))
    options = {"optimiser": optax.adam(0.02), "max_steps": 30}
    run = {
        warm: ag.minimise(problem, -4.0, jnp.zeros(d), *data, warm_start=warm, **options)
        for warm in (True, False)
    }
    np.testing.assert_allclose(run[True].value, run[False].value, rtol=1e-9)
    # Newton is quadratic at the end, so a near start spares it its first steps; conjugate
    # gradients are linear, so it spares them the first of twelve digits.
    assert run[True].lower_iterations < 0.7 * run[False].lower_iterations
    assert run[True].adjoint_steps < 0.92 * run[False].adjoint_steps


def test_one_compilation_serves_a_run_and_the_next_run_with_other_numbers(quadratic):
    traces = []

    def upper(*arguments):
        traces.append(1)
        return quadratic.upper(*arguments)

    problem = ag.Bilevel(upper, ag.argmin(quadratic.lower))
    sizes = []
    for start in (np.ones(quadratic.p), np.zeros(quadratic.p)):
        traces.clear()
        ag.minimise(problem, start, jnp.zeros(quadratic.d), *quadratic.data)
        sizes.append(len(traces))
    assert sizes[0] <= 3  # its shape, its value, and not once for each step
    assert sizes[1] == 1  # its shape


def test_a_scalar_start_written_as_a_float_is_compiled_once():
    traces = []

    def upper(y, x):
        traces.append(1)
        return (y - 1) ** 2

    found = ag.minimise(ag.Bilevel(upper, lambda y, x: (y - 2 * x) ** 2), 3.0, 0.0)
    np.testing.assert_allclose(found.x, 0.5, rtol=1e-12)
    assert len(traces) <= 3


def test_pytrees_above_and_below(rng):
    """x = {a, b}, y = (y1, y2): the optimum puts y on its target exactly."""
    t1, t2 = jnp.asarray(rng.normal(size=(2, 2))), jnp.asarray(rng.normal())

    def lower(y, x):
        return jnp.sum((y[0] - x["a"]) ** 2) + (y[1] - x["b"] ** 3 - x["b"]) ** 2

    def upper(y, x):
        return jnp.sum((y[0] - t1) ** 2) + (y[1] - t2) ** 2

    start = {"a": jnp.zeros((2, 2)), "b": jnp.array(1.0)}
    found = ag.minimise(ag.Bilevel(upper, lower), start, (jnp.zeros((2, 2)), jnp.array(0.0)))
    np.testing.assert_allclose(found.x["a"], t1, atol=1e-6)
    np.testing.assert_allclose(found.x["b"] ** 3 + found.x["b"], t2, atol=1e-6)
    assert jax.tree.structure(found.y) == jax.tree.structure((0, 0))


def test_a_line_search_turns_down_points_where_the_lower_problem_has_no_solution():
    """The lower curvature is x: the first full step of BFGS lands where it is negative."""
    lower = ag.argmin(lambda y, x: 0.5 * x * y**2 - y)  # y* = 1/x for x > 0, else none
    problem = ag.Bilevel(lambda y, x: (y - 4.0) ** 2, lower)
    found = ag.minimise(problem, 1.0, 0.5)
    refused = ~found.history["accepted"]
    assert np.isinf(found.history["value"][refused]).any()
    assert found.status == BilevelStatus.converged
    np.testing.assert_allclose(found.x, 0.25, rtol=1e-6)


def test_an_external_lower_level(ridge, differences):
    def by_numpy(x, init, A, b, V, v):
        return np.linalg.solve(A.T @ A + np.diag(np.exp(x)), A.T @ b)

    lower = ag.implicit(by_numpy, ag.stationarity(ridge.lower), host=True)
    problem = ag.Bilevel(ridge.upper, lower)
    external = ag.minimise(problem, np.zeros(ridge.d), jnp.zeros(ridge.d), *ridge.data)
    own = ag.minimise(ridge.bilevel(), np.zeros(ridge.d), jnp.zeros(ridge.d), *ridge.data)
    np.testing.assert_allclose(external.value, own.value, rtol=1e-8)


def test_a_truncated_iteration_starts_at_init_every_time(quadratic):
    """What is minimised with Unrolled is a function of x, so each value must repeat."""
    descent = optx.GradientDescent(0.05, rtol=1e-9, atol=1e-9)
    problem = quadratic.bilevel(solver=descent, adjoint=ag.Unrolled(5))
    init = jnp.ones(quadratic.d)
    found = ag.minimise(problem, np.zeros(quadratic.p), init, *quadratic.data)
    np.testing.assert_allclose(found.value, problem(found.x, init, *quadratic.data), rtol=1e-12)
    slope = jax.grad(problem)(found.x, init, *quadratic.data)
    assert jnp.linalg.norm(slope) < 1e-6


def test_float32_throughout():
    one = jnp.float32(1.0)
    found = ag.minimise(
        ag.Bilevel(lambda y, x: (y - 1) ** 2 + x**2, lambda y, x: (y - 2 * x) ** 2), one, one
    )
    assert found.x.dtype == found.y.dtype == jnp.float32
    np.testing.assert_allclose(found.x, 0.4, rtol=1e-4)
    assert found.status == BilevelStatus.converged
