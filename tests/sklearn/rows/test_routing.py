"""Metadata: as GridSearchCV passes it, with scikit-learn's routing switched on and off."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn
from argrad.sklearn import GradientSearchCV, Shared
from argrad.sklearn.reporting.scoring import scorers_of
from argrad.sklearn.rows.routing import route_fit, route_score

RANGE = Shared(1e-3, 1e3)
WEIGHTS = np.arange(1.0, 7.0)


def mean_error(estimator, X, y):
    return float(np.mean(estimator.predict(X) != y))


def routed(estimator, metadata, scoring=None, cv=5):
    name = "alpha" if isinstance(estimator, Ridge) else "C"
    search = GradientSearchCV(estimator, {name: RANGE}, scoring=scoring, cv=cv)
    return route_fit(search, scorers_of(estimator, scoring), metadata)


def test_plainly_weights_go_to_fits_and_scorers_and_groups_to_the_splitter():
    found = routed(LogisticRegression(), {"sample_weight": WEIGHTS, "groups": [1, 2]}, "accuracy")
    assert found.sample_weight is WEIGHTS
    assert found.split == {"groups": [1, 2]}
    assert found.scorers == {"accuracy": {"sample_weight": WEIGHTS}}
    nothing = routed(LogisticRegression(), {"sample_weight": None}, "accuracy")
    assert nothing.sample_weight is None
    assert nothing.scorers == {"accuracy": {}}


def test_a_scorer_without_weights_is_warned_of():
    with pytest.warns(UserWarning, match="'own' does not take sample_weight"):
        found = routed(LogisticRegression(), {"sample_weight": WEIGHTS}, {"own": mean_error})
    assert found.scorers == {"own": {}}


def test_plainly_nothing_else_is_known():
    with pytest.raises(TypeError, match=r"but got 'coef_init': leave it out, or .*routing"):
        routed(Ridge(), {"coef_init": 3})
    search = GradientSearchCV(Ridge(), {"alpha": RANGE})
    with pytest.raises(TypeError, match="but got 'sample_weight'"):
        route_score(search, {"sample_weight": WEIGHTS})


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_routed_by_request():
    model = LogisticRegression().set_fit_request(sample_weight="mine")
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight="theirs")
    found = routed(
        model,
        {"mine": WEIGHTS, "theirs": 2 * WEIGHTS, "groups": [1, 2]},
        {"weighted": scorer, "plain": "f1"},
        GroupKFold(2),
    )
    assert found.sample_weight is WEIGHTS
    assert found.split == {"groups": [1, 2]}
    np.testing.assert_array_equal(found.scorers["weighted"]["sample_weight"], 2 * WEIGHTS)
    assert found.scorers["plain"] == {}


@pytest.mark.usefixtures("routing")
def test_what_nobody_requested_is_refused():
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        routed(Ridge(), {"sample_weight": WEIGHTS})
    with pytest.raises(TypeError, match="unexpected argument"):
        routed(Ridge(), {"nonsense": WEIGHTS})


@pytest.mark.usefixtures("routing")
def test_through_a_pipeline_to_its_last_step():
    pipeline = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=False),
        Ridge().set_fit_request(sample_weight=True),
    )
    search = GradientSearchCV(pipeline, {"ridge__alpha": RANGE})
    found = route_fit(search, scorers_of(pipeline, None), {"sample_weight": WEIGHTS})
    assert found.sample_weight is WEIGHTS
    pipeline[0].set_fit_request(sample_weight=True)
    refused = r"'standardscaler' requests 'sample_weight'.*set_fit_request\(sample_weight=False\)"
    with pytest.raises(ValueError, match=refused):
        route_fit(search, scorers_of(pipeline, None), {"sample_weight": WEIGHTS})
    inside = ColumnTransformer([("scale", StandardScaler(), [0])])  # has not been told
    search.set_params(estimator=make_pipeline(inside, pipeline[1]))
    with pytest.raises(ValueError, match=r"'columntransformer' .* holds what has not been told"):
        route_fit(search, scorers_of(pipeline, None), {"sample_weight": WEIGHTS})


@pytest.mark.usefixtures("routing")
def test_the_score_is_routed(breast):
    X, y = StandardScaler().fit_transform(breast[0])[::4, :2], breast[1][::4]
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
    search = GradientSearchCV(LogisticRegression(), {"C": RANGE}, scoring=scorer, max_fits=11)
    search.fit(X, y, sample_weight=None)
    weights = np.where(y == 0, 3.0, 1.0)
    expected = accuracy_score(y, search.predict(X), sample_weight=weights)
    assert search.score(X, y, sample_weight=weights) == expected
    assert expected != search.score(X, y)
