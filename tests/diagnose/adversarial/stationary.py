"""Points that are stationary and no isolated minimum, or no stationary points at all."""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

import argrad as ag

from .case import Family, Problem, affine, positive, units

CASES = Family("stationary")
_saddle = affine(lambda u, x: x * (u[0] ** 2 - u[1] ** 2) + u[0] ** 4 + u[1] ** 4)
_well = affine(lambda u, x: (u**2 - 1) ** 2 + x * u**2)
_quadratic = ag.argmin(lambda y, x, A: 0.5 * y @ A @ y - x @ y)
_cosine = affine(lambda u, x: jnp.cos(u - x) + 0 * u)
_concave = ag.argmax(lambda y, x: (y - x) ** 2)
_sum = affine(lambda u, x: (u[0] + u[1] - x) ** 2)
_wide = ag.argmin(lambda y, x, A: jnp.sum((A @ y - x) ** 2))
_circle = affine(lambda u, x: (u[0] ** 2 + u[1] ** 2 - x) ** 2)
_sphere = ag.argmin(
    lambda y, x: x * jnp.sum(y**2), subject_to=[ag.equality(lambda y, x: jnp.sum(y**2) - 1)]
)
_softmax = ag.argmin(lambda y, x: logsumexp(y) - x @ y / jnp.sum(x))
_quartic = affine(lambda u, x: u**4 - x * u)
_shifted = affine(lambda u, x: (u - x) ** 4)
_sextic = affine(lambda u, x: (u[0] - x) ** 2 + u[1] ** 6)
_trough = affine(lambda u, x: jnp.maximum(jnp.abs(u - x) - 1, 0) ** 2)
_ramp = affine(lambda u, x: jnp.maximum(u - x, 0) ** 2)
_constant = affine(lambda u, x: x**2 + 0 * u)
_falling = affine(lambda u, x: -x * u)
_exponential = affine(lambda u, x: jnp.exp(-x * u))
_logarithm = affine(lambda u, x: u - x * jnp.log(u))
_product = affine(lambda u, x: (u[0] * u[1] - x) ** 2)


@CASES.add("invalid", fast=True)
def saddle_on_its_ridge(rng):
    # H = x diag(2, −2): Newton from (u, 0) walks along the ridge into (0, 0) and stays.
    start, args = units(rng, [0.0, 0.0])
    return Problem(_saddle, rng.uniform(0.5, 2), start, args)


@CASES.add("invalid")
def top_of_a_double_well(rng):
    # f'' = −4 + 2x < 0 at u = 0, a stationary point for every x.
    start, args = units(rng, 0.0)
    return Problem(_well, rng.uniform(0.1, 1.5), start, args)


@CASES.add("invalid")
def saddle_of_a_quadratic(rng):
    # A has one negative eigenvalue; the start is the saddle A⁻¹x itself.
    q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    A = (q * np.array([-1.0, 1, 2, 3])) @ q.T
    x = rng.normal(size=4)
    return Problem(_quadratic, x, np.linalg.solve(A, x), (A,))


@CASES.add("invalid")
def maximum_of_cosine(rng):
    # cos(u − x) has its maximum at u = x, where the solve starts.
    x = rng.normal()
    return Problem(_cosine, x, x, (1.0, 1.0, 0.0))


@CASES.add("invalid")
def argmax_started_at_a_minimum(rng):
    # (y − x)² has no maximum, and its minimum is stationary.
    x = rng.normal()
    return Problem(_concave, x, x)


@CASES.add("invalid")
def maximum_by_a_solver_of_ones_own(rng):
    # The solver returns the maximum x of −(y − x)², which stationarity(f) says is a minimum.
    solve = ag.implicit(lambda x, y: x, ag.stationarity(lambda y, x: -((y - x) ** 2)))
    return Problem(solve, rng.normal(), 0.0)


