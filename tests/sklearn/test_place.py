import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from argrad.sklearn import Auto, Shared
from argrad.sklearn.place import find_place

RANGE = Shared(1e-2, 1e2)


def test_alone():
    estimator = Ridge()
    place = find_place(estimator, {"alpha": RANGE})
    assert place.final is estimator
    assert place.preprocess is None
    assert place.name == "alpha"


def test_last_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), PCA(), LogisticRegression())
    place = find_place(pipeline, {"logisticregression__C": RANGE})
    assert place.final is pipeline[-1]
    assert [name for name, _ in place.preprocess.steps] == ["standardscaler", "pca"]
    alone = Pipeline([("model", Ridge())])
    assert find_place(alone, {"model__alpha": RANGE}).preprocess is None


@pytest.mark.parametrize(
    ("estimator", "params", "said"),
    [
        (Ridge(), {"alhpa": RANGE}, "no parameter 'alhpa': do you mean 'alpha'"),
        (Ridge(), {"C": RANGE}, "no parameter 'C': do you mean 'alpha'"),
        (LogisticRegression(), {"alpha": RANGE}, "no parameter 'alpha': do you mean 'C'"),
        (LogisticRegression(), {"max_it": RANGE}, "'max_iter'.* Only 'C' can be tuned"),
        (LogisticRegression(), {"C": RANGE, "tol": RANGE}, "'tol' of LogisticRegression cannot"),
        (
            make_pipeline(StandardScaler(), Ridge()),
            {"alpha": RANGE},
            "do you mean 'ridge__alpha'",
        ),
        (Ridge(), {}, r'params is empty.*\{"alpha": Shared'),
        (RandomForestClassifier(), {"C": RANGE}, "RandomForestClassifier cannot be tuned"),
        (make_pipeline(StandardScaler(), PCA()), {"C": RANGE}, "PCA cannot be tuned"),
        (Ridge(positive=True), {"alpha": RANGE}, "positive=True"),
    ],
)
def test_what_cannot_be_tuned(estimator, params, said):
    with pytest.raises(ValueError, match=said):
        find_place(estimator, params)


def test_groups_of_what_has_none_are_refused():
    with pytest.raises(ValueError, match="Auto with groups, but SVR has no C a group"):
        find_place(SVR(), {"C": Auto(groups=["a", "b"])})
    find_place(Ridge(), {"alpha": Auto(groups=np.array(["a", "b"]))})


@pytest.mark.parametrize("params", [[("alpha", RANGE)], "alpha"])
def test_params_must_be_a_dictionary(params):
    with pytest.raises(TypeError, match="params must be None, or a dictionary"):
        find_place(Ridge(), params)


@pytest.mark.parametrize("value", [1.0, (1e-2, 1e2), [0.1, 1.0], None])
def test_values_must_be_hyperparameters(value):
    with pytest.raises(TypeError, match=r"must be Shared\(low, high\), Grouped.* or Auto"):
        find_place(Ridge(), {"alpha": value})
