"""A multiple of the identity in place of the inverse Hessian."""

import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Float

from argrad.linalg.symmetric import ApproximateInverse, Product, require


class Identity(ApproximateInverse):
    """u = scale · b: the Hessian is not looked at, and nothing is solved.

    Costs nothing, and is off by a factor scale · λ along each direction of curvature λ. So its
    length is arbitrary, whatever the scale (relative errors of 0.9 are usual, and more than 1
    where scale · λ > 2), and its direction is right only where all curvatures that b feels are
    about equal. It is here to compare with: this is what DARTS's first-order form and other
    methods of one inner step assume. Nothing in its result or statistics tells when it is wrong.

    ValueError for scale <= 0.

    Source: Liu, Simonyan and Yang 2019, arXiv:1806.09055; Luketina et al. 2016,
    arXiv:1511.06727, who call it T1 − T2.

    >>> import jax.numpy as jnp, lineax as lx, argrad as ag
    >>> A = lx.DiagonalLinearOperator(jnp.array([1.0, 4.0]))
    >>> lx.linear_solve(A, jnp.ones(2), ag.Identity()).value  # and not (1, 1/4)
    Array([1., 1.], dtype=float32)
    """

    scale: float | Float[Array, ""] = 1.0

    def __check_init__(self):
        known = isinstance(self.scale, int | float)
        require(self, "scale", not known or 0 < self.scale < float("inf"), "> 0")

    def approximate(self, product: Product, damping, options):
        del damping, options
        return jnp.asarray(self.scale, product.zeros.dtype), lx.RESULTS.successful, 0, {}

    def apply(self, inverse, b):
        return inverse * b
