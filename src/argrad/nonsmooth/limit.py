"""Floor 1: a limit as the temperature goes to 0, from values at temperatures that fall."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree

_ORDERS = 6  # columns of Richardson's scheme: further ones only gather rounding


class Stage(NamedTuple):
    """One temperature: the value there, and its measured bias, the largest distance of any of its
    numbers from the extrapolation that includes the last stage; no finer than `bias` of all."""

    temperature: float
    value: PyTree
    bias: float


class Continuation(NamedTuple):
    """A limit, found by `continuation`.

    - `value`: the extrapolated limit.
    - `bias`: how far off it is, estimated: the largest error of any of its numbers.
    - `converged`: whether that is within `tol`.
    - `stages`: one a temperature.
    """

    value: PyTree
    bias: float
    converged: bool
    stages: tuple[Stage, ...]


def continuation(
    at: Callable[..., PyTree],
    *,
    start: float = 1.0,
    factor: float = 0.5,
    tol: float = 1e-6,
    max_stages: int = 40,
    init: PyTree | None = None,
) -> Continuation:
    """The limit of at(τ) as τ -> 0, from τ = start, start · factor, start · factor², ...

    `at(temperature)` returns any pytree of numbers: a smooth function's value or gradient, or the
    solution of a smoothed problem. With `init` it is called as `at(temperature, previous)`, which
    begins with `init` and goes on with what it returned last, for warm starts.

    If at(τ) = limit + c_1 τ + c_2 τ² + ..., Richardson's scheme removes one power after the other;
    a column j of it errs by O(τ^(j+1)). The columns are compared by how little they still change
    from one stage to the next. The one that changes least gives `value`, taken at the stage before
    the last, so that the last one measures its bias: the change, divided by 1 − factor^(j+1), as
    much as that column may still have to go. It ends where that is within `tol`, or within
    rounding, twice in a row, or at `max_stages`.

    `tol` is absolute. ValueError for start, tol <= 0, a factor not between 0 and 1, or fewer than 3
    stages; FloatingPointError where at(τ) is not finite.

    Source: Richardson 1911; Joyce 1971 for its columns.

    >>> import argrad as ag, jax.numpy as jnp
    >>> f = lambda x: jnp.max(x) + jnp.abs(x[0])
    >>> limit = ag.continuation(lambda t: ag.smooth(f, t)(jnp.array([0.0, 2.0, 2.0])), tol=1e-4)
    >>> f"{limit.value:.4f}", limit.converged, f"{limit.stages[2].bias:.3f}"  # τ 2 log 2
    ('2.0000', True, '0.347')
    """
    if not (start > 0 and tol > 0 and 0 < factor < 1 and max_stages >= 3):
        raise ValueError(
            "continuation needs start > 0, tol > 0, 0 < factor < 1 and max_stages >= 3, got "
            f"{start}, {tol}, {factor} and {max_stages}."
        )
    temperatures: list[float] = []
    values: list[PyTree] = []
    row: list[np.ndarray] = []
    best = reference = np.zeros(0)
    bias, previous = np.inf, init
    unravel: Any = None
    near = 0
    for stage in range(max_stages):
        tau = start * factor**stage
        value = at(tau) if init is None else at(tau, previous)
        previous = value
        flat, unravel = ravel_pytree(value)
        number = np.asarray(flat, float)
        if not np.all(np.isfinite(number)):
            raise FloatingPointError(
                f"at({tau:.3g}) is not finite. Raise factor, or start at a higher temperature."
            )
        temperatures.append(tau)
        values.append(value)
        last, row = row, [number]
        for order in range(min(len(last), _ORDERS - 1)):
            ratio = factor ** (order + 1)
            row.append((row[order] - ratio * last[order]) / (1 - ratio))
        if stage < 2:
            continue
        change = [
            float(np.max(np.abs(new - old), initial=0.0)) / (1 - factor ** (order + 1))
            for order, (new, old) in enumerate(zip(row, last, strict=False))
        ]
        order = int(np.argmin(change))
        rounding = float(np.finfo(flat.dtype).eps * np.max(np.abs(number), initial=0.0))
        # Once may be chance, where exponentials have not died out.
        near = near + 1 if change[order] <= max(tol, rounding) else 0
        if near or change[order] < bias:
            best, reference, bias = last[order], row[order], max(change[order], rounding)
        if near == 2:
            break
    stages = [
        Stage(tau, value, float(np.max(np.abs(ravel_pytree(value)[0] - reference), initial=0.0)))
        for tau, value in zip(temperatures, values, strict=True)
    ]
    limit = unravel(jax.numpy.asarray(best, flat.dtype))
    return Continuation(limit, bias, bias <= tol, tuple(stages))
