"""The bilevel problem: an upper objective above a lower problem."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, Scalar

from argrad.external import External
from argrad.transformation import Argmin, argmin


class Bilevel(eqx.Module):
    """minimise over x the upper objective F(y*(x), x), y*(x) the solution of a lower problem.

    - `upper(y, x, *args)` returns a scalar; the lower variable comes first, as it does in the
      lower objective.
    - `lower` is what `argmin`, `argmax` or `implicit` made; a plain objective f(y, x, *args) is
      taken for `argmin(f)`.

    Both are given the same `args`. Calling it gives F(y*(x), x), an ordinary JAX function of x
    that differentiates to any order; `argrad.minimise` exploits that it is bilevel. TypeError for
    an upper or lower level that is not a function.

    >>> import jax, argrad as ag
    >>> bilevel = ag.Bilevel(lambda y, x: (y - 1) ** 2, lambda y, x: (y - 2 * x) ** 2)
    >>> bilevel(3.0, 0.0), jax.grad(bilevel)(3.0, 0.0)
    (Array(25., dtype=float32), Array(20., dtype=float32, weak_type=True))
    """

    upper: Callable[..., Scalar]
    lower: Argmin | External

    def __init__(self, upper: Callable[..., Scalar], lower: Argmin | External | Callable):
        if not callable(upper):
            raise TypeError(f"upper must be a function F(y, x, *args), got {upper!r}.")
        if not callable(lower):
            raise TypeError(
                "lower must come from argrad.argmin, argrad.argmax or argrad.implicit, or be an "
                f"objective f(y, x, *args), got {lower!r}."
            )
        self.upper = upper
        self.lower = lower if isinstance(lower, Argmin | External) else argmin(lower)

    def __call__(self, x: PyTree, init: PyTree, *args: Any) -> Scalar:
        """F(y*(x), x), the lower problem solved from `init`."""
        return jnp.asarray(self.upper(self.lower(x, init, *args), x, *args))


def upper_starting_point(x0: PyTree) -> PyTree[Array]:
    """`x0` as arrays, or an error that names the leaf that cannot be a variable.

    Raises TypeError for leaves that are not known real floating-point numbers, ValueError where
    there is nothing to optimise or the start is not finite.
    """
    leaves = jax.tree_util.tree_leaves_with_path(x0)
    if not leaves or all(np.size(leaf) == 0 for _, leaf in leaves):
        raise ValueError(f"x0 has no variables to optimise: {x0!r}.")
    for path, leaf in leaves:
        name = f"x0{jax.tree_util.keystr(path)}"
        if isinstance(leaf, jax.core.Tracer):
            raise TypeError(
                f"{name} is being traced by jit, vmap or grad, but argrad.minimise is a loop in "
                "Python, with a callback and a history. Inside compiled code give the objective "
                "lambda x: upper(solve(x, init), x) to optimistix.minimise."
            )
        if not isinstance(leaf, float | np.ndarray | np.generic | jax.Array):
            hint = f" Write {leaf}.0 for {leaf}." if type(leaf) is int else ""
            raise TypeError(
                f"{name} is {leaf!r} of type {type(leaf).__name__}; x must be real "
                f"floating-point numbers.{hint}"
            )
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise TypeError(
                f"{name} has dtype {jnp.result_type(leaf)}; x must be real floating-point "
                "numbers. Convert it, for example with jnp.asarray(x0, float)."
            )
        if not np.all(np.isfinite(leaf)):
            raise ValueError(f"{name} holds NaN or infinity; start from finite numbers.")
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), x0)


def check_upper(bilevel: Bilevel, y: PyTree, x: PyTree, args: tuple) -> jax.ShapeDtypeStruct:
    """Shape and dtype of F; ValueError unless F(y, x, *args) is one real floating-point number.

    An exception from inside the upper objective passes through with a note of what it was given.
    """
    try:
        out = jax.eval_shape(lambda y, x: jnp.asarray(bilevel.upper(y, x, *args)), y, x)
    except Exception as error:
        structures = f"y = {jax.tree.structure(y)}, x = {jax.tree.structure(x)}"
        error.add_note(
            "This happened while calling the upper objective F(y, x, *args) with "
            f"{structures} and {len(args)} further arguments. The lower variable y comes first."
        )
        raise
    if out.shape != ():
        raise ValueError(
            "the upper objective must return one number, but returned an array of shape "
            f"{out.shape}. Reduce it, for example with jnp.sum or jnp.mean."
        )
    if not jnp.issubdtype(out.dtype, jnp.floating):
        raise ValueError(
            f"the upper objective must return a real floating-point number, but returned "
            f"{out.dtype}."
        )
    return jax.ShapeDtypeStruct(out.shape, out.dtype)
