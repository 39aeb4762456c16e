"""What a fitted search does as its best estimator would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted


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


class ActsAsBest:
    """The methods of the best estimator, those that it has, and what it saw in fit."""

    estimator: Any
    best_estimator_: Any

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

    @available_if(_delegates("score_samples"))
    def score_samples(self, X: Any) -> np.ndarray:
        """`score_samples` of the best estimator."""
        return self._best().score_samples(X)

    @available_if(_delegates("transform"))
    def transform(self, X: Any) -> Any:
        """`transform` of the best estimator."""
        return self._best().transform(X)

    @available_if(_delegates("inverse_transform"))
    def inverse_transform(self, X: Any) -> Any:
        """`inverse_transform` of the best estimator."""
        return self._best().inverse_transform(X)

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
