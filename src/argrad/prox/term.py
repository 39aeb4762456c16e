"""Nonsmooth terms g of a composite problem f + g whose proximal operator is known."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree, Scalar

from argrad.constraints import bounds, concrete
from argrad.prox.pieces import Coordinates, Kink, Piece

Vector = Float[Array, " d"]


class Proximable(eqx.Module):
    """A nonsmooth term g(y, x, *args), made by the functions of `argrad.prox`.

    As its author states it, its parameters may be functions of (x, *args); `at` makes arrays of
    them, and the other methods, which speak of y as one flat vector, are those of a term at some
    x. With step t and force u = −∇f(y):

        prox(v, t) = argmin over y of g(y) + ‖y − v‖² / 2t,   y* = prox(y* + t u, t).
    """

    name: ClassVar[str]
    # Whether g is convex, whether it is curved on its pieces and that without bound towards the end
    # of one (`steep`), as a norm is at 0, whether the pieces are bent themselves, and whether it is
    # the sum of terms of few coordinates each, so that it makes sense for some coordinates alone
    # (`take`).
    convex: ClassVar[bool] = True
    curved: ClassVar[bool] = False
    steep: ClassVar[bool] = False
    bent: ClassVar[bool] = False
    separable: ClassVar[bool] = False

    @abc.abstractmethod
    def at(self, y: PyTree, x: PyTree, args: tuple) -> Self:
        """The same term with its parameters at x, for a flat y. ValueError for wrong shapes."""

    @abc.abstractmethod
    def value(self, y: Vector) -> Scalar:
        """g(y); infinite outside of a set for terms that are one's indicator."""

    @abc.abstractmethod
    def prox(self, v: Vector, step: Scalar) -> Vector:
        """argmin over y of g(y) + ‖y − v‖² / 2 step."""

    @abc.abstractmethod
    def piece(self, y: Vector) -> Piece:
        """The piece that y is on, for a y that `prox` has returned or that is on one exactly."""

    @abc.abstractmethod
    def smooth(self, y: Vector, piece: Piece) -> Scalar:
        """A smooth function of y that is g on the piece, near y."""

    def held(self, y: Vector, piece: Piece) -> Vector:
        """A point of the piece that is orthogonal to its directions, such as 0."""
        del piece
        return jnp.zeros_like(y)

    def onto(self, y: Vector, piece: Piece) -> Vector:
        """The point of the piece that y's part along its directions stands for."""
        held = self.held(y, piece)
        return held + piece.project(y - held)

    @abc.abstractmethod
    def margins(self, y: Vector, force: Vector, step: Scalar, piece: Piece) -> Array:
        """How far each part of y is from changing its piece: positive inside, 0 at a kink.

        Of a part that is held, by how much the force falls short of moving it; of one that moves,
        how far it is from where it would be held; relative to what these are measured by.
        """

    @abc.abstractmethod
    def kink(self, y: Vector, force: Vector, near: Bool[Array, " parts"]) -> Kink:
        """The pieces that meet at y, where the margins of the parts `near` a kink vanish.

        Not `known` where they do not meet like half-spaces.
        """

    def stay(self, y: Vector, piece: Piece) -> Vector:
        """y moved back to where the smooth function is still g, for a y on the piece's plane."""
        del piece
        return y

    def pressed(self, piece: Piece, force: Vector) -> Piece:
        """The piece that y is on, where that is told by the force on it alone."""
        del force
        return piece

    def take(self, index: Array) -> Self:
        """The same term of these coordinates alone; an index of d stands for a number that nothing
        holds or pushes."""
        raise NotImplementedError

    def closed(self, x: PyTree, args: tuple) -> Self:
        """The same term with the arrays that its parameters close over as leaves."""

        def convert(value):
            if not callable(value):
                return value
            # A function that closes over nothing would be left as it is, but for the lambda.
            return eqx.filter_closure_convert(lambda *a: value(*a), x, *args)

        own = [f.name for f in dataclasses.fields(self) if not f.metadata.get("static")]
        fields = {name: getattr(self, name) for name in own}
        arrays = {name: convert(value) for name, value in fields.items()}
        return dataclasses.replace(self, **arrays)


class OnPiece(eqx.Module):
    """f + g on a piece of g, and ½ ‖·‖² across it: a smooth function of y, to be used for f,
    whose minimum is where that of f + g is as long as y* stays on the piece. For a `sign` of −1
    f less both, whose maximum is that of f − g.

    It is f(ȳ) + g(ȳ) + ½ ‖y − ȳ‖² for ȳ = `onto`(y): for an affine piece b + P (y − b), with P the
    projection on its directions and b its point `held`. Its Hessian on the piece is
    P ∇²(f + g)(ȳ) P + I − P, which for an affine piece is P (∇²f + ∇²g) P + I − P.
    """

    objective: Callable[..., Scalar]
    term: Proximable
    piece: Piece
    sign: int = eqx.field(static=True, default=1)

    def __call__(self, y: PyTree, x: PyTree, *args: Any) -> Scalar:
        flat, unravel = ravel_pytree(y)
        term = self.term.at(y, x, args)
        on = term.onto(flat, self.piece)
        across = flat - on
        added = term.smooth(on, self.piece) + across @ across / 2
        return self.objective(unravel(on), x, *args) + self.sign * added


class Separable(Proximable):
    """A sum over coordinates, each with breakpoints between smooth pieces of the term."""

    separable = True

    def at(self, y, x, args):
        names = [f.name for f in dataclasses.fields(self)]
        flat = {
            name: flat_parameter(getattr(self, name), y, x, args, f"{self.name}: {name}")
            for name in names
            if getattr(self, name) is not None
        }
        return dataclasses.replace(self, **flat)

    def take(self, index):
        def some(value):
            return jnp.take(value, index, mode="fill", fill_value=0)

        return jax.tree.map(some, self)

    @abc.abstractmethod
    def piece(self, y) -> Coordinates: ...


def flat_parameter(value: Any, y: PyTree, x: PyTree, args: tuple, what: str) -> Vector:
    """One number for each number of y."""
    return ravel_pytree(bounds(value, y, x, args, what))[0]


def nonnegative(weight: Vector) -> Vector:
    """NaN where a weight that is known at run time only is negative, so that the solve says so."""
    return jnp.where(weight >= 0, weight, jnp.nan)


def check_nonnegative(value: Any, what: str, strictly: bool = False) -> None:
    """ValueError for numbers that are known and negative (or zero, `strictly`), or not finite."""
    for leaf in concrete(value) or ():
        bad = ~np.isfinite(leaf) | (leaf < 0) | (strictly & (leaf == 0))
        if np.any(bad):
            number = leaf[bad].flat[0]
            wanted = "positive" if strictly else "nonnegative"
            raise ValueError(f"{what} must be {wanted} and finite, got {number:g}.")


def largest(v: Array) -> Scalar:
    """max |v|, 0 of nothing; a floor above zero, so that it can be divided by."""
    return jnp.max(jnp.abs(v), initial=0) + jnp.finfo(v.dtype).tiny


def spread(y: Array) -> Scalar:
    """What distances of elements of y are measured by: its largest, or 1 where all are smaller
    than rounding of 1."""
    size = jnp.max(jnp.abs(y), initial=0)
    return jnp.where(size > jnp.finfo(y.dtype).eps, size, 1)


Parameter = float | Array | PyTree | Callable[..., PyTree]
