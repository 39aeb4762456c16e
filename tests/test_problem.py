import jax.numpy as jnp
import numpy as np
import optax
import pytest

import argrad as ag


def square(y, x):
    return jnp.sum((y - x) ** 2)


@pytest.mark.parametrize(
    ("init", "error", "message"),
    [
        (0, TypeError, r"init is 0 of type int.*0\.0"),
        (jnp.array([1, 2]), TypeError, "init has dtype int"),
        ({"a": 1.0, "b": np.array([1])}, TypeError, r"init\['b'\] has dtype int64"),
        (1j * jnp.ones(2), TypeError, "complex"),
        (jnp.zeros(2, jnp.bfloat16), TypeError, "init has dtype bfloat16.* float32"),
        ("start", TypeError, "'start' of type str"),
        ({"w": 1.0, "act": jnp.tanh}, TypeError, r"init\['act'\] is .*eqx\.partition"),
        ({}, ValueError, "no variables"),
        (jnp.zeros((0, 3)), ValueError, "no variables"),
        (None, ValueError, "no variables"),
    ],
)
def test_a_start_that_cannot_be_a_variable(init, error, message):
    with pytest.raises(error, match=message):
        ag.argmin(square)(1.0, init)


def test_an_objective_that_is_not_one_number():
    with pytest.raises(ValueError, match=r"array of shape \(3,\).*jnp.sum"):
        ag.argmin(lambda y, x: (y - x) ** 2)(1.0, jnp.zeros(3))
    with pytest.raises(ValueError, match=r"int64|int32"):
        ag.argmin(lambda y, x: jnp.sum(y > x))(1.0, jnp.zeros(3))
    with pytest.raises(ValueError, match="returned"):
        ag.argmin(lambda y, x: (jnp.sum(y), x))(1.0, jnp.zeros(3))
    with pytest.raises(ValueError, match="returned None"):
        ag.argmin(lambda y, x: None)(1.0, jnp.zeros(3))


def test_mismatched_pytrees_say_what_the_objective_was_given():
    with pytest.raises(Exception) as caught:  # noqa: PT011 (whatever the objective itself raises)
        ag.argmin(lambda y, x: jnp.sum(y["weights"] - x))(1.0, {"bias": jnp.zeros(3)})
    assert any("bias: float64[3]" in note for note in caught.value.__notes__)


def test_a_list_where_a_vector_is_meant():
    with pytest.raises(TypeError) as caught:
        ag.argmin(lambda y, x: jnp.sum(y**2) * x)(1.0, [1.0, 2.0])
    assert "pass init as an array" in caught.value.__notes__[0]


def test_arguments_of_the_wrong_kind():
    with pytest.raises(TypeError, match="must be a function"):
        ag.argmin(3.0)
    with pytest.raises(TypeError, match="Optimistix minimiser or an Optax optimiser"):
        ag.argmin(square, solver="newton")
    with pytest.raises(TypeError, match=r"Implicit\(\)"):
        ag.argmin(square, adjoint="implicit")
    with pytest.raises(ValueError, match="max_steps"):
        ag.argmin(square, max_steps=0)
    with pytest.raises(ValueError, match="strength must be positive, got -1"):
        ag.proximal(square, -1)
    assert ag.argmin(square, solver=optax.sgd(0.1))(1.0, 0.0) == pytest.approx(1.0)


def test_integer_parameters_are_numbers_too():
    assert ag.argmin(square)(3, 0.0) == pytest.approx(3.0)
