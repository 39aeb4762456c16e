"""The products A y that an objective is made of, found in what JAX traced.

An objective such as loss(X y) + r(y) is rewritten as G(X y, y), with the matrices known: its
Hessian on a few coordinates then needs a few columns of X, and none of the others.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import Literal
from jaxtyping import Array, Float, Scalar

Vector = Float[Array, " d"]
_CALLS = ("jit", "pjit", "closed_call")


class LinearProducts(NamedTuple):
    """f(v) = outer(products, v) with products[i] = matrices[i] · v, of arrays (..., d, ...) whose
    axis `axes[i]` is that of v. `direct` says whether v is used beside them."""

    outer: Callable[[list[Array], Vector], Scalar]
    products: list[Array]
    matrices: list[Array]
    axes: list[int]
    direct: bool

    def columns(self, take: Callable[[Array, int], Array]) -> list[Array]:
        """Some columns of each matrix, the first axis counting them."""
        pairs = zip(self.matrices, self.axes, strict=True)
        return [jnp.moveaxis(take(matrix, axis), axis, 0) for matrix, axis in pairs]


class _Walk:
    """Evaluate a traced function of v; what is met of the form A · v is kept, or replaced."""

    def __init__(self, replacing: list[Array] | None = None):
        self.replacing = replacing
        self.products: list[Array] = []
        self.matrices: list[Array] = []
        self.axes: list[int] = []
        self.direct = False

    def __call__(self, jaxpr: Any, consts, args, is_v: list[bool], moved: list[bool]):
        values = dict(zip(jaxpr.constvars, consts, strict=True))
        values |= dict(zip(jaxpr.invars, args, strict=True))
        v = {var for var, same in zip(jaxpr.invars, is_v, strict=True) if same}
        depends = {var for var, m in zip(jaxpr.invars, moved, strict=True) if m} | v

        def read(atom):
            return atom.val if isinstance(atom, Literal) else values[atom]

        def among(atom, some):
            return not isinstance(atom, Literal) and atom in some

        for eqn in jaxpr.eqns:
            inputs = [read(atom) for atom in eqn.invars]
            moving = [among(atom, depends) for atom in eqn.invars]
            own = [among(atom, v) for atom in eqn.invars]
            if eqn.primitive.name in _CALLS and any(own):
                inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
                out = self(inner.jaxpr, inner.consts, inputs, own, moving)
            elif _is_product(eqn, own, moving):
                out = [self._product(eqn, inputs, own)]
            else:
                self.direct |= any(own)
                params = eqn.primitive.get_bind_params(eqn.params)
                # Before JAX 0.10 a pair.
                functions, params = params if isinstance(params, tuple) else ((), params)
                out = eqn.primitive.bind(*functions, *inputs, **params)
                out = out if eqn.primitive.multiple_results else [out]
            values |= dict(zip(eqn.outvars, out, strict=True))
            if any(moving):
                depends |= set(eqn.outvars)
        self.direct |= any(among(atom, v) for atom in jaxpr.outvars)
        return [read(atom) for atom in jaxpr.outvars]

    def _product(self, eqn, inputs, own):
        if self.replacing is not None:
            self.products.append(self.replacing[len(self.products)])
            return self.products[-1]
        side = own.index(False)
        (contracted, _) = eqn.params["dimension_numbers"]
        self.matrices.append(inputs[side])
        self.axes.append(contracted[side][0])
        self.products.append(eqn.primitive.bind(*inputs, **eqn.params))
        return self.products[-1]


def _is_product(eqn, own: list[bool], moving: list[bool]) -> bool:
    if eqn.primitive.name != "dot_general" or sum(own) != 1 or sum(moving) != 1:
        return False
    (left, _), batch = eqn.params["dimension_numbers"]
    same = all(atom.aval.dtype == eqn.outvars[0].aval.dtype for atom in eqn.invars)
    return same and len(left) == 1 and batch == ((), ())


def linear_products(objective: Callable[[Vector], Scalar], v: Vector) -> LinearProducts:
    """Rewrite `objective` around v. Where it has no such products there are no matrices."""
    traced = jax.make_jaxpr(objective)(v)
    found = _Walk()
    found(traced.jaxpr, traced.consts, [v], [True], [True])

    def outer(products, v):
        (value,) = _Walk(products)(traced.jaxpr, traced.consts, [v], [True], [True])
        return value

    return LinearProducts(outer, found.products, found.matrices, found.axes, found.direct)