@CASES.add("invalid")
def line_of_minima(rng):
    # (u₀ + u₁ − x)² = 0 on a whole line.
    start, args = units(rng, rng.normal(size=2))
    return Problem(_sum, rng.normal(), start, args)


@CASES.add("invalid")
def more_unknowns_than_equations(rng):
    # Least squares with a 3 × 5 matrix: a plane of solutions.
    return Problem(_wide, rng.normal(size=3), rng.normal(size=5), (rng.normal(size=(3, 5)),))


@CASES.add("invalid")
def circle_of_minima(rng):
    # |u|² = x.
    start, args = units(rng, rng.normal(size=2))
    return Problem(_circle, rng.uniform(0.5, 2), start, args)


@CASES.add("invalid", 1)
def every_point_of_a_sphere(rng):
    # x |y|² is constant on |y| = 1.
    return Problem(_sphere, rng.uniform(0.5, 2), rng.normal(size=3))


@CASES.add("invalid")
def logits_up_to_a_shift(rng):
    # logsumexp(y) − pᵀy with Σp = 1 does not change if all y grow by the same.
    return Problem(_softmax, rng.uniform(0.5, 2, 4), rng.normal(size=4))


@CASES.add("invalid", 3)
def quartic(rng):
    # u⁴ − x u: u* = (x/4)^⅓ has an infinite slope at x = 0.
    start, args = units(rng, rng.normal())
    return Problem(_quartic, 0.0, start, args)


@CASES.add("invalid")
def shifted_quartic(rng):
    # (u − x)⁴: u* = x, but the Hessian is 0, and the formula −H⁻¹B is 0/0.
    start, args = units(rng, rng.normal())
    return Problem(_shifted, rng.normal(), start, args)


@CASES.add("invalid")
def sextic_in_one_direction(rng):
    # Definite in u₀, degenerate in u₁.
    start, args = units(rng, rng.normal(size=2))
    return Problem(_sextic, rng.normal(), start, args)


@CASES.add("invalid")
def flat_trough(rng):
    # Every |u − x| <= 1 is a minimum.
    x = rng.normal()
    start, args = units(rng, x + 0.5)
    return Problem(_trough, x, start, args)


@CASES.add("invalid")
def edge_of_a_flat_floor(rng):
    # max(u − x, 0)² is zero for all u <= x: Newton comes down the slope to u = x, where the
    # Hessian of its own side is definite.
    x = rng.normal()
    start, args = units(rng, x + 2)
    return Problem(_ramp, x, start, args)


@CASES.add("invalid")
def constant_in_y(rng):
    start, args = units(rng, rng.normal())
    return Problem(_constant, rng.normal(), start, args)


@CASES.add("invalid")
def unbounded(rng):
    start, args = units(rng, rng.normal())
    return Problem(_falling, rng.uniform(0.5, 2), start, args)


@CASES.add("invalid")
def infimum_not_attained(rng):
    # exp(−x u) falls for ever.
    start, args = units(rng, rng.normal())
    return Problem(_exponential, rng.uniform(0.5, 2), start, args)


@CASES.add("invalid")
def outside_of_the_domain(rng):
    # log u at u < 0.
    start, args = units(rng, -1.0)
    return Problem(_logarithm, rng.uniform(0.5, 2), start, args)


@CASES.add("invalid")
def hyperbola_of_minima(rng):
    # u₀ u₁ = x.
    start, args = units(rng, rng.uniform(0.5, 2, 2))
    return Problem(_product, rng.uniform(0.5, 2), start, args)


@CASES.add("invalid")
def normal_equations_of_dependent_columns(rng):
    # One column of the data twice.
    A = rng.normal(size=(8, 3))
    A = np.column_stack([A, A[:, 0]])
    H = A.T @ A
    return Problem(_quadratic, H @ rng.normal(size=4), rng.normal(size=4), (H,))


@CASES.add("invalid")
def negative_definite(rng):
    A = -positive(rng, 4)
    x = rng.normal(size=4)
    return Problem(_quadratic, x, np.linalg.solve(A, x), (A,))
