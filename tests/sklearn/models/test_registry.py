import pytest
from sklearn.linear_model import Lasso, LogisticRegression, Ridge

from argrad.sklearn.models import model_of
from argrad.sklearn.models.logistic import LogisticModel, MultinomialModel
from argrad.sklearn.models.ridge import RidgeModel


class Changed(Ridge):
    """A subclass may minimise something else."""


def test_models_are_found_by_exact_type():
    assert model_of(Ridge()) is RidgeModel
    assert model_of(LogisticRegression()) is LogisticModel


@pytest.mark.parametrize("estimator", [Lasso(), Changed(), Ridge, None])
def test_others_are_refused_with_the_list_of_those_that_can(estimator):
    with pytest.raises(ValueError, match="Ridge and LogisticRegression can"):
        model_of(estimator)


def test_models_are_equal_by_type():
    """Compiled criteria are kept by model."""
    assert RidgeModel() == RidgeModel()
    assert hash(LogisticModel()) == hash(LogisticModel())
    assert LogisticModel() != MultinomialModel()
