"""The squared error, of which several models are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from argrad.sklearn.models.base import Model


@dataclass(frozen=True)
class Squares(Model):
    """ℓ(z, u) = ½ ‖z − u‖², of one target or several."""

    parameter = "alpha"
    sign = 1
    squares = True

    def start(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return weight @ target / weight.sum()

    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        return 0.5 * xp.sum((z - target) ** 2, axis=-1)

    def gradient(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        return z - target

    def curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        del target
        return np.broadcast_to(np.eye(z.shape[1]), (*z.shape, z.shape[1]))
