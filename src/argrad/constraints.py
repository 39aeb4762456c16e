"""Constraints of the lower problem: what a user states, each a set of rows h = 0 or g <= 0."""

import abc
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

Rows = tuple[PyTree, PyTree]


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
        A, b = _at(self.A, x, args), _at(self.b, x, args)
        leaves, matrices = jax.tree.leaves(y), _matching(A, y, "A", self.name)
        total = sum(
            jnp.tensordot(jnp.asarray(a), v, axes=jnp.ndim(v))
            for a, v in zip(matrices, leaves, strict=True)
        )
        if jnp.ndim(b) and jnp.shape(b) != jnp.shape(total):
            raise ValueError(
                f"linear(A, b): A y has shape {jnp.shape(total)}, b has shape {jnp.shape(b)}; "
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
            lower = _bounds(self.lower, y, x, args, "lower")
            below["lower"] = jax.tree.map(_row, lower, y)
        if self.upper is not None:
            upper = _bounds(self.upper, y, x, args, "upper")
            below["upper"] = jax.tree.map(lambda v, b: _row(v, b), y, upper)
        return None, below

    def inside(self, y, x, args):
        """Push y off its bounds, by a hundredth of their distance or of their size."""
        infinite = jax.tree.map(lambda v: jnp.full_like(v, jnp.inf), y)
        lower = jax.tree.map(jnp.negative, infinite)
        if self.lower is not None:
            lower = _bounds(self.lower, y, x, args, "lower")
        upper = infinite if self.upper is None else _bounds(self.upper, y, x, args, "upper")

        def off(v, low, high):
            room = 0.01 * (high - low)
            push = lambda bound: jnp.minimum(0.01 * jnp.maximum(1, jnp.abs(bound)), room)
            low = jnp.where(jnp.isfinite(low), low + push(low), low)
            high = jnp.where(jnp.isfinite(high), high - push(high), high)
            return jnp.clip(v, low, high)

        return jax.tree.map(off, y, lower, upper)


class Simplex(Constraint):
    """y >= 0 and Σ y = total."""

    total: Any
    name: str | None = eqx.field(static=True)

    def rows(self, y, x, args):
        total = sum(jnp.sum(v) for v in jax.tree.leaves(y))
        return total - _at(self.total, x, args), jax.tree.map(jnp.negative, y)

    def inside(self, y, x, args):
        positive = jax.tree.map(lambda v: jnp.maximum(v, 0), y)
        flat, unravel = ravel_pytree(positive)
        mean = _at(self.total, x, args) / flat.size
        flat = jnp.where(jnp.sum(flat) > 0, flat / jnp.sum(flat), 0) * mean * flat.size
        return unravel((0.9 * flat + 0.1 * mean).astype(flat.dtype))


class Round(Constraint):
    """‖y − centre‖₂ <= radius or = radius, squared so that it is smooth."""

    radius: Any
    centre: Any
    surface: bool = eqx.field(static=True)
    name: str | None = eqx.field(static=True)

    def rows(self, y, x, args):
        offset = _offset(self.centre, y, x, args)
        excess = offset @ offset - _at(self.radius, x, args) ** 2
        return (excess, None) if self.surface else (None, excess)

    def inside(self, y, x, args):
        """The surface has no normal at its centre: start off it."""
        if not self.surface:
            return y
        flat, unravel = ravel_pytree(y)
        offset = _offset(self.centre, y, x, args)
        radius = jnp.abs(_at(self.radius, x, args))
        # No structured problem is symmetric about this direction.
        aside = jnp.cos(jnp.arange(flat.size, dtype=flat.dtype) ** 2 + 1)
        size = jnp.linalg.norm(offset)
        aside = radius * aside / jnp.linalg.norm(aside)
        return unravel(jnp.where(size > 1e-3 * radius, flat, flat + aside).astype(flat.dtype))


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
    if not (callable(lower) or callable(upper) or lower is None or upper is None):
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


def simplex(total: Any = 1.0, *, name: str | None = None) -> Simplex:
    """y >= 0 and Σ y = total, over all elements of y; `total` may be a function (x, *args).

    >>> import jax.numpy as jnp, argrad as ag
    >>> project = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.simplex()])
    >>> project(jnp.array([0.7, 0.5, -1.0]), jnp.ones(3) / 3).round(4)
    Array([0.6, 0.4, 0. ], dtype=float32)
    """
    return Simplex(total=total, name=name or "simplex")


def _callable(function, kind):
    if not callable(function):
        raise TypeError(f"{kind} needs a function of (y, x, *args), got {function!r}.")
    return function


def _name(name: str | None, function: Any) -> str | None:
    own = getattr(function, "__name__", None)
    return name or (None if own in (None, "<lambda>") else own)


def _at(value: Any, x: PyTree, args: tuple) -> Any:
    return value(x, *args) if callable(value) else value


def _matching(value: PyTree, y: PyTree, what: str, name: str | None) -> list:
    """The leaves of `value` if it has the structure of y, or the value itself for a single y."""
    found: Any = jax.tree.structure(value)
    wanted: Any = jax.tree.structure(y)
    if found == wanted:
        return jax.tree.leaves(value)
    if wanted.num_leaves == 1:
        return [jnp.asarray(value)]
    raise ValueError(f"{name}: {what} is {found}, y is {wanted}; they must be the same pytree.")


def _bounds(value: Any, y: PyTree, x: PyTree, args: tuple, what: str) -> PyTree:
    """A bound with the structure and shapes of y."""
    value = _at(value, x, args)
    if jax.tree_util.treedef_is_leaf(jax.tree.structure(value)) and jnp.ndim(value) == 0:
        return jax.tree.map(lambda v: jnp.full_like(v, value), y)
    flat = _matching(value, y, what, "box")
    leaves, structure = jax.tree.flatten(y)
    bounds = []
    for bound, leaf in zip(flat, leaves, strict=True):
        try:
            bounds.append(jnp.broadcast_to(jnp.asarray(bound, leaf.dtype), leaf.shape))
        except ValueError:
            raise ValueError(
                f"box: {what} has shape {jnp.shape(bound)}, y has {leaf.shape}; the bound must "
                "be one number or broadcast against y."
            ) from None
    return jax.tree.unflatten(structure, bounds)


def _row(small: Array, large: Array) -> Array:
    """small − large, or −1 where either is infinite: a row that is never active."""
    finite = jnp.isfinite(small) & jnp.isfinite(large)
    return jnp.where(finite, jnp.where(finite, small, 0) - jnp.where(finite, large, 0), -1)


def _check_order(lower: Any, upper: Any) -> None:
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((lower, upper))):
        return
    low, high = jax.tree.leaves(lower), jax.tree.leaves(upper)
    if len(low) != len(high):
        return
    for a, b in zip(low, high, strict=True):
        crossed = jnp.asarray(a) > jnp.asarray(b)
        if jnp.any(crossed):
            where = jnp.unravel_index(jnp.argmax(crossed), crossed.shape)
            a, b = (jnp.broadcast_to(bound, crossed.shape)[where] for bound in (a, b))
            at = "" if not where else f" at {[int(i) for i in where]}"
            raise ValueError(f"box: lower {a:g} is above upper {b:g}{at}; no y fits between.")


def _offset(centre: Any, y: PyTree, x: PyTree, args: tuple) -> Float[Array, " d"]:
    """y − centre, flat."""
    return ravel_pytree(y)[0] - ravel_pytree(_bounds(centre, y, x, args, "centre"))[0]
