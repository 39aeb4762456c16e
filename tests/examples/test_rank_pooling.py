"""Rank pooling: the regression, its derivative, and what learning through it gains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.svm import LinearSVR

from examples import rank_pooling


def test_the_ordering_vector_is_that_of_scikit_learn(rng):
    frames = rng.normal(size=(40, 5))
    u = rank_pooling.ordering(jnp.asarray(frames), jnp.zeros(5))
    regression = LinearSVR(
        epsilon=rank_pooling.EPSILON,
        C=rank_pooling.COST / (2 * len(frames)),  # its loss is a sum, with no half before it
        loss="squared_epsilon_insensitive",
        dual=False,
        fit_intercept=False,
        tol=1e-12,
    )
    regression.fit(frames, np.arange(1, 41) / 40)
    np.testing.assert_allclose(u, regression.coef_, rtol=1e-6, atol=1e-9)


def test_its_derivative_is_that_of_differences(rng):
    features = jnp.asarray(rng.uniform(size=(30, 4)))
    weights, direction = rng.normal(size=8), rng.normal(size=(30, 4))
    total = lambda features: weights @ rank_pooling.rank(features)
    found = jnp.vdot(jax.grad(total)(features), direction)
    h = 1e-6
    wanted = (total(features + h * direction) - total(features - h * direction)) / (2 * h)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_learning_through_it_beats_features_as_drawn_and_average_pooling():
    found = rank_pooling.compare(rank_pooling.digits, seeds=1)
    right = {name: numbers[:, 0].mean() for name, numbers in found.items()}
    learnt = right["rank pooling, learnt end to end"]
    assert learnt > right["rank pooling, features as drawn"]
    assert learnt > right["average pooling, learnt"]


def test_sequences_are_split_without_overlap():
    train, test = rank_pooling.changes(0)
    assert train.frames.shape == test.frames.shape == (240, 100, 6)
    assert set(np.asarray(train.labels)) == set(range(12))
    seen = {frame.tobytes() for frame in np.asarray(train.frames[:, 0])}
    assert not seen & {frame.tobytes() for frame in np.asarray(test.frames[:, 0])}
