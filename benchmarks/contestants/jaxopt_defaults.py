"""JAXopt 0.8.5: no longer maintained, it still runs on JAX 0.10 as it is."""

import jax.numpy as jnp
import jaxopt

from contestants.in_jax import contestant, logistic_lower


def lbfgs(**options):
    solver = jaxopt.LBFGS(logistic_lower, **options)
    return contestant(
        "JAXopt L-BFGS" + (", tightened" if options else ""),
        ", ".join(f"{k}={v:g}" for k, v in options.items()) or "defaults (tol=1e-3, normal CG)",
        lambda theta, X, signs: solver.run(jnp.zeros_like(theta), theta, X, signs).params,
    )


def tightened():
    return lbfgs(tol=1e-10)
