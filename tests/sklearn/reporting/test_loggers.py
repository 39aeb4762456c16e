"""Ready callbacks, with a stand-in for what they log to and, where installed, the real thing."""

import copy
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge

from argrad.sklearn import GradientSearchCV, MLflowLogger, PerFeature, Shared, TensorBoardLogger

SHARED = {"alpha": Shared(1e-4, 1e4)}
EACH = {"alpha": PerFeature(1e-4, 1e4)}


def fitted(data, params, logger, **settings):
    search = GradientSearchCV(Ridge(), params, cv=3, max_fits=31, callback=logger, **settings)
    return search.fit(*data)


@pytest.fixture
def logged(monkeypatch):
    """What MLflow is asked to log."""
    calls = []

    def log_metrics(metrics, step):
        calls.append((step, metrics))

    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(log_metrics=log_metrics))
    return calls


def test_mlflow_is_given_every_point(diabetes, logged):
    search = fitted(diabetes, SHARED, MLflowLogger(), scoring="r2")
    assert [step for step, _ in logged] == search.history_["evaluation"].tolist()
    for name in ("cv_loss", "gradient_norm", "fits", "seconds"):
        assert [metrics[name] for _, metrics in logged] == search.history_[name].tolist()
    assert [metrics["params/alpha"] for _, metrics in logged] == search.history_["alpha"].tolist()
    scores = [metrics["score/r2"] for _, metrics in logged]
    np.testing.assert_array_equal(scores, search.cv_results_["mean_test_r2"])


def test_many_numbers_are_summed_up(diabetes, logged):
    search = fitted(diabetes, EACH, MLflowLogger())
    values = search.cv_results_["params"][1]["alpha"]
    metrics = logged[1][1]
    assert metrics["params/alpha/min"] == values.min()
    assert metrics["params/alpha/max"] == values.max()
    assert metrics["params/alpha/geometric_mean"] == pytest.approx(np.prod(values) ** 0.1)


def test_what_is_not_finite_is_left_out(logged):
    told = {"evaluation": 2, "fits": 6, "seconds": 0.5, "cv_loss": np.nan, "gradient_norm": np.nan}
    MLflowLogger()({**told, "params": {"alpha": 2.0}, "scores": {}})
    assert logged == [(2, {"fits": 6.0, "seconds": 0.5, "params/alpha": 2.0})]


@pytest.mark.parametrize(
    ("module", "make", "install"),
    [
        ("mlflow", MLflowLogger, "pip install mlflow"),
        ("tensorboardX", lambda: TensorBoardLogger("runs"), "pip install tensorboardX"),
    ],
)
def test_what_is_missing_is_named_at_once(monkeypatch, module, make, install):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=install):
        make()


def test_mlflow_itself(diabetes, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'runs.db'}")
    with mlflow.start_run() as run:
        search = fitted(diabetes, SHARED, MLflowLogger())
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "cv_loss")
    assert [metric.value for metric in history] == search.history_["cv_loss"].tolist()
    assert [metric.step for metric in history] == search.history_["evaluation"].tolist()


def test_tensorboard_itself(diabetes, tmp_path):
    pytest.importorskip("tensorboardX")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = TensorBoardLogger(str(tmp_path))
    search = fitted(diabetes, EACH, logger)
    logger.close()
    events = accumulator.EventAccumulator(str(tmp_path), {"histograms": 0})
    events.Reload()
    losses = [event.value for event in events.Scalars("cv_loss")]
    np.testing.assert_allclose(losses, search.history_["cv_loss"], rtol=1e-6)
    assert len(events.Histograms("params/alpha/log10")) == len(search.history_)
    again = fitted(diabetes, SHARED, logger)
    copied = copy.deepcopy(logger)  # without the open file
    assert again.callback is logger is not copied
    clone(search).fit(*diabetes)
    assert len(list(tmp_path.iterdir())) == 3
