"""Sums and maxima at once: XLA compiles each loop over memory by itself.

On a CPU it makes a tree of two or three loops of any longer reduction but one of several arrays.
"""

from collections.abc import Callable, Sequence
from functools import reduce

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Shaped


def together(
    sums: Sequence[Shaped[Array, "..."]] = (), largest: Sequence[Shaped[Array, "..."]] = ()
) -> list[Array]:
    """The sum over all elements of each of `sums`, of booleans how many are true, then the maximum
    of each of `largest`, −inf of nothing and NaN where there is one; for solvers, which are not
    differentiated.

    Those of arrays of one shape share a loop, in the order of the elements; an array that is alone
    is taken in two halves.

    >>> import jax.numpy as jnp
    >>> a = jnp.array([3.0, -4.0])
    >>> [float(number) for number in together([a * a, a > 0], [jnp.abs(a)])]
    [25.0, 1.0, 4.0]
    """
    arrays = [jnp.ravel(a) for a in (*sums, *largest)]
    arrays = [a.astype(int) if a.dtype == bool else a for a in arrays]
    joins = [jnp.add] * len(sums) + [jnp.maximum] * len(largest)
    found = [jnp.zeros(())] * len(arrays)
    for size in {a.size for a in arrays}:
        here = [i for i, a in enumerate(arrays) if a.size == size]
        if len(here) == 1 and size > 1:
            (i,) = here
            half = size // 2
            parts = _reduced([arrays[i][:half], arrays[i][half : 2 * half]], [joins[i]] * 2)
            rest = arrays[i][2 * half :]
            found[i] = reduce(joins[i], [*parts, rest[0]] if size % 2 else parts)
            continue
        values = _reduced([arrays[i] for i in here], [joins[i] for i in here])
        for i, value in zip(here, values, strict=True):
            found[i] = value
    return found


def _reduced(arrays: list[Array], joins: list[Callable[[Array, Array], Array]]) -> list[Array]:
    first = [jnp.array(0 if join is jnp.add else -jnp.inf) for join in joins]
    start = [one.astype(a.dtype) for one, a in zip(first, arrays, strict=True)]

    def join_all(left, right):
        return [join(a, b) for join, a, b in zip(joins, left, right, strict=True)]

    return list(lax.reduce(arrays, start, join_all, (0,)))
