import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import argrad as ag
from argrad.bilevel.evaluation import Warm, evaluate


def test_the_product_is_that_of_its_three_factors(rng):
    data, target = jnp.asarray(rng.normal(size=(7, 3))), jnp.asarray(rng.normal(size=7))
    model = lambda y, x: {"fit": jnp.tanh(data @ y["w"]) * y["c"], "w": y["w"]}
    loss = lambda z, x: jnp.sum((z["fit"] - target) ** 4) + x * jnp.sum(z["w"] ** 2)
    y = {"w": jnp.asarray(rng.normal(size=3)), "c": jnp.asarray(1.5)}
    flat, unravel = ravel_pytree(y)
    z, back = ravel_pytree(model(y, 0.3))
    J = jax.jacfwd(lambda v: ravel_pytree(model(unravel(v), 0.3))[0])(flat)
    W = jax.hessian(lambda z: loss(back(z), 0.3))(z)
    operator = ag.GaussNewton(model, loss)(y, 0.3)
    np.testing.assert_allclose(operator.as_matrix(), J.T @ W @ J, rtol=1e-10, atol=1e-12)
    assert lx.is_positive_semidefinite(operator)


def test_exact_for_a_generalised_linear_model(rng):
    data, labels = jnp.asarray(rng.normal(size=(30, 3))), jnp.asarray(rng.normal(size=30) > 0)

    def loss(z, x):
        fit = jnp.mean(jnp.logaddexp(0, z["score"]) - labels * z["score"])
        return fit + jnp.exp(x) * jnp.sum(z["y"] ** 2)

    model = lambda y, x: {"score": data @ y, "y": y}
    f = lambda y, x: loss(model(y, x), x)
    curvature = ag.GaussNewton(model, loss)
    exact = ag.argmin(f)
    second = lambda solve: jax.jit(jax.jacfwd(jax.jacrev(solve)))(-1.0, jnp.zeros(3))
    reference = second(exact)
    for linear_solver in (None, ag.CG()):
        ours = ag.argmin(f, adjoint=ag.Implicit(linear_solver, curvature))
        np.testing.assert_allclose(second(ours), reference, rtol=1e-7)


def test_the_bias_where_the_model_does_not_fit():
    """exp(v t) at t = 1, 2, 3 fitted to 3, 1, 6: G is 2.8 % above H, the derivative as much below.

    G = Σ (t m)², and H − G = Σ (m − y) t² m with m = exp(v t).
    """
    t, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([3.0, 1.0, 6.0])
    model = lambda v, x: (jnp.exp(v * t), v)
    loss = lambda z, x: 0.5 * jnp.sum((z[0] - y) ** 2) - x * z[1]
    f = lambda v, x: loss(model(v, x), x)
    ours = ag.argmin(f, adjoint=ag.Implicit(curvature=ag.GaussNewton(model, loss)))
    v = ours(0.0, 0.5)
    m = jnp.exp(v * t)
    G, left_out = jnp.sum((t * m) ** 2), jnp.sum((m - y) * t**2 * m)
    assert jax.grad(ours)(0.0, 0.5) == pytest.approx(float(1 / G), rel=1e-8)
    exact = jax.grad(ag.argmin(f))(0.0, 0.5)
    assert exact == pytest.approx(float(1 / (G + left_out)), rel=1e-8)
    assert (1 / G) / exact - 1 == pytest.approx(float(left_out / G), rel=1e-6)
    assert left_out / G == pytest.approx(-0.028, abs=5e-4)


def test_the_double_loop_uses_it_too():
    t, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([3.0, 1.0, 6.0])
    model = lambda v, x: (jnp.exp(v * t), v)
    loss = lambda z, x: 0.5 * jnp.sum((z[0] - y) ** 2) - x * z[1]
    f, curvature = lambda v, x: loss(model(v, x), x), ag.GaussNewton(model, loss)
    v = ag.argmin(f)(0.0, 0.5)
    G = jnp.sum((t * jnp.exp(v * t)) ** 2)
    for linear_solver in (None, ag.CG()):
        adjoint = ag.Implicit(linear_solver, curvature)
        bilevel = ag.Bilevel(lambda v, x: v, ag.argmin(f, adjoint=adjoint))
        found = evaluate(bilevel, jnp.array(0.0), Warm(v, jnp.array(0.0)), ())
        assert found.gradient == pytest.approx(float(1 / G), rel=1e-8)


def test_its_second_derivative_is_that_of_the_biased_first():
    t, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([3.0, 1.0, 6.0])
    model = lambda v, x: (jnp.exp(v * t), v)
    loss = lambda z, x: 0.5 * jnp.sum((z[0] - y) ** 2) - x * z[1]
    curvature = ag.GaussNewton(model, loss)
    ours = ag.argmin(lambda v, x: loss(model(v, x), x), adjoint=ag.Implicit(curvature=curvature))
    G = lambda v: jnp.sum((t * jnp.exp(v * t)) ** 2)
    v = ours(0.0, 0.5)
    second = -jax.grad(G)(v) / G(v) ** 3  # d/dx of 1/G(v(x)) where dv/dx = 1/G
    assert jax.jit(jax.grad(jax.grad(ours)))(0.0, 0.5) == pytest.approx(float(second), rel=1e-7)


def test_no_second_derivative_of_the_model_is_taken():
    @jax.custom_jvp
    def model(y, x):
        return jnp.exp(y)

    @model.defjvp
    def _(primals, tangents):
        y, _ = primals
        return model(*primals), _once(jnp.exp(y)) * tangents[0]

    @jax.custom_jvp
    def _once(slope):
        return slope

    _once.defjvp(lambda *_: pytest.fail("the model was differentiated twice"))
    operator = ag.GaussNewton(model, lambda z, x: jnp.sum(z**2))(jnp.ones(2), 0.0)
    np.testing.assert_allclose(operator.as_matrix(), 2 * np.exp(2.0) * np.eye(2), rtol=1e-6)


def test_misuse():
    with pytest.raises(TypeError, match="GaussNewton needs a function as loss, got 3"):
        ag.GaussNewton(jnp.exp, 3)
    curvature = ag.GaussNewton(lambda y, x: y, lambda z, x: jnp.sum((z - x) ** 2))
    f = lambda y, x: jnp.sum((y - x) ** 2)
    adjoint = ag.Implicit(curvature=curvature)
    solve = ag.argmin(f, subject_to=[ag.box(0.0, None)], adjoint=adjoint)
    with pytest.raises(ValueError, match=r"curvature=\.\.\. and constraints"):
        solve(1.0, 0.5)
