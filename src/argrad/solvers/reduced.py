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
    the matrices that the objective multiplies v by.

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
                    lambda matrix, axis: jnp.take(
                        matrix, some.index, axis, mode="fill", fill_value=0
                    )
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


def factorise_on(matrix: Float[Array, "k k"], basis: Basis) -> Factor:
    """The factor of EᵀHE on what the basis uses, and of a multiple of the identity across it."""
    project, eye = jax.vmap(basis.project), jnp.eye(len(matrix), dtype=matrix.dtype)
    scale = jnp.abs(matrix[0, 0])
    matrix = project(project(matrix).T) + jnp.where(scale > 0, scale, 1) * (eye - project(eye))
    return factorise(matrix, jnp.abs(diagonal(matrix)))


class Inverse(eqx.Module):
    """E (EᵀHE)⁻¹ Eᵀ on the directions of a piece and the identity across it: the inverse of the
    Hessian that the optimality conditions on the piece have (`conditions.OnPiece`).

    `packed` holds the factor, of whichever size, at its beginning. Where the piece has more
    directions than the largest size nothing is `known`.
    """

    piece: Piece
    packed: Float[Array, " kk"]
    shift: Float[Array, ""]
    dimension: Int[Array, ""]
    d: int = eqx.field(static=True)

    @property
    def known(self):
        return self.shift >= 0

    @property
    def always(self) -> bool:
        """Whether any piece of so few variables has a factor."""
        return sizes(self.d)[-1] == self.d

    def solve(self, v: Vector) -> Vector:
        return v - self.piece.project(v) + _along(self, v)


def _alone(function: Callable[[PyTree, PyTree], PyTree]) -> Callable[[PyTree, PyTree], PyTree]:
    """function(chooser, rest), whose batches are taken element by element where the chooser
    differs from one to the next: each then chooses its own size."""
    alone = jax.custom_batching.custom_vmap(function)

    @alone.def_vmap
    def by_element(axis_size, batched, *trees):
        del axis_size
        axes = jax.tree.map(lambda flag: 0 if flag else None, tuple(batched))
        if not any(jax.tree.leaves(batched[0])):
            out = jax.vmap(alone.fun, in_axes=axes)(*trees)
        else:
            mapped = jax.tree.map(lambda leaf, flag: leaf if flag else None, trees, tuple(batched))

            def one(mapped):
                choose = lambda some, leaf: leaf if some is None else some
                return alone(*jax.tree.map(choose, mapped, trees, is_leaf=lambda t: t is None))

            out = lax.map(one, mapped)
        return out, jax.tree.map(lambda _: True, out)

    return alone


def each_by_itself(function: Callable[[PyTree], PyTree]) -> Callable[[PyTree], PyTree]:
    """The same function of one pytree of arrays, whose batches are taken element by element."""
    alone = _alone(lambda tree, _: function(tree))
    return lambda tree: alone(tree, ())


@_alone
def _along(inverse: Inverse, v: Vector) -> Vector:
    basis = inverse.piece.basis(sizes(inverse.d)[-1])

    def branch(k):
        def solve(packed, shift, b):
            factor = Factor(packed[: k * k].reshape(k, k), shift)
            return b.at[:k].set(factor.substitute(b[:k]))

        return solve

    b = basis.restrict(v)
    z = by_size(inverse.d, inverse.dimension, branch, inverse.packed, inverse.shift, b)
    return basis.embed(basis.project(z))


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
    d = y.size
    known = sizes(d)
    dimension = piece.dimension
    room = known[-1] ** 2
    along = (lambda v: objective(term.onto(v, piece))) if term.bent else objective
    total = (lambda v: along(v) + term.smooth(v, piece)) if term.curved else along

    def factored():
        basis = piece.basis(known[-1])
        matrix = hessian_on(along, y, basis)
        bend = hessian_on(lambda v: term.smooth(v, piece), y, basis) if term.curved else None

        def branch(k):
            def solve(b):
                whole = matrix(k) if bend is None else matrix(k) + bend(k)
                factor = factorise_on(whole, basis.first(k))
                z = b.at[:k].set(factor.substitute(b[:k]))
                packed = jnp.zeros(room, y.dtype).at[: k * k].set(factor.upper.ravel())
                return z, packed, factor.shift, factor.curvature

            return solve

        z, *rest = by_size(d, dimension, branch, -basis.restrict(residual))
        return basis.embed(basis.project(z)), *rest

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
        return found.solution, jnp.zeros(room, y.dtype), nothing, curvature

    if known[-1] == d:
        p, packed, shift, curvature = factored()
    else:
        p, packed, shift, curvature = lax.cond(dimension <= known[-1], factored, iterated)
    return p, Inverse(piece, packed, shift, dimension, d), curvature
