"""Floor 1: lower-level solvers, all of them Optimistix minimisers."""

from argrad.solvers.choice import choose_solver as choose_solver
from argrad.solvers.interior_point import InteriorPoint as InteriorPoint
from argrad.solvers.newton import Newton as Newton
