"""The inverse of a KKT matrix, by either of the two forms of Gould et al. 2016.

[ H  Aᵀ ]      of a quadratic model with Hessian H and active rows A. Rows that are not
[ A  0  ]      active are zero in A and have −1 on the diagonal: their multiplier is zero.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Bool, Float, Int

from argrad.linalg.cholesky import DEFINITE, INDEFINITE, SINGULAR, singular_threshold

_SMALL = 64  # variables up to which two decompositions cost a millisecond or two
_PASSES = 8  # each leaves the square root of what the sizes of the rows still differ by


class KKTInverse(NamedTuple):
    """[[primal, crossᵀ], [cross, −dual]], and what was learnt of H and A on the way.

    `curvature` is that of H on the null space of A. `dependent` is how much of a combination of
    the rows that vanishes each row is, the largest 1: all 0 where the rows are independent (LICQ
    holds).
    """

    primal: Float[Array, "d d"]
    cross: Float[Array, "m d"]
    dual: Float[Array, "m m"]
    curvature: Int[Array, ""]
    dependent: Float[Array, " m"]

    def solve(
        self, a: Float[Array, " d"], b: Float[Array, " m"]
    ) -> tuple[Float[Array, " d"], Float[Array, " m"]]:
        """The solution (u, l) of H u + Aᵀ l = a, A u = b."""
        return self.primal @ a + b @ self.cross, self.cross @ a - self.dual @ b


def kkt_inverse(
    hessian: Float[Array, "d d"],
    rows: Float[Array, "m d"],
    active: Bool[Array, " m"],
) -> KKTInverse:
    """Invert by the Lagrangian form where it is well posed, by the null-space form elsewhere.

    A small matrix gets the null-space form at once: it asks for less, and costs no more there.
    """

    def from_null_space():
        return null_space_form(hessian, rows, active, balancing_units(hessian, rows, active))

    if hessian.shape[0] <= _SMALL:
        return from_null_space()
    found, posed = lagrangian_form(hessian, rows, active)
    return lax.cond(posed, lambda: found, from_null_space)


def lagrangian_form(
    hessian: Float[Array, "d d"], rows: Float[Array, "m d"], active: Bool[Array, " m"]
) -> tuple[KKTInverse, Bool[Array, ""]]:
    """H⁻¹ − H⁻¹Aᵀ(AH⁻¹Aᵀ)⁻¹AH⁻¹ and its companions, and whether they can be trusted.

    Needs H positive definite, not only on the null space of A, and the rows independent; two
    Cholesky factors. NaN where that is not so.
    """
    d = hessian.shape[0]
    tiny = float(jnp.finfo(hessian.dtype).eps) ** 0.5
    rows = jnp.where(active[:, None], rows, 0)
    upper, posed = _cholesky(hessian, tiny)
    inverse = cho_solve((upper, True), jnp.eye(d, dtype=hessian.dtype))
    half = rows @ inverse
    schur = half @ rows.T + jnp.diag(jnp.where(active, 0.0, 1.0).astype(hessian.dtype))
    lower, independent = _cholesky(schur, tiny)
    dual = cho_solve((lower, True), jnp.eye(rows.shape[0], dtype=hessian.dtype))
    cross = dual @ half
    found = KKTInverse(
        primal=inverse - half.T @ cross,
        cross=cross,
        dual=dual,
        curvature=jnp.array(DEFINITE),
        dependent=jnp.zeros(rows.shape[0], hessian.dtype),
    )
    return found, posed & independent


def _cholesky(matrix, tiny):
    """The lower factor, and whether every pivot is a fair share of its diagonal element."""
    lower = lax.linalg.cholesky(matrix, symmetrize_input=False)
    share = jnp.diagonal(lower) ** 2 / jnp.diagonal(matrix)
    return lower, jnp.all(share > tiny)


def null_space_form(
    hessian: Float[Array, "d d"],
    rows: Float[Array, "m d"],
    active: Bool[Array, " m"],
    units: Float[Array, " d"] | None = None,
) -> KKTInverse:
    """F(FᵀHF)⁻¹Fᵀ and its companions, F an orthonormal basis of the null space of A.

    Needs only FᵀHF invertible. Where rows depend on each other the solution is that of least
    squares: u meets them as well as they can be met, l is the smallest in the units of the rows.
    What is flat and what is orthogonal is meant of variables in the given units, 1 where there
    are none: `balancing_units` tell variables of very different sizes from flat directions.
    """
    m, d = rows.shape
    dtype = hessian.dtype
    units = jnp.ones(d, dtype) if units is None else units
    hessian, rows = units[:, None] * hessian * units, rows * units
    norms = jnp.linalg.norm(rows, axis=1)
    scale = jnp.where(active & (norms > 0), norms, 1)
    unit = jnp.where(active[:, None], rows, 0) / scale[:, None]
    left, sigma, right = jnp.linalg.svd(unit, full_matrices=True)
    k = min(m, d)
    rank_tol = float(jnp.finfo(dtype).eps) ** 0.625
    held = sigma > rank_tol
    in_range = jnp.zeros(d, bool).at[:k].set(held)

    # In the basis of the right singular vectors: first the directions that the rows determine,
    # then those they leave free. The free block is inverted through its eigenvalues, which tell
    # a minimum from a saddle with no threshold but rounding.
    turned = right @ hessian @ right.T
    largest = jnp.max(jnp.abs(hessian))
    largest = jnp.where(largest > 0, largest, 1)
    free = ~(in_range[:, None] | in_range[None, :])
    block = jnp.where(free, turned, 0) + jnp.diag(jnp.where(in_range, largest, 0).astype(dtype))
    values, vectors = jnp.linalg.eigh((block + block.T) / 2)
    tiny = singular_threshold(d, dtype) * largest
    lowest = values[0]
    curvature = jnp.where(lowest < -tiny, INDEFINITE, jnp.where(lowest <= tiny, SINGULAR, DEFINITE))
    spread = jnp.where(in_range[:, None], 0, right).T @ vectors
    primal = (spread / jnp.where(jnp.abs(values) > tiny, values, jnp.inf)) @ spread.T

    reach = jnp.where(held, 1 / jnp.where(held, sigma, 1), 0)
    pseudo = (right[:k].T * reach) @ left[:, :k].T / scale
    cross = pseudo.T - (pseudo.T @ hessian) @ primal
    dual = pseudo.T @ hessian @ cross.T + jnp.diag(jnp.where(active, 0.0, 1.0).astype(dtype))

    # Which part of each row the independent directions do not explain. That row's part of the
    # combinations that vanish has the rows in it that it depends on.
    directions = jnp.where(held, left[:, :k], 0)
    unexplained = jnp.where(active, 1 - jnp.sum(directions**2, axis=1), 0)
    worst = jnp.argmax(unexplained)
    vanishing = jnp.abs(directions @ directions[worst]).at[worst].set(unexplained[worst])
    some = unexplained[worst] > rank_tol
    dependent = jnp.where(some & active, vanishing / jnp.where(some, jnp.max(vanishing), 1), 0)
    primal, cross = units[:, None] * primal * units, cross * units
    return KKTInverse(primal, cross, dual, curvature, dependent)


def balancing_units(
    hessian: Float[Array, "d d"], rows: Float[Array, "m d"], active: Bool[Array, " m"]
) -> Float[Array, " d"]:
    """Units of the variables in which no row of the KKT matrix is much larger than another.

    Ruiz 2001: divide rows and columns by the roots of their largest elements, again and again.
    """
    (d, _), (m, _) = hessian.shape, rows.shape
    rows = jnp.where(active[:, None], rows, 0)
    blocks = [[hessian, rows.T], [rows, jnp.zeros((m, m), rows.dtype)]]
    matrix = jnp.abs(jnp.block(blocks))

    def divide(_, sizes):
        largest = jnp.max(matrix * sizes * sizes[:, None], axis=1)
        return sizes / jnp.sqrt(jnp.where(largest > 0, largest, 1))

    return lax.fori_loop(0, _PASSES, divide, jnp.ones(d + m, rows.dtype))[:d]
