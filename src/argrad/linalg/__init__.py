"""Floor 0: linear systems with the lower problem's Hessian, as Lineax solvers."""

from argrad.linalg.cg import CG as CG
from argrad.linalg.neumann import Neumann as Neumann
from argrad.linalg.nystrom import Nystrom as Nystrom
