"""Rules for choosing among candidates, from the least freedom to the most, on one table.

Every rule sees what can be known without test rows: CV losses, losses on folds left out of the
tuning, and losses on folds with the criterion of the others (`leaky`: their training rows hold the
fold left out) or of that fold alone (`alone`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import KFold

from argrad.sklearn.deciding.candidates import Box, path, solved
from argrad.sklearn.deciding.granularity import restricted
from searches.gram import Fold, FoldsCriterion
from searches.tables import Split


class Known(NamedTuple):
    """Losses of c candidates: `cv`, `unseen`, `leaky`, `alone` (c, k), unseen `rows` (c, n)."""

    cv: np.ndarray
    unseen: np.ndarray
    rows: np.ndarray
    leaky: np.ndarray
    alone: np.ndarray


def measure(split: Split) -> tuple[Known, np.ndarray]:
    """What is known of the candidates on one split, and their test losses (c,)."""
    X, y = split.X, split.y
    folds = list(KFold(5).split(X))
    cv = [Fold(X, y, *fold) for fold in folds]
    box = Box(np.log(1e-4), np.log(1e6), np.full(X.shape[1], np.log(0.02 * len(y))))

    def tuned(parts: list[Fold]) -> list[np.ndarray]:
        return [solved(each).log_values for each in path(FoldsCriterion(parts), box, None)]

    whole = tuned(cv)
    c, k = len(whole), len(folds)
    unseen, leaky, alone = np.empty((3, c, k))
    rows = np.empty((c, len(y)))
    for o, (train, valid) in enumerate(folds):
        inner = [Fold(X, y, *fold) for fold in restricted(folds, train)]
        for j, h in enumerate(tuned(inner)):
            rows[j, valid] = cv[o].row_losses(h)
            unseen[j, o] = rows[j, valid].mean()
        leaky[:, o] = [cv[o].loss(h)[0] for h in tuned(cv[:o] + cv[o + 1 :])]
        alone[:, o] = [cv[o].loss(h)[0] for h in tuned([cv[o]])]
    each = np.array([[fold.loss(h)[0] for fold in cv] for h in whole])
    both = np.vstack([X, split.X_test]), np.concatenate([y, split.y_test])
    final = Fold(*both, np.arange(len(y)), np.arange(len(y), len(both[1])))
    test = np.array([final.loss(h)[0] for h in whole])
    return Known(each, unseen, rows, leaky, alone), test


def _error(losses: np.ndarray) -> float:
    return float(losses.std(ddof=1) / np.sqrt(losses.size))


def _lowest(losses: np.ndarray) -> int:
    return int(np.argmin(losses.mean(axis=1)))


def _one_standard_error(known: Known) -> int:
    """The least freedom within a standard error of the lowest mean: Breiman et al. 1984."""
    best = _lowest(known.rows)
    mean = known.rows.mean(axis=1)
    return int(np.argmax(mean <= mean[best] + _error(known.rows[best])))


def _paired_path(known: Known) -> int:
    """The least freedom within a standard error of the difference from the lowest mean."""
    best = _lowest(known.unseen)
    for j in range(best):
        away = known.unseen[j] - known.unseen[best]
        if away.mean() <= _error(away):
            return j
    return best


def _unless(factor: float) -> Callable[[Known], int]:
    """The lowest mean, but shared within so many standard errors of the difference."""

    def rule(known: Known) -> int:
        best = _lowest(known.unseen)
        gain = known.unseen[0] - known.unseen[best]
        return best if best and gain.mean() > factor * _error(gain) else 0

    return rule


def _corrected(known: Known) -> int:
    """The CV loss less its bias, estimated by what each fold could lose alone.

    Tibshirani and Tibshirani 2009, Annals of Applied Statistics 3:822–829.
    """
    return _lowest(2 * known.cv - known.alone)


RULES: dict[str, Callable[[Known], int]] = {
    "always shared": lambda known: 0,
    "always per feature": lambda known: len(known.cv) - 1,
    "lowest CV loss": lambda known: _lowest(known.cv),
    "Tibshirani and Tibshirani": _corrected,
    "lowest leaky loss": lambda known: _lowest(known.leaky),
    "lowest unseen loss": lambda known: _lowest(known.unseen),
    "one standard error": _one_standard_error,
    "one paired standard error": _paired_path,
    "shared within 0.25 paired": _unless(0.25),
    "shared within 0.5 paired": _unless(0.5),
    "shared within 1 paired": _unless(1.0),
}
