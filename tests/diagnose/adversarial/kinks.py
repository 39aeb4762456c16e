"""Kinks: of x alone, which y* inherits, and of y, at which y* may stick."""

import jax
import jax.numpy as jnp
import numpy as np

import argrad as ag

from .case import Family, Problem, affine, units

CASES = Family("kinks")


def _follow(target):
    """(u − target(x))² summed: u*(x) = target(x)."""
    return affine(lambda u, x: jnp.sum((u - target(x)) ** 2))


_abs, _relu, _leaky = _follow(jnp.abs), _follow(jax.nn.relu), _follow(jax.nn.leaky_relu)
_clip = _follow(lambda x: jnp.clip(x, 0.0, 1.0))
_max, _median, _sort = _follow(jnp.max), _follow(jnp.median), _follow(jnp.sort)
_hinge = _follow(lambda x: jnp.maximum(x[0] - x[1], 0.0))
_norm = _follow(lambda x: jnp.max(jnp.abs(x)))
_halves = affine(lambda u, x: 0.5 * u**2 + 0.5 * jax.nn.relu(u) ** 2 - x * u)
_huber = affine(
    lambda u, x: jnp.where(jnp.abs(u) <= 1, 0.5 * u**2, jnp.abs(u) - 0.5) + 0.5 * u**2 - x * u
)
_margin = affine(lambda u, x: 0.5 * (u - x) ** 2 + 1.5 * jax.nn.relu(1 - u) ** 2)
_two = affine(
    lambda u, x: jnp.sum((u - x) ** 2) + 0.3 * u[0] * u[1] + jax.nn.relu(u[0] - u[1]) ** 2
)
_lasso = affine(lambda u, x: 0.5 * (u - x) ** 2 + jnp.abs(u))
_deviation = affine(lambda u, x: jnp.sum(jnp.abs(u - x)))
_stuck = affine(lambda u, x: 0.5 * (u - x) ** 2 + jax.nn.relu(u))
_top = affine(lambda u, x: jnp.maximum(u - x, x - 2 * u))
_root = affine(lambda u, x: jnp.sqrt((u - x) ** 2) + 0.5 * u**2)
_quiet = affine(lambda u, x: jnp.abs(u) + x * u**2)
_riding = affine(lambda u, x: jnp.abs(u - x) + 0.5 * (u - x) ** 2)
_vector = affine(lambda u, x: 0.5 * jnp.sum((u - x) ** 2) + jnp.sum(jnp.abs(u)))
_svm = ag.argmin(lambda w, x, X, t: 0.5 * x * w @ w + jnp.sum(jax.nn.relu(1 - t * (X @ w))))


def _soft(x, init):
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - 1.0, 0.0)


_shrunk = ag.implicit(_soft, ag.stationarity(lambda y, x: 0.5 * (y - x) ** 2 + jnp.abs(y)))
_proximal = ag.implicit(_soft, ag.fixed_point(lambda y, x: _soft(y - 0.5 * (y - x), None)))


@CASES.add("one-sided", fast=True)
def absolute_value_of_x(rng):
    # u* = |x|: slopes 1 and −1 at 0.
    start, args = units(rng, rng.normal())
    return Problem(_abs, 0.0, start, args)


@CASES.add("one-sided")
def relu_of_x(rng):
    start, args = units(rng, rng.normal())
    return Problem(_relu, 0.0, start, args)


@CASES.add("one-sided")
def leaky_relu_of_x(rng):
    # Slopes 0.01 and 1.
    start, args = units(rng, rng.normal())
    return Problem(_leaky, 0.0, start, args)


@CASES.add("one-sided")
def clipped_at_its_end(rng):
    start, args = units(rng, rng.normal())
    return Problem(_clip, float(rng.integers(2)), start, args)


@CASES.add("one-sided")
def largest_of_equals(rng):
    # max(x) with x₀ = x₁ largest: slope max(d₀, d₁) along d and min(d₀, d₁) against −d.
    top = rng.uniform(1, 2)
    start, args = units(rng, 0.0)
    return Problem(_max, np.array([top, top, -1.0]), start, args)


@CASES.add("one-sided")
def median_of_equals(rng):
    middle = rng.normal()
    start, args = units(rng, 0.0)
    return Problem(_median, middle + np.array([-1.0, 0.0, 0.0, 1.0, 2.0]), start, args)


@CASES.add("one-sided")
def sorted_equals(rng):
    tie = rng.normal()
    start, args = units(rng, np.zeros(4))
    return Problem(_sort, np.array([tie + 2, tie, tie - 1, tie]), start, args)


