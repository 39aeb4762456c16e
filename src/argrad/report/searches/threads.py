"""How many threads linear algebra gets while a search runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

# Entries of a design matrix from which several threads bring more than their waiting costs.
_LARGE = 1_000_000


def few_threads(X: np.ndarray | pd.DataFrame) -> AbstractContextManager[object]:
    """A context in which BLAS uses one thread if `X` is small.

    On a busy machine BLAS threads wait for each other: 251 fits of 426 rows by 30 columns took
    ten times as long with two threads as with one. Every search runs under the same rule.
    """
    return nullcontext() if np.size(X) >= _LARGE else threadpool_limits(1)
