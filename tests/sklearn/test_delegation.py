"""What a search does as its best estimator would."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.mixture import GaussianMixture

from argrad.sklearn import GradientSearchCV, Shared


def search_of(**settings):
    return GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}, **settings)


@pytest.mark.parametrize(
    ("best", "method"),
    [
        (PCA(3), "transform"),
        (PCA(10), "inverse_transform"),
        (GaussianMixture(2, random_state=0), "score_samples"),
        (GaussianMixture(2, random_state=0), "predict_proba"),
    ],
)
def test_it_has_the_methods_that_its_best_estimator_has(diabetes, best, method):
    X = diabetes[0]
    search = search_of(max_fits=6).fit(*diabetes)
    assert not hasattr(search, method)
    search.best_estimator_ = best.fit(X)
    np.testing.assert_array_equal(getattr(search, method)(X), getattr(best, method)(X))


def test_before_fit_it_has_those_of_its_estimator(diabetes):
    search = search_of()
    assert hasattr(search, "predict")
    assert not hasattr(search, "transform")
    with pytest.raises(NotFittedError):
        search.predict(diabetes[0])
    with pytest.raises(NotFittedError):
        search.score(*diabetes)


def test_without_refit_it_says_what_to_do(diabetes):
    search = search_of(refit=False).fit(*diabetes)
    assert not hasattr(search, "predict")
    assert not hasattr(search, "n_features_in_")
    with pytest.raises(AttributeError) as raised:
        search.predict(diabetes[0])
    assert "set refit=True" in str(raised.value.__cause__)
