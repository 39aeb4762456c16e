"""Paths of solutions, against closed forms and the solutions of all sets of active rows."""

import contextlib
import math

import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag

from ..parametric import known
from ..test_parametric_sweep import subject_to
from .programme import as_arrays, data, enumerated, programme, random, start


def follow(problem, p0, p1):
    solve = ag.argmin(problem.objective, subject_to=subject_to(problem).values())
    return ag.path(solve, jnp.array(p0), jnp.array(p1), jnp.array(problem.start))


def test_ganesh_and_biegler_as_published():
    """By p₁ from 5 to 4.5 a bound becomes active at 63/13."""
    followed = follow(known.ganesh_biegler, (5.0, 1.0), (4.5, 1.0))
    first, second = followed.segments
    np.testing.assert_allclose(first.primal, known.GANESH_BIEGLER_Y, rtol=1e-13)
    np.testing.assert_allclose(
        first.slope, -0.5 * np.array(known.GANESH_BIEGLER_BY_FIRST), atol=1e-14
    )
    np.testing.assert_allclose(followed.breakpoints, [4 / 13], rtol=1e-13)
    assert (first.active, first.change) == ((), "box.lower[2] becomes active")
    np.testing.assert_allclose(second.slope, [-1 / 6, 1 / 6, 0], atol=1e-13)
    assert (second.active, second.change) == (("box.lower[2]",), "the end")
    np.testing.assert_allclose(followed.end.primal, [0.5, 0.5, 0], atol=1e-14)
    assert followed.drift < 1e-14
    assert followed.valid == (1.0, pytest.approx(4 / 13, rel=1e-13))


class TestSine:
    """The bound y₁ <= ½ holds sin p back from π/6 to 5π/6."""

    def test_its_changes_are_located_to_rounding(self):
        followed = follow(known.sine, [0.3], [2.9])
        found = 0.3 + 2.6 * np.array(followed.breakpoints)
        np.testing.assert_allclose(found, [math.pi / 6, 5 * math.pi / 6], rtol=1e-14)
        slopes = [stretch.slope[0] / 2.6 for stretch in followed.segments]
        expected = [math.cos(0.3), 0, math.cos(5 * math.pi / 6)]
        np.testing.assert_allclose(slopes, expected, atol=1e-13)
        np.testing.assert_allclose(followed.end.primal, [math.sin(2.9), 0], atol=1e-15)
        # The prediction is of first order.
        h = 1e-3
        assert followed.predict(h)[0] == pytest.approx(math.sin(0.3 + 2.6 * h), abs=(2.6 * h) ** 2)
        for t in (-0.1, 1.1):
            with pytest.raises(ValueError, match="between 0 and 1"):
                followed.predict(t)

    @pytest.mark.parametrize(("begin", "turns"), [(-1.5, 1), (-1.5, 3)])
    def test_changes_that_the_slope_at_the_start_does_not_announce(self, begin, turns):
        """Nor does the solution at the end, a whole number of turns further on."""
        end = begin + 2 * math.pi * turns
        followed = follow(known.sine, [begin], [end])
        kinks = [(k + s / 6) for k in range(2 * turns) for s in (1, 5) if k % 2 == 0]
        found = begin + (end - begin) * np.array(followed.breakpoints)
        np.testing.assert_allclose(found, math.pi * np.array(kinks), rtol=1e-13)


def test_random_quadratic_programs_against_all_sets_of_rows(rng):
    """Right-hand sides and slopes move linearly, so the prediction is exact everywhere."""
    changes = 0
    for weak in (0, 0, 0, 1, 1, 2):
        d, x1 = random(rng, strong=2, weak=weak), 2 * rng.normal(size=2)
        solve = lambda t, d=d, x1=x1: enumerated(d, t * x1)
        try:
            scan = [solve(t) for t in np.linspace(0, 1, 41)]
        except ValueError:
            with pytest.raises(ag.SolveError, match=r"cannot be followed beyond t = 0\."):
                ag.path(programme, jnp.zeros(2), jnp.asarray(x1), start, as_arrays(d))
            continue
        followed = ag.path(programme, jnp.zeros(2), jnp.asarray(x1), start, as_arrays(d))
        size = 1 + max(np.max(np.abs(y)) for y, _ in scan)
        for t, (y, _) in zip(np.linspace(0, 1, 41), scan, strict=True):
            np.testing.assert_allclose(followed.predict(t), y, atol=1e-10 * size)
        for stretch in followed.segments:
            _, mu = solve((stretch.start + stretch.end) / 2)
            assert stretch.active == tuple(f"below[{i}]" for i in np.flatnonzero(mu))
        for before, after in zip(followed.segments, followed.segments[1:], strict=False):
            name, verb = before.change.split(" becomes ")
            assert (name in after.active) == (verb == "active") != (name in before.active)
        np.testing.assert_allclose(followed.end.primal, scan[-1][0], atol=1e-10 * size)
        assert followed.drift < 1e-10 * size
        changes += len(followed.breakpoints)
    assert changes > 0


def test_how_far_the_first_derivative_holds_to_either_side(rng):
    for _ in range(4):
        d, x1 = random(rng, strong=2, weak=0), rng.normal(size=2)
        active = lambda t, d=d, x1=x1: np.flatnonzero(enumerated(d, t * x1)[1])
        try:
            followed = ag.path(programme, jnp.zeros(2), jnp.asarray(x1), start, as_arrays(d))
        except ag.SolveError:  # infeasible on the way
            continue
        for side, reach in zip((-1, 1), followed.valid, strict=True):
            assert 0 < reach <= 1
            np.testing.assert_array_equal(active(side * 0.999 * reach), active(0))
            if reach < 1:
                with contextlib.suppress(ValueError):  # infeasible there
                    assert not np.array_equal(active(side * 1.001 * reach), active(0))


