from __future__ import annotations

import pytest

from argrad.report import InputError
from argrad.report.catalogue import CATALOGUE, choice_of, named
from argrad.sklearn.models import MODELS, model_of
from sklearn import linear_model


def test_it_is_the_registry_of_the_search():
    assert [each.estimator for each in CATALOGUE] == [each.estimator.__name__ for each in MODELS]


@pytest.mark.parametrize("choice", CATALOGUE, ids=lambda choice: choice.name)
def test_it_says_of_each_model_what_the_registry_says(choice):
    estimator = getattr(linear_model, choice.estimator)(**choice.settings)
    model = model_of(estimator)
    assert choice.parameter == model.parameter
    assert choice.inverse == (model.sign < 0)
    assert choice.loss_name == model.loss_name


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("poison", "poisson"),
        ("PoissonRegressor", "poisson"),
        ("Ridge", "ridge"),
        ("hubert", "huber"),
    ],
)
def test_the_nearest_name_is_suggested(name, nearest):
    with pytest.raises(InputError, match=rf"no model '{name}'\. Did you mean '{nearest}'"):
        named(name)


def test_without_a_near_name_all_are_listed():
    with pytest.raises(InputError, match=r"no model 'xyzzy'\. There are 'ridge', 'logistic'"):
        named("xyzzy")


def test_the_task_chooses_the_model_unless_it_is_named():
    assert choice_of(None, "classification").name == "logistic"
    assert choice_of(None, "regression").name == "ridge"
    with pytest.raises(InputError, match="'gamma' is for regression, not classification"):
        choice_of("gamma", "classification")
