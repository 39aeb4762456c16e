"""A model with an objective of its own trained on all rows: the last fit of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argrad import SolveError
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.matrix_free import train_until_still
from argrad.sklearn.criteria.precision import double_precision
from argrad.sklearn.criteria.training import (
    MOST,
    Problem,
    beginning,
    flattened,
    train,
    unflattened,
    value_and_gradient,
)
from argrad.sklearn.models import Encoded
from argrad.sklearn.models.trained import Rows, Trained


def train_on(
    model: Trained,
    X: np.ndarray,
    encoded: Encoded,
    values: Mapping[str, np.ndarray],
    sample_weight: np.ndarray | None,
) -> tuple[Any, float]:
    """w, a pytree of arrays, trained on all rows from the model's own start, and f there.

    To a minimum, but with so many parameters that no Hessian is formed until it falls no more.
    Raises SolveError where training finds none.
    """
    with double_precision():
        weight = np.ones(len(X)) if sample_weight is None else sample_weight
        rows = Rows(*(jnp.asarray(each) for each in (X, encoded.values, weight)))
        like = beginning(model, X.shape[1], len(encoded.outputs))
        numbers = {name: jnp.asarray(each, dtype=float) for name, each in values.items()}
        problem = Problem(like, rows, numbers)
        try:
            start = flattened(like)
            if len(start) > MOST:
                w = train_until_still(model, problem, start)
            else:
                w = train(model, problem, start).w
        except LowerError as failure:
            raise SolveError(
                f"the model cannot be trained on all rows: {failure}. Raise the penalties, or "
                "scale the columns."
            ) from None
        value = float(value_and_gradient(model, w, problem)[0])
        return jax.tree.map(np.asarray, unflattened(like, jnp.asarray(w))), value
