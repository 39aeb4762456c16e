import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import argrad as ag


def smooth(y, x, data):
    z = data @ y["a"] - x["shift"]
    return jnp.sum(jnp.log(jnp.cosh(z))) + 0.5 * jnp.sum(y["a"] ** 2) * x["strength"] + y["b"] ** 2


@pytest.fixture
def point(rng):
    y = {"a": jnp.asarray(rng.normal(size=3)), "b": jnp.asarray(0.3)}
    x = {"shift": jnp.asarray(rng.normal(size=5)), "strength": jnp.asarray(0.7)}
    return y, x, jnp.asarray(rng.normal(size=(5, 3)))


def only_once(f):
    """f without any derivative but its gradient, and how often that was called."""
    calls = []

    @jax.custom_vjp
    def opaque(*inputs):
        return f(*inputs)

    def pull(inputs, cotangent):
        jax.debug.callback(lambda: calls.append(0))
        return jax.tree.map(lambda g: cotangent * g, jax.grad(f, (0, 1, 2))(*inputs))

    opaque.defvjp(lambda *inputs: (f(*inputs), inputs), pull)
    return opaque, calls


def test_hessian_and_mixed_derivatives_in_both_modes(point):
    opaque, _ = only_once(smooth)
    approximate = jax.grad(ag.finite_difference(opaque))
    assert approximate(*point)["b"] == jax.grad(smooth)(*point)["b"]
    exact = [jax.jacfwd(jax.grad(smooth), argument) for argument in (0, 1, 2)]
    for mode in (jax.jacfwd, jax.jacrev):
        ours = [mode(approximate, argument) for argument in (0, 1, 2)]
        both = jax.jit(lambda *point: [[f(*point) for f in fs] for fs in (ours, exact)])(*point)
        np.testing.assert_allclose(*(ravel_pytree(found)[0] for found in both), atol=1e-8)


def test_a_product_costs_two_gradients(point):
    opaque, calls = only_once(smooth)
    gradient = jax.grad(ag.finite_difference(opaque))
    _, product = jax.linearize(lambda y: gradient(y, *point[1:]), point[0])
    jax.effects_barrier()
    before = len(calls)
    product(point[0])
    jax.effects_barrier()
    assert len(calls) == before + 2


def test_the_error_is_that_of_a_central_difference_in_each_dtype():
    for dtype, tolerance in ((jnp.float32, 2e-4), (jnp.float64, 3e-10)):
        y = jnp.asarray([0.1, -0.5, 1.2], dtype)
        f = ag.finite_difference(lambda y, x: jnp.sum(jnp.exp(y)) * x)
        hessian = jax.hessian(f)(y, jnp.ones((), dtype))
        assert hessian.dtype == dtype
        np.testing.assert_allclose(hessian, np.diag(np.exp(y)), atol=tolerance)


@pytest.mark.slow
def test_an_argmin_of_what_cannot_be_differentiated_twice(point):
    y, x, data = point
    opaque, _ = only_once(smooth)
    init = jax.tree.map(jnp.zeros_like, y)
    exact = jax.jacrev(ag.argmin(smooth))(x, init, data)
    for solver, mode in ((None, jax.jacfwd), (ag.CG(rtol=1e-8), jax.jacrev)):
        solve = ag.argmin(ag.finite_difference(opaque), adjoint=ag.Implicit(solver))
        ours, reference = (ravel_pytree(j)[0] for j in (mode(solve)(x, init, data), exact))
        np.testing.assert_allclose(ours, reference, atol=1e-6)
    with pytest.raises(NotImplementedError, match="no third derivatives"):
        jax.hessian(lambda x: solve(x, init, data)["b"])(x)


def test_as_a_lineax_operator_in_a_batch(point):
    y, x, data = point
    opaque, _ = only_once(smooth)
    gradient = jax.grad(ag.finite_difference(opaque))

    def step(strength, f):
        x_here = {**x, "strength": strength}
        residual = lambda y, _: f(y, x_here, data)
        operator = lx.JacobianLinearOperator(residual, y, None, lx.positive_semidefinite_tag)
        solver = ag.CG(rtol=1e-8)
        return ravel_pytree(lx.linear_solve(operator, residual(y, None), solver).value)[0]

    strengths = jnp.array([0.5, 2.0])
    ours = jax.vmap(lambda s: step(s, gradient))(strengths)
    exact = jax.vmap(lambda s: step(s, jax.grad(smooth)))(strengths)
    np.testing.assert_allclose(ours, exact, atol=1e-7)


def test_a_scale_that_makes_no_sense():
    with pytest.raises(ValueError, match="scale > 0, got 0"):
        ag.finite_difference(smooth, scale=0)
