"""Hyperparameter search by gradient for scikit-learn's estimators."""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        'argrad.sklearn needs scikit-learn and pandas: pip install "argrad[sklearn]"'
    ) from error

from argrad.sklearn.hyperparameters import PerFeature as PerFeature
from argrad.sklearn.hyperparameters import Shared as Shared
from argrad.sklearn.search import GradientSearchCV as GradientSearchCV