def test_rows_enter_and_leave_through_a_degenerate_vertex():
    """min −y₁ − y₂, y₁ <= 1, y₂ <= 1, 2y₁ + y₂ <= 2.5 + x₁: from one vertex of two lines past
    that of all three, at t = ½, to another."""
    d = data(
        Q=np.zeros((2, 2)),
        c=[-1, -1],
        B=[[1, 0], [0, 1], [2, 1]],
        b=[1, 1, 2.5],
        b_x=[[0], [0], [1]],
    )
    followed = ag.path(programme, jnp.zeros(2), jnp.array([1.0, 0.0]), start, as_arrays(d))
    first, second = followed.segments
    np.testing.assert_allclose(followed.breakpoints, [0.5], rtol=1e-9)
    np.testing.assert_allclose(first.slope[:2], [0.5, 0], atol=1e-9)
    np.testing.assert_allclose(second.slope[:2], [0, 0], atol=1e-9)
    assert (first.active, second.active) == (("below[1]", "below[2]"), ("below[0]", "below[1]"))


def test_a_maximum_of_a_pytree_with_a_curved_constraint():
    """max ay₁ + by₂ in a disk of radius r, y₁ <= 0.6, as (a, b) turns from (0, 1) to (1, 1)."""
    solve = ag.argmax(
        lambda y, x: x["a"] * y["first"] + x["b"] * y["second"],
        subject_to=[
            ag.inequality(lambda y, x: y["first"] ** 2 + y["second"] ** 2 - 1, name="disk"),
            ag.box(None, {"first": 0.6, "second": 9.0}, name="wall"),
        ],
    )
    x0, x1 = {"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.0}
    followed = ag.path(solve, x0, x1, {"first": 0.0, "second": 0.5})
    np.testing.assert_allclose(followed.breakpoints, [0.75], rtol=1e-13)  # where a/b = 0.6/0.8
    assert followed.segments[0].change == "wall.upper.first becomes active"
    assert followed.segments[0].slope["first"] == pytest.approx(1, rel=1e-12)
    assert followed.end.primal["second"] == pytest.approx(0.8, rel=1e-13)


class TestWhereItEnds:
    def test_where_nothing_is_feasible_any_more(self):
        rows = [
            ag.inequality(lambda y, x: x - y, name="floor"),
            ag.inequality(lambda y, x: y - 1, name="roof"),
        ]
        solve = ag.argmin(lambda y, x: y**2, subject_to=rows)
        with pytest.raises(ag.SolveError, match=r"beyond t = 0\.25: nothing is feasible.*roof"):
            ag.path(solve, 0.5, 2.5, 0.7)

    def test_the_rows_that_are_named_are_those_that_contradict_each_other(self):
        """A store that may lose 2 an hour must hold x, then 1, while another holds nothing."""
        rows = [
            ag.equality(lambda y, x: y["held"] - jnp.stack([x, 1.0]), name="held"),
            ag.box({"held": -jnp.inf, "other": 0.0}, None, name="none below"),
            ag.inequality(lambda y, x: y["held"][0] - y["held"][1] - 2, name="loss"),
            ag.inequality(lambda y, x: y["other"].sum() - 9, name="room"),
        ]
        y = {"held": jnp.ones(2), "other": jnp.ones(3)}
        solve = ag.argmin(lambda y, x: jnp.sum((y["other"] + 1) ** 2), subject_to=rows)
        names = r"beyond t = 0\.5: .*\(held\[0\], held\[1\], loss\) contradict"
        with pytest.raises(ag.SolveError, match=names):
            ag.path(solve, 2.0, 4.0, y)

    def test_where_the_minimum_ceases_to_be_one(self):
        """y³/3 − xy has its minimum at √x."""
        solve = ag.argmin(lambda y, x: y**3 / 3 - x * y, subject_to=[ag.box(-9.0, 9.0)])
        with pytest.raises(ag.SolveError, match=r"beyond t = 0\.5: .*ceases to be a strict one"):
            ag.path(solve, 1.0, -1.0, 1.0)
        followed = ag.path(solve, 1.0, 4.0, 1.0)
        assert followed.end.primal == pytest.approx(2, rel=1e-13)
        assert followed.valid == (pytest.approx(1 / 3, rel=1e-6), 1.0)

    def test_where_the_solve_at_its_start_fails(self):
        solve = ag.argmin(lambda y, x: x * y, subject_to=[ag.box(0.0, None)])
        with pytest.raises(ag.SolveError, match=r"beyond t = 0: .*ran away"):
            ag.path(solve, -1.0, 1.0, 1.0)


class TestBadArguments:
    capped = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.box(None, 1.0)])

    def test_no_constraints(self):
        with pytest.raises(ValueError, match="this problem has none"):
            ag.path(ag.argmin(lambda y, x: (y - x) ** 2), 0.0, 1.0, 0.0)
        with pytest.raises(TypeError, match=r"path needs what argrad\.argmin"):
            ag.path(lambda x, init: x, 0.0, 1.0, 0.0)

    def test_ends_that_are_not_alike(self):
        with pytest.raises(ValueError, match=r"x1 has shape \(3,\) where x has \(2,\)"):
            ag.path(self.capped, jnp.zeros(2), jnp.zeros(3), jnp.zeros(2))
        with pytest.raises(TypeError, match="real floating-point"):
            ag.path(self.capped, 0, 1, 0.0)

    def test_sets_in_several_pieces(self):
        solve = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.ball(norm=1)])
        with pytest.raises(ValueError, match="piece to piece of a 1-norm ball"):
            ag.path(solve, jnp.ones(2), jnp.zeros(2), jnp.zeros(2))
