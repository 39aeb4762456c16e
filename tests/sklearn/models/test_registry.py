import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import (
    HuberRegressor,
    Lars,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeCV,
)

from argrad.sklearn.models import model_of
from argrad.sklearn.models.huber import HuberModel
from argrad.sklearn.models.logistic import LogisticModel, MultinomialModel
from argrad.sklearn.models.ridge import RidgeModel


class Changed(Ridge):
    """A subclass may minimise something else."""


def test_models_are_found_by_exact_type():
    assert model_of(Ridge()) == RidgeModel()
    assert model_of(LogisticRegression()) == LogisticModel()
    assert model_of(HuberRegressor(epsilon=2.0)) == HuberModel(2.0)


@pytest.mark.parametrize("estimator", [Lars(), Changed(), None])
def test_others_are_refused_with_the_list_of_those_that_can(estimator):
    with pytest.raises(ValueError, match=r"Ridge, LogisticRegression, .* and MLPClassifier can"):
        model_of(estimator)


def test_the_nearest_name_is_suggested():
    with pytest.raises(ValueError, match=r"RidgeCV cannot.* Do you mean Ridge"):
        model_of(RidgeCV())
    for other in (LinearRegression(), RandomForestRegressor()):
        with pytest.raises(ValueError, match=r"cannot be tuned by gradient\. Ridge, Log"):
            model_of(other)
    with pytest.raises(ValueError, match=r"give an instance, as Ridge\(\)"):
        model_of(Ridge)


def test_models_are_equal_by_type_and_settings():
    """Compiled criteria are kept by model."""
    assert HuberModel(1.5) != HuberModel(1.35)
    assert RidgeModel() == RidgeModel()
    assert hash(LogisticModel()) == hash(LogisticModel())
    assert LogisticModel() != MultinomialModel()
