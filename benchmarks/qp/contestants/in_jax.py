"""What every contestant in JAX shares: arrays, `vmap`, `jit`, the upper function."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from qp.contestants.interface import Contestant
from qp.problems import Batch


def prepare(batch: Batch) -> tuple:
    parameters, weights = batch.parameters, batch.weights
    return jax.block_until_ready(jax.tree.map(jnp.asarray, (parameters, weights)))


def _ready(outputs):
    return jax.tree.map(np.asarray, jax.block_until_ready(outputs))


def contestant(
    name: str,
    settings: str,
    solution: Callable,
    *,
    whole: Callable | None = None,
    primal: Callable = lambda found: found,
    warm: Callable | None = None,
    verdicts: Callable | None = None,
    by_hand: bool = False,
) -> Contestant:
    """Of `solution(Q, p, G, h, A, b) -> y*` of one problem.

    `whole` returns all that is known of a solution, of which `primal` is y*;
    `warm(earlier, Q, p, G, h, A, b)` returns the same, starting from it; `verdicts` reads it.
    """

    def upper(parameters, weights):
        return jnp.sum(weights * jax.vmap(solution)(*parameters))

    def upper_warm(parameters, weights, earlier):
        found = jax.vmap(warm)(earlier, *parameters)
        return jnp.sum(weights * primal(found))

    solve = jax.jit(lambda parameters: jax.vmap(solution)(*parameters))
    gradient = jax.jit(jax.grad(upper))
    keep = whole and jax.jit(lambda parameters: jax.vmap(whole)(*parameters))
    resolve = jax.jit(lambda earlier, parameters: primal(jax.vmap(warm)(earlier, *parameters)))
    resolve_gradient = jax.jit(jax.grad(upper_warm))
    return Contestant(
        name,
        settings,
        prepare,
        lambda parameters, _: _ready(solve(parameters)),
        lambda parameters, weights: _ready(gradient(parameters, weights)),
        keep=whole and (lambda parameters, _: jax.block_until_ready(keep(parameters))),
        resolve=warm and (lambda earlier, parameters, _: _ready(resolve(earlier, parameters))),
        resolve_gradient=warm and (lambda earlier, *rest: _ready(resolve_gradient(*rest, earlier))),
        verdicts=verdicts and (lambda parameters, _: verdicts(keep(parameters))),
        by_hand=by_hand,
    )
