from __future__ import annotations

import pytest

from argrad.report import InputError
from argrad.report.catalogue import CATALOGUE, IN_PYTHON, choice_of, named
from argrad.sklearn.models import MODELS, Model, model_of
from sklearn import linear_model


def test_it_is_the_registry_of_the_search():
    linear = [each.estimator.__name__ for each in MODELS if issubclass(each, Model)]
    assert [each.estimator for each in CATALOGUE] == linear


def test_the_other_models_are_those_of_the_registry():
    others = {each.estimator.__name__: each for each in MODELS if not issubclass(each, Model)}
    assert list(IN_PYTHON) == list(others)
    for name, model in others.items():
        needed = {"KernelRidge": {"kernel": "rbf"}, "MLP": {"activation": "tanh"}}
        settings = needed.get("MLP" if name.startswith("MLP") else name, {})
        kinds = model_of(model.estimator(**settings)).kinds
        said = {tuned: tuple(each.__name__ for each in kind) for tuned, kind in kinds.items()}
        assert IN_PYTHON[name] == said


@pytest.mark.parametrize("choice", CATALOGUE, ids=lambda choice: choice.name)
def test_it_says_of_each_model_what_the_registry_says(choice):
    estimator = getattr(linear_model, choice.estimator)(**choice.settings)
    model = model_of(estimator)
    assert choice.parameter == model.parameter
    assert choice.inverse == (model.sign < 0)
    assert choice.loss_name == model.loss_name
    assert list(choice.criteria) == list(dict.fromkeys([model.criterion, *model.judges]))


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


def test_the_nearest_criterion_is_suggested():
    assert named("logistic").criterion(None) == "log_loss"
    assert named("gamma").criterion("mean_squared_error") == "mean_squared_error"
    with pytest.raises(InputError, match=r"'logistic' has no criterion 'brier'\. Did you mean 'b"):
        named("logistic").criterion("brier")
    with pytest.raises(InputError, match="can be tuned for 'mean_squared_error'"):
        named("ridge").criterion("log_loss")
