"""Ready callbacks: the points of a search as they come, for MLflow and TensorBoard.

GradientSearchCV(..., callback=MLflowLogger())
GradientSearchCV(..., callback=TensorBoardLogger("runs/ridge"))
"""

from __future__ import annotations

import math
import uuid
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

_NUMBERS = ("cv_loss", "gradient_norm", "fits", "seconds")


def _numbers(told: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """What a callback is told, as numbers by name; of many hyperparameters three speak for all."""
    for name in _NUMBERS:
        yield name, told[name]
    for name, value in told["scores"].items():
        yield f"score/{name}", value
    for name, value in _numeric(told["params"]):
        if np.ndim(value) == 0:
            yield f"params/{name}", value
        else:
            yield f"params/{name}/min", np.min(value)
            yield f"params/{name}/geometric_mean", np.exp(np.mean(np.log(value)))
            yield f"params/{name}/max", np.max(value)


def _numeric(params: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those that are numbers; of weights by class or group the numbers alone."""
    for name, value in params.items():
        numbers = np.asarray(list(value.values()) if isinstance(value, Mapping) else value)
        if numbers.dtype.kind in "fi":
            yield name, numbers


class MLflowLogger:
    """Log every point of a search as metrics of the active MLflow run, by evaluation.

    MLflow begins a run where none is active. The metrics are `cv_loss`, `gradient_norm`, `fits`,
    `seconds`, `score/NAME` and `params/NAME`; of a hyperparameter with many numbers the least,
    the geometric mean and the largest. Numbers that are not finite are left out.

    Raises ImportError without MLflow.
    """

    def __init__(self) -> None:
        self._mlflow()

    def __call__(self, told: dict[str, Any]) -> None:
        """Log one point; what is tried before the first has no number, and is left out."""
        if told["evaluation"] == 0:
            return
        metrics = {name: float(value) for name, value in _numbers(told) if math.isfinite(value)}
        self._mlflow().log_metrics(metrics, step=told["evaluation"])

    @staticmethod
    def _mlflow() -> Any:
        try:
            import mlflow
        except ImportError as error:
            raise ImportError("MLflowLogger needs MLflow: pip install mlflow") from error
        return mlflow


class TensorBoardLogger:
    """Write every point of a search as scalars into `directory`, for TensorBoard to show.

    The scalars are named as `MLflowLogger` names its metrics; of a hyperparameter with many
    numbers there is a histogram of their decimal logarithms as well. Copies, such as
    scikit-learn's `clone` makes, write files of their own into the same directory.

    Raises ImportError without tensorboardX.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._writer: Any = None
        self._tensorboard()

    def __call__(self, told: dict[str, Any]) -> None:
        """Write one point; what is tried before the first has no number, and is left out."""
        if told["evaluation"] == 0:
            return
        if self._writer is None:
            # Files are named by the second, in which more than one search may begin.
            suffix = f".{uuid.uuid4().hex[:8]}"
            writer = self._tensorboard().SummaryWriter
            self._writer = writer(str(self.directory), filename_suffix=suffix)
            weakref.finalize(self, self._writer.close)
        step = told["evaluation"]
        for name, value in _numbers(told):
            self._writer.add_scalar(name, float(value), step)
        for name, value in _numeric(told["params"]):
            if np.ndim(value):
                self._writer.add_histogram(f"params/{name}/log10", np.log10(value), step)

    def close(self) -> None:
        """Write what is pending; at the end of the program that happens by itself."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the open file."""
        return {**self.__dict__, "_writer": None}

    @staticmethod
    def _tensorboard() -> Any:
        try:
            import tensorboardX
        except ImportError as error:
            raise ImportError(
                "TensorBoardLogger needs tensorboardX: pip install tensorboardX"
            ) from error
        return tensorboardX
