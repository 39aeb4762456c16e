"""An inverse Hessian as limited-memory BFGS has it: another brought up to date by a few steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

# A step and by how much it changed the gradient, with a positive inner product.
Pair = tuple[np.ndarray, np.ndarray]
# An inverse Hessian, to be multiplied by.
Times = Callable[[np.ndarray], np.ndarray]


def times_inverse(near: Times, pairs: Sequence[Pair], slope: np.ndarray) -> np.ndarray:
    """`near`, brought up to date by pairs (s, y), oldest first, times `slope` (d,).

    Source: Nocedal and Wright 2006, algorithm 7.4.

    >>> s, y = np.array([1.0, 0.0]), np.array([2.0, 0.0])
    >>> times_inverse(lambda v: v, [(s, y)], y).tolist()  # the step that changed the gradient so
    [1.0, 0.0]
    """
    q, used = slope, []
    for s, y in reversed(pairs):
        along = (s @ q) / (s @ y)
        q = q - along * y
        used.append(along)
    q = near(q)
    for (s, y), along in zip(pairs, reversed(used), strict=True):
        q = q + (along - (y @ q) / (s @ y)) * s
    return q
