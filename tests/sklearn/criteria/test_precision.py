import threading

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.linear_model import Ridge

from argrad.sklearn import GradientSearchCV, Shared
from argrad.sklearn.criteria.precision import double_precision


def test_double_precision_ends_with_its_block():
    with double_precision():
        assert jnp.zeros(1).dtype == np.float64
    assert jnp.zeros(1).dtype == np.float32


def test_a_search_leaves_the_users_float32_alone(diabetes):
    seen = []

    def callback(_):
        seen.append(jnp.zeros(1).dtype)

    X, y = diabetes
    search = GradientSearchCV(Ridge(), {"alpha": Shared(1e-3, 1e3)}, callback=callback)
    search.fit(X, y)
    assert jax.config.jax_enable_x64 is False
    assert seen
    assert set(seen) == {jnp.dtype("float32")}


def test_other_threads_are_left_alone():
    found = []
    with double_precision():
        thread = threading.Thread(target=lambda: found.append(jnp.zeros(1).dtype))
        thread.start()
        thread.join()
    assert found == [jnp.dtype("float32")]
