"""What a contestant is: two functions of the same arrays."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Contestant(NamedTuple):
    """`solve` and `gradient` take what `prepare` made of a problem and return NumPy arrays.

    `gradient` does the whole job, the solve included. Both have finished when they return.
    The plain ones do the same without `jax.jit` around them.
    """

    name: str
    settings: str
    prepare: Callable[[Any], tuple]
    solve: Callable[..., np.ndarray]
    gradient: Callable[..., np.ndarray]
    solve_plain: Callable[..., np.ndarray] | None = None
    gradient_plain: Callable[..., np.ndarray] | None = None
    compiles: bool = True
    by_hand: bool = False


class Missing(NamedTuple):
    """A contestant that cannot run here, and why."""

    name: str
    reason: str
