"""The searches that are compared: each takes rows to tune on, and returns an estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge, RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from argrad.sklearn import GradientSearchCV, PerFeature, Shared
from searches.hoag import Lower, hoag

LOW, HIGH = 1e-4, 1e6  # of a ridge penalty; C is between their inverses
GRID = np.logspace(-4, 6, 50)
DRAWS, TRIALS_EACH = 50, 200


class Found(NamedTuple):
    """A fitted estimator, its CV loss, the fits that it took, and a word on what was chosen."""

    estimator: Any
    cv_loss: float
    fits: int
    chosen: str = ""


Contestant = Callable[[np.ndarray, np.ndarray, bool], Found]


def folds(classes: bool) -> Any:
    return StratifiedKFold(5) if classes else KFold(5)


def _model(classes: bool, penalty: float = 1.0) -> Any:
    if classes:
        return LogisticRegression(C=1 / penalty, max_iter=1000)
    return Ridge(alpha=penalty)


def _pipeline(classes: bool, penalties: Any = 1.0) -> Any:
    """One penalty, or one a column: then the standardised columns are scaled by λ^(−1/2)."""
    if np.ndim(penalties) == 0:
        return make_pipeline(StandardScaler(), _model(classes, float(penalties)))
    scale = np.asarray(penalties) ** -0.5
    scaling = FunctionTransformer(lambda X: X * scale)
    return make_pipeline(StandardScaler(), scaling, _model(classes))


def _scoring(classes: bool) -> str:
    return "neg_log_loss" if classes else "neg_mean_squared_error"


def _cv_loss(estimator: Any, X: np.ndarray, y: np.ndarray, classes: bool) -> float:
    scores = cross_val_score(estimator, X, y, cv=folds(classes), scoring=_scoring(classes))
    return -float(scores.mean())


def _name(classes: bool) -> str:
    return "logisticregression__C" if classes else "ridge__alpha"


def _grid(classes: bool) -> np.ndarray:
    return 1 / GRID if classes else GRID


def grid(X: np.ndarray, y: np.ndarray, classes: bool) -> Found:
    search = GridSearchCV(
        _pipeline(classes), {_name(classes): _grid(classes)}, cv=folds(classes),
        scoring=_scoring(classes),
    ).fit(X, y)  # fmt: skip
    return Found(search.best_estimator_, -search.best_score_, 5 * len(GRID) + 1)


def random(X: np.ndarray, y: np.ndarray, classes: bool) -> Found:
    bounds = (1 / HIGH, 1 / LOW) if classes else (LOW, HIGH)
    search = RandomizedSearchCV(
        _pipeline(classes), {_name(classes): loguniform(*bounds)}, n_iter=DRAWS,
        cv=folds(classes), scoring=_scoring(classes), random_state=0,
    ).fit(X, y)  # fmt: skip
    return Found(search.best_estimator_, -search.best_score_, 5 * DRAWS + 1)


def path_class(X: np.ndarray, y: np.ndarray, classes: bool) -> Found:
    """RidgeCV (leave-one-out by closed form) or LogisticRegressionCV (its ten values of C)."""
    if classes:
        model = LogisticRegressionCV(
            cv=folds(True), scoring="neg_log_loss", max_iter=1000,
            use_legacy_attributes=False, l1_ratios=(0.0,),
        )  # fmt: skip
        fitted = make_pipeline(StandardScaler(), model).fit(X, y)
        penalty, fits = 1 / float(np.ravel(fitted[-1].C_)[0]), 51
    else:
        fitted = make_pipeline(StandardScaler(), RidgeCV(alphas=GRID)).fit(X, y)
        penalty, fits = float(fitted[-1].alpha_), 1
    return Found(fitted, _lazily(penalty, X, y, classes), fits)


def _lazily(penalties: Any, X: np.ndarray, y: np.ndarray, classes: bool) -> Any:
    """The CV loss of penalties, left to be computed when no clock runs."""
    return lambda: _cv_loss(_pipeline(classes, penalties), X, y, classes)


def _tpe(size: int | None, trials: int) -> Contestant:
    def search(X: np.ndarray, y: np.ndarray, classes: bool) -> Found:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def penalties(trial: Any) -> Any:
            if size is None:
                return trial.suggest_float("p", LOW, HIGH, log=True)
            names = [f"p{j}" for j in range(X.shape[1])]
            return np.array([trial.suggest_float(name, LOW, HIGH, log=True) for name in names])

        def objective(trial: Any) -> float:
            return _cv_loss(_pipeline(classes, penalties(trial)), X, y, classes)

        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        study.optimize(objective, n_trials=trials)
        best = penalties(optuna.trial.FixedTrial(study.best_params))
        return Found(_pipeline(classes, best).fit(X, y), study.best_value, 5 * trials + 1)

    return search


def hoag_schedule(X: np.ndarray, y: np.ndarray, classes: bool) -> Found:
    parts = []
    labels = np.unique(y)
    for train, valid in folds(classes).split(X, y):
        scale = StandardScaler().fit(X[train])
        lower = []
        for rows in (train, valid):
            design = np.hstack([scale.transform(X[rows]), np.ones((len(rows), 1))])
            u = (y[rows, None] == labels).astype(float) if classes else y[rows, None]
            lower.append(Lower(design, u, classes))
        parts.append((lower[0], lower[1]))
    t, fits = hoag(parts, np.log(0.02 * len(X)), np.log(LOW), np.log(HIGH))
    # Two classes with a coefficient each, penalised by λ, are one with λ/2.
    penalty = np.exp(t) / 2 if classes and len(labels) == 2 else np.exp(t)
    fitted = _pipeline(classes, penalty).fit(X, y)
    return Found(fitted, _lazily(penalty, X, y, classes), fits + 1)


def _gradient(kind: Any) -> Contestant:
    def search(X: np.ndarray, y: np.ndarray, classes: bool) -> Found:
        bounds = (1 / HIGH, 1 / LOW) if classes else (LOW, HIGH)
        params = None if kind is None else {_name(classes): kind(*bounds)}
        model, cv = _pipeline(classes), folds(classes)
        found = GradientSearchCV(model, params, cv=cv, nested=False).fit(X, y)
        chosen = ""
        if kind is None:
            chosen = found.granularity_
            if 0 < found.prior_strength_ < np.inf:
                chosen += f", prior {found.prior_strength_:g}"
        return Found(found.best_estimator_, -found.best_score_, found.n_fits_, chosen)

    return search


REFERENCE = "argrad, shared"
CONTESTANTS: dict[str, Contestant] = {
    REFERENCE: _gradient(Shared),
    "argrad, per feature": _gradient(PerFeature),
    "argrad, default": _gradient(None),
    "RidgeCV or LogisticRegressionCV": path_class,
    "GridSearchCV": grid,
    "RandomizedSearchCV": random,
    "Optuna TPE, shared": _tpe(None, DRAWS),
    "Optuna TPE, per feature": _tpe(0, TRIALS_EACH),
    "HOAG, shared": hoag_schedule,
}
