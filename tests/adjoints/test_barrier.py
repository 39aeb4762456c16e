"""The log-barrier derivative: its own closed form, and how fast it tends to that of y*."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag


def h(x):
    return jnp.stack([jnp.sin(x), x**2 - 2, jnp.exp(-x)])


class TestPositiveMean:
    """min over y >= 0 of Σ (h_i(x) − y)², whose y* is the mean of h where that is positive."""

    @staticmethod
    def smooth(x, t):
        rows = [ag.box(0.0, None)]
        spread = lambda y, x: jnp.sum((h(x) - y) ** 2)
        return ag.argmin(spread, subject_to=rows, adjoint=ag.Barrier(t))(x, 1.0)

    compiled = jax.jit(
        jax.vmap(lambda x, t: jax.value_and_grad(TestPositiveMean.smooth)(x, t), (None, 0))
    )
    ts = np.array([1e2, 1e4, 1e6])

    def path(self, x):
        """y_t and dy_t/dx at each t, and the values and slopes of h."""
        y, slope = TestPositiveMean.compiled(x, self.ts)
        return np.asarray(y), np.asarray(slope), np.asarray(h(x)), np.asarray(jax.jacfwd(h)(x))

    def test_is_exactly_that_of_the_barrier_problem(self, rng):
        for x in (0.7, -1.5, *rng.uniform(-2, 2, size=6)):
            y, slope, values, slopes = self.path(x)
            pull = 2 * np.sum(values[:, None] - y, axis=0) + 1 / (self.ts * y)
            np.testing.assert_allclose(pull / (1 + np.abs(values).sum()), 0, atol=1e-13)
            exact = 2 * self.ts * slopes.sum() / (2 * self.ts * 3 + y**-2)
            # To rounding beside the multiplier, of about 1 where y_t is about 1/t.
            np.testing.assert_allclose(slope, exact, rtol=1e-9)

    @pytest.mark.parametrize(("x", "first"), [(-1.5, 2.65e-3), (0.7, 4.64e-2)])
    def test_tends_to_the_derivative_as_one_over_t(self, x, first):
        """To the mean of the slopes where the mean is positive, to 0 where it is negative."""
        _, slope, values, slopes = self.path(x)
        error = np.abs(slope - (slopes.mean() if values.mean() > 0 else 0))
        assert error[0] == pytest.approx(first, rel=0.01)
        # At first y_t is not yet small beside the mean; see the closed form above.
        np.testing.assert_allclose(error[0] / error[1], 100, rtol=0.25)
        np.testing.assert_allclose(error[1] / error[2], 100, rtol=0.01)

    def test_is_half_of_the_slope_at_the_kink(self):
        """Where the mean is 0, y_t is (6t)^−½."""
        x = 1.0
        for _ in range(60):  # Newton's method for mean(h) = 0
            x = x - h(x).sum() / jax.jacfwd(h)(x).sum()
        y, slope, _, slopes = self.path(float(x))
        np.testing.assert_allclose(y, (6 * self.ts) ** -0.5, rtol=1e-7)
        np.testing.assert_allclose(slope, slopes.mean() / 2, rtol=1e-7)


def log_likelihood(y, parameters):
    A, b = parameters
    return jax.nn.log_softmax(A @ y + b)[2]


def test_features_in_a_ball_tend_to_their_derivatives_as_one_over_t(rng):
    """Gould et al. 2016: the most likely y of class 2 with |y|₂ <= 1, which lies on the sphere.

    Each t begins where the one before it ended.
    """
    parameters = rng.uniform(-1, 1, size=(6, 2)), rng.uniform(-1, 1, size=6)
    # Far out, so that the class is more likely there and the ball presses.
    parameters[0][2] *= 3 / np.linalg.norm(parameters[0][2])
    make = lambda **options: ag.argmax(log_likelihood, subject_to=[ag.ball(1.0)], **options)
    exact = jax.jit(jax.jacobian(make()))(parameters, jnp.zeros(2))

    @jax.jit
    def slopes(t, start):
        def primal(parameters):
            solution = make(adjoint=ag.Barrier(t)).solution(parameters, start)
            return solution.primal, solution

        return jax.jacfwd(primal, has_aux=True)(parameters)

    start, errors, steps = jnp.zeros(2), [], []
    for t in (1e2, 1e3, 1e4, 1e5, 1e6):
        found, start = slopes(t, start)
        assert start.status == ag.Status.converged
        steps.append(int(start.iterations))
        apart = jax.tree.map(lambda a, b: np.max(np.abs(a - b)), found, exact)
        errors.append(max(jax.tree.leaves(apart)))
    np.testing.assert_allclose(np.linalg.norm(start.primal), 1, atol=1e-4)
    np.testing.assert_allclose(np.divide(errors[1:-1], errors[2:]), 10, rtol=0.1)
    assert max(steps[1:]) < 15


T = 50.0


def curved(y, x):
    return jnp.sum(jnp.cosh(y - jnp.stack([x[0], x[1], 2.0, -1.5]))) + 0.2 * x[1] * y[0] * y[2]


def line(y, x):
    return y[0] + 0.2 * y[1] ** 2 - y[2] - x[0]


def edges(y, x):
    return jnp.stack([y @ y - 4 - x[1], jnp.exp(y[3]) - y[0] - 2])


def floor(x):
    return -jnp.stack([1 + x[0] ** 2, 1.0, 1.0, 1 + x[1]])


def with_barrier(x):
    rows = [ag.equality(line), ag.inequality(edges), ag.box(floor, None)]
    return ag.argmin(curved, subject_to=rows, adjoint=ag.Barrier(T)).solution(x, jnp.zeros(4))


@jax.jit
def everything(x):
    """y_t and λ at a batch of x, the Jacobian, and the second derivative, forward over reverse."""

    def one(x):
        y = lambda x: (lambda solution: (solution.primal, solution))(with_barrier(x))
        first = jax.jacrev(y, has_aux=True)
        jacobian, push, found = jax.linearize(first, x, has_aux=True)
        second = jax.vmap(push, out_axes=-1)(jnp.eye(2))
        return found.primal, found.multipliers, jacobian, second

    return jax.vmap(one)(x)


def by_hand(y, multiplier, x):
    """dy_t/dx from the Hessian of f − 1/t Σ log(−g) + λh, and its gradient in y and h."""

    def lagrangian(y, x):
        g = jnp.concatenate([edges(y, x), floor(x) - y])
        return curved(y, x) - jnp.sum(jnp.log(-g)) / T + multiplier * line(y, x)

    a = jax.grad(line)(y, x)
    H, mixed = jax.hessian(lagrangian)(y, x), jax.jacfwd(jax.grad(lagrangian), 1)(y, x)
    K = np.block([[H, a[:, None]], [a[None], np.zeros((1, 1))]])
    right = np.concatenate([mixed, jax.grad(line, 1)(y, x)[None]])
    return -np.linalg.solve(K, right)[:4], jax.grad(lagrangian)(y, x)


def test_many_constraints_against_the_barrier_function_itself(rng):
    """In a batch, and to second order."""
    x = np.concatenate([rng.uniform(-0.5, 0.5, (3, 2)), np.zeros((4, 2))])
    x[3:], step = x[0], 1e-4
    x[3:] += step * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    y, multipliers, slopes, second = jax.tree.map(np.asarray, everything(x))
    for i in range(3):
        exact, gradient = by_hand(y[i], multipliers[0][i], x[i])
        np.testing.assert_allclose(gradient, 0, atol=1e-11)
        np.testing.assert_allclose(line(y[i], x[i]), 0, atol=1e-12)
        np.testing.assert_allclose(slopes[i], exact, atol=1e-10)
        np.testing.assert_allclose(multipliers[1][i], -1 / (T * edges(y[i], x[i])), rtol=1e-9)
    differences = np.stack([slopes[3] - slopes[4], slopes[5] - slopes[6]], -1) / (2 * step)
    np.testing.assert_allclose(second[0], differences, atol=1e-5 * (1 + np.abs(second[0]).max()))


class TestRefusals:
    def test_without_inequalities(self):
        rows = [ag.equality(lambda y, x: y[0] - x)]
        for constraints in ([], rows):
            solve = ag.argmin(lambda y, x: y @ y, subject_to=constraints, adjoint=ag.Barrier(10.0))
            with pytest.raises(ValueError, match="needs inequalities or bounds; use Implicit"):
                solve(1.0, jnp.zeros(2))

    @pytest.mark.parametrize("t", [0.0, -1.0, np.nan])
    def test_a_barrier_without_height(self, t):
        with pytest.raises(ValueError, match="Barrier needs t > 0"):
            ag.Barrier(t)

    def test_sets_in_several_pieces(self):
        rows = [ag.ball(norm=1)]
        solve = ag.argmin(lambda y, x: y @ y, subject_to=rows, adjoint=ag.Barrier(10.0))
        with pytest.raises(ValueError, match="several pieces"):
            solve(1.0, jnp.ones(2))

    def test_nothing_feasible(self):
        rows = [ag.inequality(lambda y, x: x - y, name="floor"), ag.box(None, 0.0)]
        solve = ag.argmin(lambda y, x: y**2, subject_to=rows, adjoint=ag.Barrier(10.0))
        with pytest.raises(ag.SolveError, match="no point that satisfies the constraints"):
            solve(1.0, 0.0)
