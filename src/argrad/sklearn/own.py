"""A model of one's own as a scikit-learn estimator, whose hyperparameters can be tuned."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from typing import Any, Self

import jax.numpy as jnp
import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from argrad.sklearn.criteria.precision import double_precision
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.criteria.trained_on_all import train_on
from argrad.sklearn.hyperparameters import Hyperparameter
from argrad.sklearn.models.own import EVERY_KIND, OwnModel, of_each_class
from argrad.sklearn.rows.inputs import as_weights


def from_objective(
    objective: Callable[..., Any],
    predictor: Callable[[Any, Any], Any],
    init: Any,
    hyperparameters: Mapping[str, Hyperparameter],
    *,
    classifier: bool = False,
    loss: Callable[[Any, Any], Any] | None = None,
    **values: Any,
) -> ObjectiveRegressor | ObjectiveClassifier:
    """An estimator that is trained by minimising an objective of one's own, written in JAX.

    For parameters w, hyperparameters θ > 0 and row weights r it has

        w*(θ) = argmin over w   f(w, X, y, r, **θ),

    and `GradientSearchCV` tunes θ by the derivative of w*(θ), which the optimality conditions
    give. f must be twice continuously differentiable near w*; it need not be convex. Training is
    by L-BFGS and Newton's method, to rounding, in float64.

    - `objective(w, X, y, sample_weight, **hyperparameters)` is f, a number. Rows of weight 0 must
      not change it: the rows of a fold are told apart by their weights. `y` is (n,) or (n, t); of
      a classifier it holds the positions of the labels among the sorted classes.
    - `predictor(w, X)` gives predictions like y; of a classifier the scores (n, classes) whose
      softmax are the probabilities, or (n,), the log odds of the second of two classes.
    - `init` is the w to start from, a pytree of arrays, or a function of the numbers of columns
      and of classes (or targets) that makes it.
    - `hyperparameters` maps names to `Shared`, `PerFeature`, `Grouped`, `PerClass` or
      `PerEntry(count, low, high)`. The objective is given a number for `Shared` and a vector for
      the others: one entry a column (for `Grouped` as well), a class, or of `count`.
    - `loss(prediction, y)` is the loss (n,) of validation rows; the squared error by default, or
      the log loss.
    - `values` set hyperparameters for `fit` without a search; else they are the geometric middle
      of their range.

    Raises TypeError or ValueError for functions that are none, and for names that are taken.

    >>> import jax.numpy as jnp, numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from argrad.sklearn import GradientSearchCV, Shared, from_objective
    >>> def predictor(w, X):
    ...     return X @ w["slope"] + w["base"]
    >>> def objective(w, X, y, sample_weight, penalty):  # robust: grows like |error|
    ...     errors = (predictor(w, X) - y) / 50.0
    ...     return jnp.sum(sample_weight * jnp.log(jnp.cosh(errors))) + penalty * jnp.sum(
    ...         w["slope"] ** 2
    ...     )
    >>> model = from_objective(
    ...     objective,
    ...     predictor,
    ...     lambda features, outputs: {"slope": jnp.zeros(features), "base": 0.0},
    ...     {"penalty": Shared(1e-8, 1e2)},
    ... )
    >>> search = GradientSearchCV(model, cv=3).fit(*load_diabetes(return_X_y=True))
    >>> bool(2e3 < -search.best_score_ < 4e3), search.best_estimator_.params_["slope"].shape
    (True, (10,))
    """
    kind = ObjectiveClassifier if classifier else ObjectiveRegressor
    return kind(objective, predictor, init, hyperparameters, loss=loss, **values)


class _Objective(BaseEstimator):
    """What regressors and classifiers with an objective have in common.

    The hyperparameters are parameters like any other: `get_params` lists them, `set_params` and
    attributes set them.
    """

    _classifier = False

    def __init__(
        self,
        objective: Callable[..., Any],
        predictor: Callable[[Any, Any], Any],
        init: Any,
        hyperparameters: Mapping[str, Hyperparameter],
        *,
        loss: Callable[[Any, Any], Any] | None = None,
        **values: Any,
    ):
        self.objective = objective
        self.predictor = predictor
        self.init = init
        self.hyperparameters = hyperparameters
        self.loss = loss
        self._check()
        unknown = sorted(set(values) - set(hyperparameters))
        if unknown:
            raise TypeError(
                f"{unknown[0]!r} is no hyperparameter: there are "
                f"{', '.join(map(repr, hyperparameters))}."
            )
        for name, value in values.items():
            setattr(self, name, value)

    def _check(self) -> None:
        for name in ("objective", "predictor"):
            if not callable(getattr(self, name)):
                raise TypeError(f"{name} must be a function, got {getattr(self, name)!r}.")
        if self.loss is not None and not callable(self.loss):
            raise TypeError(f"loss must be a function (prediction, y), got {self.loss!r}.")
        if not isinstance(self.hyperparameters, Mapping) or not self.hyperparameters:
            raise TypeError(
                'hyperparameters must be a dictionary such as {"penalty": Shared(1e-4, 1e4)}, got '
                f"{self.hyperparameters!r}."
            )
        taken = self._get_param_names()
        for name, kind in self.hyperparameters.items():
            if type(kind) not in EVERY_KIND:
                shown = ", ".join(each.__name__ for each in EVERY_KIND)
                raise TypeError(f"hyperparameters[{name!r}] must be one of {shown}, got {kind!r}.")
            usable = str(name).isidentifier() and not keyword.iskeyword(name) and "__" not in name
            if not usable or name in taken or hasattr(type(self), name):
                raise ValueError(f"a hyperparameter cannot be called {name!r}: rename it.")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, and the value of each hyperparameter by its name."""
        params = super().get_params(deep=deep)
        return {**params, **{name: self._value(name) for name in self.hyperparameters}}

    def _value(self, name: str) -> Any:
        """As it was set, or the middle of its range."""
        kind = self.hyperparameters[name]
        return self.__dict__.get(name, float(np.sqrt(kind.low * kind.high)))

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Minimise the objective on X (n, d) and y. Raises `argrad.SolveError` if that fails."""
        design = validate_data(self, X, dtype=float)
        check_consistent_length(design, y)
        weight = as_weights(sample_weight, len(design))
        model, encoded = self.__argrad_model__().for_target(y)
        names = [f"x{j}" for j in range(design.shape[1])]
        values = model.settings(names, encoded.outputs)
        with one_thread():
            w, _ = train_on(model, design, encoded, values, weight)
        return self.adopt(w, X, y)

    def adopt(self, w: Any, X: Any, y: Any) -> Self:
        """Take w as fitted to X and y, wherever it was found."""
        validate_data(self, X, dtype=float)
        self.params_ = w
        if self._classifier:
            self.classes_ = np.unique(y)
        return self

    def _predicted(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "params_")
        X = validate_data(self, X, dtype=float, reset=False)
        with double_precision():
            return np.asarray(self.predictor(self.params_, jnp.asarray(X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = not self._classifier
        return tags

    def __argrad_model__(self) -> OwnModel:
        """How a search sees this estimator."""
        return OwnModel(
            self.objective,
            self.predictor,
            self.loss,
            type(self).__name__,
            self._classifier,
            begin=self.init,
            ranges=self.hyperparameters,
            values={name: self._value(name) for name in self.hyperparameters},
        )


class ObjectiveRegressor(RegressorMixin, _Objective):
    """A regressor with an objective of one's own, made by `from_objective`.

    `params_` is the fitted w.
    """

    def predict(self, X: Any) -> np.ndarray:
        """What the predictor gives, at the fitted parameters."""
        return self._predicted(X)


class ObjectiveClassifier(ClassifierMixin, _Objective):
    """A classifier with an objective of one's own, made by `from_objective`.

    `params_` is the fitted w, `classes_` the labels.
    """

    _classifier = True

    def decision_function(self, X: Any) -> np.ndarray:
        """The scores (n, classes), or those (n,) of the second of two."""
        scores = self._predicted(X)
        if scores.ndim == 2 and scores.shape[1] == 2:
            return scores[:, 1] - scores[:, 0]
        return scores

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (n, classes)."""
        return softmax(np.asarray(of_each_class(self._predicted(X))), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each row."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]
