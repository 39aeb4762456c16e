"""Problems with nothing wrong, some of which look as if there were."""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jax.scipy.special import logsumexp

import argrad as ag

from .case import Family, Problem, affine, positive, units

CASES = Family("good")
_quadratic = ag.argmin(lambda y, x, A: 0.5 * y @ A @ y - x @ y)
_cosh = affine(lambda u, x: jnp.sum(jnp.cosh(u - x)))
_ridge = ag.argmin(lambda w, x, X, t: jnp.mean((X @ w - t) ** 2) + jnp.exp(x) * w @ w)
_logistic = ag.argmin(
    lambda w, x, X, t: jnp.mean(jax.nn.softplus(-t * (X @ w))) + jnp.sum(jnp.exp(x) * w**2)
)
_poisson = ag.argmin(lambda w, x, X, t: jnp.mean(jnp.exp(X @ w) - t * (X @ w)) + 0.5 * x * w @ w)
_least = ag.argmin(lambda w, x, A: 0.5 * jnp.sum((A @ w - x) ** 2))
_robust = ag.argmin(lambda w, x, X: jnp.sum(jnp.sqrt(1 + (X @ w - x) ** 2)) + 0.01 * w @ w)
_rosenbrock = affine(lambda u, x: (x - u[0]) ** 2 + 10 * (u[1] - u[0] ** 2) ** 2)
_himmelblau = affine(lambda u, x: (u[0] ** 2 + u[1] - x) ** 2 + (u[0] + u[1] ** 2 - 7) ** 2)
_wells = affine(lambda u, x: (u**2 - 1) ** 2 + x * u)
_signs = affine(lambda u, x: (u**2 - x) ** 2)
_price = ag.argmax(lambda y, x: (y - x) * (10 - y))
_entropy = ag.argmax(
    lambda y, x: x @ y - jnp.sum(y * jnp.log(y)), subject_to=[ag.equality(lambda y, x: y.sum() - 1)]
)  # fmt: skip
_tree = ag.argmin(
    lambda y, x: jnp.sum((y["a"] - x["p"]) ** 2) + (y["b"] * x["q"] - 1) ** 2 + 0.1 * y["b"] ** 2
)
_inner = ag.argmin(lambda z, y: (z - jnp.sin(y)) ** 2 + 0.1 * z**4)
_nested = ag.argmin(lambda y, x: (y - x) ** 2 + 0.5 * _inner(y, 0.0) ** 2)
_scaled = ag.argmin(lambda y, x, s: jnp.sum((y / s - x) ** 2 + 0.1 * (y / s) ** 4))
_coupled = ag.argmin(lambda y, x, s, A: 0.5 * (y / s) @ A @ (y / s) - x @ (y / s))
_box = ag.argmin(lambda y, x, A: 0.5 * y @ A @ y - x @ y, subject_to=[ag.box(-1.0, 1.0)])
_cap = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.box(None, 1.0)])
_simplex = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.simplex()])
_ball = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.ball(1.0)])
_rows = ag.argmin(
    lambda y, x, A, G: 0.5 * y @ A @ y - x @ y,
    subject_to=[ag.equality(lambda y, x, A, G: G[0] @ y - 1),
                ag.inequality(lambda y, x, A, G: G[1] @ y - 0.1 * x[0])],
)  # fmt: skip
_eigen = ag.argmin(
    lambda y, x, A: -0.5 * y @ (A + x * jnp.diag(jnp.arange(3.0))) @ y,
    subject_to=[ag.equality(lambda y, x, A: 0.5 * (y @ y - 1))],
)
_program = ag.argmin(
    lambda y, x: x @ y, subject_to=[ag.box(0.0, None), ag.inequality(lambda y, x: 1 - y.sum())]
)
_abs = affine(lambda u, x: (u - jnp.abs(x)) ** 2)
_margin = affine(lambda u, x: 0.5 * (u - x) ** 2 + 1.5 * jax.nn.relu(1 - u) ** 2)
_softened = affine(lambda u, x: 0.5 * (u - x) ** 2 + jnp.sqrt(u**2 + 1e-6))
_lasso_away = affine(lambda u, x: 0.5 * jnp.sum((u - x) ** 2) + jnp.sum(jnp.abs(u)))
_floored = affine(lambda u, x: (u - jnp.floor(x) - 0.1 * x) ** 2)
_ignoring = ag.argmin(lambda y, x: jnp.sum((y - 1) ** 2) + 0 * jnp.sum(x))
_partly = ag.argmin(lambda y, x: jnp.sum((y - x[0]) ** 2) + jnp.sin(x[1]))
_bent = affine(lambda u, x: (u - x) ** 2 + jax.nn.relu(u - x) ** 2)
_numpy = ag.implicit(
    lambda x, y, A: np.linalg.solve(A, x), ag.stationarity(lambda y, x, A: 0.5 * y @ A @ y - x @ y)
)
_heron = ag.implicit(lambda x, y: jnp.sqrt(x), ag.fixed_point(lambda y, x: 0.5 * (y + x / y)))
_cubic = ag.implicit(lambda x, y: jnp.cbrt(x), ag.root(lambda y, x: y**3 - x))
_game = ag.implicit(
    lambda x, y: jnp.array([x / 2, -x / 2]),
    ag.stationarity(lambda y, x: 0.5 * (y[0] - x) ** 2 - 0.5 * y[1] ** 2 - 0.0 * y[0] + y[0] * 0
                    + 0.5 * y[0] ** 2 - 0.5 * (y[1] + x) ** 2, kind="saddle"),
)  # fmt: skip
_pseudo = ag.argmin(
    lambda y, x, A: 0.5 * y @ A @ y - x @ y, adjoint=ag.Implicit(linear_solver=lx.SVD())
)
_tight = ag.argmin(
    lambda y, x, A: 0.5 * y @ A @ y - x @ y,
    adjoint=ag.Implicit(linear_solver=lx.CG(rtol=1e-10, atol=0.0)),
)
_bfgs = ag.argmin(lambda y, x: jnp.sum(jnp.cosh(y - x) + y**2), solver=optx.BFGS(1e-6, 1e-6))
_barrier = ag.argmin(
    lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.box(0.0, None)], adjoint=ag.Barrier(1e2)
)
_kernel = ag.argmin(lambda y, x: logsumexp(jnp.stack([y - x, x - y, 0 * y])).sum() + 0.01 * y @ y)


