"""The searches that are compared: by gradient, over a grid, and by TPE."""

from argrad.report.searches.gradient import Budget, deciding_search, gradient_search
from argrad.report.searches.grid import grid_search
from argrad.report.searches.outcome import SearchOutcome, recommended
from argrad.report.searches.tpe import has_optuna, tpe_search
from argrad.report.searches.tuning_problem import Granularity, TuningProblem

__all__ = [
    "Budget",
    "Granularity",
    "SearchOutcome",
    "TuningProblem",
    "deciding_search",
    "gradient_search",
    "grid_search",
    "has_optuna",
    "recommended",
    "tpe_search",
]
