"""Floor 0: linear systems with the lower problem's Hessian, as Lineax solvers."""

from argrad.linear.cg import CG as CG
