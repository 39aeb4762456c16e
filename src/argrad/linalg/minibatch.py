"""Hessians of sums over data, of which a random part may be looked at instead of all."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import lineax as lx
from jax.tree_util import Partial
from jaxtyping import Array, PyTree, Scalar


class SampledOperator(lx.FunctionLinearOperator):
    """A symmetric operator A with `sample(key, v)`, whose mean over keys is A v."""

    sample: Callable[[Array, PyTree], PyTree]

    def __init__(self, product: Callable, sample: Callable, structure: PyTree, tags: Any):
        super().__init__(product, structure, tags)
        self.sample = sample


class Minibatch(eqx.Module):
    """The Hessian of f(y, x, data) that is the mean over rows of data, and that of random rows.

    `objective(y, x, data, *args)` has to be a mean over the rows of data (its leaves' first
    axis, of equal length) of something, plus anything else that does not depend on data, so that
    the mean over all batches is the objective itself. `size` rows are drawn with replacement for
    each product. Use it as `ag.Implicit(linear_solver=ag.StochasticNeumann(), curvature=
    ag.Minibatch(objective, size))`; solvers that know nothing of samples see the whole Hessian.

    ValueError for size < 1 and for data whose leaves differ in length; TypeError if there is no
    data.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> f = lambda y, x, data: jnp.mean((data @ y) ** 2) / 2 + x * jnp.sum(y**2)
    >>> data = jnp.array([[2.0, 0.0], [0.0, 4.0]])
    >>> operator = ag.Minibatch(f, size=1)(jnp.zeros(2), 0.5, data)
    >>> operator.as_matrix()  # the mean of diag(5, 1) and diag(1, 17)
    Array([[3., 0.],
           [0., 9.]], dtype=float32)
    >>> operator.sample(jax.random.key(0), jnp.ones(2))
    Array([ 1., 17.], dtype=float32)
    """

    objective: Callable[..., Scalar]
    size: int = eqx.field(static=True)

    def __check_init__(self):
        if self.size < 1:
            raise ValueError(f"Minibatch needs size >= 1, got {self.size}.")

    def __call__(self, y: PyTree, x: PyTree, *args) -> SampledOperator:
        """The operator at y; args[0] is the data."""
        if not args:
            raise TypeError(
                "Minibatch needs data: an objective f(y, x, data), called as solve(x, init, data)."
            )
        lengths = {leaf.shape[:1] for leaf in jax.tree.leaves(args[0])}
        if len(lengths) != 1 or lengths == {()}:
            raise ValueError(
                "Minibatch needs data whose leaves have rows, all as many; got first axes of "
                f"{sorted(lengths)}."
            )
        (rows,) = lengths.pop()
        whole = Partial(_product, Partial(self.objective), y, x, args)
        part = Partial(_sampled, Partial(self.objective), self.size, rows, y, x, args)
        structure = jax.eval_shape(lambda: y)
        return SampledOperator(whole, part, structure, lx.positive_semidefinite_tag)


def _product(objective, y, x, args, v):
    return jax.jvp(lambda y: jax.grad(objective)(y, x, *args), (y,), (v,))[1]


def _sampled(objective, size, rows, y, x, args, key, v):
    drawn = jax.random.randint(key, (size,), 0, rows)
    batch = jax.tree.map(lambda leaf: leaf[drawn], args[0])
    return _product(objective, y, x, (batch, *args[1:]), v)
