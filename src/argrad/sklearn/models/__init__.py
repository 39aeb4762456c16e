"""The models that can be tuned: one short file each, listed here."""

from __future__ import annotations

from typing import Any

from argrad.sklearn.models.base import Encoded, Model
from argrad.sklearn.models.logistic import LogisticModel
from argrad.sklearn.models.ridge import RidgeModel

MODELS: tuple[type[Model], ...] = (RidgeModel, LogisticModel)

__all__ = ["MODELS", "Encoded", "Model", "model_of"]


def model_of(estimator: Any) -> type[Model]:
    """The model of a scikit-learn estimator; ValueError if it is not one of them."""
    for model in MODELS:
        # A subclass may have another objective.
        if type(estimator) is model.estimator:
            return model
    known = " and ".join(model.estimator.__name__ for model in MODELS)
    raise ValueError(
        f"{type(estimator).__name__} cannot be tuned by gradient: {known} can, alone or as the "
        "last step of a Pipeline."
    )
