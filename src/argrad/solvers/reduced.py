"""The Hessian of a composite problem on the directions of a piece, and its inverse there.

Sizes are compiled, supports are not: a support is given the next larger of a few sizes, so that
the work goes with it and no support is compiled for.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PyTree, Scalar

from argrad.linalg.cg import conjugate_gradients
from argrad.linalg.cholesky import (
    DEFINITE,
    INDEFINITE,
    Factor,
    diagonal,
    factorise,
    shifted_cholesky,
    singular_threshold,
    verdict,
)
from argrad.prox.pieces import Basis, Piece, Support
from argrad.prox.term import Proximable
from argrad.solvers.linear_products import linear_products

Vector = Float[Array, " d"]
# Few, as each is compiled by itself, in every branch that solves on a support.
_SIZES = 64, 256, 512


def sizes(d: int) -> tuple[int, ...]:
    """The sizes that are compiled: those of a few that are below d, and d itself if it is no larger
    than they are."""
    below = tuple(k for k in _SIZES if k < d)
    return (*below, d) if d <= _SIZES[-1] else below


def by_size(d: int, wanted: Int[Array, ""], branch: Callable[[int], Callable], *operands: PyTree):
    """branch(k)(*operands) for the smallest size k with room for `wanted`, or the largest."""
    known = sizes(d)
    if len(known) == 1:
        return branch(known[0])(*operands)
    which = jnp.minimum(jnp.sum(jnp.array(known) < wanted), len(known) - 1)
    return lax.switch(which, [branch(k) for k in known], *operands)


def hessian_on(
    objective: Callable[[Vector], Scalar], v: Vector, basis: Basis
) -> Callable[[int], Float[Array, "k k"]]:
    """k -> EᵀHE of a smooth objective at v, E the first k of the basis. On a support by columns of
    the matrices that the objective multiplies v by. Where the basis uses fewer, the rest of the
    matrix is anything (`confined`).

    What all sizes need is made before any is chosen, and compiled once.
    """
    if isinstance(basis, Support):
        parts = linear_products(objective, v)
        if parts.matrices:
            outer = parts.outer if parts.direct else lambda products, _: parts.outer(products, v)
            at = v if parts.direct else jnp.zeros(0, v.dtype)
            _, push_parts = jax.linearize(jax.grad(outer, argnums=(0, 1)), parts.products, at)

            def by_columns(k):
                some = basis.first(k)
                columns = parts.columns(
                    lambda matrix, axis: jnp.take(matrix, some.index, axis, mode="clip")
                )
                eye = jnp.eye(k, dtype=v.dtype)
                direct = jax.vmap(some.embed)(eye) if parts.direct else jnp.zeros((k, 0), v.dtype)
                pushed, rest = jax.vmap(push_parts)(columns, direct)
                pairs = zip(columns, pushed, strict=True)
                rows = sum(a.reshape(k, -1) @ b.reshape(k, -1).T for a, b in pairs)
                return rows + jax.vmap(some.restrict)(rest) if parts.direct else rows

            return by_columns
    _, push = jax.linearize(jax.grad(objective), v)

    def by_products(k):
        some = basis.first(k)
        eye = jnp.eye(k, dtype=v.dtype)
        return jax.vmap(lambda z: some.restrict(push(some.embed(z))))(eye)

    return by_products


def confined(matrix: Float[Array, "k k"], basis: Basis) -> Float[Array, "k k"]:
    """EᵀHE on what the basis uses, and a multiple of the identity across it."""
    project, eye = jax.vmap(basis.project), jnp.eye(len(matrix), dtype=matrix.dtype)
    scale = jnp.abs(matrix[0, 0])
    return project(project(matrix).T) + jnp.where(scale > 0, scale, 1) * (eye - project(eye))


def _widened(matrix: Float[Array, "k k"], size: int) -> Float[Array, "n n"]:
    """The matrix, and the identity beside it."""
    k = len(matrix)
    if k == size:
        return matrix
    beyond = jnp.diag((jnp.arange(size) >= k).astype(matrix.dtype))
    return jnp.pad(matrix, (0, size - k)) + beyond


class Inverse(eqx.Module):
    """E (EᵀHE)⁻¹ Eᵀ on the directions of a piece and the identity across it: the inverse of the
    Hessian that the optimality conditions on the piece have (`conditions.OnPiece`).

    `upper` is the factor at the largest size, the identity beyond what its own is. Where the piece
    has more directions than that nothing is `known`.
    """

    piece: Piece
    upper: Float[Array, "k k"]
    shift: Float[Array, ""]
    d: int = eqx.field(static=True)

    @property
    def known(self):
        return self.shift >= 0

    @property
    def always(self) -> bool:
        """Whether any piece of so few variables has a factor."""
        return len(self.upper) == self.d

    def solve(self, v: Vector) -> Vector:
        basis = self.piece.basis(len(self.upper))
        along = Factor(self.upper, self.shift).substitute(basis.restrict(v))
        return v - self.piece.project(v) + basis.embed(basis.project(along))


def each_by_itself(function: Callable[[PyTree], PyTree]) -> Callable[[PyTree], PyTree]:
    """The same function of one pytree of arrays, whose batches are taken element by element: each
    then chooses its own size."""
    alone = jax.custom_batching.custom_vmap(function)

    @alone.def_vmap
    def by_element(axis_size, batched, tree):
        del axis_size
        (batched,) = batched
        mapped = jax.tree.map(lambda leaf, flag: leaf if flag else None, tree, batched)

        def one(mapped):
            choose = lambda some, leaf: leaf if some is None else some
            return alone(jax.tree.map(choose, mapped, tree, is_leaf=lambda t: t is None))

        out = lax.map(one, mapped)
        return out, jax.tree.map(lambda _: True, out)

    return alone


def newton_step(
    objective: Callable[[Vector], Scalar],
    term: Proximable,
    piece: Piece,
    y: Vector,
    residual: Vector,
) -> tuple[Vector, Inverse, Array]:
    """p on the piece with (H_f + H_g) p = −residual there, the inverse, and what curvature was
    met: DEFINITE, SINGULAR or INDEFINITE.

    Beyond the largest size by conjugate gradients, which leave no inverse.
    """
    d, most = y.size, sizes(y.size)[-1]
    dimension = piece.dimension
    along = (lambda v: objective(term.onto(v, piece))) if term.bent else objective
    total = (lambda v: along(v) + term.smooth(v, piece)) if term.curved else along

    # What goes with the cube of the size has the smallest, all else the largest, so that it is
    # compiled once.
    def factored():
        basis = piece.basis(most)
        matrix = hessian_on(along, y, basis)
        bend = hessian_on(lambda v: term.smooth(v, piece), y, basis) if term.curved else None

        def forming(k):
            def form():
                whole = matrix(k) if bend is None else matrix(k) + bend(k)
                return _widened(confined(whole, basis.first(k)), most)

            return form

        def cholesky(matrix, added):
            def branch(k):
                def lower(matrix, added):
                    return _widened(shifted_cholesky(matrix[:k, :k], added[:k]), most)

                return lower

            return by_size(d, dimension, branch, matrix, added)

        whole = by_size(d, dimension, forming)
        tiny = singular_threshold(dimension, y.dtype)
        factor = factorise(whole, jnp.abs(diagonal(whole)), tiny, cholesky)
        p = basis.embed(basis.project(factor.substitute(-basis.restrict(residual))))
        return p, factor.upper, factor.shift, verdict(factor.shift, tiny)

    def iterated():
        _, push = jax.linearize(jax.grad(total), y)

        def product(v):  # the identity across, lest rounding leads there and finds no curvature
            on = piece.project(v)
            return piece.project(push(on)) + v - on

        found = conjugate_gradients(
            product, -residual, tol=jnp.finfo(y.dtype).eps ** (2 / 3), max_steps=10 * d + 100
        )
        curvature = jnp.where(found.definite | (found.steps == 0), DEFINITE, INDEFINITE)
        nothing = jnp.full((), -1, y.dtype)
        return found.solution, jnp.zeros((most, most), y.dtype), nothing, curvature

    if most == d:
        p, upper, shift, curvature = factored()
    else:
        p, upper, shift, curvature = lax.cond(dimension <= most, factored, iterated)
    return p, Inverse(piece, upper, shift, d), curvature
