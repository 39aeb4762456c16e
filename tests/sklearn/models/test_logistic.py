import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from argrad import SolveError
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
    chances = model.gradient(z, target) + target
    if outputs == 1:
        chances = np.hstack([1 - chances, chances])
    expected = log_loss(labels, chances, labels=np.arange(chances.shape[1]))
    assert model.loss(z, target, np).mean() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("model", "outputs"), MODELS)
def test_gradient_and_curvature_are_derivatives_of_the_loss(model, outputs):
    z, _, target = example(outputs)
    gradient, curvature = model.gradient(z, target), model.curvature(z, target)
    for a in range(outputs):
        step = np.zeros(outputs)
        step[a] = 1e-5
        ahead, behind = z + step, z - step
        slope = (model.loss(ahead, target, np) - model.loss(behind, target, np)) / 2e-5
        np.testing.assert_allclose(gradient[:, a], slope, atol=1e-9)
        bend = (model.gradient(ahead, target) - model.gradient(behind, target)) / 2e-5
        np.testing.assert_allclose(curvature[:, a], bend, atol=1e-9)


@pytest.mark.parametrize(("model", "outputs"), MODELS)
def test_loss_of_sure_predictions_does_not_overflow(model, outputs):
    _, _, target = example(outputs)
    z = 2000 * target - 1000
    assert np.all(model.loss(z, target, np) == 0)
    assert np.all(np.isfinite(model.loss(-z, target, np)))


def test_labels_are_encoded_in_their_order():
    model, encoded = LogisticModel().for_target(np.array(["b", "a", "b"], dtype=object))
    assert type(model) is LogisticModel
    assert encoded.classes.tolist() == ["a", "b"]
    assert encoded.values.ravel().tolist() == [1, 0, 1]
    model, encoded = LogisticModel().for_target(np.array([3, 1, 2, 3]))
    assert type(model) is MultinomialModel
    assert encoded.values.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.ones(4), r"one class only, .*1\.0.*4 rows"),
        (np.array([0.0, np.nan, 1.0]), "nan in row 1"),
        (np.eye(3), r"shape \(3, 3\)"),
        (np.array(["a", np.nan, "b"], dtype=object), "nan in row 1: leave out"),
        (np.array(["a", "b", None], dtype=object), "None in row 2: leave out"),
        (np.array(["a", 2, "b"], dtype=object), "types int, str"),
        (np.array(["a", "a"]), "one class only, 'a', in all 2 rows"),
        (np.array([0.5, 1.25, 2.0]), "no classes: use Ridge"),
    ],
)
def test_targets_that_are_no_classes(y, said):
    with pytest.raises(ValueError, match=said):
        LogisticModel().for_target(y)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"penalty": None}, "penalty=None"),
        ({"l1_ratio": 0.5}, r"solver='lbfgs'.*l1_ratio=0\.5.*solver='saga'"),
        ({"l1_ratio": 1.5, "solver": "saga"}, r"l1_ratio=1\.5.*no share"),
        ({"l1_ratio": 1, "C": np.inf, "solver": "saga"}, "C=inf"),
        ({"class_weight": [1, 2]}, r"class_weight=\[1, 2\].*dictionary"),
        ({"solver": "liblinear"}, "liblinear penalises the intercept"),
        ({"solver": "liblinear", "fit_intercept": False, "dual": True}, "dual=True"),
    ],
)
def test_settings_that_cannot_be_honoured(settings, said):
    with pytest.raises(ValueError, match=said):
        LogisticModel.of(LogisticRegression(**settings))


def test_settings_that_can():
    for estimator in (
        LogisticRegression(),
        LogisticRegression(penalty="l2"),
        LogisticRegression(class_weight="balanced"),
        LogisticRegression(solver="liblinear", fit_intercept=False),
        LogisticRegression(solver="saga", max_iter=7, random_state=0),
    ):
        LogisticModel.of(estimator)


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 2.0, "c": 0.5}])
def test_class_weights_are_scikit_learns(class_weight):
    y = np.array(list("aabbbbc"))
    estimator = LogisticRegression(class_weight=class_weight)
    model, encoded = LogisticModel.of(estimator).for_target(y)
    expected = compute_sample_weight(class_weight, y)
    np.testing.assert_allclose(model.row_weights(encoded.values, np.ones(7)), expected)
    assert hash(model) == hash(LogisticModel.of(estimator).for_target(y)[0])


def test_a_class_without_weight_is_refused():
    model, encoded = LogisticModel().for_target(np.array([0, 0, 1]))
    with pytest.raises(SolveError, match=r"class number 1 .*StratifiedKFold"):
        model.row_weights(encoded.values, np.array([1.0, 1.0, 0.0]))


def test_a_weight_of_a_class_that_is_not_there_is_refused():
    model = LogisticModel.of(LogisticRegression(class_weight={"x": 1.0}))
    with pytest.raises(ValueError, match=r"class_weight names 'x'.*'a', 'b'"):
        model.for_target(np.array(["a", "b"]))
