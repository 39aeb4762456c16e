"""Smooth functions in place of max, abs, sign, sort and their like, by one rule.

A maximum of <x, y> over a finite set Y becomes

    max_τ(x) = τ log Σ_{y in Y} exp(<x, y>/τ),   max <= max_τ <= max + τ log |Y|,

which is convex and infinitely often differentiable; what was an argmax becomes its gradient, the
mean of y under the weights exp(<x, y>/τ) (Nesterov 2005; Beck and Teboulle 2012). Of two numbers
that is max, and of x and −x it is abs, whose derivative tanh(x/τ) is a sign; of unit vectors it is
logsumexp and softmax; of all choices of k out of n it is the sum of the k largest, from elementary
symmetric polynomials (Lapin et al. 2016; Berrada et al. 2018), whose differences are sorted values.

`temperature` is τ > 0, in the units of x. Each is exact as τ -> 0: with an error below any power
of τ where the function is smooth, and proportional to τ at its kinks.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar


def maximum(a: Array, b: Array, temperature: float | Scalar) -> Array:
    """max(a, b), too large by at most τ log 2, at a = b.

    >>> import argrad as ag
    >>> round(float(ag.soft.maximum(1.0, 1.0, 0.1)), 4)
    1.0693
    """
    return temperature * jnp.logaddexp(a / temperature, b / temperature)


def minimum(a: Array, b: Array, temperature: float | Scalar) -> Array:
    """min(a, b), too small by at most τ log 2.

    >>> import argrad as ag
    >>> round(float(ag.soft.minimum(1.0, 1.0, 0.1)), 4)
    0.9307
    """
    return -maximum(-a, -b, temperature)


def relu(x: Array, temperature: float | Scalar) -> Array:
    """max(x, 0), too large by at most τ log 2.

    >>> import argrad as ag
    >>> round(float(ag.soft.relu(0.0, 0.1)), 4)
    0.0693
    """
    return temperature * jax.nn.softplus(x / temperature)


def hinge(margin: Array, temperature: float | Scalar) -> Array:
    """max(0, 1 − margin), too large by at most τ log 2: for τ = 1 nearly the logistic loss.

    >>> import argrad as ag
    >>> round(float(ag.soft.hinge(1.0, 0.1)), 4)
    0.0693
    """
    return relu(1 - margin, temperature)


def absolute(x: Array, temperature: float | Scalar) -> Array:
    """|x|, too large by at most τ log 2, at 0.

    >>> import argrad as ag
    >>> round(float(ag.soft.absolute(0.0, 0.1)), 4)
    0.0693
    """
    return maximum(x, -x, temperature)


def sign(x: Array, temperature: float | Scalar) -> Array:
    """sign(x) as tanh(x/τ), the derivative of `absolute`.

    >>> import argrad as ag
    >>> round(float(ag.soft.sign(0.1, 0.1)), 4)
    0.7616
    """
    return jnp.tanh(x / temperature)


def step(x: Array, temperature: float | Scalar) -> Array:
    """1 for x > 0 and 0 for x < 0, as 1/(1 + exp(−x/τ)), the derivative of `relu`.

    >>> import argrad as ag
    >>> float(ag.soft.step(0.0, 0.1))
    0.5
    """
    return jax.nn.sigmoid(x / temperature)


def largest(x: Array, temperature: float | Scalar, axis: int | tuple[int, ...] = -1) -> Array:
    """The maximum along `axis`, too large by at most τ log n.

    >>> import argrad as ag, jax.numpy as jnp
    >>> round(float(ag.soft.largest(jnp.zeros(10), 0.1)), 4)
    0.2303
    """
    return temperature * jax.nn.logsumexp(x / temperature, axis=axis)


def argmax(x: Array, temperature: float | Scalar, axis: int = -1) -> Array:
    """The unit vector of the maximum along `axis`, as softmax(x/τ).

    >>> import argrad as ag, jax.numpy as jnp
    >>> [round(float(p), 4) for p in ag.soft.argmax(jnp.array([0.0, 0.1]), 0.1)]
    [0.2689, 0.7311]
    """
    return jax.nn.softmax(x / temperature, axis=axis)


def top_sums(x: Float[Array, " n"], count: int, temperature: float | Scalar) -> Float[Array, " k"]:
    """The sums of the 1, 2, ..., `count` largest, too large by at most τ log (n choose k).

    τ log e_k(exp(x/τ)) with the elementary symmetric polynomials e_k, in n `count` steps.

    >>> import argrad as ag, jax.numpy as jnp
    >>> ag.soft.top_sums(jnp.array([1.0, 3.0, 2.0]), 2, 0.01).round(2)
    Array([3., 5.], dtype=float32)
    """
    # Kept as log e_k less what the k largest contribute, so that nothing is lost to its size.
    order = jnp.flip(jnp.sort(x))
    scaled, ordered = x / temperature, order / temperature
    tops = jnp.concatenate([jnp.zeros_like(ordered[:1]), jnp.cumsum(ordered[:count])])
    tops = jax.lax.stop_gradient(tops)
    start = jnp.where(jnp.arange(count + 1) == 0, 0.0, -jnp.inf).astype(x.dtype) - tops

    def include(logs, value):
        with_it = logs[:-1] + (value - (tops[1:] - tops[:-1]))
        grown = _logaddexp(logs[1:], with_it)
        return jnp.concatenate([logs[:1], grown]), None

    logs, _ = jax.lax.scan(include, start, scaled)
    return temperature * (logs[1:] + tops[1:])


def _logaddexp(a: Array, b: Array) -> Array:
    """jnp.logaddexp, with derivatives of every order where one of the two is −∞."""
    both = jnp.isfinite(a) & jnp.isfinite(b)
    finite = lambda v: jnp.where(both, v, 0.0)
    return jnp.where(both, jnp.logaddexp(finite(a), finite(b)), jnp.where(jnp.isfinite(a), a, b))


def sort(x: Float[Array, " n"], temperature: float | Scalar) -> Float[Array, " n"]:
    """x in ascending order, with the same sum.

    The differences of `top_sums`, in order by Newton's inequality e_k² >= e_{k−1} e_{k+1}. Takes
    n² steps.

    >>> import argrad as ag, jax.numpy as jnp
    >>> [round(float(v), 3) for v in ag.soft.sort(jnp.array([1.0, 3.0, 2.0]), 0.2)]
    [0.999, 2.0, 3.001]
    """
    sums = top_sums(x, x.size, temperature)
    return jnp.flip(jnp.diff(sums, prepend=jnp.zeros_like(sums[:1])))


def top_k(x: Float[Array, " n"], count: int, temperature: float | Scalar) -> Float[Array, " n"]:
    """1 for the `count` largest and 0 for the others, as numbers between that sum to `count`.

    The gradient of the sum of the largest.

    >>> import argrad as ag, jax.numpy as jnp
    >>> [round(float(v), 2) for v in ag.soft.top_k(jnp.array([1.0, 3.0, 2.9, 2.8]), 2, 0.1)]
    [0.0, 0.91, 0.76, 0.33]
    """
    return jax.grad(lambda x: top_sums(x, count, temperature)[-1])(x)


def rank(x: Float[Array, " n"], temperature: float | Scalar) -> Float[Array, " n"]:
    """The rank of each, 1 for the smallest: half a step, and one for each that is smaller.

    Σ_j 1/(1 + exp((x_j − x_i)/τ)) + 1/2, whose sum is n(n + 1)/2.

    >>> import argrad as ag, jax.numpy as jnp
    >>> [round(float(v), 2) for v in ag.soft.rank(jnp.array([1.0, 3.0, 2.0]), 0.2)]
    [1.01, 2.99, 2.0]
    """
    return 0.5 + jnp.sum(step(x[:, None] - x, temperature), 1)


def permutation(x: Float[Array, " n"], temperature: float | Scalar) -> Float[Array, "n n"]:
    """The doubly stochastic matrix in place of the permutation that sorts x: its row k holds how
    `sort(x)[k]` moves with x.

    >>> import argrad as ag, jax.numpy as jnp
    >>> ag.soft.permutation(jnp.array([1.0, 3.0, 2.0]), 0.01).round(2)
    Array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]], dtype=float32)
    """
    return jax.jacrev(lambda x: sort(x, temperature))(x)


def huber(x: Array, temperature: float | Scalar) -> Array:
    """Huber's function: the Moreau envelope of |x|, x²/2τ within τ and |x| − τ/2 beyond.

    Too small by at most τ/2; once differentiable, with slope x/τ cut off at ±1.

    >>> import argrad as ag
    >>> float(ag.soft.huber(0.5, 1.0)), float(ag.soft.huber(-3.0, 1.0))
    (0.125, 2.5)
    """
    inside = jnp.clip(x, -temperature, temperature)
    return inside * (x - inside / 2) / temperature
