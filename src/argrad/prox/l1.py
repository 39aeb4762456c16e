"""The weighted L1 norm."""

import jax.numpy as jnp
import numpy as np

from argrad.prox.pieces import Coordinates
from argrad.prox.term import Parameter, Separable, check_nonnegative, largest, nonnegative


class L1(Separable):
    """Σ_j w_j |y_j|."""

    name = "l1"
    weight: Parameter

    def at(self, y, x, args):
        bound = super().at(y, x, args)
        return L1(nonnegative(bound.weight))

    def value(self, y):
        return self.weight @ jnp.abs(y)

    def prox(self, v, step):
        return soft_threshold(v, step * self.weight)

    def piece(self, y):
        side = jnp.sign(y).astype(jnp.int8)
        return Coordinates((side != 0) | (self.weight == 0), side)

    def smooth(self, y, piece):
        return (self.weight * piece.side) @ y

    def margins(self, y, force, step, piece):
        del step
        return threshold_margins(y, force, self.weight, piece.free)

    def kink(self, y, force, near):
        sign = jnp.sign(force)
        return self.piece(y).opened(near, sign, sign)

    def stay(self, y, piece):
        return jnp.where((y * piece.side < 0) & (self.weight > 0), 0, y)


def soft_threshold(v, threshold):
    """sign(v) max(|v| − threshold, 0)."""
    return jnp.where(jnp.abs(v) > threshold, v - jnp.sign(v) * threshold, 0)


def threshold_margins(y, force, weight, free):
    """Of coordinates that are held at 0 by forces up to their weight."""
    moving = jnp.where(weight > 0, jnp.abs(y) / largest(y), np.inf)
    return jnp.where(free, moving, 1 - jnp.abs(force) / jnp.where(free, 1, weight))


def l1(weight: Parameter) -> L1:
    """Σ_j w_j |y_j| over all elements of y, for `argmin(loss, nonsmooth=...)`.

    `weight` is one number or broadcasts against y, or a pytree of such with the structure of y;
    it may be a function (x, *args) -> any of these. ValueError for weights that are negative or
    not finite; where they become so at run time, the solve ends with status `nonfinite_start`.

    The solution is differentiated on its support. At a kink, where ∂f/∂y_j = ± w_j and y_j = 0,
    a coordinate is about to enter, and there is no derivative.

    Source: Tibshirani 1996; Bertrand et al. 2022, arXiv:2105.01637.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> b = jnp.array([3.0, -1.0, 0.25])
    >>> fit = lambda y, x: jnp.sum((y - b) ** 2) / 2
    >>> sparse = ag.argmin(fit, nonsmooth=ag.prox.l1(lambda x: x))
    >>> sparse(0.5, jnp.zeros(3))
    Array([ 2.5, -0.5,  0. ], dtype=float32)
    >>> print(jax.jacobian(sparse)(0.5, jnp.zeros(3)))
    [-1.  1.  0.]
    """
    check_nonnegative(weight, "l1: weight")
    return L1(weight)
