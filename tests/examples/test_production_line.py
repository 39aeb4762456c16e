"""The best feed rate of a line known by calls alone, against the line's own law."""

import numpy as np
import pandas as pd
import pytest

from examples import production_line

SETTINGS = np.array([0.3, -0.2, 1.0])


@pytest.mark.slow
def test_sensitivities_are_those_of_the_truth(monkeypatch):
    monkeypatch.setattr(production_line, "REPEATS", 4)
    found = production_line.Line(lambda z: production_line.line(z[:, 0], z[:, 1:])).sensitivity(
        SETTINGS
    )
    truth = production_line.true_sensitivity(SETTINGS)
    # Four samples tell a standard error to about 40 %; the truth is known to a few thousandths.
    for column, error in (("best feed", "±"), ("its yield", "± ")):
        assert np.all(abs(found[column] - truth[column]) < 6 * found[error] + 0.01)
        assert np.all(found[error] < 0.05)


def test_the_truth_follows_the_law():
    """Where no step is near, the best feed follows the dryer's capacity."""
    truth = production_line.true_sensitivity(SETTINGS)
    np.testing.assert_allclose(truth["best feed"][1:3], [0.8, -0.6], atol=0.02)


def test_a_model_of_trees_has_no_derivative_of_its_own():
    from sklearn.ensemble import HistGradientBoostingRegressor

    X, measured = production_line.records(np.random.default_rng(0), n=500)
    trees = HistGradientBoostingRegressor(max_iter=20).fit(X, measured)
    near = np.array([3.9, *SETTINGS]) + 1e-9 * np.arange(5)[:, None]
    assert np.ptp(trees.predict(near)) == 0


def test_the_plant_is_read_as_a_straight_line_reads_it(monkeypatch):
    monkeypatch.setattr(production_line, "SAMPLES", 2000)
    found = production_line.stack_loss()
    assert isinstance(found, pd.DataFrame)
    # Brownlee's published coefficients.
    np.testing.assert_allclose(found["straight line"], [0.7156, 1.2953, -0.1521], atol=1e-4)
    assert found["trees"]["AIRFLOW"] > 0
    assert found["trees"]["WATERTEMP"] > 0
