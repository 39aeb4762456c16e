"""Discrete hyperparameters by Optuna outside, each trial a search by gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from argrad import SolveError
from argrad.sklearn.combinations import combinations, discrete
from argrad.sklearn.reporting.exports import choice_labels, plain


def optuna_objective(search: Any, X: Any, y: Any, **metadata: Any) -> OptunaObjective:
    """An objective for `study.optimize`, which suggests values from the lists in `search.params`.

    Each trial chooses one of the values in every list, tunes what remains by gradient as `search`
    would, within its `max_fits` and `timeout`, and returns the CV loss; so the study has to
    minimise. `metadata`, such as `groups` and `sample_weight`, is given to `fit`. The fits and the
    best parameters are attributes of the trial. Every point is reported, so that pruners can end
    a trial; Ctrl-C, or a callback of the search that returns True, ends the study after it. Where
    `error_score` is a number a trial without a solution is a failed one.

    Raises ImportError without Optuna, and ValueError where `params` holds no list of values.

    >>> import optuna
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from argrad.sklearn import GradientSearchCV, Shared, optuna_objective
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> params = {"fit_intercept": [True, False], "alpha": Shared(1e-4, 1e4)}
    >>> X, y = load_diabetes(return_X_y=True)
    >>> objective = optuna_objective(GradientSearchCV(Ridge(), params), X, y)
    >>> study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    >>> study.optimize(objective, n_trials=4)
    >>> study.best_params
    {'fit_intercept': True}
    >>> objective.fit(study.best_trial).best_params_["alpha"] < 1.0
    True
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'optuna_objective needs Optuna: pip install "argrad[optuna]", or pip install optuna'
        ) from error
    return OptunaObjective(search, X, y, metadata)


class OptunaObjective:
    """What `optuna_objective` makes: called with a trial, it returns the CV loss."""

    def __init__(self, search: Any, X: Any, y: Any, metadata: dict[str, Any]):
        self._search, self._data, self._metadata = search, (X, y), metadata
        self._choices = discrete(search.params)
        if not self._choices:
            raise ValueError(
                "params holds no list of values for Optuna to choose from: add one, for example "
                '"fit_intercept": [True, False], or call fit.'
            )
        combinations(search.estimator, search.params)  # raises for what does not fit
        self._labels = {name: choice_labels(values) for name, values in self._choices.items()}

    def __call__(self, trial: Any) -> float:
        """The lowest CV loss with the discrete values that the trial suggests."""
        import optuna

        stopped, lowest = False, np.inf

        def listen(told: dict[str, Any]) -> Any:
            nonlocal stopped, lowest
            lowest = min(lowest, told["cv_loss"])
            trial.report(lowest, told["evaluation"])
            if self._search.callback is not None and self._search.callback(told) is True:
                stopped = True
            if not stopped and trial.should_prune():
                raise optuna.TrialPruned
            return stopped

        for name, labels in self._labels.items():
            trial.suggest_categorical(name, labels)
        search = self._with_values_of(trial).set_params(callback=listen, refit=False)
        try:
            search.fit(*self._data, **self._metadata)
        except SolveError:
            if search.error_score == "raise":
                raise
            return np.nan
        trial.set_user_attr("fits", search.n_fits_)
        trial.set_user_attr(
            "best_params", {name: plain(value) for name, value in search.best_params_.items()}
        )
        if stopped or search.interrupted_:
            trial.study.stop()
        return -search.best_score_

    def fit(self, trial: Any) -> Any:
        """A search with the discrete values of a finished trial, fitted."""
        return self._with_values_of(trial).fit(*self._data, **self._metadata)

    def _with_values_of(self, trial: Any) -> Any:
        values = {
            name: choices[self._labels[name].index(trial.params[name])]
            for name, choices in self._choices.items()
        }
        fixed = {name: [value] for name, value in values.items()}
        return clone(self._search).set_params(params={**self._search.params, **fixed})
