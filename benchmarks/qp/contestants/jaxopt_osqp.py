"""JAXopt 0.8.5: no longer maintained, it still runs on JAX 0.10 as it is.

BoxOSQP is the solver inside OSQP, so it is not run by itself. CvxpyQP works under neither `jit`
nor `vmap`.
"""

from functools import partial

import jaxopt
import numpy as np
from jaxopt.linear_solve import solve_normal_cg

from qp.contestants.in_jax import contestant

STATUS = {
    jaxopt.BoxOSQP.UNSOLVED: "not solved",
    jaxopt.BoxOSQP.PRIMAL_INFEASIBLE: "primal infeasible",
    jaxopt.BoxOSQP.DUAL_INFEASIBLE: "dual infeasible",
}


def _verdicts(found):
    return [STATUS.get(int(code)) for code in np.asarray(found.state.status)]


def defaults(name="JAXopt OSQP", settings="defaults (tol=1e-3, normal CG)", **options):
    solver = jaxopt.OSQP(**options)

    def run(start, Q, p, G, h, A, b):
        return solver.run(start, params_obj=(Q, p), params_eq=(A, b), params_ineq=(G, h))

    return contestant(
        name,
        settings,
        lambda *parameters: run(None, *parameters).params.primal,
        whole=lambda *parameters: run(None, *parameters),
        primal=lambda found: found.params.primal,
        warm=lambda earlier, *parameters: run(earlier.params, *parameters),
        verdicts=_verdicts,
    )


def tightened():
    """The solution's tolerance alone leaves the gradient as wrong as the defaults do."""
    return defaults(
        "JAXopt OSQP, tightened",
        "tol=1e-9, maxiter=20000; normal CG to 1e-12, maxiter=5000",
        tol=1e-9,
        maxiter=20_000,
        implicit_diff_solve=partial(solve_normal_cg, tol=1e-12, maxiter=5000),
    )
