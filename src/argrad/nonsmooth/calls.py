"""Many calls of one function: traced, or on the host one by one, all at once, or side by side."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from argrad.host import on_host, traceable


class Calls(eqx.Module):
    """A function of a pytree, at many flat points.

    - `host`: whether it needs NumPy arrays; None to see whether JAX can trace it.
    - `batched`: whether it takes many inputs at once, along a new first axis of every leaf.
    - `n_jobs`: how many calls joblib may run at a time; None for one after the other.
    """

    function: Callable[..., PyTree]
    host: bool | None = eqx.field(static=True, default=None)
    batched: bool = eqx.field(static=True, default=False)
    n_jobs: int | None = eqx.field(static=True, default=None)

    def __call__(
        self, points: Float[Array, "n d"], like: PyTree, out: PyTree, seeds: Array | None = None
    ) -> Float[Array, "n k"]:
        """The results, flat, at points that are flat pytrees `like`; each of them is like `out`.

        With `seeds`, n integers, the function is called with one of them as its second argument.
        """
        extra = () if seeds is None else (seeds,)
        unravel = ravel_pytree(like)[1]
        single = (like, *(jax.eval_shape(lambda: s[0]) for s in extra))
        if self._on_host(single, len(points)):
            return self._host_values(points, like, out, extra)
        trees = jax.vmap(unravel)(points)
        found = (self.function if self.batched else jax.vmap(self.function))(trees, *extra)
        _check_structure(jax.eval_shape(lambda: found), out, (len(points),))
        return jax.vmap(lambda tree: ravel_pytree(tree)[0])(found).astype(points.dtype)

    def _on_host(self, single, count) -> bool:
        if self.host is not None:
            return self.host
        if self.n_jobs is not None:
            return True
        if self.batched:
            many = lambda a: jax.ShapeDtypeStruct((count, *jnp.shape(a)), jnp.result_type(a))
            single = jax.tree.map(many, single)
        hint = (
            "This happened while tracing the function with JAX. If it is not written in JAX, pass "
            "host=True."
        )
        return not traceable(self.function, hint, *single)

    def _host_values(self, points, like, out, extra):
        leaves, tree = jax.tree.flatten(like)
        shapes = [jnp.shape(leaf) for leaf in leaves]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

        def unravel(rows):
            parts = np.split(rows, ends, -1)
            fitted = [p.reshape(p.shape[:-1] + s) for p, s in zip(parts, shapes, strict=True)]
            return tree.unflatten(fitted)

        def run(inputs):
            rows, *extra = inputs
            if self.batched:
                found = self.function(unravel(rows), *extra)
                _check_structure(found, out, (len(rows),))
                return _flat(found, len(rows))
            each = [(unravel(row), *more) for row, *more in zip(rows, *extra, strict=True)]
            found = self._one_by_one(each)
            for result in found:
                _check_structure(result, out)
            return np.stack([_flat(result, 1)[0] for result in found])

        size = sum(int(np.prod(jnp.shape(leaf))) for leaf in jax.tree.leaves(out))
        wanted = jax.ShapeDtypeStruct((len(points), size), points.dtype)
        return on_host(run, wanted, (points, *extra))

    def _one_by_one(self, each: list[tuple]) -> list[PyTree]:
        if self.n_jobs is None:
            return [self.function(*arguments) for arguments in each]
        try:
            from joblib import Parallel, delayed
        except ImportError as error:
            raise ImportError(
                "n_jobs needs joblib, which comes with scikit-learn: pip install 'argrad[sklearn]'."
            ) from error
        return Parallel(self.n_jobs)(delayed(self.function)(*arguments) for arguments in each)


def _flat(tree: PyTree, rows: int) -> np.ndarray:
    return np.concatenate([np.reshape(leaf, (rows, -1)) for leaf in jax.tree.leaves(tree)], 1)


def _check_structure(found: Any, out: PyTree, batch: tuple[int, ...] = ()) -> None:
    shape = lambda tree: jax.tree.map(np.shape, tree)
    expected = jax.tree.map(lambda leaf: batch + np.shape(leaf), out)
    if shape(found) != expected:
        raise ValueError(
            f"the function returned {jax.tree.map(np.shape, found)} (shapes), where {expected} was "
            "expected."
        )
