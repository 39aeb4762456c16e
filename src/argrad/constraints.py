"""Constraints of the lower problem: what a user states, each a set of rows h = 0 or g <= 0."""

import abc
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

Rows = tuple[PyTree, PyTree]
Piece = Int[Array, " d"]

# What a row below does at a solution: g < 0; g = 0 without force, μ = 0; g = 0 < μ.
INACTIVE, WEAKLY_ACTIVE, STRONGLY_ACTIVE = 0, 1, 2


class Constraint(eqx.Module):
    """Rows that y must satisfy, made by `equality`, `inequality`, `box`, `linear` and the sets."""

    name: eqx.AbstractVar[str | None]

    @abc.abstractmethod
    def rows(self, y: PyTree, x: PyTree, args: tuple) -> Rows:
        """What must be zero and what must not be positive, each a pytree or None."""

    def inside(self, y: PyTree, x: PyTree, args: tuple) -> PyTree:
        """A point near y from where a solver may start."""
        del x, args
        return y


class Piecewise(Constraint):
    """A set whose surface has several smooth pieces, as a ball of the 1-norm has one an orthant.

    A piece is a vector of −1, 0 and 1, one number for each variable, and `rows_on` are the rows
    that hold on it. The others tell from rows alone which piece is meant: `rows_at(piece)` are
    their values on any piece, at the same y.
    """

    @abc.abstractmethod
    def rows_on(self, piece: Piece, y: PyTree, x: PyTree, args: tuple) -> Rows:
        """The rows of one piece."""

    def rows(self, y, x, args):
        return self.rows_on(self.probe(sum(v.size for v in jax.tree.leaves(y))), y, x, args)

    @staticmethod
    @abc.abstractmethod
    def probe(size: int) -> Piece:
        """Any piece whose rows tell where y is."""

    @staticmethod
    @abc.abstractmethod
    def first(rows_at: Callable[[Piece], Rows], gradient: Float[Array, " d"]) -> Piece:
        """The piece that y is on, or should go to by ∂f/∂y where it is between several."""

    @staticmethod
    @abc.abstractmethod
    def better(
        piece: Piece, rows_at: Callable[[Piece], Rows], multipliers: Rows, activity: PyTree
    ) -> Piece:
        """A piece with lower values of f next to y, the minimum on `piece`; or `piece` itself."""

    @staticmethod
    @abc.abstractmethod
    def undecided(multipliers: Rows, activity: PyTree, tol: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether y is between pieces and nothing presses, so that it may move on to either."""


class Equality(Constraint):
    """h(y, x, *args) = 0."""

    function: Callable[..., PyTree]
    name: str | None = eqx.field(static=True)

    def rows(self, y, x, args):
        return self.function(y, x, *args), None


class Inequality(Constraint):
    """g(y, x, *args) <= 0."""

    function: Callable[..., PyTree]
    name: str | None = eqx.field(static=True)

    def rows(self, y, x, args):
        return None, self.function(y, x, *args)


class Linear(Constraint):
    """A y <= b or A y = b."""

    A: Any
    b: Any
    relation: str = eqx.field(static=True)
    name: str | None = eqx.field(static=True)

    def rows(self, y, x, args):
        A, b = at(self.A, x, args), at(self.b, x, args)
        leaves, total = jax.tree.leaves(y), 0
        for a, v in zip(_matching(A, y, f"{self.name}: A"), leaves, strict=True):
            a = jnp.asarray(a)
            if a.shape[1:] != v.shape or not a.ndim or jnp.shape(total) not in ((), a.shape[:1]):
                raise ValueError(
                    f"{self.name}: A has shape {a.shape}, y has shape {v.shape}; A must have the "
                    "shape (rows, *y.shape), with as many rows for each leaf of y."
                )
            total = total + jnp.tensordot(a, v, axes=v.ndim)
        if jnp.ndim(b) and jnp.shape(b) != jnp.shape(total):
            raise ValueError(
                f"{self.name}: A y has shape {jnp.shape(total)}, b has shape {jnp.shape(b)}; "
                "they must agree, or b be one number."
            )
        excess = total - b
        return (excess, None) if self.relation == "==" else (None, excess)


class Box(Constraint):
    """lower <= y <= upper."""

    lower: Any
    upper: Any
    name: str | None = eqx.field(static=True)

    def rows(self, y, x, args):
        below = {}
        if self.lower is not None:
            lower = bounds(self.lower, y, x, args, f"{self.name}: lower")
            below["lower"] = jax.tree.map(_row, lower, y)
        if self.upper is not None:
            upper = bounds(self.upper, y, x, args, f"{self.name}: upper")
            below["upper"] = jax.tree.map(lambda v, b: _row(v, b), y, upper)
        return None, below

    def inside(self, y, x, args):
        """Push y off its bounds, by a hundredth of their distance or of their size."""
        low = -jnp.inf if self.lower is None else self.lower
        high = jnp.inf if self.upper is None else self.upper
        lower = bounds(low, y, x, args, f"{self.name}: lower")
        upper = bounds(high, y, x, args, f"{self.name}: upper")

        def off(v, low, high):
            room = 0.01 * (high - low)
            push = lambda bound: jnp.minimum(0.01 * jnp.maximum(1, jnp.abs(bound)), room)
            low = jnp.where(jnp.isfinite(low), low + push(low), low)
            high = jnp.where(jnp.isfinite(high), high - push(high), high)
            return jnp.clip(v, low, high)

        return jax.tree.map(off, y, lower, upper)


def equality(h: Callable[..., PyTree], *, name: str | None = None) -> Equality:
    """h(y, x, *args) = 0, for `argmin(..., subject_to=[...])`; h returns any pytree of reals.

    `name` is what errors and reports call it; the function's own name by default. TypeError
    unless h is callable.

    >>> import argrad as ag
    >>> half = ag.argmin(lambda y, x: y @ y, subject_to=[ag.equality(lambda y, x: y.sum() - x)])
    >>> import jax.numpy as jnp
    >>> half(1.0, jnp.zeros(2)).round(4)
    Array([0.5, 0.5], dtype=float32)
    """
    return Equality(function=_callable(h, "equality"), name=_name(name, h))


def inequality(g: Callable[..., PyTree], *, name: str | None = None) -> Inequality:
    """g(y, x, *args) <= 0, for `argmin(..., subject_to=[...])`; g returns any pytree of reals.

    `name` is what errors and reports call it; the function's own name by default. TypeError
    unless g is callable.

    >>> import argrad as ag
    >>> at_most_one = ag.inequality(lambda y, x: y - 1)
    >>> capped = ag.argmin(lambda y, x: (y - x) ** 2, subject_to=[at_most_one])
    >>> capped(3.0, 0.0).round(4)
    Array(1., dtype=float32)
    """
    return Inequality(function=_callable(g, "inequality"), name=_name(name, g))


def box(lower: Any = None, upper: Any = None, *, name: str | None = None) -> Box:
    """lower <= y <= upper, element by element.

    Each bound is None, a number, an array that broadcasts against y, a pytree of them with the
    structure of y, or a function (x, *args) -> any of these. Infinite bounds are no bounds.
    ValueError where both are None, or where numbers contradict each other.

    >>> import jax.numpy as jnp, argrad as ag
    >>> nearest = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.box(0.0, 1.0)])
    >>> nearest(jnp.array([-1.0, 0.5, 3.0]), jnp.zeros(3)).round(4)
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    if lower is None and upper is None:
        raise ValueError("box needs a lower or an upper bound.")
    _check_order(lower, upper)
    return Box(lower=lower, upper=upper, name=name or "box")


