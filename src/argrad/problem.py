"""The lower problem: an objective, which way it is optimised, and what may be passed to it."""

import contextlib
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, Scalar

from argrad.prox.pieces import Piece
from argrad.prox.term import OnPiece, Proximable
from argrad.rows import Constraints, Pieces, check_constraints

Sense = Literal["min", "max"]


class Function(eqx.Module):
    """A function made of others, which may hold arrays: bounds, weights, a model's parameters.

    `jax.jit` wants a hash of what it compiles, and arrays have none; then it is that of the object.
    """

    def __hash__(self) -> int:
        try:
            return super().__hash__()
        except TypeError:
            return object.__hash__(self)


class Problem(eqx.Module):
    """minimise (or maximise) over y the objective f(y, x, *args), subject to constraints or none,
    or with a nonsmooth term added (or taken away).

    Calling it gives the value to be minimised, −f for a maximum, without the nonsmooth term. As a
    pytree it holds whatever arrays its parts carry, so that it can be passed through JAX'
    transformations.
    """

    objective: Callable[..., Scalar]
    sense: Sense = eqx.field(static=True, default="min")
    constraints: Constraints | None = None
    nonsmooth: Proximable | None = None

    def __call__(self, y: PyTree, x: PyTree, *args: Any) -> Scalar:
        value = jnp.asarray(self.objective(y, x, *args))
        return value if self.sense == "min" else -value

    def value(self, y: PyTree, x: PyTree, *args: Any) -> Scalar:
        """The objective as its author wrote it."""
        return jnp.asarray(self.objective(y, x, *args))

    def on(self, pieces: Pieces | Piece | None) -> "Problem":
        """The same problem on other pieces of its constraints, or as it is for None; or on a piece
        of its nonsmooth term, which makes it a smooth one."""
        if self.nonsmooth is not None and isinstance(pieces, Piece):
            sign = 1 if self.sense == "min" else -1
            return Problem(OnPiece(self.objective, self.nonsmooth, pieces, sign), self.sense)
        if self.constraints is None or pieces is None or isinstance(pieces, Piece):
            return self
        return Problem(self.objective, self.sense, self.constraints.on(pieces))

    def closed(self, y: PyTree[Array], x: PyTree, args: tuple) -> "Problem":
        """The same problem with the arrays that its functions close over as leaves.

        The objective is traced here, once for all that is made of it, and ValueError raised
        unless f(y, x, *args) is one real floating-point number, or for what `check_constraints`
        refuses.
        """
        with _told_of(y, x, args):
            # A function that closes over nothing would be left as it is, but for the lambda.
            objective = eqx.filter_closure_convert(lambda *a: self.objective(*a), y, x, *args)
        _check_number(objective.out_struct)  # type: ignore[attr-defined]
        if self.nonsmooth is not None:
            term = self.nonsmooth.closed(x, args)
            return Problem(objective, self.sense, nonsmooth=term)
        if self.constraints is None:
            return Problem(objective, self.sense)
        check_constraints(self.constraints, y, x, args)
        return Problem(objective, self.sense, self.constraints.closed(y, x, args))


def starting_point(init: PyTree) -> PyTree[Array]:
    """`init` as arrays, or an error that names the leaf that cannot be a variable.

    Raises TypeError for leaves that are not real floating-point numbers of 32 or 64 bits,
    ValueError where there is nothing to optimise.
    """
    leaves = jax.tree_util.tree_leaves_with_path(init)
    if not leaves or all(np.size(leaf) == 0 for _, leaf in leaves):
        raise ValueError(f"init has no variables to optimise: {init!r}.")
    for path, leaf in leaves:
        name = f"init{jax.tree_util.keystr(path)}"
        if not isinstance(leaf, float | np.ndarray | np.generic | jax.Array):
            hint = " Write 0.0 for 0." if isinstance(leaf, int) else ""
            if callable(leaf):  # a module's activation, for one
                hint = (
                    " Solve for the arrays alone: of an Equinox module, what "
                    "eqx.partition(module, eqx.is_inexact_array) gives first."
                )
            raise TypeError(
                f"{name} is {leaf!r} of type {type(leaf).__name__}; y must be real "
                f"floating-point numbers.{hint}"
            )
        dtype = jnp.result_type(leaf)
        if not jnp.issubdtype(dtype, jnp.floating):
            raise TypeError(
                f"{name} has dtype {dtype}; y must be real floating-point numbers. "
                f"Convert it, for example with jnp.asarray(init, float)."
            )
        if jnp.finfo(dtype).bits < 32:
            raise TypeError(
                f"{name} has dtype {dtype}, too coarse to solve in: pass init as float32 or "
                "float64 and round y*."
            )
    return jax.tree.map(_strong, init)


def _strong(leaf: Any) -> Array:
    """A number as an array that keeps its dtype whatever it meets."""
    if isinstance(leaf, jax.Array) and not leaf.aval.weak_type:
        return leaf
    return jnp.asarray(leaf, jnp.result_type(leaf))


def parameters(x: PyTree) -> PyTree:
    """`x` with its numbers as arrays, so that another value needs no other compilation."""

    def array(leaf):
        number = isinstance(leaf, int | float | complex | np.ndarray | np.generic | jax.Array)
        return _strong(leaf) if number else leaf

    return jax.tree.map(array, x)


def extra_arguments(args: tuple) -> tuple:
    """`args` with floats and NumPy arrays as JAX arrays; integers and flags stay what they are."""
    return tuple(
        jax.tree.map(lambda leaf: leaf if isinstance(leaf, int) else parameters(leaf), arg)
        for arg in args
    )


def check_objective(problem: Problem, y: PyTree, x: PyTree, args: tuple) -> None:
    """Raise ValueError unless f(y, x, *args) is one real floating-point number.

    An exception from inside the objective passes through with a note of what it was given.
    """
    with _told_of(y, x, args):
        out = eqx.filter_eval_shape(problem.objective, y, x, *args)
    _check_number(out)


@contextlib.contextmanager
def _told_of(y: PyTree, x: PyTree, args: tuple):
    """Notes on exceptions from inside the objective of what it was given."""
    try:
        yield
    except Exception as error:
        error.add_note(
            "This happened while calling the objective f(y, x, *args) with "
            f"y = {_shapes(y)}, x = {_shapes(x)}, args = {_shapes(args)}. The variable y comes "
            "first; solve(x, init, *args) takes x first."
            + (" A list is no vector: pass init as an array." if isinstance(y, list) else "")
        )
        raise


def _check_number(out: Any) -> None:
    if isinstance(out, int | float):
        return
    shape, dtype = getattr(out, "shape", None), getattr(out, "dtype", None)
    if shape is None or dtype is None:
        raise ValueError(f"the objective must return one number, but returned {out!r}.")
    if shape != ():
        raise ValueError(
            f"the objective must return one number, but returned an array of shape {shape}. "
            "Reduce it, for example with jnp.sum or jnp.mean."
        )
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(
            f"the objective must return a real floating-point number, but returned {dtype}."
        )


def _shapes(tree: PyTree) -> str:
    def describe(leaf):
        if isinstance(leaf, jax.Array | np.ndarray):
            return f"{jnp.result_type(leaf).name}{list(leaf.shape)}"
        return type(leaf).__name__

    return str(jax.tree.map(describe, tree)).replace("'", "")
