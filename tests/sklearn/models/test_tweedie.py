import numpy as np
import pytest
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from sklearn.metrics import mean_tweedie_deviance

from argrad.sklearn.models import model_of
from argrad.sklearn.models.tweedie import NormalModel, TweedieModel


@pytest.mark.parametrize("power", [-1.0, 0.0, 1.0, 1.3, 2.0, 3.0])
def test_loss_is_half_the_deviance(rng, power):
    u, z = rng.gamma(2.0, size=(9, 1)), rng.normal(size=(9, 1))
    if power < 2:
        u[:2] = 0.0
    expected = mean_tweedie_deviance(u.ravel(), np.exp(z).ravel(), power=power) / 2
    assert TweedieModel(power).loss(z, u, np).mean() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("power", [-1.0, 0.0, 3.0])
def test_where_the_loss_is_not_convex_the_expected_curvature_is_positive(rng, power):
    u, z = rng.gamma(2.0, size=(200, 1)), 2 * rng.normal(size=(200, 1))
    model = TweedieModel(power)
    assert model.curvature(z, u).min() < 0
    assert model.expected_curvature(z, u).min() > 0
    mean = np.exp(z)
    np.testing.assert_allclose(model.curvature(z, mean), model.expected_curvature(z, mean))


@pytest.mark.parametrize(
    ("estimator", "y", "said"),
    [
        (PoissonRegressor(), [1.0, -2.0], "-2 in row 1, but PoissonRegressor.*not negative"),
        (GammaRegressor(), [0.0, 1.0], "0 in row 0, but GammaRegressor .*positive"),
        (TweedieRegressor(power=2.5), [3.0, 0.0], r"TweedieRegressor\(power=2\.5\).*positive"),
        (PoissonRegressor(), ["a", "b"], "PoissonRegressor needs numbers"),
        (GammaRegressor(), [2.0, 2.0], "nothing to learn"),
        (GammaRegressor(), [[2.0, 1.0], [1.0, 2.0]], r"shape \(2, 2\)"),
    ],
)
def test_targets_that_cannot_be(estimator, y, said):
    with pytest.raises(ValueError, match=said):
        model_of(estimator).for_target(np.array(y))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"power": 0.5}, r"power=0\.5.*no such distribution"),
        ({"power": -1}, "power=-1.*link='auto'.*Set link='log'"),
        ({"power": 1.5, "link": "identity"}, "link='identity'"),
    ],
)
def test_settings_that_cannot_be_honoured(settings, said):
    with pytest.raises(ValueError, match=said):
        model_of(TweedieRegressor(**settings))


def test_the_link_is_scikit_learns():
    assert model_of(TweedieRegressor(power=0)) == NormalModel()
    assert model_of(TweedieRegressor(power=0, link="log")) == TweedieModel(0.0)
    assert model_of(TweedieRegressor(power=1)) == TweedieModel(1.0)
    assert TweedieModel(1.0) != TweedieModel(1.5)