def linear(A: Any, b: Any, *, relation: Literal["<=", "=="] = "<=", name: str | None = None):
    """A y <= b, or A y = b with `relation="=="`.

    A has the shape (rows, *y.shape); where y is a pytree, A is one with the same structure. b is
    one number or has one number a row. Either may be a function (x, *args) -> array. ValueError
    for shapes that do not fit and for other relations.

    >>> import jax.numpy as jnp, argrad as ag
    >>> A = jnp.array([[1.0, 1.0]])
    >>> halfspace = ag.linear(A, lambda x: x)
    >>> nearest = ag.argmin(lambda y, x: jnp.sum((y - 1) ** 2), subject_to=[halfspace])
    >>> nearest(jnp.array([1.0]), jnp.zeros(2)).round(4)
    Array([0.5, 0.5], dtype=float32)
    """
    if relation not in ("<=", "=="):
        raise ValueError(f"relation must be '<=' or '==', got {relation!r}.")
    return Linear(A=A, b=b, relation=relation, name=name or "linear")


def _callable(function, kind):
    if not callable(function):
        raise TypeError(f"{kind} needs a function of (y, x, *args), got {function!r}.")
    return function


def _name(name: str | None, function: Any) -> str | None:
    own = getattr(function, "__name__", None)
    return name or (None if own in (None, "<lambda>") else own)


