"""Objectives that jump, solutions that jump, and numbers drawn at random."""

import jax
import jax.numpy as jnp
import numpy as np

import argrad as ag

from .case import Family, Problem, affine, units

CASES = Family("jumps")


def _follow(target):
    return affine(lambda u, x: jnp.sum((u - target(x)) ** 2))


_floor, _round, _sign = _follow(jnp.floor), _follow(jnp.round), _follow(jnp.sign)
_where = _follow(lambda x: jnp.where(x > 0, 1.0, -1.0) + x)
_winner = _follow(lambda x: jax.nn.one_hot(jnp.argmax(x), 3))
_steps = affine(lambda u, x: (u - x) ** 2 + jnp.floor(u))
_signed = affine(lambda u, x: (u - x) ** 2 + 0.1 * jnp.sign(u))
_half = affine(lambda u, x: jnp.where(u > 0, (u - x) ** 2, (u - x) ** 2 + 0.5))
_edge = affine(lambda u, x: jnp.sum((u - x) ** 2) + jnp.where(u[0] > u[1], 0.3, 0.0))
_stairs = affine(lambda u, x: jnp.floor(10 * u) * x)
_staircase = affine(lambda u, x: (jnp.round(8 * u) / 8 - x) ** 2)
_wells = affine(lambda u, x: (u**2 - 1) ** 2 + x * u)
_waves = affine(lambda u, x: -jnp.cos(2 * jnp.pi * u) + 0.3 * (u - x) ** 2)
_modes = affine(lambda u, x: -jnp.exp(-2 * (u - 1) ** 2) - (1 + x) * jnp.exp(-2 * (u + 1) ** 2))
_pair = affine(lambda u, x: (u[0] ** 2 - 1) ** 2 + (u[1] - u[0]) ** 2 + 0.5 * x * (u[0] + u[1]))
_generator = np.random.default_rng(0)


def _noise(size):
    draw = lambda: np.asarray(size * _generator.normal())
    return jax.pure_callback(draw, jax.ShapeDtypeStruct((), jnp.result_type(float)))


_noisy = {
    size: ag.argmin(lambda y, x, size=size: (y - x) ** 2 + _noise(size) * y)
    for size in (1e-1, 1e-4)
}
_rattled = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2) + _noise(0.1))
_sampled = ag.argmin(lambda y, x: jnp.mean((y - x * (1 + _noise(0.3))) ** 2))


def _solver(x, init):
    return x + 0.05 * _generator.normal()


_search = ag.implicit(_solver, ag.stationarity(lambda y, x: (y - x) ** 2), host=True)


@CASES.add("invalid", fast=True)
def floor_of_x(rng):
    # u* = ⌊x⌋ jumps where x is a whole number.
    start, args = units(rng, 0.0)
    return Problem(_floor, float(rng.integers(1, 5)), start, args)


@CASES.add("invalid")
def round_of_x(rng):
    start, args = units(rng, 0.0)
    return Problem(_round, rng.integers(1, 5) + 0.5, start, args)


@CASES.add("invalid")
def sign_of_x(rng):
    start, args = units(rng, 0.0)
    return Problem(_sign, 0.0, start, args)


@CASES.add("invalid")
def where_of_x(rng):
    start, args = units(rng, 0.0)
    return Problem(_where, 0.0, start, args)


@CASES.add("invalid")
def one_of_two_winners(rng):
    # The vertex that argmax picks changes at a tie.
    start, args = units(rng, np.zeros(3))
    return Problem(_winner, np.array([1.0, 1.0, 0.2]) * rng.uniform(0.5, 2), start, args)


@CASES.add("invalid")
def floor_of_y(rng):
    # (u − x)² + ⌊u⌋ at x = 0: lower by 1 immediately to the left of what JAX' gradient finds.
    # (u = 0, or what rounding makes of it, is exactly where the floor jumps.)
    return Problem(_steps, 0.0, rng.normal(), (1.0, 1.0, 0.0))


@CASES.add("invalid")
def sign_of_y(rng):
    return Problem(_signed, 0.0, rng.normal(), (10 ** rng.uniform(-3, 3), 1.0, 0.0))


@CASES.add("invalid")
def where_of_y(rng):
    return Problem(_half, 0.0, rng.normal(), (10 ** rng.uniform(-3, 3), 1.0, 0.0))


@CASES.add("invalid")
def jump_across_a_diagonal(rng):
    # u* = x with x₀ = x₁ is on the line where f jumps.
    x = np.full(2, rng.normal())
    return Problem(_edge, x, np.zeros(2), (1.0, 1.0, np.zeros(2)))


@CASES.add("invalid")
def stairs(rng):
    # Gradient and Hessian are zero, though f is not constant.
    start, args = units(rng, rng.normal())
    return Problem(_stairs, rng.uniform(0.5, 2), start, args)


@CASES.add("invalid")
def quantised(rng):
    start, args = units(rng, rng.normal())
    return Problem(_staircase, rng.normal(), start, args)


@CASES.add("invalid")
def equal_wells(rng):
    # (u² − 1)² + x u at x = 0: minima ±1 are equal, and their values have slopes ±1 by x.
    start, args = units(rng, rng.choice([-1, 1]) * rng.uniform(0.7, 1.5))
    return Problem(_wells, 0.0, start, args)


@CASES.add("invalid")
def equal_waves(rng):
    # x = ½ lies half-way between the minima near 0 and near 1.
    start, args = units(rng, float(rng.integers(2)))
    return Problem(_waves, 0.5, start, args)


@CASES.add("invalid")
def equal_modes(rng):
    # Two equal Gaussians, one of which grows with x.
    start, args = units(rng, float(rng.choice([-1, 1])))
    return Problem(_modes, 0.0, start, args)


@CASES.add("invalid")
def equal_wells_of_two_variables(rng):
    sign = rng.choice([-1, 1])
    start, args = units(rng, np.full(2, 1.0 * sign))
    return Problem(_pair, 0.0, start, args)


@CASES.add("invalid", fast=True)
def noisy_gradient(rng):
    return Problem(_noisy[1e-1], rng.normal(), 0.0)


@CASES.add("invalid")
def slightly_noisy_gradient(rng):
    return Problem(_noisy[1e-4], rng.normal(), 0.0)


@CASES.add("invalid")
def noisy_value(rng):
    return Problem(_rattled, rng.normal(size=2), np.zeros(2))


@CASES.add("invalid")
def fresh_sample_at_every_call(rng):
    return Problem(_sampled, rng.uniform(0.5, 2), 0.0)


@CASES.add("invalid")
def random_search(rng):
    # Five percent off, another five at every call.
    return Problem(_search, rng.uniform(0.5, 2), 0.0)
