"""The inverse of the Hessian's diagonal blocks, one for each leaf of y or group of leaves."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jax import lax
from jax.lax.linalg import triangular_solve
from jaxtyping import Array, Float, Int, PyTree

from argrad.linalg.symmetric import ApproximateInverse, Product, require_damping


class BlockDiagonal(ApproximateInverse):
    """u = (diag(H₁, ..., H_m) + damping I)⁻¹ b, H_j the diagonal block of H for the j-th group.

    A group is one leaf of y, or all leaves with the same label in `groups`, a pytree with the
    structure of y whose leaves are labels (`{"bias": 0, "weights": 0, "scale": 1}`). Costs d
    products with H, one for each unit vector, since to probe several blocks at once would mix in
    what couples them; then a Cholesky factor of each block, with memory for Σ d_j² numbers. Right
    where the groups do not interact.

    Fails with `lineax.RESULTS.breakdown` where a block is not positive definite. ValueError for
    damping < 0 and for `groups` that do not have the structure of y.

    >>> import jax.numpy as jnp, lineax as lx, argrad as ag
    >>> A = jnp.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 4.0]])
    >>> y = {"a": jnp.array([3.0, 3.0]), "b": jnp.array(4.0)}
    >>> def product(v):
    ...     u = A @ jnp.append(v["a"], v["b"])
    ...     return {"a": u[:2], "b": u[2]}
    >>> operator = lx.FunctionLinearOperator(product, y, lx.positive_semidefinite_tag)
    >>> lx.linear_solve(operator, y, ag.BlockDiagonal()).value["a"].round(4)
    Array([1., 1.], dtype=float32)
    """

    groups: PyTree[Any] = None
    damping: float | Float[Array, ""] = 0.0

    def __check_init__(self):
        require_damping(self)

    def approximate(self, product: Product, damping, options):
        del options
        total = self.damping + damping
        blocks = []
        for where in self._blocks(product):
            block = product.rows(where, where)
            block = (block + block.T) / 2 + total * jnp.eye(len(where), dtype=block.dtype)
            blocks.append((where, lax.linalg.cholesky(block, symmetrize_input=False)))
        good = jnp.all(jnp.stack([jnp.all(jnp.diagonal(lower) > 0) for _, lower in blocks]))
        results = lx.RESULTS
        result = results.where(good, results.successful, results.breakdown)
        return blocks, result, product.zeros.size, {"num_blocks": len(blocks)}

    def apply(self, inverse, b):
        u = b
        for where, lower in inverse:
            half = triangular_solve(lower, b[where], left_side=True, lower=True)
            solved = triangular_solve(lower, half, left_side=True, lower=True, transpose_a=True)
            u = u.at[where].set(solved)
        return u

    def _blocks(self, product: Product) -> list[Int[Array, " k"]]:
        """The places of each group in the flat vector."""
        structure = product.operator.in_structure()
        sizes = product.leaf_sizes()
        labels: list = list(range(len(sizes)))
        if self.groups is not None:
            labels, given = jax.tree.flatten(self.groups)
            if given != jax.tree.structure(structure):  # type: ignore[operator]
                raise ValueError(
                    "BlockDiagonal needs groups with one label for each leaf of y: its structure "
                    f"is {jax.tree.structure(structure)}, that of groups {given}."
                )
        ends = np.cumsum([0, *sizes])
        spans = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
        return [
            jnp.concatenate([s for s, own in zip(spans, labels, strict=True) if own == label])
            for label in dict.fromkeys(labels)
        ]
