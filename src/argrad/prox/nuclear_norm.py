"""The sum of the singular values of a matrix."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree

from argrad.constraints import at
from argrad.linalg.singular_values import inverse, nuclear, square_root
from argrad.prox.pieces import Basis, Kink, Piece, Support, support
from argrad.prox.term import Parameter, Proximable, check_nonnegative, largest

Vector = Float[Array, " d"]


class Turned(Basis):
    """Some coordinates of y once its matrix M is written as Uᵀ M V, U and V orthogonal; of M
    itself where they are None."""

    some: Support
    place: Int[Array, "m n"]
    frames: tuple[Float[Array, "m m"], Float[Array, "n n"]] | None

    def embed(self, z):
        v = self.some.embed(z)
        if self.frames is None:
            return v
        left, right = self.frames
        return v.at[self.place].set(left @ v[self.place] @ right.T)

    def restrict(self, v):
        if self.frames is not None:
            left, right = self.frames
            v = v.at[self.place].set(left.T @ v[self.place] @ right)
        return self.some.restrict(v)

    def project(self, z):
        return self.some.project(z)

    def first(self, k):
        return Turned(self.some.first(k), self.place, self.frames)


class FixedRank(Piece):
    """Matrices M of one rank, near one of them whose singular vectors are U and V.

    Its directions are those in which the rank stays to first order, (I − UUᵀ) dM (I − VVᵀ) = 0.
    It is bent: `onto` leads from them to a matrix of this rank. Where a singular value is
    `entering`, with unit vectors u and v, s u vᵀ is one more direction, straight.
    """

    rank: Int[Array, ""]
    left: Float[Array, "m q"]
    right: Float[Array, "n q"]
    place: Int[Array, "m n"]
    size: int = eqx.field(static=True)
    entering: tuple[Float[Array, " m"], Float[Array, " n"]] | None = None

    def project(self, v):
        matrix = v[self.place]
        inside = matrix - self.outside(matrix)
        return v.at[self.place].set(inside + self.entered(matrix))

    def entered(self, matrix: Float[Array, "m n"]) -> Float[Array, "m n"]:
        """u (uᵀ M v) vᵀ."""
        if self.entering is None:
            return jnp.zeros_like(matrix)
        u, v = self.entering
        return (u @ matrix @ v) * jnp.outer(u, v)

    def parts(self, v):
        assert self.entering is not None
        u, w = self.entering
        number = jnp.arange(self.left.shape[1])
        return jnp.where(number == self.rank, u @ v[self.place] @ w, 0)

    def outside(self, matrix: Float[Array, "m n"]) -> Float[Array, "m n"]:
        """(I − UUᵀ) M (I − VVᵀ)."""
        matrix = matrix - self.left @ (self.left.T @ matrix)
        return matrix - (matrix @ self.right) @ self.right.T

    def factors(self, matrix: Float[Array, "m n"]) -> tuple[Array, Array]:
        """M V and (UᵀM V)⁻¹ UᵀM, whose product has this rank and is M along the directions."""
        tall, wide = matrix @ self.right, self.left.T @ matrix
        return tall, inverse(self.left.T @ tall + self.unused) @ wide

    @property
    def unused(self) -> Float[Array, "q q"]:
        """1 on the diagonal where there are singular vectors of zero."""
        return jnp.diag((jnp.arange(self.left.shape[1]) >= self.rank).astype(self.left.dtype))

    @property
    def dimension(self):
        tangent = self.rank * (sum(self.place.shape) - self.rank)
        return tangent + (self.entering is not None) + self.size - self.place.size

    def basis(self, size):
        m, n = self.place.shape
        fits = max(m, n) <= size  # if it does not, only matrices of rank 0 have as few directions
        row, column = jnp.arange(m)[:, None], jnp.arange(n)
        free = (row < self.rank) | (column < self.rank)
        left, right = self.left, self.right
        if self.entering is not None:
            free |= (row == self.rank) & (column == self.rank)
            next_one = (jnp.arange(left.shape[1]) == self.rank).astype(left.dtype)
            u, v = self.entering
            left, right = left + jnp.outer(u, next_one), right + jnp.outer(v, next_one)
        mask = jnp.ones(self.size, bool).at[self.place].set(free & fits)
        complete = lambda vectors: jnp.linalg.qr(vectors, mode="complete")[0]
        frames = (complete(left), complete(right)) if fits else None
        return Turned(support(mask, size), self.place, frames)

    def same(self, other):
        return self.rank == other.rank


class NuclearNorm(Proximable):
    """w Σ_i σ_i(M), M a matrix made of elements of y."""

    name: ClassVar[str] = "nuclear_norm"
    curved = True
    steep = True
    bent = True
    weight: Parameter
    of: Callable[[PyTree], Array] | None = eqx.field(static=True)
    place: Int[Array, "m n"] | None = None

    def at(self, y, x, args):
        weight = jnp.asarray(at(self.weight, x, args), ravel_pytree(y)[0].dtype)
        if weight.shape != ():
            raise ValueError(f"nuclear_norm: weight must be one number, got shape {weight.shape}.")
        return NuclearNorm(jnp.where(weight > 0, weight, jnp.nan), self.of, _place(self.of, y))

    def value(self, y):
        return self.weight * jnp.sum(jnp.linalg.svd(y[self.place], compute_uv=False))

    def prox(self, v, step):
        left, sigma, right = jnp.linalg.svd(v[self.place], full_matrices=False)
        shrunk = jnp.maximum(sigma - step * self.weight, 0)
        return v.at[self.place].set((left * shrunk) @ right)

    def piece(self, y):
        left, sigma, right = jnp.linalg.svd(y[self.place], full_matrices=False)
        rank = jnp.sum(sigma > jnp.finfo(y.dtype).eps ** 0.75 * sigma[0])
        used = jnp.arange(sigma.size) < rank
        left, right = jnp.where(used, left, 0), jnp.where(used, right.T, 0)
        return FixedRank(rank, left, right, self.place, y.size)

    def onto(self, y, piece):
        tall, wide = piece.factors(y[self.place])
        return y.at[self.place].set(tall @ wide + piece.entered(y[self.place]))

    def smooth(self, y, piece):
        # The product of both parts has the singular values of tall (wide wideᵀ)^½, a root of I
        # where the piece was found.
        tall, wide = piece.factors(y[self.place])
        present = nuclear(tall @ square_root(wide @ wide.T + piece.unused), piece.rank)
        entering = 0 if piece.entering is None else jnp.sum(piece.parts(y))
        return self.weight * (present + entering)

    def margins(self, y, force, step, piece):
        del step
        sigma = jnp.linalg.svd(y[self.place], compute_uv=False)
        forces = jnp.linalg.svd(piece.outside(force[self.place]), compute_uv=False)
        count = jnp.arange(sigma.size)
        holding = 1 - jnp.roll(forces, piece.rank) / self.weight
        return jnp.where(count < piece.rank, sigma / largest(sigma), holding)

    def kink(self, y, force, near):
        # Where one singular value of the force comes to w, the cone that is critical is of the
        # directions that keep the rank and of s u vᵀ, s >= 0, and the curvature of the norm there
        # is that on the matrices of this rank (Watson 1992).
        narrow = self.piece(y)
        left, _, right = jnp.linalg.svd(narrow.outside(force[self.place]), full_matrices=False)
        wide = dataclasses.replace(narrow, entering=(left[:, 0], right[0]))
        entering = jnp.arange(near.size) == narrow.rank
        known = jnp.all(near == entering)
        return Kink(wide, narrow, entering.astype(jnp.int8), known=known)

    def stay(self, y, piece):
        return self.onto(y, piece)


def _place(of: Callable[[PyTree], Any] | None, y: PyTree) -> Int[Array, "m n"]:
    """Which elements of the flat y the matrix is made of."""
    leaves, structure = jax.tree.flatten(y)
    if of is None and (len(leaves) != 1 or leaves[0].ndim != 2):
        raise ValueError(
            f"nuclear_norm: y must be one matrix, got shapes {[leaf.shape for leaf in leaves]}. "
            "Say which matrix is meant by of=..., a function of y."
        )
    starts = np.cumsum([0] + [leaf.size for leaf in leaves])
    numbers = [
        np.arange(start, start + leaf.size).reshape(leaf.shape)
        for start, leaf in zip(starts, leaves, strict=False)
    ]
    with jax.ensure_compile_time_eval():
        tree = jax.tree.unflatten(structure, numbers)
        place = jax.tree.leaves(tree)[0] if of is None else np.asarray(of(tree))
    if place.ndim != 2 or np.unique(place).size != place.size:
        raise ValueError(
            "nuclear_norm: of(y) must be a matrix of different elements of y, got shape "
            f"{place.shape}{' with some of them twice' if place.ndim == 2 else ''}."
        )
    return jnp.asarray(place)


def nuclear_norm(weight: Parameter, of: Callable[[PyTree], Array] | None = None) -> NuclearNorm:
    """w Σ_i σ_i(M), the sum of the singular values of a matrix M: y itself, or `of`(y).

    `weight` is one positive number, or a function (x, *args) -> number. `of` picks the matrix
    where y is more than one: a leaf of y, or any arrangement of different elements of y; the
    others are free. ValueError for a weight that is not positive and finite, and for what is no
    such matrix.

    The solution has low rank, and is differentiated on the manifold of matrices of its rank, with
    its curvature. Equal singular values are no kink. Kinks are singular values about to enter or
    to vanish: a singular value of (I − UUᵀ) ∂f/∂M (I − VVᵀ) that is w.

    Source: Fazel 2002; Cai, Candès and Shen 2010 for the proximal operator; Absil and Malick 2012
    for the way onto the manifold; Vaiter et al. 2017 for the derivative.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> fit = lambda y, x: jnp.sum((y - jnp.diag(jnp.array([3.0, 1.0, 0.25]))) ** 2) / 2
    >>> solve = ag.argmin(fit, nonsmooth=ag.prox.nuclear_norm(lambda x: x))
    >>> print(jnp.diag(solve(0.5, jnp.zeros((3, 3)))).round(3))
    [2.5 0.5 0. ]
    >>> print(jnp.diag(jax.jacobian(solve)(0.5, jnp.zeros((3, 3)))).round(3) + 0.0)
    [-1. -1.  0.]
    """
    check_nonnegative(weight, "nuclear_norm: weight", strictly=True)
    return NuclearNorm(weight, of)
