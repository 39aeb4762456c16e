"""Constraints: weakly active, redundant, without a constraint qualification, contradictory."""

import jax.numpy as jnp
import numpy as np

import argrad as ag

from .case import Family, Problem, positive

CASES = Family("constrained")


def _distance(y, x, *args):
    return jnp.sum((y - x) ** 2)


def _nearest(*constraints):
    return ag.argmin(_distance, subject_to=constraints)


_cap = _nearest(ag.box(None, 1.0))
_both = _nearest(ag.box(0.0, 1.0))
_bent = ag.argmin(
    lambda y, x, A: 0.5 * y @ A @ y - x @ A @ y,
    subject_to=[ag.inequality(lambda y, x, A: jnp.sum(y) - 1, name="budget")],
)
_curved = _nearest(ag.inequality(lambda y, x: y[0] ** 2 + y[1] ** 2 - 1))
_ball, _simplex = _nearest(ag.ball(1.0)), _nearest(ag.simplex())
_row = _nearest(ag.linear(np.array([[1.0, 2.0]]), np.array([1.0])))
_vertex = _nearest(ag.box(None, 1.0), ag.inequality(lambda y, x: y - 0.5 * x - 0.25))
_again = _nearest(ag.box(None, 1.0, name="once"), ag.box(None, 1.0, name="again"))
_three = _nearest(
    ag.inequality(lambda y, x: y[0] - 1),
    ag.inequality(lambda y, x: y[1] - 1),
    ag.inequality(lambda y, x: y[0] + y[1] - 2),
)
_twins = _nearest(
    ag.equality(lambda y, x: y[0] + y[1] - 1), ag.equality(lambda y, x: 2 * (y[0] + y[1] - 1))
)
_pinched = _nearest(ag.inequality(lambda y, x: y[0] - 1), ag.inequality(lambda y, x: 1 - y[0]))
_square = _nearest(ag.inequality(lambda y, x: y[0] ** 2))
_cusp = ag.argmin(
    lambda y, x: (y[0] - 2) ** 2 + (y[1] - x) ** 2,
    subject_to=[ag.inequality(lambda y, x: y[1] - (1 - y[0]) ** 3),
                ag.inequality(lambda y, x: -y[1])],
)  # fmt: skip
_conflict = _nearest(ag.box(None, 0.0), ag.inequality(lambda y, x: 1 - y))
_shrinking = ag.argmin(
    lambda y, x: jnp.sum(y**2) + y[0],
    subject_to=[ag.inequality(lambda y, x: x - y[0]), ag.inequality(lambda y, x: y[0] - 1)],
)
_hill = ag.argmin(
    lambda y, x: -((y[0] - x) ** 2) + (y[1] - 1) ** 2,
    subject_to=[ag.equality(lambda y, x: y[1] - x)],
)
_edge = ag.argmin(lambda y, x: y[0] + x * 0 * y[1], subject_to=[ag.box(0.0, 1.0)])
_level = ag.argmin(
    lambda y, x: (y[0] + y[1] - x) ** 2,
    subject_to=[ag.box(-5.0, 5.0), ag.inequality(lambda y, x: y[0] - 9)],
)


@CASES.add("one-sided", fast=True)
def bound_just_reached(rng):
    # y* = min(x, 1) at x = 1.
    return Problem(_cap, 1.0, rng.normal())


@CASES.add("one-sided")
def one_bound_of_several(rng):
    # The projection onto a box; x₁ = 1 is on its face, the others inside or well outside.
    return Problem(_both, np.array([0.3, 1.0, 2.0]) + 0 * rng.normal(), np.full(3, 0.5))


@CASES.add("one-sided")
def general_row_just_reached(rng):
    # x is the unconstrained minimum and meets the budget exactly.
    x = rng.uniform(0, 1, 3)
    return Problem(_bent, x / np.sum(x), np.zeros(3), (positive(rng, 3),))


@CASES.add("one-sided")
def point_on_a_circle(rng):
    # The projection onto the disc: slope the identity inside, the tangential projector outside.
    return Problem(_curved, np.array([0.6, 0.8]), 0.1 * rng.normal(size=2))


@CASES.add("one-sided")
def point_on_a_sphere(rng):
    return Problem(_ball, np.array([0.6, 0.0, 0.8]), 0.1 * rng.normal(size=3))


@CASES.add("one-sided")
def corner_of_a_simplex_just_reached(rng):
    # x = (½, ½, 0) is its own projection, with y₂ >= 0 weakly active.
    return Problem(_simplex, np.array([0.5, 0.5, 0.0]), np.full(3, 1 / 3))


@CASES.add("one-sided")
def linear_row_just_reached(rng):
    return Problem(_row, np.array([0.5, 0.25]), rng.normal(size=2))


@CASES.add("one-sided")
def two_bounds_meet(rng):
    # y* = min(x, 1, x/2 + ¼) with x = 1.5: both bounds are 1, with slopes 0 and ½. MFCQ holds.
    return Problem(_vertex, 1.5, rng.normal())


@CASES.add("one-sided")
def one_bound_twice(rng):
    # y* = 1 with derivative 0, but the force has no unique share for either: argrad gives none.
    return Problem(_again, rng.uniform(1.5, 3), 0.0)


@CASES.add("one-sided")
def three_rows_at_a_corner(rng):
    # The third row is redundant; y* = (1, 1) with derivative 0. MFCQ holds.
    return Problem(_three, np.array([2.0, 2.5]), np.zeros(2))


@CASES.add("invalid")
def one_equality_twice(rng):
    # Multipliers λ₁ + 2λ₂ are determined, λ₁ alone is not: unbounded.
    return Problem(_twins, rng.normal(size=2), np.zeros(2))


@CASES.add("invalid")
def equality_as_two_inequalities(rng):
    # y₀ <= 1 and y₀ >= 1: no point leaves both strictly.
    return Problem(_pinched, rng.normal(size=2), np.zeros(2))


@CASES.add("invalid", 3)
def square_not_positive(rng):
    # y₀² <= 0: its gradient vanishes where it is active, and no multiplier balances x₀.
    return Problem(_square, rng.uniform(0.5, 2, 2), np.ones(2))


@CASES.add("invalid")
def tip_of_a_cusp(rng):
    # Kuhn and Tucker's example: at (1, 0) the gradients (0, 1) and (0, −1) oppose each other and
    # no multiplier balances the force along y₀.
    return Problem(_cusp, rng.uniform(-0.5, -0.1), np.array([0.5, 0.05]))


@CASES.add("invalid")
def contradiction(rng):
    return Problem(_conflict, rng.normal(), 0.0)


@CASES.add("invalid")
def end_of_the_feasible_parameters(rng):
    # x <= y₀ <= 1 at x = 1: nothing is feasible for a larger x.
    return Problem(_shrinking, 1.0, np.zeros(2))


@CASES.add("invalid")
def ridge_on_an_equality(rng):
    # −(y₀ − x)² has a maximum at y₀ = x, where the solve starts.
    x = rng.normal()
    return Problem(_hill, x, np.full(2, x))


@CASES.add("invalid")
def linear_program_with_an_edge_of_solutions(rng):
    # y₀ alone matters; y₁ is anything in its bounds.
    return Problem(_edge, rng.uniform(0.5, 2), np.full(2, 0.5))


@CASES.add("invalid")
def flat_inside_of_bounds(rng):
    return Problem(_level, rng.normal(), np.zeros(2))
