"""Curvature without second derivatives of the model: Gauss and Newton's."""

from collections.abc import Callable

import equinox as eqx
import jax
import lineax as lx
from jaxtyping import PyTree, Scalar


class GaussNewton(eqx.Module):
    """G = Jᵀ W J in place of the Hessian of f(y, x) = loss(model(y, x), x).

    J = ∂model/∂y, W = ∂²loss/∂z² at z = model(y, x); `model(y, x, *args)` returns any pytree,
    `loss(z, x, *args)` a number. What G leaves out is Σ_i ∂loss/∂z_i ∂²model_i/∂y²: it is exact
    for a model that is linear in y (generalised linear models) and for one that fits perfectly,
    and off by residual times curvature of the model elsewhere. It is positive semidefinite where
    the loss is convex in z. A penalty on y belongs into the loss, exact, by a model that returns
    y beside its predictions.

    A product with G costs one with J, W and Jᵀ each, as much as one with the Hessian; only the
    loss is differentiated twice. Use it as

    - `ag.Implicit(curvature=ag.GaussNewton(model, loss))`, with any linear solver: dy*/dx is then
      −G⁻¹B instead of −H⁻¹B; its own derivatives are those of −G⁻¹B;
    - `ag.GaussNewton(model, loss)(y, x, *args)`, a Lineax operator, for any of its solvers.

    What is to be differentiated has to be in y, x or args, not closed over. TypeError for what is
    not a function.

    Source: Schraudolph 2002; Martens 2020, arXiv:1412.1193, section 8.

    >>> import jax.numpy as jnp, lineax as lx, argrad as ag
    >>> curvature = ag.GaussNewton(lambda y, x: jnp.exp(x * y), lambda z, x: 0.5 * jnp.sum(z**2))
    >>> curvature(jnp.zeros(2), jnp.array([1.0, 3.0])).as_matrix()
    Array([[1., 0.],
           [0., 9.]], dtype=float32)
    """

    model: Callable[..., PyTree]
    loss: Callable[..., Scalar]

    def __check_init__(self):
        for name in ("model", "loss"):
            if not callable(getattr(self, name)):
                raise TypeError(
                    f"GaussNewton needs a function as {name}, got {getattr(self, name)!r}."
                )

    def __call__(self, y: PyTree, x: PyTree, *args) -> lx.FunctionLinearOperator:
        """v -> Jᵀ W J v at y, tagged as positive semidefinite."""
        z, push = jax.linearize(lambda y: self.model(y, x, *args), y)
        _, weigh = jax.linearize(jax.grad(lambda z: self.loss(z, x, *args)), z)
        pull = jax.linear_transpose(push, y)
        structure = jax.eval_shape(lambda: y)
        product = lambda v: pull(weigh(push(v)))[0]
        return lx.FunctionLinearOperator(product, structure, lx.positive_semidefinite_tag)
