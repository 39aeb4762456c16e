"""Solves that stop early, adjoints that are approximate, dtypes too coarse, conditions too many."""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jax import lax

import argrad as ag

from .case import Family, Problem, positive

CASES = Family("accuracy")


def _quadratic(y, x, A):
    return 0.5 * y @ A @ y - x @ y


def _cosh(y, x):
    return jnp.sum(jnp.cosh(3 * y - x) + y**2)


def _descent(steps, rate=0.1):
    """Gradient descent on the quadratic, from init."""
    return lambda x, y, A: lax.fori_loop(0, steps, lambda _, y: y - rate * (A @ y - x), y)


def _exactly(x, init, A):
    return jnp.linalg.solve(A, x)


_early = ag.argmin(_cosh, max_steps=2)
_early_bfgs = ag.argmin(_cosh, solver=optx.BFGS(1e-8, 1e-8), max_steps=3)
_stationary = ag.stationarity(_quadratic)
_five = ag.implicit(_descent(5), _stationary)
_loose = ag.implicit(_descent(5), _stationary, tol=10.0)
_many = ag.implicit(_descent(60), _stationary)
_one_step = ag.argmin(_quadratic, adjoint=ag.OneStep())
_unrolled = ag.argmin(
    _quadratic, solver=optx.GradientDescent(0.2, rtol=1e-12, atol=1e-12), adjoint=ag.Unrolled(6)
)
_unrolled_bfgs = ag.argmin(_cosh, adjoint=ag.Unrolled(4))
_sloppy = ag.argmin(
    _quadratic, adjoint=ag.Implicit(linear_solver=lx.CG(rtol=0.2, atol=0.2, max_steps=50))
)
_wrong_step = ag.argmin(_quadratic, adjoint=ag.OneStep(step=lambda y, x, A: y + 5 * (A @ y - x)))
_coarse = ag.argmin(_quadratic)
_sum = ag.root(lambda y, x, A: A @ y + x)
_wrong_sign = ag.implicit(_exactly, _sum)
_still = ag.implicit(_exactly, ag.root(lambda y, x, A: A @ y - lax.stop_gradient(x)))
_squared = ag.implicit(lambda x, y: x, ag.root(lambda y, x: y - x**2))
_swapped = ag.implicit(_exactly, ag.root(lambda y, x, A: A @ y - x[::-1]))


def _regularised(x, init, A, b):
    return jnp.linalg.solve(A + x * jnp.eye(3), b)


def _half_followed(y, x, A, b):
    still = lax.stop_gradient(x)
    return A @ y + (still + 0.5 * (x - still)) * y - b


_no_ridge = ag.implicit(_regularised, ag.root(lambda y, x, A, b: A @ y - b))
_half_ridge = ag.implicit(_regularised, ag.root(_half_followed))
_hidden = ag.argmin(lambda y, x: jnp.sum((y - lax.stop_gradient(x)) ** 2))
_partly = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2 + y * jnp.sin(lax.stop_gradient(x))))


@jax.custom_jvp
def _square(y):
    return y**2


@_square.defjvp
def _slope(primals, tangents):
    return primals[0] ** 2, 3 * primals[0] * tangents[0]


_custom = ag.argmin(lambda y, x: _square(y - 1) + (y - x) ** 2)


@CASES.add("invalid", fast=True)
def newton_stopped_early(rng):
    return Problem(_early, rng.uniform(4, 6), np.zeros(3))


@CASES.add("invalid")
def bfgs_stopped_early(rng):
    return Problem(_early_bfgs, rng.uniform(4, 6), np.zeros(3))


@CASES.add("invalid")
def five_steps_of_descent(rng):
    # The slowest mode has shrunk by 0.9⁵ only.
    return Problem(_five, rng.normal(size=3), np.zeros(3), (positive(rng, 3),))


@CASES.add("invalid")
def five_steps_and_a_blind_eye(rng):
    # The same, with a tolerance that lets it pass.
    return Problem(_loose, rng.normal(size=3), np.zeros(3), (positive(rng, 3),))