@CASES.add("valid", 3, fast=True)
def quadratic(rng):
    d = int(rng.integers(1, 3)) * 3
    A = positive(rng, d, 10 ** rng.uniform(0, 6))
    return Problem(_quadratic, rng.normal(size=d), np.zeros(d), (A,))


@CASES.add("valid", 3)
def hyperbolic_cosines(rng):
    start, args = units(rng, np.zeros(3))
    return Problem(_cosh, rng.normal(size=3), start, args)


def _data(rng):
    X = rng.normal(size=(30, 4))
    return X, X @ rng.normal(size=4) + 0.5 * rng.normal(size=30)


@CASES.add("valid", 3)
def ridge_regression(rng):
    return Problem(_ridge, rng.uniform(-6, 1), np.zeros(4), _data(rng))


@CASES.add("valid", 3)
def logistic_regression(rng):
    X, t = _data(rng)
    return Problem(_logistic, rng.uniform(-6, 0, 4), np.zeros(4), (X, np.sign(t)))


@CASES.add("valid")
def poisson_regression(rng):
    X, _ = _data(rng)
    return Problem(_poisson, rng.uniform(0.1, 1), np.zeros(4), (X, rng.poisson(2.0, 30) * 1.0))


@CASES.add("valid")
def least_squares(rng):
    return Problem(_least, rng.normal(size=6), np.zeros(3), (rng.normal(size=(6, 3)),))


@CASES.add("valid")
def robust_regression(rng):
    X, t = _data(rng)
    return Problem(_robust, t, np.zeros(4), (X,))


