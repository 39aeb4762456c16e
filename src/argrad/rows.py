"""All constraints of a problem as two flat vectors, and multipliers as their author knows them."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from argrad.constraints import Constraint, Piecewise, Rows

Pieces = tuple[Array | None, ...]
_CALLS = ("jit", "pjit", "checkpoint", "closed_call")
Layout = tuple[tuple[str, tuple[int, ...]], ...]


class Constraints(eqx.Module):
    """h(y, x, *args) = 0 and g(y, x, *args) <= 0, every constraint's rows one after the other.

    As a pytree it holds whatever arrays the constraints carry. `pieces` has one entry a
    constraint: the piece that the rows are those of, or None for constraints in one piece.
    """

    evaluate: Callable[..., tuple[Rows, ...]]
    names: tuple[str, ...] = eqx.field(static=True)
    kinds: tuple[type[Constraint], ...] = eqx.field(static=True)
    pieces: Pieces

    def __call__(
        self, y: PyTree, x: PyTree, *args: Any
    ) -> tuple[Float[Array, " e"], Float[Array, " i"]]:
        rows = self.evaluate(self.pieces, y, x, *args)
        dtype = ravel_pytree(y)[0].dtype
        equal = ravel_pytree([r[0] for r in rows])[0].astype(dtype)
        return equal, ravel_pytree([r[1] for r in rows])[0].astype(dtype)

    @property
    def piecewise(self) -> bool:
        """Whether any constraint has several pieces."""
        return any(issubclass(kind, Piecewise) for kind in self.kinds)

    def on(self, pieces: Pieces) -> "Constraints":
        """The same constraints on other pieces."""
        return Constraints(self.evaluate, self.names, self.kinds, pieces)

    def closed(self, y: PyTree[Array], x: PyTree, args: tuple) -> "Constraints":
        """The same constraints with the arrays that they close over as leaves."""
        size = ravel_pytree(y)[0].size
        pieces = tuple(
            kind.probe(size) if issubclass(kind, Piecewise) else None for kind in self.kinds
        )
        evaluate = eqx.filter_closure_convert(self.evaluate, pieces, y, x, *args)
        return Constraints(evaluate, self.names, self.kinds, pieces)

    def shapes(self, y: PyTree, x: PyTree, args: tuple) -> tuple[Rows, ...]:
        """The rows of each constraint, as shapes."""
        return eqx.filter_eval_shape(self.evaluate, self.pieces, y, x, *args)

    def by_constraint(
        self, shapes: tuple[Rows, ...], equal: Array | None, below: Array
    ) -> tuple[PyTree, ...]:
        """Flat row vectors as the user sees them: one entry a constraint, shaped like its rows.

        A constraint with rows of both kinds gets a pair (equal, below). With `equal` None there
        are entries for the rows below only, and None for constraints without any.
        """
        below = _unravel([r[1] for r in shapes], below)
        if equal is None:
            return tuple(below)
        equal = _unravel([r[0] for r in shapes], equal)
        found = []
        for (h, g), one, other in zip(shapes, equal, below, strict=True):
            found.append(other if h is None else one if g is None else (one, other))
        return tuple(found)

    def flat(
        self, shapes: tuple[Rows, ...], multipliers: tuple[PyTree, ...]
    ) -> tuple[Array, Array]:
        """The inverse of `by_constraint`."""
        pairs = self.pairs(shapes, multipliers)
        return ravel_pytree([h for h, _ in pairs])[0], ravel_pytree([g for _, g in pairs])[0]

    def pairs(self, shapes: tuple[Rows, ...], entries: tuple[PyTree, ...]) -> tuple[Rows, ...]:
        """What `by_constraint` returned as a pair (equal, below) for each constraint."""
        return tuple(
            (None, entry) if h is None else (entry, None) if g is None else entry
            for (h, g), entry in zip(shapes, entries, strict=True)
        )

    def layout(self, shapes: tuple[Rows, ...]) -> Layout:
        """What the rows are called, block by block: equalities first, as `__call__` has them."""
        blocks = []
        for kind in (0, 1):
            for name, rows in zip(self.names, shapes, strict=True):
                for path, leaf in jax.tree_util.tree_leaves_with_path(rows[kind]):
                    inner = jax.tree_util.keystr(path, simple=True, separator=".")
                    blocks.append((".".join(filter(None, (name, inner))), leaf.shape))
        return tuple(blocks)


def row_name(layout: Layout, row: int) -> str:
    """What to call row `row`.

    >>> row_name((("balance", ()), ("box.lower", (2, 3))), 5)
    'box.lower[1][1]'
    """
    for name, shape in layout:
        size = math.prod(shape)
        if row < size:
            return name + "".join(f"[{i}]" for i in np.unravel_index(row, shape) if shape)
        row -= size
    raise IndexError(f"there is no row {row} beyond the last.")


def gather(subject_to: Iterable[Constraint]) -> Constraints | None:
    """Constraints of one problem, or None for none. TypeError for anything else in the list."""
    if not isinstance(subject_to, Constraint | Iterable):
        raise TypeError(f"subject_to must be a list of constraints, got {subject_to!r}.")
    items = (subject_to,) if isinstance(subject_to, Constraint) else tuple(subject_to)
    for i, item in enumerate(items):
        if not isinstance(item, Constraint):
            raise TypeError(
                f"subject_to[{i}] is {item!r}; it must be made by argrad.equality, "
                "argrad.inequality, argrad.box, argrad.linear or one of the sets."
            )
    if not items:
        return None
    used: dict[str, int] = {}
    names = []
    for i, item in enumerate(items):
        name = item.name or f"subject_to[{i}]"
        used[name] = used.get(name, 0) + 1
        names.append(name if used[name] == 1 else f"{name} ({used[name]})")
    kinds = tuple(type(item) for item in items)
    return Constraints(_Stacked(items, tuple(names)), tuple(names), kinds, (None,) * len(items))


class _Stacked(eqx.Module):
    items: tuple[Constraint, ...]
    names: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, pieces, y, x, *args):
        rows = []
        for item, name, piece in zip(self.items, self.names, pieces, strict=True):
            try:
                found = item.rows(y, x, args) if piece is None else item.rows_on(piece, y, x, args)
            except Exception as error:
                error.add_note(f"This happened in the constraint {name!r} of (y, x, *args).")
                raise
            rows.append(found)
        return tuple(rows)


def inside(constraints: Constraints, y: PyTree, x: PyTree, args: tuple) -> PyTree:
    """A start near y that respects the constraints which are easy to respect."""
    for item in constraints.evaluate.items:  # type: ignore[attr-defined]
        moved = item.inside(y, x, args)
        y = jax.tree.map(lambda new, old: jnp.where(jnp.isfinite(new), new, old), moved, y)
    return y


def check_constraints(constraints: Constraints, y: PyTree, x: PyTree, args: tuple) -> None:
    """Raise ValueError for rows that are not real numbers or that y has no part in."""
    for i, name in enumerate(constraints.names):
        rows = lambda y, i=i: constraints.evaluate(constraints.pieces, y, x, *args)[i]
        for leaf in jax.tree.leaves(eqx.filter_eval_shape(rows, y)):
            dtype = jnp.result_type(leaf)
            if not jnp.issubdtype(dtype, jnp.floating):
                boolean = jnp.issubdtype(dtype, jnp.bool)
                hint = " Return g(y, x), not whether it holds." if boolean else ""
                raise ValueError(
                    f"the constraint {name!r} must return real floating-point numbers, but "
                    f"returned {dtype}.{hint}"
                )
        if not _depends(rows, y):
            raise ValueError(
                f"the constraint {name!r} does not depend on y, the first argument; as it stands "
                "it either holds for every y or for none."
            )


def _depends(function: Callable[[PyTree], PyTree], y: PyTree) -> bool:
    """Whether any output has to do with y, read from the traced program."""
    jaxpr = jax.make_jaxpr(function)(y).jaxpr
    return any(_reached(jaxpr, [True] * len(jaxpr.invars)))


def _reached(jaxpr, inputs: list[bool]) -> list[bool]:
    """Which outputs of a program have to do with any of the marked inputs.

    Looks into functions that are only called (`jit`, `checkpoint`); of loops and branches, every
    output may.
    """
    marked = {v for v, mark in zip(jaxpr.invars, inputs, strict=True) if mark}
    mark = lambda v: not isinstance(v, Literal) and v in marked
    for equation in jaxpr.eqns:
        marks = [mark(v) for v in equation.invars]
        inner = equation.params.get("jaxpr") if equation.primitive.name in _CALLS else None
        inner = getattr(inner, "jaxpr", inner)
        if inner is not None and any(marks):
            found = _reached(inner, marks)
        else:
            found = [any(marks)] * len(equation.outvars)
        marked.update(v for v, hit in zip(equation.outvars, found, strict=True) if hit)
    return [mark(v) for v in jaxpr.outvars]


def _unravel(shapes: PyTree, flat: Array) -> PyTree:
    leaves, structure = jax.tree.flatten(shapes)
    found, start = [], 0
    for leaf in leaves:
        found.append(flat[start : start + leaf.size].reshape(leaf.shape))
        start += leaf.size
    return jax.tree.unflatten(structure, found)
