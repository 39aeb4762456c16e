"""Randomised Nyström approximation: the large eigenvalues, and one number for all the rest."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.lax.linalg import triangular_solve
from jaxtyping import Array, Bool, Float

from argrad.linalg.cholesky import singular_threshold
from argrad.linalg.power_iteration import largest_eigenvalue
from argrad.linalg.symmetric import (
    ApproximateInverse,
    Product,
    in_chunks,
    random_key,
    require,
)

_POWER_STEPS = 5  # products that each look at what is left out costs


class LowRank(NamedTuple):
    """U diag(eigenvalues) Uᵀ, largest first; columns that were not asked for have eigenvalue 0."""

    vectors: Float[Array, "d r"]
    eigenvalues: Float[Array, " r"]

    def __call__(self, v: Float[Array, " d"]) -> Float[Array, " d"]:
        return self.vectors @ (self.eigenvalues * (self.vectors.T @ v))


class LowRankInverse(NamedTuple):
    """U diag(within) Uᵀ + beyond (I − U Uᵀ)."""

    vectors: Float[Array, "d r"]
    within: Float[Array, " r"]
    beyond: Float[Array, ""]

    def __call__(self, b: Float[Array, " d"]) -> Float[Array, " d"]:
        return self.vectors @ ((self.within - self.beyond) * (self.vectors.T @ b)) + self.beyond * b


class Nystrom(ApproximateInverse):
    """u = (Â + damping I)⁻¹ b, Â = U Λ Uᵀ the Nyström approximation of H of this rank.

    Costs `rank` products with H, taken side by side, and rank d numbers of memory; each further
    b then costs two products with U. For a Hessian with a few large eigenvalues, whose others are
    small beside the damping: against (H + damping I)⁻¹ b, u is off by at most ‖H − Â‖/damping,
    relatively. A rank beyond d is taken as d, and exact.

    - `damping`: added to all curvature, > 0. With None nothing is added, and what Â leaves out is
      given the smallest eigenvalue of Â, which is no larger than that of H with the same number
      and no smaller than the smallest of H: right where the small eigenvalues are about equal,
      too long a u where they spread, and the choice for `CG(preconditioner=Nystrom(rank))`, which
      adds CG's own damping. Either way the large ones are caught well by five to ten columns
      more than there are of them.
    - `tol`: double the rank, up to `max_rank` (8 rank by default), until the largest eigenvalue
      of H − Â, estimated by five more products each time, is at most tol · damping, so that u
      is off by about tol at most. To end at `max_rank` is no failure: see `left_out`.
    - `key`: a seed or a key of JAX for the sketch, the same for all elements of a batch.

    Statistics: `num_products`, `rank`, `smallest`, the smallest eigenvalue of Â, and `left_out`,
    the estimated largest one of H − Â, NaN without `tol`. Fails with `lineax.RESULTS.breakdown`
    where negative curvature was met, with `singular` where there is no damping and Â is of lower
    rank than asked for. ValueError for rank < 1, max_rank < rank, damping <= 0, tol <= 0, and a
    tol without a damping.

    Source: Frangella, Tropp and Udell 2023, arXiv:2110.02820; for hypergradients Hataya and
    Yamada 2023, arXiv:2302.09726.

    >>> import jax.numpy as jnp, lineax as lx, argrad as ag
    >>> A = lx.DiagonalLinearOperator(jnp.array([1000.0, 400.0, 1.0, 1.0, 1.0]))
    >>> lx.linear_solve(A, jnp.ones(5), ag.Nystrom(rank=4)).value.round(2)
    Array([0., 0., 1., 1., 1.], dtype=float32)
    """

    rank: int
    damping: float | Float[Array, ""] | None = None
    tol: float | None = None
    max_rank: int | None = None
    key: int | Array = 0

    def __check_init__(self):
        require(self, "rank", self.rank >= 1, ">= 1")
        require(self, "tol", self.tol is None or self.tol > 0, "> 0")
        if self.max_rank is not None:
            require(self, "max_rank", self.max_rank >= self.rank, f">= rank = {self.rank}")
        known = isinstance(self.damping, int | float)
        require(self, "damping", not known or 0 < self.damping < float("inf"), "> 0, or None")
        if self.tol is not None and self.damping is None:
            raise ValueError(
                "Nystrom(tol=...) needs a damping > 0: tol is how large, relative to it, the "
                "eigenvalues may be that are left out."
            )

    def approximate(self, product: Product, damping, options):
        del options
        zeros = product.zeros
        d = zeros.size
        rank = min(self.rank, d)
        own = 0.0 if self.damping is None else self.damping
        if self.tol is None:
            omega = self._sketch(zeros, rank)
            sketched = in_chunks(product, omega.T).T
            found = nystrom(omega, sketched, jnp.ones(rank, bool))
            left, used, count = jnp.full((), jnp.nan, zeros.dtype), jnp.array(rank), rank
        else:
            goal = self.tol * (own + damping)
            found, left, used, count = self._grown(product, rank, goal)
        values = found.eigenvalues
        smallest = jnp.min(jnp.where(jnp.arange(values.size) < used, values, jnp.inf))
        floor = singular_threshold(d, zeros.dtype) * values[0]
        shift = own + damping
        tail = smallest if self.damping is None else 0.0
        there = jnp.arange(values.size) < used
        within = jnp.where(there, 1 / (values + shift), 1 / (tail + shift))
        inverse = LowRankInverse(found.vectors, within, 1 / (tail + shift))
        results = lx.RESULTS
        positive = (smallest + shift > floor) & (tail + shift > floor)
        result = results.where(positive, results.successful, results.singular)
        result = results.where(jnp.all(jnp.isfinite(values)), result, results.breakdown)
        return inverse, result, count, {"rank": used, "smallest": smallest, "left_out": left}

    def apply(self, inverse: LowRankInverse, b):
        return inverse(b)

    def _sketch(self, zeros, columns: int) -> Float[Array, "d r"]:
        gaussian = jax.random.normal(random_key(self.key), (zeros.size, columns), zeros.dtype)
        return jnp.linalg.qr(gaussian)[0]

    def _grown(self, product: Product, rank: int, goal):
        """The approximation with its rank doubled until so little is left out.

        All columns have their place from the start, since shapes cannot grow under jit.
        """
        zeros = product.zeros
        most = 8 * rank if self.max_rank is None else self.max_rank
        most = min(most, zeros.size)
        blocks = -(-most // rank)  # the last may reach back into the one before it
        omega = self._sketch(zeros, most)

        def fill(i, sketched):
            start = jnp.minimum(i * rank, most - rank)
            block = lax.dynamic_slice_in_dim(omega, start, rank, 1)
            done = in_chunks(product, block.T).T
            return lax.dynamic_update_slice_in_dim(sketched, done, start, 1)

        def double(carry):
            sketched, filled, _, _, count = carry
            wanted = jnp.clip(2 * filled, 1, blocks)
            sketched = lax.fori_loop(filled, wanted, fill, sketched)
            there = jnp.arange(most) < jnp.minimum(wanted * rank, most)
            found = nystrom(omega, sketched, there)
            left = largest_eigenvalue(lambda v: product(v) - found(v), zeros, _POWER_STEPS)
            count += (wanted - filled) * rank + _POWER_STEPS
            return sketched, wanted, found, left, count

        def unfinished(carry):
            _, filled, _, left, _ = carry
            return (filled < blocks) & ~(left <= goal)

        nothing = LowRank(omega, jnp.zeros(most, zeros.dtype))
        infinite = jnp.full((), jnp.inf, zeros.dtype)
        start = jnp.zeros_like(omega), jnp.array(0), nothing, infinite, jnp.array(0)
        _, filled, found, left, count = lax.while_loop(unfinished, double, start)
        return found, left, jnp.minimum(filled * rank, most), count


def nystrom(
    omega: Float[Array, "d r"], sketched: Float[Array, "d r"], there: Bool[Array, " r"]
) -> LowRank:
    """Y (ΩᵀY)⁻¹ Yᵀ for Y = H Ω by its eigenvalues, of the columns that are there.

    H is shifted by rounding, which is taken off again, so that ΩᵀY has a Cholesky factor
    also where H is singular. NaN where H has negative curvature within the sketch.
    """
    d = len(omega)
    omega, sketched = omega * there, sketched * there
    shift = jnp.sqrt(d) * jnp.finfo(omega.dtype).eps * jnp.linalg.norm(sketched)
    sketched = sketched + shift * omega
    core = omega.T @ sketched + jnp.diag(jnp.where(there, 0.0, 1.0).astype(omega.dtype))
    lower = lax.linalg.cholesky((core + core.T) / 2, symmetrize_input=False)
    half = triangular_solve(lower, sketched, lower=True, transpose_a=True)
    vectors, singular, _ = jnp.linalg.svd(half, full_matrices=False)
    return LowRank(vectors, jnp.maximum(singular**2 - shift * (singular > 0), 0))