@CASES.add("approximate")
def sixty_steps_of_descent(rng):
    # The start is off by a quarter along the slowest mode, of which 0.9⁶⁰ = 2e-3 is left: y is
    # off by 4e-4.
    A = positive(rng, 3)
    x = rng.normal(size=3)
    y = np.linalg.solve(A, x)
    slowest = np.linalg.eigh(A)[1][:, 0]
    return Problem(_many, x, y + 0.25 * np.linalg.norm(y) * slowest, (A,))


@CASES.add("approximate")
def one_step(rng):
    # −B/L is H/L times the derivative: an error of up to 1 − 1/3.
    return Problem(_one_step, rng.normal(size=4), np.zeros(4), (positive(rng, 4, 3.0),))


@CASES.add("approximate")
def unrolled_descent(rng):
    # (I − (I − A/5)⁶) A⁻¹: an error of up to 0.8⁶ = 26 %.
    return Problem(_unrolled, rng.normal(size=4), np.zeros(4), (positive(rng, 4, 4.0),))


@CASES.add("approximate")
def unrolled_bfgs(rng):
    return Problem(_unrolled_bfgs, rng.uniform(0.5, 1), np.zeros(3))


@CASES.add("approximate")
def truncated_conjugate_gradients(rng):
    return Problem(_sloppy, rng.normal(size=12), np.zeros(12), (positive(rng, 12, 30.0),))


@CASES.add("invalid")
def one_step_in_the_wrong_direction(rng):
    # ∂T/∂x = −5, with the wrong sign.
    return Problem(_wrong_step, rng.normal(size=3), np.zeros(3), (positive(rng, 3, 2.0),))


def _correlated(rng, condition):
    """Two variables of the same curvature: no other units make this condition number smaller."""
    c, s = 1 - 2 / condition, 10.0 ** rng.uniform(-1, 1, 2)
    A = (s[:, None] * np.array([[1, c], [c, 1]]) * s).astype(np.float32)
    return Problem(_coarse, rng.normal(size=2).astype(np.float32), np.zeros(2, np.float32), (A,))


@CASES.add("invalid", float32=True)
def condition_1e8_in_float32(rng):
    return _correlated(rng, 1e8)


@CASES.add("invalid")
def conditions_with_a_wrong_sign(rng):
    return Problem(_wrong_sign, rng.normal(size=3), np.zeros(3), (positive(rng, 3),))


@CASES.add("invalid")
def conditions_that_do_not_see_x(rng):
    # They hold, but their derivative by x is 0.
    return Problem(_still, rng.normal(size=3), np.zeros(3), (positive(rng, 3),))


@CASES.add("invalid", fast=True)
def conditions_that_happen_to_hold(rng):
    # y = x and y = x² agree at x = 1, with slopes 1 and 2.
    return Problem(_squared, 1.0, 0.0)


@CASES.add("invalid")
def conditions_of_a_permuted_problem(rng):
    return Problem(_swapped, np.full(3, rng.normal()), np.zeros(3), (positive(rng, 3),))


@CASES.add("invalid")
def conditions_without_the_penalty(rng):
    A, b = positive(rng, 3), rng.normal(size=3)
    return Problem(_no_ridge, rng.uniform(0.5, 2), np.zeros(3), (A, b))


@CASES.add("invalid")
def conditions_with_half_a_derivative(rng):
    # Right at x, half of the right slope by x.
    A, b = positive(rng, 3), rng.normal(size=3)
    return Problem(_half_ridge, rng.uniform(0.5, 2), np.zeros(3), (A, b))


@CASES.add("invalid")
def objective_with_stop_gradient(rng):
    return Problem(_hidden, rng.normal(size=2), np.zeros(2))


@CASES.add("invalid")
def objective_with_some_of_x_stopped(rng):
    return Problem(_partly, rng.uniform(0.3, 1, 2), np.zeros(2))


@CASES.add("invalid")
def custom_derivative_that_is_wrong(rng):
    # 3 (y − 1) in place of 2 (y − 1): the point where this gradient vanishes is no minimum.
    return Problem(_custom, rng.uniform(2, 3), 0.0)
