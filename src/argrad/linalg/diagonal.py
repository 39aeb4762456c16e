"""The inverse of the Hessian's diagonal, exact or estimated by random probes."""

import jax
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jaxtyping import Array, Float

from argrad.linalg.symmetric import (
    ApproximateInverse,
    Product,
    random_key,
    require,
    require_damping,
)

_EXACT = 1000  # variables up to which the diagonal is taken exactly
_PROBES = 100
_CHUNK = 32  # probes side by side, at most


class DiagonalApproximation(ApproximateInverse):
    """u = (D + damping)⁻¹ b, D the diagonal of H.

    Costs d products with H for the exact diagonal up to 1000 variables, and above, or wherever
    `probes` are given, one a probe (100 by default); memory for a few vectors. Right where
    the variables do not interact, and the preconditioner for variables of different scales.

    With probes z of random signs D is the mean of z ∘ H z, unbiased, with the standard error of
    D_i that the off-diagonal elements of row i leave: √(Σ_j H_ij² / probes). Its estimate is
    `standard_error` in the statistics, an array of d numbers in the order in which
    `jax.flatten_util.ravel_pytree` puts them, zero for the exact diagonal. u itself, the inverse
    of an estimate, is biased by about the square of the relative error. An estimate below its own
    standard error, which may even be negative, is replaced by it; `raised` says how many were.
    `key` is a seed or a key of JAX, the same for all elements of a batch.

    Fails with `lineax.RESULTS.breakdown` where an exact element is not positive: no minimum has
    such a Hessian. ValueError for probes < 2 and damping < 0.

    Source: Bekas, Kokiopoulou and Saad 2007.

    >>> import jax.numpy as jnp, lineax as lx, argrad as ag
    >>> A = lx.MatrixLinearOperator(jnp.array([[2.0, 1.0], [1.0, 4.0]]), lx.symmetric_tag)
    >>> lx.linear_solve(A, jnp.array([1.0, 1.0]), ag.DiagonalApproximation()).value
    Array([0.5 , 0.25], dtype=float32)
    """

    probes: int | None = None
    damping: float | Float[Array, ""] = 0.0
    key: int | Array = 0

    def __check_init__(self):
        require(self, "probes", self.probes is None or self.probes >= 2, ">= 2, or None")
        require_damping(self)

    def approximate(self, product: Product, damping, options):
        del options
        zeros = product.zeros
        d, raised = zeros.size, jnp.array(0)
        if self.probes is None and d <= _EXACT:
            diagonal, error, count = product.diagonal(), zeros, d
        else:
            count = _PROBES if self.probes is None else self.probes
            mean, error = self._estimated(product, count)
            diagonal, raised = jnp.maximum(mean, error), jnp.sum(mean < error)
        diagonal = diagonal + (self.damping + damping)
        results = lx.RESULTS
        result = results.where(jnp.all(diagonal > 0), results.successful, results.breakdown)
        return 1 / diagonal, result, count, {"standard_error": error, "raised": raised}

    def apply(self, inverse, b):
        return inverse * b

    def _estimated(self, product: Product, count: int):
        """The mean of z ∘ H z, and its standard error."""
        zeros = product.zeros

        def probe(key):
            z = jax.random.rademacher(key, zeros.shape, zeros.dtype)
            return z * product(z)

        keys = jax.random.split(random_key(self.key), count)
        together = max(k for k in range(1, _CHUNK + 1) if count % k == 0)

        # Mean and squares of each chunk are merged with those before it (Chan, Golub and LeVeque
        # 1983), so that memory is that of one chunk and the squares lose no digits.
        def merge(carry, keys):
            mean, squares, before = carry
            found = jax.vmap(probe)(keys)
            here = jnp.mean(found, 0)
            shift, share = here - mean, together / (before + together)
            squares += jnp.sum((found - here) ** 2, 0) + shift**2 * before * share
            return (mean + shift * share, squares, before + together), None

        start = zeros, zeros, jnp.zeros((), zeros.dtype)
        (mean, squares, _), _ = lax.scan(merge, start, keys.reshape(-1, together))
        return mean, jnp.sqrt(squares / (count * (count - 1)))
