"""The inverse Hessian that a limited-memory BFGS iteration has already learnt."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from argrad.linalg.cholesky import singular_threshold
from argrad.linalg.symmetric import ApproximateInverse, Product, random_key, require


class Pairs(NamedTuple):
    """Steps s and the differences H s of the gradient along them, the oldest first.

    Both are zero where there is none.
    """

    steps: Float[Array, "m d"]
    differences: Float[Array, "m d"]


class QuasiNewton(ApproximateInverse):
    """u = M b, M the limited-memory BFGS matrix of pairs (s, H s).

    In `ag.Implicit`, where the lower problem was solved by `optimistix.LBFGS` (or a subclass),
    the pairs are those of that solve, as many as its `history_length`, and M costs no product with
    H at all (SHINE). They were taken on the way to y* and not along b, so that M alone is rough:
    errors of 0.6 to 1.6 where the condition number is 300. It is a start for conjugate gradients,
    `ag.CG(max_steps=5, truncate=True, preconditioner=ag.QuasiNewton())`, which it brings further
    in five steps than they come alone. Newton's method, which polishes y*, leaves a factor up to
    1000 variables, with which the default adjoint is exact and as cheap: this is for more.

    Anywhere else M is built of `memory` pairs along conjugate directions from a random vector
    (`key`, a seed or a key of JAX), by one product each. `options` of Lineax may hold `pairs`, of
    one's own.

    Statistics: `num_products`, and `pairs`, how many were of use. Fails with
    `lineax.RESULTS.breakdown` if none was, or where pairs of H itself show negative curvature.
    ValueError for memory < 1.

    Source: Ramzi et al. 2022, arXiv:2106.00553; Nocedal and Wright 2006, algorithm 7.4; pairs
    from conjugate gradients after Morales and Nocedal 2000.

    >>> import jax, jax.numpy as jnp, optimistix as optx, argrad as ag
    >>> f = lambda y, x: jnp.sum(jnp.cosh(y - x)) + jnp.sum(y**2)
    >>> lower = optx.LBFGS(rtol=1e-4, atol=1e-4)
    >>> shine = ag.Implicit(linear_solver=ag.QuasiNewton())
    >>> solve = ag.argmin(f, solver=lower, adjoint=shine)
    >>> exact = ag.argmin(f, solver=lower)
    >>> x, init = jnp.array([1.0, 2.0]), jnp.zeros(2)
    >>> (jax.jacobian(solve)(x, init) - jax.jacobian(exact)(x, init)).round(1) + 0
    Array([[0., 0.],
           [0., 0.]], dtype=float32)
    """

    memory: int = 10
    key: int | Array = 0

    def __check_init__(self):
        require(self, "memory", self.memory >= 1, ">= 1")

    def approximate(self, product: Product, damping, options: dict[str, Any]):
        pairs, count = options.get("pairs"), 0
        if pairs is None:
            count = min(self.memory, product.zeros.size)
            pairs = self._conjugate(product, count)
        steps, differences = pairs
        differences = differences + damping * steps
        inner = jnp.sum(steps * differences, 1)
        sizes = jnp.linalg.norm(steps, axis=1) * jnp.linalg.norm(differences, axis=1)
        good = inner > singular_threshold(product.zeros.size, inner.dtype) * sizes
        fine = jnp.any(good)
        if count:  # pairs of H as it is here; those from elsewhere may have seen other curvature
            fine &= jnp.all(good | (sizes == 0))
        result = lx.RESULTS.where(fine, lx.RESULTS.successful, lx.RESULTS.breakdown)
        steps, differences = (jnp.where(good[:, None], a, 0) for a in (steps, differences))
        return (steps, differences, good), result, count, {"pairs": jnp.sum(good)}

    def apply(self, inverse, b):
        return two_loops(*inverse, b)

    def _conjugate(self, product: Product, count: int) -> Pairs:
        """The directions of conjugate gradients from a random vector, made of unit length."""
        zeros = product.zeros
        r = jax.random.normal(random_key(self.key), zeros.shape, zeros.dtype)
        tiny = float(jnp.finfo(zeros.dtype).eps) * jnp.linalg.norm(r)

        def advance(carry, _):
            r, p = carry
            ap = product(p)
            curvature, rr = p @ ap, r @ r
            there = jnp.sqrt(rr) > tiny
            alpha = jnp.where(there & (curvature != 0), rr / jnp.where(curvature, curvature, 1), 0)
            after = r - alpha * ap
            beta = jnp.where(there, after @ after / jnp.where(there, rr, 1), 0)
            norm = jnp.linalg.norm(p)
            scale = jnp.where(there & (norm > 0), 1 / jnp.where(norm > 0, norm, 1), 0)
            return (after, after + beta * p), (scale * p, scale * ap)

        return Pairs(*lax.scan(advance, (r, r), length=count)[1])


def two_loops(
    steps: Float[Array, "m d"],
    differences: Float[Array, "m d"],
    good: Bool[Array, " m"],
    b: Float[Array, " d"],
) -> Float[Array, " d"]:
    """M b by the two-loop recursion over the pairs that are good, oldest first."""
    inner = jnp.where(good, jnp.sum(steps * differences, 1), 1)
    rho = jnp.where(good, 1 / inner, 0)
    newest = jnp.max(jnp.where(good, jnp.arange(len(good)), -1))
    square = jnp.sum(differences[newest] ** 2)
    gamma = jnp.where(jnp.any(good), inner[newest] / jnp.where(square > 0, square, 1), 1)

    def back(q, pair):
        s, difference, rho = pair
        alpha = rho * (s @ q)
        return q - alpha * difference, alpha

    def forth(u, pair):
        s, difference, rho, alpha = pair
        return u + (alpha - rho * (difference @ u)) * s, None

    q, alphas = lax.scan(back, b, (steps, differences, rho), reverse=True)
    return lax.scan(forth, gamma * q, (steps, differences, rho, alphas))[0]


def pairs_of(state: Any) -> Pairs | None:
    """The pairs in the state of Optimistix' limited-memory BFGS, None for any other solver's."""
    history: Any = getattr(state, "hessian_update_state", None)
    if getattr(history, "grad_diff_history", None) is None:
        return None
    flat = jax.vmap(lambda tree: ravel_pytree(tree)[0])
    steps, differences = flat(history.y_diff_history), flat(history.grad_diff_history)
    oldest_first = (jnp.arange(len(steps)) + history.index_start) % len(steps)
    return Pairs(steps[oldest_first], differences[oldest_first])
