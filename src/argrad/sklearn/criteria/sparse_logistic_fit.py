"""scikit-learn's logistic regression with the exact solution of a sparse lower problem."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from argrad import SolveError
from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.sparse_loss_lower import SparseLossProblem
from argrad.sklearn.criteria.sparse_lower import Support
from argrad.sklearn.models.base import Encoded
from argrad.sklearn.models.sparse_logistic import SparseLogisticModel
from argrad.sklearn.rows.designs import as_design


def fit_sparse_logistic(
    model: SparseLogisticModel,
    final: Any,
    values: dict[str, np.ndarray],
    X: Any,
    y: np.ndarray,
    encoded: Encoded,
    sample_weight: np.ndarray | None,
) -> None:
    """Fit `final` with hyperparameters at `values`; of several C it has the geometric mean.

    scikit-learn's solver makes a single pass, for all that an estimator learns beside its
    coefficients; these are then the solution to rounding, which it would take thousands to come to.
    """
    design = as_design(X)
    n, d = design.shape
    C = np.broadcast_to(np.asarray(values.get("C", model.strength), dtype=float), (d,))
    ratio = float(values.get("l1_ratio", model.l1_ratio))
    plain = {"C": float(np.exp(np.log(C).mean()) if np.ptp(C) else C[0])}
    if "l1_ratio" in values:
        plain["l1_ratio"] = ratio
    final.set_params(**plain)
    passes = final.max_iter
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        final.set_params(max_iter=1).fit(X, y, **weights)
    final.set_params(max_iter=passes)
    weight = np.ones(n) if sample_weight is None else sample_weight
    intercept = bool(final.fit_intercept)
    centre = weight @ design / weight.sum() if intercept else np.zeros(d)
    rows = Centred(design, centre, np.ones(n)), encoded.values, weight, intercept
    try:
        solution = SparseLossProblem(*rows, model.loss).solve(
            ratio / C, (1.0 - ratio) / C, Support.empty()
        )
    except LowerError as failure:
        raise SolveError(f"the model cannot be fitted on all rows: {failure}.") from None
    w = np.zeros(d * encoded.values.shape[1])
    w[solution.support.columns] = solution.support.coefficients
    final.coef_ = w.reshape(d, -1).T
    if intercept:  # of several unique only up to a common shift; scikit-learn's sum to zero
        intercepts = solution.intercept - final.coef_ @ centre
        several = len(intercepts) > 1
        final.intercept_ = intercepts - intercepts.mean() if several else intercepts