@CASES.add("valid")
def rosenbrock(rng):
    start, args = units(rng, [-1.0, 1.0])
    return Problem(_rosenbrock, rng.uniform(0.5, 2), start, args)


@CASES.add("valid")
def himmelblau(rng):
    # Four minima, all of value 0 for every x near 10: none ever becomes the best one alone.
    start, args = units(rng, [3.0, 2.0])
    return Problem(_himmelblau, rng.uniform(9, 10.5), start, args)


@CASES.add("valid", 3)
def wells_of_different_depth(rng):
    start, args = units(rng, -1.0)
    return Problem(_wells, rng.uniform(0.05, 0.5), start, args)


@CASES.add("valid")
def mirror_images(rng):
    # ±√x are equally good for every x: neither ever becomes the better one.
    start, args = units(rng, rng.choice([-1.0, 1.0]))
    return Problem(_signs, rng.uniform(0.5, 2), start, args)


@CASES.add("valid")
def best_price(rng):
    return Problem(_price, rng.uniform(1, 5), 3.0)


@CASES.add("valid")
def softmax_as_a_maximum(rng):
    return Problem(_entropy, rng.normal(size=3), np.full(3, 1 / 3))


@CASES.add("valid")
def trees(rng):
    x = {"p": rng.normal(size=2), "q": rng.uniform(0.5, 2)}
    return Problem(_tree, x, {"a": np.zeros(2), "b": 0.5})


@CASES.add("valid", 1)
def nested(rng):
    return Problem(_nested, rng.uniform(0.5, 1.5), 0.0)


@CASES.add("valid", 3, fast=True)
def variables_of_very_different_sizes(rng):
    s = 10.0 ** rng.permutation([-8.0, -3.0, 2.0, 8.0])
    return Problem(_scaled, rng.normal(size=4), np.zeros(4), (s,))


@CASES.add("valid", 3)
def coupled_variables_of_very_different_sizes(rng):
    s = 10.0 ** rng.permutation([-8.0, -2.0, 3.0, 8.0])
    return Problem(_coupled, rng.normal(size=4), np.zeros(4), (s, positive(rng, 4)))


@CASES.add("valid")
def parameters_of_very_different_sizes(rng):
    s = np.ones(4)
    return Problem(_scaled, 10.0 ** rng.permutation([-8.0, -3, 0, 3]), np.zeros(4), (s,))


@CASES.add("valid", 3, fast=True)
def box_strongly_active(rng):
    # Coordinates of A⁻¹x well outside of the box are pressed to its faces.
    A = np.diag(rng.uniform(1, 2, 4))
    return Problem(_box, np.array([5.0, -6.0, 0.5, 0.3]), np.zeros(4), (A,))


@CASES.add("valid")
def projection_onto_a_simplex(rng):
    # Support of two: (x₀ + x₁ − 1)/2 lies clearly above x₂.
    x = np.array([1.0, 0.8, -0.5]) + 0.05 * rng.normal(size=3)
    return Problem(_simplex, x, np.full(3, 1 / 3))


@CASES.add("valid")
def projection_onto_a_ball(rng):
    x = rng.normal(size=3)
    return Problem(_ball, x / np.linalg.norm(x) * rng.choice([0.5, 2.0]), np.zeros(3))


@CASES.add("valid")
def general_rows(rng):
    G = rng.normal(size=(2, 4))
    A = positive(rng, 4)
    pushed = A @ (G[0] / (G[0] @ G[0])) + 3 * A @ G[1]
    return Problem(_rows, pushed, np.zeros(4), (A, G))


@CASES.add("valid")
def leading_eigenvector(rng):
    # ±v are equally good for every x.
    A = positive(rng, 3, 5.0)
    return Problem(_eigen, rng.uniform(0.1, 0.5), np.linalg.eigh(A)[1][:, 2], (A,))


@CASES.add("valid")
def vertex_of_a_linear_program(rng):
    # All on the cheapest: y* = (1, 0, 0), which does not move with the prices.
    return Problem(_program, np.array([1.0, 2.0, 3.0]) * rng.uniform(0.5, 2), np.ones(3))


