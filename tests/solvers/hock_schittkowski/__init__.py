"""Problems of W. Hock and K. Schittkowski, Test Examples for Nonlinear Programming Codes, 1981."""

from . import (
    bounds,
    colville,
    equalities,
    inequalities,
    inequalities_larger,
    mixed,
    mixed_larger,
    plants,
)
from .program import Program

PARTS = (
    bounds,
    colville,
    inequalities,
    equalities,
    mixed,
    inequalities_larger,
    mixed_larger,
    plants,
)
ALL: list[Program] = sorted(
    (program for part in PARTS for program in part.PROGRAMS),
    key=lambda program: int(program.name.removeprefix("HS")),
)
