"""What every contestant in JAX shares: the two losses as a user writes them, arrays, `jit`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from contestants.interface import Contestant
from problems.logistic import Logistic


def lower(w, theta, X, signs):
    fit = jnp.mean(jax.nn.softplus(-signs * (X @ w)))
    return fit + 0.5 * jnp.sum(jnp.exp(theta) * w**2)


def upper(w, X_val, signs_val):
    return jnp.mean(jax.nn.softplus(-signs_val * (X_val @ w)))


def prepare(problem: Logistic):
    arrays = (problem.theta, problem.X, problem.signs, problem.X_val, problem.signs_val)
    return jax.block_until_ready([jnp.asarray(a) for a in arrays])


def contestant(
    name: str,
    settings: str,
    solution: Callable,
    gradient: Callable | None = None,
    by_hand: bool = False,
) -> Contestant:
    """Compile `solution(theta, X, signs) -> w` and its gradient, with the data as arguments.

    `gradient(theta, X, signs, X_val, signs_val)` is automatic differentiation of `upper` after
    `solution` where not given.
    """

    def automatic(theta, X, signs, X_val, signs_val):
        return jax.grad(lambda t: upper(solution(t, X, signs), X_val, signs_val))(theta)

    solve_jit = jax.jit(lambda theta, X, signs, *_: solution(theta, X, signs))
    gradient_jit = jax.jit(automatic if gradient is None else gradient)
    return Contestant(
        name,
        settings,
        prepare,
        lambda *arrays: np.asarray(solve_jit(*arrays)),
        lambda *arrays: np.asarray(gradient_jit(*arrays)),
        by_hand=by_hand,
    )
