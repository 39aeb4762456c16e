"""Support vector machines tuned through their dual, against scikit-learn's fits and grids."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

from argrad.sklearn import GradientSearchCV
from examples import margin_hyperparameters


@pytest.mark.parametrize("name", margin_hyperparameters.TASKS)
def test_the_searches_lower_the_same_loss(name):
    """What the gradient search says of its best point is what scikit-learn's fits lose there."""
    task = margin_hyperparameters.TASKS[name]
    X, y = task.load(return_X_y=True)
    search = margin_hyperparameters.searches(task)["gradient"].set_params(max_fits=15)
    assert isinstance(search, GradientSearchCV)
    search.fit(X, y)
    again = search.estimator.set_params(**search.best_params_)
    again[-1].set_params(tol=1e-8)
    losses = cross_val_score(again, X, y, scoring=task.loss)
    np.testing.assert_allclose(losses.mean(), -search.best_score_, rtol=1e-5)


@pytest.mark.slow
def test_fewer_fits_at_a_loss_as_low():
    found = margin_hyperparameters.measure(margin_hyperparameters.TASKS["breast cancer, SVC"], 0)
    gradient, grid = found.loc["gradient"], found.loc["grid"]
    assert gradient["fits"] < 0.6 * grid["fits"]
    assert gradient["CV loss"] <= grid["CV loss"]
    assert gradient["test score"] > 0.93
