"""The models that can be tuned: one short file each, listed here."""

from __future__ import annotations

from typing import Any

from argrad.sklearn.models.base import Encoded, Model, Tunable
from argrad.sklearn.models.gamma import GammaModel
from argrad.sklearn.models.huber import HuberModel
from argrad.sklearn.models.kernel_ridge import KernelRidgeModel
from argrad.sklearn.models.lasso import ElasticNetModel, LassoModel
from argrad.sklearn.models.linear_svm import LinearSVCModel, LinearSVRModel
from argrad.sklearn.models.logistic import LogisticModel
from argrad.sklearn.models.mlp import ClassifierModel, RegressorModel
from argrad.sklearn.models.poisson import PoissonModel
from argrad.sklearn.models.ridge import RidgeModel
from argrad.sklearn.models.svm import SVCModel, SVRModel
from argrad.sklearn.models.tweedie import TweedieModel

MODELS: tuple[type[Tunable], ...] = (
    RidgeModel,
    LogisticModel,
    PoissonModel,
    GammaModel,
    TweedieModel,
    HuberModel,
    KernelRidgeModel,
    LassoModel,
    ElasticNetModel,
    SVCModel,
    SVRModel,
    LinearSVCModel,
    LinearSVRModel,
    RegressorModel,
    ClassifierModel,
)

__all__ = ["MODELS", "Encoded", "Model", "Tunable", "model_of"]


def model_of(estimator: Any) -> Tunable:
    """The model of a scikit-learn estimator; ValueError if it has none, or for its settings.

    An estimator may bring its own, as those of `argrad.sklearn.from_objective` do.
    """
    if hasattr(estimator, "__argrad_model__") and not isinstance(estimator, type):
        return estimator.__argrad_model__()
    for model in MODELS:
        # A subclass may have another objective.
        if type(estimator) is model.estimator:
            return model.of(estimator)
    names = [model.estimator.__name__ for model in MODELS]
    kind = (estimator if isinstance(estimator, type) else type(estimator)).__name__
    if kind in names:
        made = "an instance" if isinstance(estimator, type) else "scikit-learn's own"
        raise ValueError(f"{estimator!r} cannot be tuned by gradient: give {made}, as {kind}().")
    # Names that look alike are of models that differ: LinearRegression is no LogisticRegression.
    bare = kind.removesuffix("CV")
    hint = f" Do you mean {bare}?" if bare in names else ""
    raise ValueError(
        f"{kind} cannot be tuned by gradient.{hint} {', '.join(names[:-1])} and {names[-1]} can, "
        "alone or as the last step of a Pipeline; a model of your own can with "
        "argrad.sklearn.from_objective."
    )
