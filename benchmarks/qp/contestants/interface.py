"""What every contestant offers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from qp.problems import Batch

Gradients = tuple[np.ndarray, ...]  # with respect to Q, p, G, h, A, b


class Contestant(NamedTuple):
    """All take what `prepare` made of a batch, and have finished when they return.

    `solve` returns y* of every problem. `gradient` does the whole job, the solve included.
    Where a layer can start from an earlier solution, `keep` makes what it starts from, and
    `resolve` and `resolve_gradient` take that first. `verdicts` is what the layer itself says
    of each problem, in its own words, None where all is well.
    """

    name: str
    settings: str
    prepare: Callable[[Batch], tuple]
    solve: Callable[..., np.ndarray]
    gradient: Callable[..., Gradients]
    keep: Callable[..., Any] | None = None
    resolve: Callable[..., np.ndarray] | None = None
    resolve_gradient: Callable[..., Gradients] | None = None
    verdicts: Callable[..., list[str | None]] | None = None
    compiles: bool = True
    by_hand: bool = False
