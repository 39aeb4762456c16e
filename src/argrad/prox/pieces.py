"""Smooth pieces of a nonsmooth term: sets of y, most of them affine, on which it is smooth.

At the solution y* of a composite problem a piece is all that is left of the nonsmooth term: y* is
the minimum on it of a smooth function, and stays on it when x moves a little, away from kinks.
"""

import abc
import dataclasses
from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int8

from argrad.linalg.together import together

Vector = Float[Array, " d"]


class Basis(eqx.Module):
    """Coordinates on a piece: z in R^k, of which the first few or all are used.

    `embed` is an isometry from what `project` leaves to the directions of the piece, `restrict`
    its transpose.
    """

    @abc.abstractmethod
    def embed(self, z: Float[Array, " k"]) -> Vector: ...

    @abc.abstractmethod
    def restrict(self, v: Vector) -> Float[Array, " k"]: ...

    @abc.abstractmethod
    def project(self, z: Float[Array, " k"]) -> Float[Array, " k"]: ...

    @abc.abstractmethod
    def first(self, k: int) -> Self:
        """The same with room for the first k of its coordinates alone."""


class Piece(eqx.Module):
    """What has been identified of y. It does not move with x: it is discrete, or, of a piece that
    is bent, where it was touched."""

    @abc.abstractmethod
    def project(self, v: Vector) -> Vector:
        """The orthogonal projection on the directions of the piece."""

    @property
    @abc.abstractmethod
    def dimension(self) -> Int[Array, ""]:
        """How many coordinates of a basis the piece needs."""

    @abc.abstractmethod
    def basis(self, size: int) -> Basis:
        """A basis with room for `size` coordinates, at least `dimension`."""

    def parts(self, v: Vector) -> Array:
        """What a kink is counted by, linear in v: its coordinates, unless the piece says else."""
        return v

    def same(self, other: "Piece") -> Bool[Array, ""]:
        """Whether the other piece is this one."""
        mine, others = jax.tree.leaves(self), jax.tree.leaves(other)
        different = [a != b for a, b in zip(mine, others, strict=True)]
        return sum(together(different), jnp.array(0)) == 0


class Kink(NamedTuple):
    """The pieces that meet where y is, to first order.

    On `piece` every part of y that is at a kink is free, as where it moves `toward`: up (1) or
    down (−1) in `piece.parts`, 0 for all other parts. To the other side such a part is held as on
    `other`, or, where it `bends`, moves on there, with more curvature. None stands for nowhere.
    Where all of this is not `known`, they meet in another way.
    """

    piece: Piece
    other: Piece
    toward: Int8[Array, " parts"]
    bends: Bool[Array, " parts"] | None = None
    known: Bool[Array, ""] | bool = True


class Support(Basis):
    """Some coordinates of y itself; those of `index` d stand for nothing."""

    index: Int[Array, " k"]
    size: int = eqx.field(static=True)

    def embed(self, z):
        return jnp.zeros(self.size, z.dtype).at[self.index].set(z, mode="drop")

    def restrict(self, v):
        return jnp.take(v, self.index, mode="fill", fill_value=0)

    def project(self, z):
        return jnp.where(self.index < self.size, z, 0)

    def first(self, k):
        return dataclasses.replace(self, index=self.index[:k])


class Shares(Basis):
    """Coordinates that move together: y_j is a share of the number in its slot.

    The shares of a slot have squares that add up to 1; the first `used` slots have any.
    """

    slot: Int[Array, " d"]
    share: Float[Array, " d"]
    used: Int[Array, ""]
    size: int = eqx.field(static=True)

    def embed(self, z):
        return self.share * jnp.take(z, self.slot, mode="clip")

    def restrict(self, v):
        return jax.ops.segment_sum(self.share * v, self.slot, self.size)

    def project(self, z):
        return jnp.where(jnp.arange(self.size) < self.used, z, 0)

    def first(self, k):
        return dataclasses.replace(self, size=k)


def support(mask: Bool[Array, " d"], size: int) -> Support:
    """The coordinates where `mask` holds, in order."""
    # Sorted, which is compiled much more quickly than the sums of `jnp.nonzero`.
    number = jnp.arange(mask.size)
    index = jnp.sort(jnp.where(mask, number, mask.size))[:size]
    return Support(index, mask.size)


class Coordinates(Piece):
    """Coordinates that are free, and others that are held where they are.

    `side` says of each which smooth piece of the term it is on, as its sign does for an L1 norm.
    """

    free: Bool[Array, " d"]
    side: Int8[Array, " d"]

    def project(self, v):
        return jnp.where(self.free, v, 0)

    @property
    def dimension(self):
        return jnp.sum(self.free)

    def basis(self, size):
        return support(self.free, size)

    def opened(self, near: Bool[Array, " d"], side: Array, toward: Array) -> Kink:
        """The kink of those `near` one, on `side` whether they are held or free."""
        side = jnp.where(near, side, self.side).astype(jnp.int8)
        toward = jnp.where(near, toward, 0).astype(jnp.int8)
        return Kink(
            Coordinates(self.free | near, side), Coordinates(self.free & ~near, side), toward
        )
