"""scikit-learn's own checks of an estimator."""

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from argrad.sklearn import GradientSearchCV, Shared

SEARCHES = [
    GradientSearchCV(Ridge(), {"alpha": Shared(0.1, 10.0)}, cv=2),
    GradientSearchCV(LogisticRegression(), {"C": Shared(0.1, 10.0)}, cv=2),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(SEARCHES)
def test_passes_every_check(estimator, check):
    check(estimator)