@CASES.add("one-sided")
def hinge_at_its_corner(rng):
    # max(x₀ − x₁, 0) with x₀ = x₁; JAX gives max the mean of both slopes there.
    start, args = units(rng, 0.0)
    return Problem(_hinge, np.full(2, rng.normal()), start, args)


@CASES.add("one-sided")
def largest_norm_of_equals(rng):
    top = rng.uniform(1, 2)
    start, args = units(rng, 0.0)
    return Problem(_norm, np.array([top, -top, 0.3]), start, args)


@CASES.add("one-sided")
def two_curvatures(rng):
    # u* = x for x < 0 and x/2 for x > 0: f'' jumps from 1 to 2 at u* = 0.
    start, args = units(rng, 0.0)
    return Problem(_halves, 0.0, start, args)


@CASES.add("one-sided")
def huber_at_its_corner(rng):
    # |u| < 1: 2u = x; u > 1: 1 + u = x. At x = 2, u* = 1: slopes ½ and 1.
    start, args = units(rng, 1.0)
    return Problem(_huber, 2.0, start, args)


@CASES.add("one-sided")
def squared_hinge_at_its_corner(rng):
    # u > 1: u = x; u < 1: u − x = 3 (1 − u). At x = 1, u* = 1: slopes 1 and ¼.
    start, args = units(rng, 1.0)
    return Problem(_margin, 1.0, start, args)


@CASES.add("one-sided")
def squared_hinge_between_two_variables(rng):
    # x₀ = x₁ gives u₀ = u₁ by symmetry, where the hinge (u₀ − u₁)₊² bends.
    start, args = units(rng, np.zeros(2))
    return Problem(_two, np.full(2, rng.uniform(0.5, 2)), start, args)


@CASES.add("one-sided")
def soft_threshold_at_its_threshold(rng):
    # u* = sign(x) (|x| − 1)₊: slopes 0 and 1 at |x| = 1; the fixed point conditions hold.
    return Problem(_proximal, float(rng.choice([-1, 1])), 0.0)


@CASES.add("invalid")
def stationarity_of_a_stuck_solution(rng):
    # |x| < 1: y* = 0 sticks and has slope 0, but f' = sign(0) − x = −x is not 0 there.
    return Problem(_shrunk, rng.uniform(0.2, 0.8), 0.0)


@CASES.add("invalid", fast=True)
def stuck_at_an_absolute_value(rng):
    # The same by argmin: no step lowers f, and f' does not vanish.
    start, args = units(rng, rng.normal())
    return Problem(_lasso, rng.uniform(0.2, 0.8), start, args)


@CASES.add("invalid")
def several_stuck(rng):
    start, args = units(rng, rng.normal(size=3))
    return Problem(_vector, np.array([0.3, 2.0, -0.5]), start, args)


@CASES.add("invalid")
def least_absolute_deviations(rng):
    # Their minimum is the median, a corner of f.
    start, args = units(rng, rng.normal())
    return Problem(_deviation, rng.normal(size=5), start, args)


@CASES.add("invalid")
def stuck_at_a_relu(rng):
    # 0 < x < 1: u* = 0.
    start, args = units(rng, rng.normal())
    return Problem(_stuck, rng.uniform(0.2, 0.8), start, args)


@CASES.add("invalid")
def lower_end_of_two_lines(rng):
    # u* = 2x/3, at the corner of two lines.
    start, args = units(rng, rng.normal())
    return Problem(_top, rng.normal(), start, args)


@CASES.add("invalid")
def root_of_a_square(rng):
    # |u − x| as √(u − x)², whose derivative at 0 is NaN.
    x = rng.uniform(0.2, 0.8)
    start, args = units(rng, x)
    return Problem(_root, x, start, args)


@CASES.add("invalid")
def zero_by_convention(rng):
    # JAX says that |u| has slope 0 at 0, and argrad that u* = 0 has H = 2x there: H is not the
    # Hessian of anything. (That the derivative 0 is right is luck: see `stuck_at_...`.)
    return Problem(_quiet, rng.uniform(0.5, 2), 0.0, (1.0, 1.0, 0.0))


@CASES.add("invalid")
def riding_a_kink(rng):
    # u* = x, where |u − x| has its corner.
    x = rng.normal()
    return Problem(_riding, x, x, (1.0, 1.0, 0.0))


@CASES.add("invalid")
def support_vector(rng):
    # x/2 w² + (1 − a w)₊ with x < a²: w = 1/a, where the slope turns from x/a − a < 0 to x/a > 0.
    a = rng.uniform(1, 2)
    return Problem(
        _svm, rng.uniform(0.3, 0.7) * a**2, np.zeros(1), (np.full((1, 1), a), np.ones(1))
    )
