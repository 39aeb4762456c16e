"""What a contestant is: two functions of the same arrays, and the library they need."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from problems.logistic import Logistic


class Contestant(NamedTuple):
    """`solve` and `gradient` take what `prepare` made of a problem and return NumPy arrays.

    `gradient` does the whole job, the solve included. Both have finished when they return.
    """

    name: str
    settings: str
    prepare: Callable[[Logistic], tuple[Any, ...]]
    solve: Callable[..., np.ndarray]
    gradient: Callable[..., np.ndarray]
    compiles: bool = True
    by_hand: bool = False


class Missing(NamedTuple):
    """A contestant that cannot run here, and why."""

    name: str
    reason: str
