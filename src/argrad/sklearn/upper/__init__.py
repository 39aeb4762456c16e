"""The upper level: which hyperparameters to evaluate next."""

from argrad.sklearn.upper.per_feature import projected_descent as projected_descent
from argrad.sklearn.upper.shared import shared_descent as shared_descent
