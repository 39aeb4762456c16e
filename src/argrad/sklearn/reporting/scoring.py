"""Scores to report beside the criterion: by scikit-learn's scorers, on scikit-learn's own fits."""

from __future__ import annotations

import difflib
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from argrad.sklearn.rows.folds import Split

Scorer = Callable[..., Any]


@dataclass(frozen=True)
class Scorers:
    """`reported` by name, and the one that `score` uses; `several` if they came as a collection."""

    score: Scorer
    reported: dict[str, Scorer]
    several: bool

    def as_attribute(self) -> Any:
        """What scikit-learn keeps as `scorer_`: a scorer, or a dictionary of several."""
        return self.reported if self.several else self.score


def scorers_of(estimator: Any, scoring: Any) -> Scorers:
    """The scorers that `scoring` names: None, a name, a callable, a list of names, a dictionary.

    Raises ValueError for an unknown name, and TypeError for anything else.
    """
    if scoring is None:
        return Scorers(check_scoring(estimator), {}, False)
    if isinstance(scoring, str):
        scorer = _scorer(estimator, scoring)
        return Scorers(scorer, {scoring: scorer}, False)
    if callable(scoring):
        return Scorers(scoring, {"scoring": scoring}, False)
    if isinstance(scoring, Mapping):
        named = dict(scoring)
    elif isinstance(scoring, Sequence | set | frozenset):
        if not all(isinstance(name, str) for name in scoring):
            raise TypeError(
                f"a list of scorers must hold names, got {scoring!r}: give callables in a "
                "dictionary {name: scorer}."
            )
        named = {name: name for name in scoring}
        if len(named) < len(scoring):
            raise ValueError(f"scoring={scoring!r} names a scorer twice: leave one out.")
    else:
        raise TypeError(
            "scoring must be None, the name of a scorer, a callable, or a list or dictionary of "
            f"them, got {scoring!r}."
        )
    if not named:
        raise ValueError(f"scoring={scoring!r} is empty: name a scorer, or set scoring=None.")
    if "score" in named:
        raise ValueError(
            "a scorer cannot be called 'score': mean_test_score is minus the criterion. Choose "
            "another name."
        )
    reported = {str(name): _scorer(estimator, each) for name, each in named.items()}
    return Scorers(next(iter(reported.values())), reported, True)


def _scorer(estimator: Any, scoring: Any) -> Scorer:
    known = get_scorer_names()
    if isinstance(scoring, str) and scoring not in known:
        near = difflib.get_close_matches(scoring, known, n=1)
        hint = f"do you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"{scoring!r} is not the name of a scorer: {hint}All are listed by "
            "sklearn.metrics.get_scorer_names()."
        )
    if not isinstance(scoring, str) and not callable(scoring):
        raise TypeError(f"a scorer must be a name or a callable, got {scoring!r}.")
    return check_scoring(estimator, scoring)


def takes_weights(scorer: Scorer) -> bool:
    """Whether a scorer can be called with `sample_weight`."""
    function = getattr(scorer, "_score_func", scorer)
    return "sample_weight" in signature(function).parameters


@dataclass(frozen=True)
class PointScores:
    """At one point, each score's k values, and the seconds that fits and scorers took in all."""

    values: dict[str, np.ndarray]
    fit_seconds: float
    score_seconds: float


class _FoldScores(NamedTuple):
    """Of one fold: by scorer, the scores it gave by name; seconds; what went wrong."""

    scores: dict[str, dict[str, float]]
    fit_seconds: float
    score_seconds: float
    messages: list[str]


@dataclass(frozen=True)
class FoldScoring:
    """What does the scoring: `metadata` holds what each scorer is given, by its name."""

    scorers: Scorers
    X: Any
    y: np.ndarray
    splits: Sequence[Split]
    metadata: Mapping[str, Mapping[str, Any]]
    error_score: Any
    n_jobs: int | None

    def at(self, fit: Callable[[np.ndarray, Any], Any], h: np.ndarray, where: str) -> PointScores:
        """Scores on the validation rows of every fold of `fit(h, training rows)`.

        `where` names h in messages. Raises what fits and scorers raise, and ValueError
        for a score that is not a number, unless `error_score` is one: then that is the score, and
        there is a warning.
        """
        found = Parallel(n_jobs=self.n_jobs)(
            delayed(self._fold)(partial(fit, h), fold, where) for fold in range(len(self.splits))
        )
        for told in [message for fold in found for message in fold.messages]:
            warnings.warn(told, FitFailedWarning, stacklevel=2)
        values: dict[str, np.ndarray] = {}
        for scorer in self.scorers.reported:
            scores = [fold.scores.get(scorer, {}) for fold in found]
            # A callable may return several scores by name; one that failed has its own name only.
            for name in {name: None for each in scores for name in each} or {scorer: None}:
                values[name] = np.array([each.get(name, self.error_score) for each in scores])
        return PointScores(
            values,
            sum(fold.fit_seconds for fold in found),
            sum(fold.score_seconds for fold in found),
        )

    def _fold(self, fit: Callable[[np.ndarray], Any], fold: int, where: str) -> _FoldScores:
        place = f"in fold {fold} at {where}"
        train, valid = self.splits[fold]
        begun = time.perf_counter()
        try:
            estimator = fit(train)
        except Exception as error:
            if self.error_score == "raise":
                error.add_note(f"This was {place}, in a fit for scoring.")
                raise
            told = f"The fit for scoring failed {place}: {error}"
            return _FoldScores({}, time.perf_counter() - begun, 0.0, [told])
        fitted = time.perf_counter()
        scores: dict[str, dict[str, float]] = {}
        messages: list[str] = []
        held_out = _safe_indexing(self.X, valid), self.y[valid]
        for name, scorer in self.scorers.reported.items():
            metadata = {
                key: _safe_indexing(value, valid) for key, value in self.metadata[name].items()
            }
            try:
                scores[name] = _checked(scorer(estimator, *held_out, **metadata), name, place)
            except Exception as error:
                if self.error_score == "raise":
                    error.add_note(f"This was {place}, in the scorer {name!r}.")
                    raise
                messages.append(f"The scorer {name!r} failed {place}: {error}")
        return _FoldScores(scores, fitted - begun, time.perf_counter() - fitted, messages)


def _checked(result: Any, name: str, place: str) -> dict[str, float]:
    """What a scorer returned, as numbers by name: one, or the dictionary that a callable gave."""
    scores = dict(result) if isinstance(result, Mapping) else {name: result}
    for each, value in scores.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ValueError(
                f"the scorer {each!r} returned {value!r} {place}, which is not a number: return "
                "a float."
            )
        if math.isnan(value):
            raise ValueError(
                f"the scorer {each!r} returned nan {place}: mend it, or leave it out of scoring, "
                "or set error_score to a number that then counts."
            )
    return {str(each): float(value) for each, value in scores.items()}
