"""Hyperparameters that have no derivative: a grid outside, each of its points a search by gradient.

They are given as lists of values, as `GridSearchCV` takes them.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid


class Combination(NamedTuple):
    """`values` of the discrete hyperparameters, the estimator with them, and what else is tuned."""

    values: dict[str, Any]
    estimator: Any
    params: Any


def is_choice(values: Any) -> bool:
    """Whether it is a list of values, of which one is to be chosen.

    >>> is_choice([1, 2]), is_choice(range(3)), is_choice("ab"), is_choice({"a": 1})
    (True, True, False, False)
    """
    return isinstance(values, np.ndarray | Sequence) and not isinstance(values, str | bytes)


def combinations(estimator: Any, params: Any) -> list[Combination]:
    """Every combination of the discrete values in `params`; one without any if there are none.

    `params` may be a list of dictionaries, as in `GridSearchCV`, one searched after the other.

    Raises ValueError for a name that the estimator lacks, an empty list, a value that it does not
    take, and where nothing is left to be tuned by gradient.

    >>> from sklearn.linear_model import Ridge
    >>> from argrad.sklearn import Shared
    >>> params = {"fit_intercept": [True, False], "alpha": Shared(1e-4, 1e4)}
    >>> [each.values for each in combinations(Ridge(), params)]
    [{'fit_intercept': True}, {'fit_intercept': False}]
    """
    if not is_choice(params):
        return _of_one(estimator, params)
    if not len(params) or not all(isinstance(each, Mapping) for each in params):
        raise ValueError(
            f"a list of params must hold dictionaries, each to be searched, got {params!r}."
        )
    return [each for some in params for each in _of_one(estimator, some)]


def discrete(params: Any) -> dict[str, list[Any]]:
    """The lists of values in a dictionary of params."""
    if not isinstance(params, Mapping):
        return {}
    return {name: list(values) for name, values in params.items() if is_choice(values)}


def _of_one(estimator: Any, params: Any) -> list[Combination]:
    grid = discrete(params)
    if not grid:
        return [Combination({}, estimator, params)]
    known = estimator.get_params()
    for name, values in grid.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f": do you mean {near[0]!r}?" if near else "."
            raise ValueError(f"{type(estimator).__name__} has no parameter {name!r}{hint}")
        if not values:
            raise ValueError(f"params[{name!r}] is empty: give the values to choose from.")
    rest = {name: kind for name, kind in params.items() if name not in grid}
    if not rest:
        raise ValueError(
            f"params has lists of values only, for {', '.join(map(repr, grid))}, and nothing to "
            "tune by gradient: add for example the penalty, as Shared(1e-4, 1e4), or use "
            "GridSearchCV."
        )
    return [_combination(estimator, dict(values), rest) for values in ParameterGrid(grid)]


def _combination(estimator: Any, values: dict[str, Any], rest: Any) -> Combination:
    # In the order of the names, so that a step is there before its parameters are set.
    own = {name: clone(value, safe=False) for name, value in sorted(values.items())}
    try:
        made = clone(estimator).set_params(**own)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(estimator).__name__} does not take {values!r}: {error}") from error
    return Combination(values, made, rest)


def warn_left_out(searches: Sequence[Combination]) -> None:
    """Warn that these, the last ones, were not searched."""
    warnings.warn(
        f"the timeout was over before {len(searches)} of the combinations of discrete values, from "
        f"{searches[0].values!r} on: they were not searched.",
        UserWarning,
        stacklevel=4,
    )
