"""The upper level: which hyperparameters to evaluate next."""

from argrad.sklearn.upper.level import levelled_descent as levelled_descent
from argrad.sklearn.upper.newton import newton_descent as newton_descent
from argrad.sklearn.upper.per_feature import FIRST as FIRST
from argrad.sklearn.upper.per_feature import projected_descent as projected_descent
from argrad.sklearn.upper.retreat import Failure as Failure
from argrad.sklearn.upper.retreat import Upper as Upper
from argrad.sklearn.upper.retreat import going_back as going_back
from argrad.sklearn.upper.scanned import scanned_descent as scanned_descent
from argrad.sklearn.upper.shared import shared_descent as shared_descent
