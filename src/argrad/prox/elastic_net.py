"""L1 norm and squares together."""

import jax.numpy as jnp

from argrad.prox.l1 import L1, soft_threshold
from argrad.prox.term import Parameter, Separable, check_nonnegative, nonnegative


class ElasticNet(Separable):
    """Σ_j w_j |y_j| + s_j y_j² / 2."""

    name = "elastic_net"
    curved = True
    weight: Parameter
    squares: Parameter

    def at(self, y, x, args):
        bound = super().at(y, x, args)
        return ElasticNet(nonnegative(bound.weight), nonnegative(bound.squares))

    def value(self, y):
        return self.weight @ jnp.abs(y) + self.squares @ y**2 / 2

    def prox(self, v, step):
        return soft_threshold(v, step * self.weight) / (1 + step * self.squares)

    def piece(self, y):
        return L1(self.weight).piece(y)

    def smooth(self, y, piece):
        return (self.weight * piece.side) @ y + self.squares @ y**2 / 2

    def margins(self, y, force, step, piece):
        return L1(self.weight).margins(y, force, step, piece)

    def kink(self, y, force, near):
        return L1(self.weight).kink(y, force, near)

    def stay(self, y, piece):
        return L1(self.weight).stay(y, piece)


def elastic_net(weight: Parameter, squares: Parameter) -> ElasticNet:
    """Σ_j w_j |y_j| + s_j y_j² / 2 over all elements of y.

    `weight` (w) and `squares` (s) are given as the weight of `l1`, with the same errors. The
    squares may as well stand in the loss; here they cost its solver nothing.

    Source: Zou and Hastie 2005.

    >>> import jax.numpy as jnp, argrad as ag
    >>> b, net = jnp.array([3.0, 0.25]), ag.prox.elastic_net(0.5, lambda x: x)
    >>> solve = ag.argmin(lambda y, x: jnp.sum((y - b) ** 2) / 2, nonsmooth=net)
    >>> solve(1.0, jnp.zeros(2))
    Array([1.25, 0.  ], dtype=float32)
    """
    check_nonnegative(weight, "elastic_net: weight")
    check_nonnegative(squares, "elastic_net: squares")
    return ElasticNet(weight, squares)
