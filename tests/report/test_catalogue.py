from __future__ import annotations

import importlib

import numpy as np
import pytest
from sklearn.base import is_classifier

from argrad.report import InputError
from argrad.report.catalogue import CATALOGUE, choice_of, named
from argrad.sklearn import Adaptive, Grouped, PerClass, PerFeature, PerLayer, Shared
from argrad.sklearn.models import MODELS, model_of

GRANULARITIES = {
    Shared: "shared",
    Grouped: "grouped",
    PerClass: "per-class",
    PerLayer: "per-layer",
    Adaptive: "adaptive",
    PerFeature: "per-feature",
}


def estimator_of(choice):
    module = importlib.import_module(f"sklearn.{choice.module}")
    return getattr(module, choice.estimator)(**choice.settings)


def test_it_is_the_registry_of_the_search():
    registered = [each.estimator.__name__ for each in MODELS]
    assert [each.estimator for each in CATALOGUE] == registered


@pytest.mark.parametrize("choice", CATALOGUE, ids=lambda choice: choice.name)
def test_it_says_of_each_model_what_the_registry_says(choice):
    estimator = estimator_of(choice)
    model = model_of(estimator)
    assert list(choice.ranges) == list(model.kinds)
    assert choice.loss_name == model.loss_name
    assert choice.task == ("classification" if is_classifier(estimator) else "regression")
    granularities = {GRANULARITIES[kind] for kind in model.kinds[choice.parameter]}
    if choice.task == "regression":  # of the single target that a table has
        granularities -= {"per-class"}
    if not choice.linear:  # groups are of columns, not of layers
        granularities -= {"grouped"}
    assert set(choice.granularities) == granularities
    for criterion in choice.criteria:
        model.judged_by(criterion)
    with pytest.raises(ValueError, match=" and ".join(map(repr, choice.criteria))):
        model.judged_by("nothing")


@pytest.mark.parametrize(
    "choice", [each for each in CATALOGUE if each.linear], ids=lambda choice: choice.name
)
def test_which_penalties_are_inverse(choice, rng):
    """Coefficients shrink as a penalty grows."""
    X, z = rng.normal(size=(60, 3)), rng.normal(size=60)
    y = (z > 0).astype(int) if choice.task == "classification" else np.exp(z)
    sizes = []
    for value in (0.05, 20.0):
        fitted = estimator_of(choice).set_params(**{choice.parameter: value}).fit(X, y)
        # liblinear's penalty is on the intercept as well.
        both = choice.name.startswith("linear_sv")
        sizes.append(np.linalg.norm(np.append(fitted.coef_, fitted.intercept_ if both else 0.0)))
    assert (sizes[1] > sizes[0]) == choice.inverse


@pytest.mark.parametrize("choice", CATALOGUE, ids=lambda choice: choice.name)
def test_which_have_coefficients_of_the_columns(choice, rng):
    X, z = rng.normal(size=(40, 3)), rng.normal(size=40)
    y = (z > 0).astype(int) if choice.task == "classification" else np.exp(z)
    assert choice.linear == hasattr(estimator_of(choice).fit(X, y), "coef_")


def test_what_has_no_such_penalties():
    named("svc").check_granularity("auto")
    named("lasso").check_granularity("per-feature", groups=True)
    for name, asked, said in (
        ("svc", "per-feature", "'svc' has no C for each feature: .* is for 'ridge', 'logistic'"),
        ("ridge", "per-class", "per-class is for 'logistic'. Leave it out, or use 'shared' or 'gr"),
        ("ridge", "per-layer", "per-layer is for 'mlp_regressor' and 'mlp_classifier'"),
        ("ridge", "adaptive", "no alpha by the coefficients of a first fit: .* is for 'lasso'"),
    ):
        with pytest.raises(InputError, match=said):
            named(name).check_granularity(asked)
    with pytest.raises(InputError, match="no alpha for each group of columns: leave out --groups"):
        named("mlp_regressor").check_granularity("auto", groups=True)


def test_a_penalty_a_class_needs_three():
    named("logistic").check_classes(3, "per-class")
    named("logistic").check_classes(2, "auto")
    with pytest.raises(InputError, match=r"has two classes, .* needs three classes or more"):
        named("logistic").check_classes(2, "per-class")


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
