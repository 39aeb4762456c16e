"""Floor 0: linear systems with the lower problem's Hessian, as Lineax solvers."""

from argrad.linalg.block_diagonal import BlockDiagonal as BlockDiagonal
from argrad.linalg.cg import CG as CG
from argrad.linalg.diagonal import DiagonalApproximation as DiagonalApproximation
from argrad.linalg.finite_differences import finite_difference as finite_difference
from argrad.linalg.gauss_newton import GaussNewton as GaussNewton
from argrad.linalg.identity import Identity as Identity
from argrad.linalg.minibatch import Minibatch as Minibatch
from argrad.linalg.minres import MINRES as MINRES
from argrad.linalg.neumann import Neumann as Neumann
from argrad.linalg.nystrom import Nystrom as Nystrom
from argrad.linalg.quasi_newton import QuasiNewton as QuasiNewton
from argrad.linalg.stochastic_neumann import StochasticNeumann as StochasticNeumann