@CASES.add("valid", 3, fast=True)
def near_a_kink_of_x(rng):
    start, args = units(rng, 0.0)
    return Problem(_abs, 10.0 ** rng.uniform(-6, -1) * rng.choice([-1, 1]), start, args)


@CASES.add("valid", 4)
def near_a_squared_hinge(rng):
    start, args = units(rng, 0.0)
    return Problem(_margin, 1 + 10.0 ** rng.uniform(-5, -1) * rng.choice([-1, 1]), start, args)


@CASES.add("valid", 4)
def near_a_bound(rng):
    return Problem(_cap, 1 + 10.0 ** rng.uniform(-5, -1) * rng.choice([-1, 1]), 0.0)


@CASES.add("valid")
def smoothed_absolute_value(rng):
    # Curvature 1e3 at 0, over a distance of 1e-3.
    start, args = units(rng, 0.0)
    return Problem(_softened, rng.uniform(-2, 2), start, args)


@CASES.add("valid")
def away_from_the_kinks_of_a_lasso(rng):
    # |x| > 1 everywhere: u* = x − sign(x).
    start, args = units(rng, np.array([2.0, -3.0]))
    return Problem(_lasso_away, np.array([3.0, -4.0]) + rng.uniform(-0.5, 0.5, 2), start, args)


@CASES.add("valid")
def between_two_jumps_of_x(rng):
    # u* = ⌊x⌋ + x/10 has slope 1/10 between whole numbers.
    start, args = units(rng, 0.0)
    return Problem(_floored, rng.integers(1, 5) + rng.uniform(0.2, 0.8), start, args)


@CASES.add("valid")
def objective_that_ignores_x(rng):
    return Problem(_ignoring, rng.normal(size=2), np.zeros(2))


@CASES.add("valid")
def objective_that_ignores_some_of_x(rng):
    return Problem(_partly, rng.normal(size=3), np.zeros(2))


@CASES.add("valid")
def bend_that_travels_along(rng):
    # f'' jumps at u = x = u*, and u* = x has the slope 1 all the same, as −H⁻¹B has for either H.
    start, args = units(rng, 0.0)
    return Problem(_bent, rng.normal(), start, args)


@CASES.add("valid")
def numpy_solver(rng):
    A = positive(rng, 3)
    return Problem(_numpy, rng.normal(size=3), np.zeros(3), (A,))


@CASES.add("valid")
def square_root_as_a_fixed_point(rng):
    return Problem(_heron, rng.uniform(0.5, 4), 1.0)


@CASES.add("valid")
def cube_root_as_a_root(rng):
    return Problem(_cubic, rng.uniform(0.5, 4), 1.0)


@CASES.add("valid")
def saddle_that_was_asked_for(rng):
    # y₀ minimises, y₁ maximises: (x/2, −x/2).
    return Problem(_game, rng.uniform(0.5, 4), np.zeros(2))


@CASES.add("valid")
def pseudo_inverse_of_a_regular_matrix(rng):
    return Problem(_pseudo, rng.normal(size=4), np.zeros(4), (positive(rng, 4),))


@CASES.add("valid")
def conjugate_gradients_to_the_end(rng):
    return Problem(_tight, rng.normal(size=6), np.zeros(6), (positive(rng, 6, 30.0),))


@CASES.add("valid")
def another_solver(rng):
    return Problem(_bfgs, rng.uniform(0.5, 2), np.zeros(3))


@CASES.add("valid")
def barrier_at_a_kink(rng):
    # y_t is smooth where y* is not, and D is its derivative exactly.
    return Problem(_barrier, np.array([0.0, 1.0]), np.ones(2))


@CASES.add("valid", 2, float32=True)
def float32(rng):
    A = positive(rng, 4, 10.0).astype(np.float32)
    return Problem(_quadratic, rng.normal(size=4).astype(np.float32), np.zeros(4, np.float32), (A,))


@CASES.add("valid")
def soft_absolute_value(rng):
    return Problem(_kernel, rng.normal(size=3), np.zeros(3))
