"""Constrained problems with parameters, their solutions and the derivatives of these."""

from . import allocation, curved, known, linear, projection, quadratic, sweeps
from .problem import Parametric

ALL: tuple[Parametric, ...] = (
    *known.PROBLEMS,
    *linear.PROBLEMS,
    *quadratic.PROBLEMS,
    *projection.PROBLEMS,
    *allocation.PROBLEMS,
    *curved.PROBLEMS,
    *sweeps.PROBLEMS,
)