def at(value: Any, x: PyTree, args: tuple) -> Any:
    """A parameter of a constraint, or what it is as a function of (x, *args)."""
    return value(x, *args) if callable(value) else value


def concrete(value: Any) -> list[np.ndarray] | None:
    """The numbers in `value`, or None where they are known at run time only."""
    if callable(value):
        return None
    leaves = jax.tree.leaves(value)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return None
    return [np.asarray(leaf) for leaf in leaves]


def _matching(value: PyTree, y: PyTree, what: str) -> list:
    """The leaves of `value` if it has the structure of y, or the value itself for a single y."""
    found: Any = jax.tree.structure(value)
    wanted: Any = jax.tree.structure(y)
    if found == wanted:
        return jax.tree.leaves(value)
    if wanted.num_leaves == 1 and found.num_leaves == 1:
        return jax.tree.leaves(value)
    raise ValueError(f"{what} is {found}, y is {wanted}; they must be the same pytree.")


def bounds(value: Any, y: PyTree, x: PyTree, args: tuple, what: str) -> PyTree:
    """`value` at x, with the structure and shapes of y; `what` is what an error calls it."""
    value = at(value, x, args)
    if jax.tree_util.treedef_is_leaf(jax.tree.structure(value)) and jnp.ndim(value) == 0:
        return jax.tree.map(lambda v: jnp.full_like(v, value), y)
    flat = _matching(value, y, what)
    leaves, structure = jax.tree.flatten(y)
    found = []
    for bound, leaf in zip(flat, leaves, strict=True):
        try:
            found.append(jnp.broadcast_to(jnp.asarray(bound, leaf.dtype), leaf.shape))
        except ValueError:
            raise ValueError(
                f"{what} has shape {jnp.shape(bound)}, y has {leaf.shape}; it must be one number "
                "or broadcast against y."
            ) from None
    return jax.tree.unflatten(structure, found)


def _row(small: Array, large: Array) -> Array:
    """small − large, or −1 where there is no bound: a row that is never active."""
    free = (small == -jnp.inf) | (large == jnp.inf)
    return jnp.where(free, -1, jnp.where(free, 0, small) - jnp.where(free, 0, large))


def _check_order(lower: Any, upper: Any) -> None:
    """ValueError for bounds that are NaN, infinite on the wrong side, or contradict each other."""
    sides = {"lower": concrete(lower), "upper": concrete(upper)}
    for (what, leaves), wrong in zip(sides.items(), (np.inf, -np.inf), strict=True):
        for leaf in leaves or ():
            if np.any(np.isnan(leaf) | (leaf == wrong)):
                raise ValueError(f"box: {what} holds {'NaN' if np.any(np.isnan(leaf)) else wrong}.")
    low, high = sides.values()
    if not low or not high or 1 != len(low) != len(high) != 1:
        return
    several = max(len(low), len(high))
    low, high = (side * several if len(side) == 1 else side for side in (low, high))
    for a, b in zip(low, high, strict=True):
        try:
            crossed = np.asarray(a > b)
        except ValueError:
            raise ValueError(
                f"box: lower has shape {a.shape}, upper has shape {b.shape}; both must broadcast "
                "against y."
            ) from None
        if np.any(crossed):
            where = np.unravel_index(np.argmax(crossed), crossed.shape)
            a, b = (np.broadcast_to(bound, crossed.shape)[where] for bound in (a, b))
            place = f" at {[int(i) for i in where]}" if where else ""
            raise ValueError(f"box: lower {a:g} is above upper {b:g}{place}; no y fits between.")
