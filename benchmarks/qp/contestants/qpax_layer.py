"""qpax 0.1.4, `solve_qp_primal`, with either of its two interior point methods.

The gradient is that of a problem smoothed by `target_kappa`.
"""

import qpax

from qp.contestants.in_jax import contestant

DEFAULTS = "defaults (solver_tol=1e-5, target_kappa=1e-3)"
TIGHT = {"solver_tol": 1e-10, "target_kappa": 1e-10}


def defaults(name="qpax", settings=DEFAULTS, **options):
    def solution(Q, p, G, h, A, b):
        return qpax.solve_qp_primal(Q, p, A, b, G, h, **options)

    return contestant(name, settings, solution)


def tightened():
    return defaults("qpax, tightened", "solver_tol=target_kappa=1e-10", **TIGHT)


def implicit():
    return defaults("qpax, implicit", "backend='i', " + DEFAULTS, backend="i")


def implicit_tightened():
    settings = "backend='i', solver_tol=target_kappa=1e-10"
    return defaults("qpax, implicit, tightened", settings, backend="i", **TIGHT)
