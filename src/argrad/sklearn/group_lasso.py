"""The group lasso as a scikit-learn estimator, which scikit-learn has none of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from argrad import SolveError
from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.criteria.group_lower import GroupProblem
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.sparse_lower import Support
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.hyperparameters import Grouped
from argrad.sklearn.models.group_lasso import GroupLassoModel
from argrad.sklearn.rows.designs import as_design
from argrad.sklearn.rows.folds import feature_names
from argrad.sklearn.rows.inputs import as_weights


class GroupLasso(RegressorMixin, BaseEstimator):
    """Linear regression in which groups of columns are used as a whole, or not at all.

        min over w, b   1/(2n) ‖y − X w − b‖² + alpha Σ_g √d_g ‖w_g‖

    for groups of d_g columns; with weights of rows their weighted mean. With one column a group it
    is the lasso. Solved to rounding; `GradientSearchCV` tunes `alpha`.

    Parameters
    ----------
    groups : a label for each column, in their order, or a dictionary from a label to the names of
        its columns (x0, x1, ... where they have none), as for `Grouped`. None for one column a
        group. In a Pipeline they are the columns after preprocessing.
    alpha : the penalty, positive.
    fit_intercept : whether there is a b.

    Attributes
    ----------
    coef_ (d,), intercept_ : w and b. Columns of groups that are not used have coefficient 0.
    n_features_in_, feature_names_in_ : as everywhere in scikit-learn.

    Raises ValueError for groups that do not fit the columns and for an `alpha` that is not
    positive, `argrad.SolveError` where several solutions are equally good, because groups in use
    can stand for each other, and where alpha is so small that rounding hides it: of the least at
    which no group is used, less than about 1e-10.

    Source: Yuan and Lin 2006, Model selection and estimation in regression with grouped variables,
    J. R. Stat. Soc. B 68.

    Examples
    --------
    >>> import numpy as np
    >>> from argrad.sklearn import GradientSearchCV, GroupLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 9))
    >>> y = X[:, :3] @ np.array([1.0, -2.0, 0.5]) + 0.1 * rng.normal(size=60)
    >>> model = GroupLasso(groups=[0, 0, 0, 1, 1, 1, 2, 2, 2], alpha=0.3).fit(X, y)
    >>> (model.coef_ != 0).tolist()
    [True, True, True, False, False, False, False, False, False]
    >>> search = GradientSearchCV(model).fit(X, y)
    >>> search.best_params_["alpha"] < 0.3
    True
    """

    def __init__(
        self,
        groups: Sequence[Any] | Mapping[Any, Sequence[str]] | None = None,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
    ):
        self.groups = groups
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to X (n, d), dense or sparse, and y (n,), with weights (n,), 1 if None."""
        alpha = self._checked_alpha()
        columns, y = validate_data(self, X, y, accept_sparse="csr", dtype=float, y_numeric=True)
        n, d = columns.shape
        weight = as_weights(sample_weight, n)
        weight = np.ones(n) if weight is None else weight
        numbers = self._numbers(feature_names(None, X, d))
        centre = weight @ columns / weight.sum() if self.fit_intercept else np.zeros(d)
        design = Centred(as_design(columns), centre, np.ones(n))
        with one_thread():
            problem = GroupProblem(
                design, np.asarray(y, float), weight, bool(self.fit_intercept), groups=numbers
            )
            try:
                found = problem.solve(np.full(d, alpha), np.zeros(d), Support.empty()).support
            except LowerError as failure:
                raise SolveError(
                    f"GroupLasso cannot be fitted at alpha={alpha:g}: {failure}. Raise alpha, or "
                    "leave out columns that repeat others."
                ) from None
        self.coef_ = np.zeros(d)
        self.coef_[found.columns] = found.coefficients
        self.intercept_ = float(problem.mean - centre @ self.coef_)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """X w + b, of shape (n,)."""
        check_is_fitted(self)
        columns = validate_data(self, X, accept_sparse="csr", dtype=float, reset=False)
        return np.asarray(columns @ self.coef_) + self.intercept_

    def _checked_alpha(self) -> float:
        alpha = self.alpha
        if isinstance(alpha, bool) or not isinstance(alpha, Real) or not 0 < float(alpha) < np.inf:
            raise ValueError(f"alpha must be a positive number, got {alpha!r}.")
        return float(alpha)

    def _numbers(self, features: list[str]) -> np.ndarray:
        """The number of each column's group (d,)."""
        if self.groups is None:
            return np.arange(len(features))
        return Grouped(self.groups, 0.5, 2.0).index(features, 1)[:, 0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __argrad_model__(self) -> GroupLassoModel:
        """How a search sees this estimator."""
        return GroupLassoModel(self._checked_alpha(), numbers=self._numbers)
