"""What Lineax solvers for symmetric operators share: flat vectors, and products counted."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree

from argrad.linalg.self_adjoint import SelfAdjoint

_CHUNK = 32  # products taken side by side: enough to make matrix products of them


class Product(eqx.Module):
    """v -> A v on flat vectors, for a symmetric operator on any pytree."""

    operator: lx.AbstractLinearOperator

    def __call__(self, v: Float[Array, " d"]) -> Float[Array, " d"]:
        return ravel_pytree(self.operator.mv(self.unravel(v)))[0]

    def unravel(self, v: Float[Array, " d"]) -> PyTree[Array]:
        """The pytree whose leaves v holds."""
        return self._like()[1](v)

    @property
    def zeros(self) -> Float[Array, " d"]:
        return self._like()[0]

    def leaf_sizes(self) -> list[int]:
        """The number of elements in each leaf, in the order in which they stand."""
        return [leaf.size for leaf in jax.tree.leaves(self.operator.in_structure())]

    def rows(
        self, which: Int[Array, " k"], columns: Int[Array, " m"] | None = None
    ) -> Float[Array, "k m"]:
        """These rows of A, or these columns of them, by one product each."""

        def row(i):
            found = self(self.zeros.at[i].set(1))
            return found if columns is None else found[columns]

        return in_chunks(row, which)

    def diagonal(self) -> Float[Array, " d"]:
        """The diagonal, by d products and without d × d numbers."""
        return in_chunks(lambda i: self(self.zeros.at[i].set(1))[i], jnp.arange(self.zeros.size))

    def _like(self):
        structure = self.operator.in_structure()
        return ravel_pytree(jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), structure))


def in_chunks(function, inputs: Array) -> Array:
    """`function` of every row of `inputs`, `_CHUNK` of them at a time."""
    if len(inputs) <= _CHUNK:
        return jax.vmap(function)(inputs)
    return lax.map(function, inputs, batch_size=_CHUNK)


class Prepared(NamedTuple):
    """The state of a solver: the operator, what is known of its inverse, and what that cost."""

    product: Product
    data: PyTree
    num_products: Int[Array, ""]


class Solved(NamedTuple):
    """u, whether it is what was asked for, and the products with A that it took."""

    solution: Float[Array, " d"]
    result: lx.RESULTS
    num_products: Int[Array, ""] | int
    stats: dict[str, Any]


class SymmetricSolver(SelfAdjoint[Prepared]):
    """A Lineax solver for symmetric operators, written for flat vectors.

    Its statistics hold `num_products`, the products with the operator since `init`, its own
    included. ValueError for an operator that is not tagged as symmetric or definite.
    """

    @abc.abstractmethod
    def prepare(self, product: Product, options: dict[str, Any]) -> tuple[PyTree, Any]:
        """What is computed of the operator alone, and the products that took."""

    @abc.abstractmethod
    def solve(
        self, product: Product, data: PyTree, b: Float[Array, " d"], options: dict[str, Any]
    ) -> Solved:
        """u, about A⁻¹ b."""

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]) -> Prepared:
        if not (lx.is_symmetric(operator) or lx.is_positive_semidefinite(operator)):
            raise ValueError(
                f"{type(self).__name__} needs a symmetric operator, tagged with "
                "lineax.symmetric_tag or lineax.positive_semidefinite_tag; for others use "
                "lineax.GMRES or lineax.LU."
            )
        product = Product(lx.linearise(operator))
        data, num_products = self.prepare(product, options)
        return Prepared(product, data, jnp.asarray(num_products))

    def compute(
        self, state: Prepared, vector: PyTree[Array], options: dict[str, Any]
    ) -> tuple[PyTree[Array], lx.RESULTS, dict[str, Any]]:
        b, unravel = ravel_pytree(vector)
        solution, result, num_products, stats = self.solve(state.product, state.data, b, options)
        total = state.num_products + num_products
        return unravel(solution), result, {**stats, "num_products": total}


class ApproximateInverse(SymmetricSolver):
    """u = M b with one symmetric positive definite M for all b, so that it can precondition.

    All products with A are taken in `init`.
    """

    @abc.abstractmethod
    def approximate(
        self, product: Product, damping: Float[Array, ""] | float, options: dict[str, Any]
    ) -> tuple[PyTree, lx.RESULTS, Any, dict[str, Any]]:
        """What M = about (A + damping I)⁻¹ consists of, whether it is one, products, statistics."""

    @abc.abstractmethod
    def apply(self, inverse: PyTree, b: Float[Array, " d"]) -> Float[Array, " d"]:
        """M b."""

    def prepare(self, product, options):
        inverse, result, num_products, stats = self.approximate(product, 0.0, options)
        return (inverse, result, stats), num_products

    def solve(self, product, data, b, options):
        del product, options
        inverse, result, stats = data
        return Solved(self.apply(inverse, b), result, 0, stats)


def random_key(key: int | Array) -> Array:
    """A key as it is, or the one that a seed, traced or not, stands for."""
    if isinstance(key, int) or (jnp.issubdtype(key.dtype, jnp.integer) and key.ndim == 0):
        return jax.random.key(key)
    return key


def require(owner: Any, name: str, holds: bool, needs: str) -> None:
    """ValueError that names a bad argument of `owner`, its value and what it needs to be."""
    if not holds:
        value = getattr(owner, name)
        raise ValueError(f"{type(owner).__name__} needs {name} {needs}, got {value}.")


def require_damping(owner: Any) -> None:
    """The same for a damping, which may be an array whose value is not known yet."""
    damping = owner.damping
    known = isinstance(damping, int | float)
    require(owner, "damping", not known or 0 <= damping < float("inf"), ">= 0")
