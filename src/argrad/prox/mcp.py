"""The minimax concave penalty."""

import jax.numpy as jnp

from argrad.prox.l1 import threshold_margins
from argrad.prox.pieces import Coordinates
from argrad.prox.term import Parameter, Separable, check_nonnegative, nonnegative, spread


class MCP(Separable):
    """Σ_j w_j |y_j| − y_j² / 2γ_j up to |y_j| = γ_j w_j, and constant from there."""

    name = "mcp"
    convex = False
    curved = True
    weight: Parameter
    concavity: Parameter

    def at(self, y, x, args):
        bound = super().at(y, x, args)
        positive = jnp.where(bound.concavity > 0, bound.concavity, jnp.nan)
        return MCP(nonnegative(bound.weight), positive)

    def value(self, y):
        size, knot = jnp.abs(y), self.concavity * self.weight
        bent = self.weight * size - size**2 / (2 * self.concavity)
        return jnp.sum(jnp.where(size < knot, bent, self.weight * knot / 2))

    def prox(self, v, step):
        size, threshold = jnp.abs(v), step * self.weight
        firm = step < self.concavity
        slope = 1 / jnp.where(firm, 1 - step / self.concavity, 1)
        shrunk = jnp.sign(v) * jnp.maximum(size - threshold, 0) * slope
        shrunk = jnp.where(size < self.concavity * self.weight, shrunk, v)
        # With longer steps the lower of the two ends: 0, or v itself.
        jump = self.weight * jnp.sqrt(step * self.concavity)
        return jnp.where(firm, shrunk, jnp.where(size > jump, v, 0))

    def piece(self, y):
        flat = jnp.abs(y) >= self.concavity * self.weight
        side = (jnp.sign(y) * jnp.where(flat, 2, 1)).astype(jnp.int8)
        return Coordinates((y != 0) | (self.weight == 0), side)

    def smooth(self, y, piece):
        bent = jnp.sign(piece.side) * self.weight * y - y**2 / (2 * self.concavity)
        level = self.concavity * self.weight**2 / 2
        sloping, flat = jnp.abs(piece.side) == 1, jnp.abs(piece.side) == 2
        return jnp.sum(jnp.where(sloping, bent, jnp.where(flat, level, 0)))

    def margins(self, y, force, step, piece):
        del step
        first = threshold_margins(y, force, self.weight, piece.free)
        knot = jnp.abs(jnp.abs(y) - self.concavity * self.weight) / spread(y)
        return jnp.where(piece.free, jnp.minimum(first, knot), first)

    def kink(self, y, force, near):
        knot = near & (jnp.abs(y) > self.concavity * self.weight / 2)
        sign = jnp.where(knot, jnp.sign(y), jnp.sign(force))
        found = self.piece(y).opened(near, sign, jnp.where(knot, -sign, sign))
        far = jnp.where(knot, 2 * sign, found.other.side).astype(jnp.int8)
        return found._replace(other=Coordinates(found.other.free | knot, far), bends=knot)

    def stay(self, y, piece):
        return jnp.where((y * piece.side < 0) & (self.weight > 0), 0, y)


def mcp(weight: Parameter, concavity: Parameter = 3.0) -> MCP:
    """Σ_j p(y_j) over all elements of y, p(t) = w |t| − t² / 2γ for |t| <= γ w, γ w² / 2 beyond.

    An L1 norm that lets large elements go: they are not shrunk. It is not convex, so that the
    solution is a local minimum, near to where the solve starts. `weight` (w) and `concavity` (γ)
    are given as the weight of `l1`; ValueError for weights that are negative and concavities that
    are not positive. Kinks are those of `l1`, and |y_j| = γ w_j.

    Source: Zhang 2010.

    >>> import jax.numpy as jnp, argrad as ag
    >>> b, term = jnp.array([3.0, 0.75, 0.25]), ag.prox.mcp(lambda x: x, 2.0)
    >>> solve = ag.argmin(lambda y, x: jnp.sum((y - b) ** 2) / 2, nonsmooth=term)
    >>> solve(0.5, jnp.zeros(3))
    Array([3. , 0.5, 0. ], dtype=float32)
    """
    check_nonnegative(weight, "mcp: weight")
    check_nonnegative(concavity, "mcp: concavity", strictly=True)
    return MCP(weight, concavity)
