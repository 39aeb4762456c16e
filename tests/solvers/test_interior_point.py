"""The interior point method through `argmin`: how solves end, and what they say about it."""

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest

import argrad as ag

squares = lambda y, x: jnp.sum(y**2)
total = lambda y, x: jnp.sum(y)
LIMIT = ag.inequality(lambda y, x: jnp.sum(y) - 1, name="limit")
DEMAND = ag.inequality(lambda y, x: 3 - jnp.sum(y), name="demand")
CIRCLE = ag.inequality(lambda y, x: y @ y - 1, name="circle")
LINE = ag.equality(lambda y, x: y[0] + y[1] - 5, name="line")
# y₁⁴ − y₁² + 1 + y₂² is at least 3/4.
NOWHERE = ag.inequality(lambda y, x: y[0] ** 4 - y[0] ** 2 + 1 + y[1] ** 2, name="nowhere")


def solution(objective, subject_to, start, x=0.0):
    return ag.argmin(objective, subject_to=subject_to, throw=False).solution(x, start)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("subject_to", "start", "guilty"),
    [
        ([LIMIT, ag.box(-10.0, 10.0), DEMAND], [0.0, 0.0], {"limit", "demand"}),
        ([CIRCLE, LINE], [0.0, 0.0], {"circle", "line"}),
        ([ag.box(-9.0, 9.0, name="box"), NOWHERE], [2.0, 1.0], {"nowhere"}),
    ],
    ids=["linear", "circle and far line", "nonconvex"],
)
def test_what_cannot_be_satisfied_is_called_infeasible_and_named(subject_to, start, guilty, dtype):
    with pytest.raises(ag.SolveError) as raised:
        ag.argmin(squares, subject_to=subject_to)(0.0, jnp.array(start, dtype))
    message = str(raised.value)
    assert "found no point that satisfies the constraints" in message
    steps = int(message.split("iterations ")[1].split(",")[0])
    assert steps <= 40
    named = message.split("(constraints ")[1].split(", iterations")[0]
    assert set(named.split(", ")) == guilty


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_unbounded_is_called_so(dtype):
    found = solution(lambda y, x: -jnp.sum(y), [ag.box(0.0, None)], jnp.zeros(2, dtype))
    assert found.status == ag.Status.unbounded


def test_nan_at_the_start():
    found = solution(
        lambda y, x: jnp.sum(jnp.log(y)), [ag.inequality(lambda y, x: y - 1)], -jnp.ones(2)
    )
    assert found.status == ag.Status.nonfinite_start
    np.testing.assert_array_equal(found.primal, -jnp.ones(2))


def test_equalities_without_a_gradient_at_the_start():
    """∇h is zero at the origin, where the search begins, not at the solution."""
    unit_circle = ag.equality(lambda y, x: y @ y - 1)
    found = solution(lambda y, x: (y[0] - 2) ** 2 + y[1] ** 2, [unit_circle], jnp.zeros(2))
    assert found.status == ag.Status.converged
    np.testing.assert_allclose(found.primal, [1, 0], atol=1e-12)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_the_unit_of_the_objective_does_not_matter(unit):
    found = solution(lambda y, x: unit * jnp.sum((y - 3) ** 2), [ag.box(0.0, 2.0)], jnp.zeros(2))
    assert found.status == ag.Status.converged
    np.testing.assert_allclose(found.primal, 2, rtol=1e-15)
    np.testing.assert_allclose(found.multipliers[0]["upper"], 2 * unit, rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_nonconvex_problems_end_in_local_minima(seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(3, 3))
    objective = lambda y, x: y @ (a + a.T) @ y + jnp.sum(y**4) + 0.1 * y[0]
    saddle_like = ag.inequality(lambda y, x: y[0] * y[1] - y[2] ** 2 - 0.5)
    constraints = [saddle_like, ag.box(-2.0, 2.0)]
    found = solution(objective, constraints, jnp.asarray(rng.normal(size=3)))
    assert found.status == ag.Status.converged
    # No feasible point nearby is lower.
    near = found.primal + 1e-3 * rng.normal(size=(20000, 3))
    feasible = (near[:, 0] * near[:, 1] - near[:, 2] ** 2 <= 0.5) & (abs(near) <= 2).all(1)
    values = jax.vmap(lambda y: objective(y, 0.0))(near[np.asarray(feasible)])
    assert feasible.any()
    assert values.min() > found.value - 1e-12


def test_a_batch_gives_what_each_gives_alone():
    """Different numbers of steps, a NaN and an infeasible problem side by side."""
    constraints = [
        ag.equality(lambda y, x: jnp.sum(y) - 1),
        ag.inequality(lambda y, x: y[0] ** 2 - 0.01 * x),
        ag.box(0.0, None),
    ]
    solve = ag.argmin(
        lambda y, x: jnp.sum((y - x) ** 4) + y @ y, subject_to=constraints, throw=False
    )
    x = jnp.array([2.0, 0.3, jnp.nan, -1.0])
    together = jax.vmap(lambda x: solve.solution(x, jnp.zeros(3)))(x)
    assert together.iterations[0] != together.iterations[1]
    for i, one in enumerate(x):
        alone = solve.solution(one, jnp.zeros(3))
        of_batch = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        assert alone.status == of_batch.status
        assert alone.iterations == of_batch.iterations
        np.testing.assert_allclose(of_batch.primal, alone.primal, rtol=1e-9)
    expected = [ag.Status.converged, ag.Status.converged, ag.Status.nonfinite_start]
    expected.append(ag.Status.infeasible)
    for i, status in enumerate(expected):
        assert jax.tree.map(lambda leaf, i=i: leaf[i], together.status) == status


def test_as_an_optimistix_minimiser_with_a_warm_start():
    rows = lambda y, args: (jnp.array([y[0] - y[1]]), jnp.array([y @ y - 1]))
    nearest = lambda y, args: jnp.sum((y - args) ** 2)
    target = jnp.array([3.0, 4.0])

    def run(y, **options):
        return optx.minimise(
            nearest, ag.InteriorPoint(), y, target, options={"constraints": rows, **options}
        )

    cold = run(jnp.zeros(2))
    np.testing.assert_allclose(cold.value, jnp.sqrt(0.5), rtol=1e-7)
    state = cold.state
    warm = run(cold.value, multipliers=state.multipliers * state.row_scale / state.scale)
    assert warm.stats["num_steps"] < cold.stats["num_steps"] / 2
    with pytest.raises(ValueError, match="constraints"):
        optx.minimise(nearest, ag.InteriorPoint(), jnp.zeros(2), target)
