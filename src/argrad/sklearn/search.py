"""GradientSearchCV: hyperparameters by descent on the cross-validation loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from copy import deepcopy
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import check_consistent_length, get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from argrad.sklearn.criterion import Criterion, Evaluation
from argrad.sklearn.designs import as_design
from argrad.sklearn.folds import stack_folds
from argrad.sklearn.hyperparameters import Shared
from argrad.sklearn.place import Place, find_place
from argrad.sklearn.refit import refit
from argrad.sklearn.results import Record
from argrad.sklearn.splits import make_splits
from argrad.sklearn.upper import projected_descent, shared_descent


def _delegates(name: str) -> Callable[[Any], bool]:
    """Whether a search has the method `name` of its estimator."""

    def check(search: Any) -> bool:
        if not search.refit:
            raise AttributeError(
                f"{name} needs a fitted best_estimator_, but refit=False: set refit=True, or fit "
                "an estimator with best_params_ yourself."
            )
        getattr(getattr(search, "best_estimator_", search.estimator), name)
        return True

    return check


class GradientSearchCV(MetaEstimatorMixin, BaseEstimator):
    """Hyperparameter search by descent on the cross-validation loss, with exact gradients.

    For log hyperparameters h the criterion is

        F(h) = 1/k Σ_i  mean loss on the validation rows of fold i of the model fitted, with
               hyperparameters e^h, on its training rows

    with log loss for classifiers and the squared error for regressors, minus what
    `GridSearchCV` calls `neg_log_loss` and `neg_mean_squared_error`. Its derivatives are exact:
    each fold's coefficients are a differentiable function of h by their optimality conditions.

    Parameters
    ----------
    estimator : Ridge or LogisticRegression, alone or as the last step of a Pipeline. The steps
        before are fitted on the training rows of every fold.
    params : dictionary of one entry, `alpha` of Ridge or `C` of LogisticRegression (in a
        Pipeline `step__alpha`), to `Shared(low, high)` or `PerFeature(low, high)`.
    cv : number of folds (stratified for classes), a splitter, or an iterable of pairs of row
        positions (train, validation).
    tol : the search ends when no further decrease by more than `tol` times the loss is in sight;
        None for 1e-8 with one hyperparameter, 1e-4 with one a feature.
    max_evaluations : the most evaluations of F; None for 12 with one hyperparameter, 100 with
        one a feature.
    refit : whether to fit the best estimator on all rows.
    callback : called after each evaluation with a dictionary of `evaluation` (from 1), `fits`,
        `seconds`, `cv_loss`, `gradient_norm`, `params`.
    verbose : print a line an evaluation if positive.

    Attributes
    ----------
    best_estimator_ : a scikit-learn estimator fitted on all rows; under `PerFeature` one fitted
        on scaled columns, its `coef_` mapped back.
    best_params_, best_score_, best_index_ : of the lowest loss F met; the score is −F.
    cv_results_ : a row per evaluation, as in scikit-learn.
    history_ : DataFrame with a row per evaluation and a column for each number tuned.
    n_fits_ : fits of the model: k an evaluation, and the one on all rows.
    n_splits_ : k.
    interrupted_ : whether Ctrl-C ended the search; the best so far is kept.
    refit_time_ : seconds of the last fit.

    Raises ValueError, saying what to mend, for whatever cannot be tuned or learnt from, and
    `argrad.SolveError` where a fold has no finite solution.

    Source: gradients of a cross-validation criterion after Pedregosa 2016, arXiv:1602.02355.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from argrad.sklearn import GradientSearchCV, Shared
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    >>> search = GradientSearchCV(pipeline, {"logisticregression__C": Shared(1e-4, 1e4)})
    >>> round(search.fit(X, y).best_score_, 4)
    -0.0791
    >>> search.n_fits_ <= 25
    True
    """

    def __init__(
        self,
        estimator: Any,
        params: Any,
        *,
        cv: Any = 5,
        tol: float | None = None,
        max_evaluations: int | None = None,
        refit: bool = True,
        callback: Callable[[dict[str, Any]], Any] | None = None,
        verbose: int = 0,
    ):
        self.estimator = estimator
        self.params = params
        self.cv = cv
        self.tol = tol
        self.max_evaluations = max_evaluations
        self.refit = refit
        self.callback = callback
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> GradientSearchCV:
        """Search, and fit the best estimator on all rows.

        `X` (n, d) is an array or DataFrame, `y` (n,) the target; `groups` (n,) is passed to the
        splitter. Ctrl-C ends the search with the best so far; before the first evaluation
        KeyboardInterrupt is raised.
        """
        start = time.perf_counter()
        self.__dict__.pop("best_estimator_", None)  # that of an earlier fit
        self._check_settings()
        place = find_place(self.estimator, self.params)
        X, y, groups = _checked(X, y, groups, place)
        model, encoded = place.model.for_target(y)
        splits = make_splits(self.cv, X, y, encoded.classes, groups)
        folds = stack_folds(
            place.preprocess, X, y, encoded.values, splits, place.final.fit_intercept
        )
        criterion = Criterion(model, folds, isinstance(place.hyperparameter, Shared))
        record = Record(place, folds.features, folds.count)
        self.interrupted_ = False
        try:
            self._search(criterion, self._upper(criterion, place), record, start)
        except KeyboardInterrupt:
            if not record.evaluations:
                raise
            self.interrupted_ = True
        self._report(record, folds.count)
        if self.refit:
            before = time.perf_counter()
            best = record.evaluations[self.best_index_]
            self.best_estimator_ = refit(self.estimator, place, best.log_values, X, y)
            self.refit_time_ = time.perf_counter() - before
        return self

    def _check_settings(self) -> None:
        limit = self.max_evaluations
        whole = isinstance(limit, Integral) and not isinstance(limit, bool)
        if limit is not None and not (whole and limit >= 1):
            raise ValueError(
                f"max_evaluations must be a whole number of at least 1, or None, got {limit!r}."
            )
        if self.tol is not None and not self.tol > 0:
            raise ValueError(f"tol must be positive, or None, got {self.tol!r}.")

    def _upper(self, criterion: Criterion, place: Place) -> Generator[np.ndarray, Evaluation, None]:
        low, high = np.log(place.hyperparameter.low), np.log(place.hyperparameter.high)
        start = np.clip(criterion.start(), low, high)
        if criterion.shared:
            return shared_descent(low, high, float(start.mean()), self.tol or 1e-8)
        size = np.ones(criterion.features)
        return projected_descent(low * size, high * size, start, self.tol or 1e-4)

    def _search(
        self,
        criterion: Criterion,
        upper: Generator[np.ndarray, Evaluation, None],
        record: Record,
        start: float,
    ) -> None:
        limit = self.max_evaluations or (12 if criterion.shared else 100)
        log_values = next(upper)
        while True:
            evaluation = criterion(log_values)
            told = record.add(evaluation, time.perf_counter() - start)
            if self.verbose > 0:
                print(
                    f"evaluation {told['evaluation']}: CV loss {told['cv_loss']:.6g}, gradient "
                    f"{told['gradient_norm']:.2g}, {told['seconds']:.2f} s",
                    flush=True,
                )
            if self.callback is not None:
                self.callback(told)
            if len(record.evaluations) >= limit:
                return
            try:
                log_values = upper.send(evaluation)
            except StopIteration:
                return

    def _report(self, record: Record, n_splits: int) -> None:
        self.n_splits_ = n_splits
        self.best_index_ = record.best_index
        best = record.evaluations[self.best_index_]
        self.best_params_ = record.params(best)
        self.best_score_ = -best.value
        self.cv_results_ = record.cv_results()
        self.history_ = record.history()
        self.n_fits_ = n_splits * len(record.evaluations) + bool(self.refit)

    @available_if(_delegates("predict"))
    def predict(self, X: Any) -> np.ndarray:
        """`predict` of the best estimator."""
        return self._best().predict(X)

    @available_if(_delegates("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """`predict_proba` of the best estimator."""
        return self._best().predict_proba(X)

    @available_if(_delegates("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """`predict_log_proba` of the best estimator."""
        return self._best().predict_log_proba(X)

    @available_if(_delegates("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """`decision_function` of the best estimator."""
        return self._best().decision_function(X)

    @available_if(_delegates("score"))
    def score(self, X: Any, y: Any) -> float:
        """`score` of the best estimator: accuracy, or R²."""
        return self._best().score(X, y)

    @property
    def classes_(self) -> np.ndarray:
        """The class labels, of a classifier."""
        return self._best_attribute("classes_")

    @property
    def n_features_in_(self) -> int:
        """The number of columns seen in fit."""
        return self._best_attribute("n_features_in_")

    @property
    def feature_names_in_(self) -> np.ndarray:
        """The names of the columns seen in fit, of a DataFrame."""
        return self._best_attribute("feature_names_in_")

    def _best(self) -> Any:
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    def _best_attribute(self, name: str) -> Any:
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(f"{type(self).__name__} has {name} only once it is fitted.")
        return getattr(self.best_estimator_, name)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.regressor_tags = deepcopy(inner.regressor_tags)
        tags.target_tags.required = True
        return tags


def _checked(X: Any, y: Any, groups: Any, place: Place) -> tuple[Any, np.ndarray, Any]:
    """X, y and groups that can be indexed by row and are as long as each other."""
    if y is None:
        raise ValueError(
            "GradientSearchCV requires y to be passed, but the target y is None: call fit(X, y)."
        )
    X, groups = indexable(X, groups)
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y.ravel()
    if y.ndim != 1:
        raise ValueError(
            f"y has shape {y.shape}, but one target is tuned at a time: give y of shape (n,)."
        )
    if len(y) == 0:
        raise ValueError("X and y have 0 rows: there is nothing to learn from.")
    check_consistent_length(X, y)
    if place.preprocess is None or sparse.issparse(X):
        as_design(X)
    return X, y, groups
