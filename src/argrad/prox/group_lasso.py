"""Euclidean norms of groups of coordinates."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

from argrad.constraints import at
from argrad.prox.pieces import Coordinates, Kink, Piece, Shares
from argrad.prox.term import Parameter, Proximable, check_nonnegative, largest, nonnegative


class Rays(Piece):
    """Coordinates that are free, and groups that may only move along a ray from 0."""

    free: Bool[Array, " d"]
    ray: Float[Array, " d"]
    groups: Int[Array, " d"]
    count: int = eqx.field(static=True)

    def project(self, v):
        return jnp.where(self.free, v, self.ray * jnp.take(self.parts(v), self.groups))

    def parts(self, v):
        return jax.ops.segment_sum(self.ray * v, self.groups, self.count)

    @property
    def _open(self):
        return self.parts(self.ray) > 0

    @property
    def dimension(self):
        return jnp.sum(self.free) + jnp.sum(self._open)

    def basis(self, size):
        alone, together = jnp.cumsum(self.free), jnp.cumsum(self._open)
        slot = jnp.where(self.free, alone, alone[-1] + together[self.groups]) - 1
        return Shares(slot, jnp.where(self.free, 1, self.ray), self.dimension, size)


class GroupLasso(Proximable):
    """Σ_g w_g ‖y_g‖₂."""

    name: ClassVar[str] = "group_lasso"
    curved = True
    steep = True
    separable = True
    weight: Parameter
    groups: Int[Array, " d"]
    count: int = eqx.field(static=True)

    def at(self, y, x, args):
        flat, _ = ravel_pytree(y)
        if self.groups.size != flat.size:
            raise ValueError(
                f"group_lasso: groups has {self.groups.size} elements, y has {flat.size}; it must "
                "name the group of each."
            )
        weight = jnp.asarray(at(self.weight, x, args), flat.dtype)
        if weight.shape not in ((), (self.count,)):
            raise ValueError(
                f"group_lasso: weight has shape {weight.shape}; it must be one number or have one "
                f"for each of the {self.count} groups."
            )
        weight = jnp.broadcast_to(weight, self.count)
        return GroupLasso(nonnegative(weight), self.groups, self.count)

    def _norms(self, y):
        squares = jax.ops.segment_sum(y**2, self.groups, self.count)
        # So that the derivative at 0, which nobody uses, is no NaN.
        return jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)

    def _each(self, by_group, outside=0.0):
        return jnp.take(by_group, self.groups, mode="fill", fill_value=outside)

    def value(self, y):
        return self.weight @ self._norms(y)

    def prox(self, v, step):
        norms, threshold = self._norms(v), step * self.weight
        shrunk = jnp.where(norms > threshold, 1 - threshold / jnp.where(norms > 0, norms, 1), 0)
        return jnp.where(self._each(self.weight) > 0, self._each(shrunk) * v, v)

    def piece(self, y):
        present = jax.ops.segment_max((y != 0).astype(jnp.int8), self.groups, self.count) > 0
        free = self._each(present | (self.weight == 0), True)
        return Coordinates(free, free.astype(jnp.int8))

    def smooth(self, y, piece):
        along = (self._each(self.weight) * piece.ray) @ y if isinstance(piece, Rays) else 0
        return self.value(jnp.where(piece.free, y, 0)) + along

    def margins(self, y, force, step, piece):
        del step
        forces, norms = self._norms(force), self._norms(y)
        present = (norms > 0) | (self.weight == 0)
        moving = jnp.where(self.weight > 0, norms / largest(y), np.inf)
        holding = 1 - forces / jnp.where(self.weight > 0, self.weight, 1)
        del piece
        return self._each(jnp.where(present, moving, holding), np.inf)

    def kink(self, y, force, near):
        # To first order a group enters along the force on it: the cone of those that w ‖y_g‖ does
        # not resist more than the force pushes is that ray.
        narrow = self.piece(y)
        free, side = narrow.free & ~near, jnp.where(near, 0, narrow.side)
        norms = self._each(self._norms(jnp.where(near, force, 0)))
        ray = jnp.where(near & (norms > 0), force / jnp.where(norms > 0, norms, 1), 0)
        piece = Rays(free, ray, self.groups, self.count)
        return Kink(piece, Coordinates(free, side), (piece.parts(ray) > 0).astype(jnp.int8))

    def take(self, index):
        groups = jnp.take(self.groups, index, mode="fill", fill_value=self.count)
        return GroupLasso(self.weight, groups, self.count)


def group_lasso(weight: Parameter, groups: PyTree) -> GroupLasso:
    """Σ_g w_g ‖y_g‖₂, with the elements of y divided into groups.

    `groups` holds an integer for each element of y, from 0 to the number of groups less one, in
    the shape of y or flat. `weight` is one number or has one for each group (√(size of the group)
    is a usual factor); it may be a function (x, *args) -> either. ValueError for weights that are
    negative or not finite, TypeError for groups that are not integers.

    The support is made of whole groups, on which the norm is curved: w_g (I − y_g y_gᵀ / ‖y_g‖²)
    / ‖y_g‖. Kinks are groups about to enter, ‖∂f/∂y_g‖ = w_g at y_g = 0.

    Source: Yuan and Lin 2006; Vaiter et al. 2012, arXiv:1205.1481.

    >>> import jax.numpy as jnp, argrad as ag
    >>> b, groups = jnp.array([3.0, 4.0, 0.25]), jnp.array([0, 0, 1])
    >>> term = ag.prox.group_lasso(lambda x: x, groups)
    >>> ag.argmin(lambda y, x: jnp.sum((y - b) ** 2) / 2, nonsmooth=term)(1.0, jnp.zeros(3))
    Array([2.4, 3.2, 0. ], dtype=float32)
    """
    check_nonnegative(weight, "group_lasso: weight")
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(groups)]
    if not leaves or not all(np.issubdtype(leaf.dtype, np.integer) for leaf in leaves):
        raise TypeError(f"group_lasso: groups must be integers, got {groups!r}.")
    flat = np.concatenate([leaf.ravel() for leaf in leaves])
    if np.min(flat) < 0:
        raise ValueError(f"group_lasso: groups are counted from 0, got {np.min(flat)}.")
    return GroupLasso(weight, jnp.asarray(flat), int(np.max(flat)) + 1)
