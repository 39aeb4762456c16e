"""Which descent a search takes, and how far it goes, when nobody says."""

from __future__ import annotations

from functools import partial

import numpy as np

from argrad.sklearn.criteria.adaptive_criterion import AdaptiveCriterion
from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.criteria.gram_hessian import GramHessian
from argrad.sklearn.criteria.margin_criterion import MarginCriterion
from argrad.sklearn.criteria.sparse_criterion import FIRST_STEP, SparseCriterion
from argrad.sklearn.deciding.settled import Settled
from argrad.sklearn.space import Space
from argrad.sklearn.upper import (
    Upper,
    levelled_descent,
    newton_descent,
    projected_descent,
    scanned_descent,
    shared_descent,
)


def descent_of(settled: Settled, space: Space, tol: float | None) -> Upper:
    """The descent on what is settled, between the bounds of `space`.

    It ends at `tol` times the loss; None for what suits the criterion: a slope that jumps at kinks
    foretells less of what is left to gain, and a single number is cheap to settle closely.
    """
    criterion = settled.criterion
    low, high = np.log(space.low), np.log(space.high)
    start = np.clip(settled.start, low, high)
    if criterion.shared:
        bounds = float(low[0]), float(high[0])
        close = 1e-10 if isinstance(criterion, SparseCriterion) else 1e-8
        return shared_descent(*bounds, float(start[0]), tol or close)
    if isinstance(criterion, MarginCriterion):  # no smoother than its kinks
        points, again = [start + shift for shift in settled.shifts], criterion.again()
        if not points:
            points, again = [start], None
        return scanned_descent(low, high, points, tol or (1e-4 if again is None else 1e-3), again)
    box = low, high, start, tol or 1e-4
    known = settled.decision is not None
    if isinstance(criterion, SparseCriterion | AdaptiveCriterion):
        if isinstance(criterion, SparseCriterion) and criterion.of_columns and not known:
            return levelled_descent(*box)
        return projected_descent(*box, FIRST_STEP)
    penalties = isinstance(criterion, Criterion) and not criterion.factors.size
    if not penalties or known:
        return projected_descent(*box)
    hessian = GramHessian.of(criterion)
    each = projected_descent if hessian is None else partial(newton_descent, hessian=hessian)
    return levelled_descent(*box, each)
