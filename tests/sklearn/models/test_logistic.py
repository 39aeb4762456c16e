import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from argrad.sklearn.models.logistic import LogisticModel, MultinomialModel


def example(outputs, rows=6):
    random = np.random.default_rng(outputs)
    z = 3 * random.normal(size=(rows, outputs))
    labels = random.integers(0, max(outputs, 2), rows)
    target = labels[:, None].astype(float) if outputs == 1 else np.eye(outputs)[labels]
    return z, labels, target


MODELS = [(LogisticModel(), 1), (MultinomialModel(), 4)]


@pytest.mark.parametrize(("model", "outputs"), MODELS)
def test_loss_is_scikit_learns_log_loss(model, outputs):
    z, labels, target = example(outputs)
    chances = model.mean(z)
    if outputs == 1:
        chances = np.hstack([1 - chances, chances])
    expected = log_loss(labels, chances, labels=np.arange(chances.shape[1]))
    assert model.loss(z, target, np).mean() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("model", "outputs"), MODELS)
def test_mean_and_curvature_are_derivatives_of_the_loss(model, outputs):
    z, _, target = example(outputs)
    mean = model.mean(z)
    curvature = model.curvature(z, mean)
    for a in range(outputs):
        step = np.zeros(outputs)
        step[a] = 1e-5
        ahead, behind = z + step, z - step
        slope = (model.loss(ahead, target, np) - model.loss(behind, target, np)) / 2e-5
        np.testing.assert_allclose((mean - target)[:, a], slope, atol=1e-9)
        bend = (model.mean(ahead) - model.mean(behind)) / 2e-5
        np.testing.assert_allclose(curvature[:, a], bend, atol=1e-9)


@pytest.mark.parametrize(("model", "outputs"), MODELS)
def test_loss_of_sure_predictions_does_not_overflow(model, outputs):
    _, _, target = example(outputs)
    z = 2000 * target - 1000
    assert np.all(model.loss(z, target, np) == 0)
    assert np.all(np.isfinite(model.loss(-z, target, np)))


def test_labels_are_encoded_in_their_order():
    model, encoded = LogisticModel.for_target(np.array(["b", "a", "b"], dtype=object))
    assert type(model) is LogisticModel
    assert encoded.classes.tolist() == ["a", "b"]
    assert encoded.values.ravel().tolist() == [1, 0, 1]
    model, encoded = LogisticModel.for_target(np.array([3, 1, 2, 3]))
    assert type(model) is MultinomialModel
    assert encoded.values.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.ones(4), r"one class only, .*1\.0.*4 rows"),
        (np.array([0.0, np.nan, 1.0]), "nan in row 1"),
        (np.array(["a", np.nan, "b"], dtype=object), "types float, str"),
        (np.array([0.5, 1.25, 2.0]), "no classes: use Ridge"),
    ],
)
def test_targets_that_are_no_classes(y, said):
    with pytest.raises(ValueError, match=said):
        LogisticModel.for_target(y)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"penalty": "l1", "solver": "saga"}, "penalty='l1'"),
        ({"penalty": None}, "penalty=None"),
        ({"l1_ratio": 0.5, "solver": "saga"}, r"l1_ratio=0\.5"),
        ({"class_weight": "balanced"}, "class_weight='balanced'.*class_weight=None"),
        ({"solver": "liblinear"}, "liblinear penalises the intercept"),
        ({"solver": "liblinear", "fit_intercept": False, "dual": True}, "dual=True"),
    ],
)
def test_settings_that_cannot_be_honoured(settings, said):
    with pytest.raises(ValueError, match=said):
        LogisticModel.check(LogisticRegression(**settings))


def test_settings_that_can():
    for estimator in (
        LogisticRegression(),
        LogisticRegression(penalty="l2"),
        LogisticRegression(solver="liblinear", fit_intercept=False),
        LogisticRegression(solver="saga", max_iter=7, random_state=0),
    ):
        LogisticModel.check(estimator)
