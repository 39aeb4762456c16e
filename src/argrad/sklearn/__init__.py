"""Hyperparameter search by gradient for scikit-learn's estimators."""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        'argrad.sklearn needs scikit-learn and pandas: pip install "argrad[sklearn]"'
    ) from error

from argrad.sklearn.deciding.auto import Auto as Auto
from argrad.sklearn.group_lasso import GroupLasso as GroupLasso
from argrad.sklearn.hyperparameters import Adaptive as Adaptive
from argrad.sklearn.hyperparameters import Grouped as Grouped
from argrad.sklearn.hyperparameters import PerClass as PerClass
from argrad.sklearn.hyperparameters import PerEntry as PerEntry
from argrad.sklearn.hyperparameters import PerFeature as PerFeature
from argrad.sklearn.hyperparameters import PerLayer as PerLayer
from argrad.sklearn.hyperparameters import Shared as Shared
from argrad.sklearn.optuna_trials import optuna_objective as optuna_objective
from argrad.sklearn.own import from_objective as from_objective
from argrad.sklearn.reporting.exports import to_optuna as to_optuna
from argrad.sklearn.reporting.loggers import MLflowLogger as MLflowLogger
from argrad.sklearn.reporting.loggers import TensorBoardLogger as TensorBoardLogger
from argrad.sklearn.reporting.plots import plot_history as plot_history
from argrad.sklearn.reporting.plots import plot_optimism as plot_optimism
from argrad.sklearn.reporting.plots import plot_path as plot_path
from argrad.sklearn.reporting.plots import plot_penalties as plot_penalties
from argrad.sklearn.row_weights import ClassWeights as ClassWeights
from argrad.sklearn.row_weights import SampleWeights as SampleWeights
from argrad.sklearn.search import GradientSearchCV as GradientSearchCV
