"""A finished search for other people's tools to show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

_KEPT = ["evaluation", "fits", "seconds", "gradient_norm"]


def to_optuna(search: Any, study: Any = None) -> Any:
    """The points of a fitted search as trials of an Optuna study, which is returned.

    Each number tuned is a parameter, logarithmic between its bounds; the value is the CV loss, or
    minus it in a `study` that maximises. Trials last from the end of the one before, the first
    from the beginning of `fit`; fits, gradient norm and the losses of the folds are their
    attributes. A point without a solution is a failed trial. Without a `study` one is made in
    memory; `optuna.create_study(storage=...)` makes one for Optuna's dashboard.

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
    begun = 0.0
    for row, point in enumerate(search.history_.to_dict("records")):
        loss = float(point["cv_loss"])
        solved = bool(np.isfinite(loss))
        state = optuna.trial.TrialState.COMPLETE if solved else optuna.trial.TrialState.FAIL
        trial = optuna.trial.create_trial(
            state=state,
            value=sign * loss if solved else None,
            params={name: float(point[name]) for name in distributions},
            distributions=distributions,
            user_attrs={
                **{name: _plain(point[name]) for name in _KEPT},
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


def _plain(value: Any) -> Any:
    """A NumPy number as what JSON knows; NaN as nothing."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value
