"""Constraints that cannot be met, contradict each other or lead to no minimum: named errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag

S = ag.Status


def around(centre, name, radius=1.0):
    return ag.inequality(lambda y, x: (y - centre) @ (y - centre) - radius**2 + 0 * x, name=name)


fine = ag.box(-9.0, 9.0, name="fine")
EMPTY = {
    "disks apart": ([around(np.zeros(2), "left"), fine, around(np.array([3.0, 0]), "right")]),
    "a disk beside a line": (
        [
            around(np.zeros(2), "left"),
            fine,
            ag.equality(lambda y, x: y[0] + y[1] - 2 - x, name="right"),
        ]
    ),
    "a simplex out of reach": (
        [
            ag.simplex(1.0, name="left"),
            fine,
            ag.inequality(lambda y, x: 1 + x - y[0] - y[1], name="right"),
        ]
    ),
}


@pytest.mark.parametrize("rows", EMPTY.values(), ids=EMPTY)
def test_an_empty_set_is_told_by_the_constraints_that_conflict(rows):
    solve = ag.argmin(lambda y, x: (y - x) @ (y - x), subject_to=rows)
    with pytest.raises(ag.SolveError, match="no point that satisfies the constraints") as caught:
        solve(0.5, jnp.array([0.4, 0.3]))
    named = str(caught.value).split("(constraints ")[1]
    assert "left" in named
    assert "right" in named
    assert "fine" not in named


def test_in_a_batch_the_empty_ones_are_a_status_and_nan():
    """Between x and 1."""
    rows = [ag.inequality(lambda y, x: x - y, name="floor"), ag.box(None, 1.0)]
    solve = ag.argmin(lambda y, x: y**2 + x * y, subject_to=rows, throw=False)

    def both(x):
        slope, solution = jax.grad(
            lambda x: (lambda found: (found.primal, found))(solve.solution(x, 0.3)), has_aux=True
        )(x)
        return slope, solution.primal, solution.status

    slopes, y, status = jax.jit(jax.vmap(both))(jnp.array([0.5, 1.5, -0.5, 7.0]))
    np.testing.assert_array_equal(status == S.infeasible, [False, True, False, True])
    np.testing.assert_allclose(y[::2], [0.5, 0.25], atol=1e-12)
    np.testing.assert_allclose(slopes[::2], [1, -0.5], atol=1e-12)
    assert np.isnan(slopes[1::2]).all()


def test_a_saddle_on_the_constraints_is_no_minimum():
    """y₂⁴ − y₂² falls to both sides of the line y₂ = 0, on which a symmetric start stays."""
    rows = [ag.equality(lambda y, x: y[0] - x, name="line")]
    solve = ag.argmin(lambda y, x: y[1] ** 4 - y[1] ** 2 + y[0] ** 2, subject_to=rows)
    with pytest.raises(ag.SolveError, match="indefinite: a saddle point"):
        solve(1.0, jnp.zeros(2))
    np.testing.assert_allclose(solve(1.0, jnp.array([0.0, 0.1])), [1, 0.5**0.5], rtol=1e-12)


def test_a_bound_may_hold_what_would_be_a_saddle():
    """y₁² − y₂² at y₂ = 0 is one, and at the ends of an interval it is not."""
    solve = ag.argmin(lambda y, x: y[0] ** 2 - y[1] ** 2, subject_to=[ag.box(-1.0, lambda x: x)])
    y, slope = jax.jit(lambda x: (solve(x, x / 2), jax.jacobian(solve)(x, x / 2)))(jnp.full(2, 2.0))
    np.testing.assert_allclose(y, [0, 2], atol=1e-12)
    np.testing.assert_allclose(slope, [[0, 0], [0, 1]], atol=1e-12)


def test_an_objective_without_bound_on_the_feasible_side():
    solve = ag.argmin(lambda y, x: -y[0] - x * y[1], subject_to=[ag.box(0.0, None)])
    with pytest.raises(ag.SolveError, match="ran away"):
        solve(1.0, jnp.ones(2))


def test_a_constraint_without_y():
    idle = ag.inequality(lambda y, x: x - 1, name="idle")
    solve = ag.argmin(lambda y, x: y**2, subject_to=[ag.box(0.0, None), idle])
    with pytest.raises(ValueError, match="'idle' does not depend on y"):
        solve(1.0, 1.0)


def test_rows_whose_shapes_do_not_go_together():
    away = ag.inequality(lambda y, x: y - x, name="away")
    solve = ag.argmin(lambda y, x: y @ y, subject_to=[fine, away])
    with pytest.raises((TypeError, ValueError), match=r"shape") as caught:
        solve(jnp.ones(3), jnp.ones(2))
    assert "the constraint 'away'" in "".join(caught.value.__notes__)


def test_nan_in_the_parameters_is_traced_to_the_constraint_that_meets_it():
    rows = [fine, ag.equality(lambda y, x: y[0] - x, name="pin")]
    solve = ag.argmin(lambda y, x: y @ y, subject_to=rows)
    with pytest.raises(ag.SolveError, match=r"could not start.*\(constraints pin"):
        solve(jnp.nan, jnp.ones(2))
    with pytest.raises(Exception, match=r"could not start.*\(constraints pin"):
        jax.block_until_ready(jax.jit(jax.jacobian(solve))(jnp.nan, jnp.ones(2)))
