"""The sum of singular values of a matrix of full column rank, differentiable to any order.

Derivatives of a singular value decomposition divide by differences of singular values, of which
their sum knows nothing: it is as smooth where some of them are equal. Here they are taken of the
polar decomposition K = Q H instead, which divides by sums of singular values only. All of them are
products of matrices: XLA is slow at triangular systems on a CPU.

Source: Higham 2008, chapters 6 and 8.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Scalar

Tall = Float[Array, "m q"]
Square = Float[Array, "q q"]


@jax.custom_jvp
def nuclear(matrix: Tall, rank: Int[Array, ""]) -> Scalar:
    """Σ σ_i of a matrix of this rank, all of whose columns after the first `rank` are zero."""
    sigma = jnp.linalg.svd(matrix, compute_uv=False)
    return jnp.sum(jnp.where(jnp.arange(sigma.size) < rank, sigma, 0))


@nuclear.defjvp
def _nuclear_jvp(primals, tangents):
    return nuclear(*primals), jnp.sum(polar(*primals) * tangents[0])


@jax.custom_jvp
def polar(matrix: Tall, rank: Int[Array, ""]) -> Tall:
    """The Q of K = Q H with orthonormal columns, the first `rank` of them, and H definite."""
    left, _, right = jnp.linalg.svd(matrix, full_matrices=False)
    return jnp.where(jnp.arange(left.shape[1]) < rank, left, 0) @ right


@polar.defjvp
def _polar_jvp(primals, tangents):
    """With E = QᵀdK − dKᵀQ and Ω the solution of ΩH + HΩ = E, dQ = QΩ + (I − QQᵀ) dK H⁻¹."""
    (matrix, rank), (moved, _) = primals, tangents
    q = polar(matrix, rank)
    stretch = q.T @ matrix
    unused = jnp.arange(matrix.shape[1]) >= rank
    stretch = (stretch + stretch.T) / 2 + jnp.diag(unused.astype(matrix.dtype))
    turned = q.T @ moved
    turn = lyapunov(stretch, turned - turned.T)
    return q, q @ turn + (moved - q @ turned) @ inverse(stretch)


@jax.custom_jvp
def square_root(matrix: Square) -> Square:
    """The definite S with S² = M, for a definite M."""
    squares, vectors = jnp.linalg.eigh(matrix)
    return (vectors * jnp.sqrt(squares)) @ vectors.T


@square_root.defjvp
def _square_root_jvp(primals, tangents):
    root = square_root(*primals)
    return root, lyapunov(root, tangents[0])


@jax.custom_jvp
def inverse(matrix: Square) -> Square:
    """M⁻¹ of a matrix that is near a diagonal one, whose elements may differ by any factors."""
    scale = jnp.diag(matrix)[:, None]
    left, sigma, right = jnp.linalg.svd(matrix / scale)
    return (right.T / sigma) @ (left / scale).T


@inverse.defjvp
def _inverse_jvp(primals, tangents):
    inverted = inverse(*primals)
    return inverted, -inverted @ tangents[0] @ inverted


def lyapunov(matrix: Square, right: Square) -> Square:
    """The X with X H + H X = B, for a definite H."""
    sigma, vectors = jnp.linalg.eigh(lax.stop_gradient(matrix))
    sums = sigma[:, None] + sigma

    def solve(_, b):
        return vectors @ ((vectors.T @ b @ vectors) / sums) @ vectors.T

    return lax.custom_linear_solve(lambda x: x @ matrix + matrix @ x, right, solve, symmetric=True)
