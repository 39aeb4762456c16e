"""A finished search for other people's tools to show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

_KEPT = ["evaluation", "fits", "seconds", "gradient_norm"]


def to_optuna(search: Any, study: Any = None) -> Any:
    """The points of a fitted search as trials of an Optuna study, which is returned.

    Each number tuned is a parameter, logarithmic between its bounds, and each discrete
    hyperparameter a categorical one; the value is the CV loss, or minus it in a `study` that
    maximises. Trials last from the end of the one before, the first from the beginning of `fit`;
    fits, gradient norm and the losses of the folds are their attributes. A point without a
    solution is a failed trial. Without a `study` one is made in memory;
    `optuna.create_study(storage=...)` makes one for Optuna's dashboard.

    Raises ImportError without Optuna, NotFittedError before `fit`, and ValueError for a study of
    several objectives.

    >>> import optuna
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from argrad.sklearn import GradientSearchCV, Shared
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> search = GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)})
    >>> study = to_optuna(search.fit(*load_diabetes(return_X_y=True)))
    >>> study.best_params == search.best_params_
    True
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError(
            'to_optuna needs Optuna: pip install "argrad[optuna]", or pip install optuna'
        ) from error
    check_is_fitted(search, "history_")
    study = optuna.create_study(direction="minimize") if study is None else study
    if len(study.directions) != 1:
        raise ValueError(
            f"a search has one objective, the CV loss, but the study has {len(study.directions)}: "
            'give one that optuna.create_study(direction="minimize") makes.'
        )
    sign = 1.0 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1.0
    distributions: dict[str, Any] = {
        name: optuna.distributions.FloatDistribution(low, high, log=True)
        for name, (low, high) in search.bounds_.items()
    }
    choices = {name: choice_labels(values) for name, values in search.choices_.items()}
    distributions |= {
        name: optuna.distributions.CategoricalDistribution(labels)
        for name, labels in choices.items()
    }
    begun = 0.0
    for row, point in enumerate(search.history_.to_dict("records")):
        loss = float(point["cv_loss"])
        solved = bool(np.isfinite(loss))
        values = {
            name: float(point[name])
            for name in search.bounds_
            if np.isfinite(point[name])  # else this combination of discrete values has it not
        }
        for name, value in search.cv_results_["params"][row].items():
            if name in choices:
                values[name] = choices[name][_position(value, search.choices_[name])]
        state = optuna.trial.TrialState.COMPLETE if solved else optuna.trial.TrialState.FAIL
        trial = optuna.trial.create_trial(
            state=state,
            value=sign * loss if solved else None,
            params=values,
            distributions={name: distributions[name] for name in values},
            user_attrs={
                **{name: plain(point[name]) for name in _KEPT},
                "split_losses": [
                    -float(search.cv_results_[f"split{i}_test_score"][row])
                    for i in range(search.n_splits_)
                ],
            },
        )
        trial.datetime_start = search.started_ + timedelta(seconds=begun)
        begun = float(point["seconds"])
        trial.datetime_complete = search.started_ + timedelta(seconds=begun)
        study.add_trial(trial)
    return study


def choice_labels(values: list[Any]) -> list[Any]:
    """Values as Optuna can keep them: others than numbers, text and None by what they print.

    >>> from sklearn.linear_model import Ridge
    >>> choice_labels([1, "a", None, Ridge()])
    [1, 'a', None, 'Ridge()']
    """
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    labels = [
        value if value is None or isinstance(value, bool | int | float | str) else repr(value)
        for value in values
    ]
    if len({repr(label) for label in labels}) == len(labels):
        return labels
    return [f"{i}: {label}" for i, label in enumerate(labels)]


def _position(value: Any, values: list[Any]) -> int:
    return next(i for i, each in enumerate(values) if each is value or each == value)


def plain(value: Any) -> Any:
    """A value as what JSON knows: arrays as lists, NaN as nothing, objects by what they print."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if not (value is None or isinstance(value, bool | int | float | str | list)):
        return repr(value)
    return None if isinstance(value, float) and np.isnan(value) else value
