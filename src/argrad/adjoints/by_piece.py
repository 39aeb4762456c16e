"""The linear solve on a piece of a nonsmooth term."""

import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree

from argrad.linalg.cg import conjugate_gradients
from argrad.linalg.self_adjoint import SelfAdjoint
from argrad.solvers.reduced import Inverse


class ByPiece(SelfAdjoint[lx.AbstractLinearOperator]):
    """The `inverse` in `options`, which the lower solve left, or conjugate gradients on the piece
    where it has more directions than are factorised."""

    def init(self, operator, options):
        del options
        return operator

    def compute(self, state, vector, options):
        inverse: Inverse = options["inverse"]
        b, unravel = ravel_pytree(vector)

        def direct():
            return inverse.solve(b), jnp.array(True)

        def iterated():
            tol = jnp.finfo(b.dtype).eps ** (2 / 3)
            product = lambda v: ravel_pytree(state.mv(unravel(v)))[0]
            found = conjugate_gradients(product, b, tol=tol, max_steps=10 * b.size + 100)
            return found.solution, found.solved

        u, solved = direct() if inverse.always else lax.cond(inverse.known, direct, iterated)
        results = lx.RESULTS
        result = results.where(solved, results.successful, results.breakdown)
        return unravel(u), result, {}
