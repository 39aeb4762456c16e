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

from argrad.constraints import Constraint, Rows

Layout = tuple[tuple[str, tuple[int, ...]], ...]


class Constraints(eqx.Module):
    """h(y, x, *args) = 0 and g(y, x, *args) <= 0, every constraint's rows one after the other.

    As a pytree it holds whatever arrays the constraints carry.
    """

    evaluate: Callable[..., tuple[Rows, ...]]
    names: tuple[str, ...] = eqx.field(static=True)

    def __call__(
        self, y: PyTree, x: PyTree, *args: Any
    ) -> tuple[Float[Array, " e"], Float[Array, " i"]]:
        rows = self.evaluate(y, x, *args)
        dtype = ravel_pytree(y)[0].dtype
        equal = ravel_pytree([r[0] for r in rows])[0].astype(dtype)
        return equal, ravel_pytree([r[1] for r in rows])[0].astype(dtype)

    def closed(self, y: PyTree[Array], x: PyTree, args: tuple) -> "Constraints":
        """The same constraints with the arrays that they close over as leaves."""
        evaluate = eqx.filter_closure_convert(self.evaluate, y, x, *args)
        return Constraints(evaluate, self.names)

    def shapes(self, y: PyTree, x: PyTree, args: tuple) -> tuple[Rows, ...]:
        """The rows of each constraint, as shapes."""
        return eqx.filter_eval_shape(self.evaluate, y, x, *args)

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
        equal, below = [], []
        for (h, g), entry in zip(shapes, multipliers, strict=True):
            one, other = (None, entry) if h is None else (entry, None) if g is None else entry
            equal.append(one)
            below.append(other)
        return ravel_pytree(equal)[0], ravel_pytree(below)[0]

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
    return Constraints(_Stacked(items), tuple(names))


class _Stacked(eqx.Module):
    items: tuple[Constraint, ...]

    def __call__(self, y, x, *args):
        return tuple(item.rows(y, x, args) for item in self.items)


def inside(constraints: Constraints, y: PyTree, x: PyTree, args: tuple) -> PyTree:
    """A start near y that respects the constraints which are easy to respect."""
    for item in constraints.evaluate.items:  # type: ignore[attr-defined]
        y = item.inside(y, x, args)
    return y


def check_constraints(constraints: Constraints, y: PyTree, x: PyTree, args: tuple) -> None:
    """Raise ValueError for rows that are not real numbers or that y has no part in."""
    for i, name in enumerate(constraints.names):
        rows = lambda y, i=i: constraints.evaluate(y, x, *args)[i]
        try:
            shapes = eqx.filter_eval_shape(rows, y)
        except Exception as error:
            error.add_note(f"This happened in the constraint {name!r} of (y, x, *args).")
            raise
        for leaf in jax.tree.leaves(shapes):
            if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
                raise ValueError(
                    f"the constraint {name!r} must return real floating-point numbers, but "
                    f"returned {jnp.result_type(leaf)}. Return g(y, x), not whether it holds."
                )
        if not _depends(rows, y):
            raise ValueError(
                f"the constraint {name!r} does not depend on y, the first argument; as it stands "
                "it either holds for every y or for none."
            )


def _depends(function: Callable[[PyTree], PyTree], y: PyTree) -> bool:
    """Whether any output has to do with y, read from the traced program."""
    jaxpr = jax.make_jaxpr(function)(y).jaxpr
    tainted = set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if any(v in tainted for v in equation.invars if not isinstance(v, Literal)):
            tainted.update(equation.outvars)
    return any(v in tainted for v in jaxpr.outvars if not isinstance(v, Literal))


def _unravel(shapes: PyTree, flat: Array) -> PyTree:
    leaves, structure = jax.tree.flatten(shapes)
    found, start = [], 0
    for leaf in leaves:
        found.append(flat[start : start + leaf.size].reshape(leaf.shape))
        start += leaf.size
    return jax.tree.unflatten(structure, found)
