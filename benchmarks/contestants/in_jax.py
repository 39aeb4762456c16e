"""What every contestant in JAX shares: the losses as a user writes them, arrays, `jit`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from contestants.interface import Contestant
from problems.chain import Chain
from problems.logistic import Logistic


def logistic_lower(w, theta, X, signs):
    fit = jnp.mean(jax.nn.softplus(-signs * (X @ w)))
    return fit + 0.5 * jnp.sum(jnp.exp(theta) * w**2)


def logistic_upper(w, X_val, signs_val):
    return jnp.mean(jax.nn.softplus(-signs_val * (X_val @ w)))


def chain_lower(y, x):
    return 0.5 * jnp.sum((y - x) ** 2) + jnp.sum(jnp.log(jnp.cosh(jnp.diff(y))))


def chain_upper(y, truth):
    return jnp.mean((y - truth) ** 2)


def prepare(problem: Logistic | Chain) -> tuple[Any, tuple, tuple]:
    """Upper variable, further arguments of the lower objective, arguments of the upper one."""
    if isinstance(problem, Chain):
        parts = (problem.x, (), (problem.truth,))
    else:
        lower_data = (problem.X, problem.signs)
        parts = (problem.theta, lower_data, (problem.X_val, problem.signs_val))
    return jax.block_until_ready(jax.tree.map(jnp.asarray, parts))


def contestant(
    name: str,
    settings: str,
    solution: Callable,
    upper: Callable = logistic_upper,
    *,
    gradient: Callable | None = None,
    prepare: Callable = prepare,
    by_hand: bool = False,
) -> Contestant:
    """Compile `solution(x, *lower_data) -> y` and the hypergradient, data being arguments.

    `gradient(x, lower_data, upper_data)` is automatic differentiation of `upper` after
    `solution` where not given.
    """

    def automatic(x, lower_data, upper_data):
        return jax.grad(lambda x: upper(solution(x, *lower_data), *upper_data))(x)

    def solve(x, lower_data, _):
        return solution(x, *lower_data)

    gradient = automatic if gradient is None else gradient
    solve_jit, gradient_jit = jax.jit(solve), jax.jit(gradient)
    return Contestant(
        name,
        settings,
        prepare,
        lambda *parts: np.asarray(solve_jit(*parts)),
        lambda *parts: np.asarray(gradient_jit(*parts)),
        lambda *parts: np.asarray(solve(*parts)),
        lambda *parts: np.asarray(gradient(*parts)),
        by_hand=by_hand,
    )
