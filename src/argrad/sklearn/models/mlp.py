"""Multilayer perceptrons, with a weight decay shared by all layers or one a layer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import check_random_state

from argrad.sklearn.hyperparameters import Grouped, Hyperparameter, PerLayer, Shared
from argrad.sklearn.models.base import Encoded, Tunable, refuse
from argrad.sklearn.models.labels import as_labels
from argrad.sklearn.models.numbers import as_numbers
from argrad.sklearn.models.trained import Rows, Trained

_ACTIVATIONS = {"tanh": jnp.tanh, "logistic": jax.nn.sigmoid, "identity": lambda z: z}
# Decay that a search starts from, relative to the mean loss.
_START = 1e-2


@dataclass(frozen=True)
class Perceptron(Trained):
    """z_L(x) of z_l = W_lᵀ a(z_(l−1)) + b_l, z_0 = x, with the objective of scikit-learn's,

        f(W, b) = Σ_i r_i ℓ(z_L(x_i), u_i) / Σ r + ½ Σ_l alpha_l ‖W_l‖² / Σ r,

    in which scikit-learn has a single alpha. It starts from scikit-learn's random numbers (Glorot
    and Bengio 2010), and ends in a minimum, wherever scikit-learn's own training would stop.
    """

    hidden: tuple[int, ...]
    activation: str
    seed: int

    @property
    def kinds(self) -> Mapping[str, tuple[type[Hyperparameter], ...]]:
        return {"alpha": (Shared, PerLayer, Grouped)}

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        if estimator.activation not in _ACTIVATIONS:
            default = ", scikit-learn's default," if estimator.activation == "relu" else ""
            why = f"this activation{default} has kinks, and minima on kinks no derivative in alpha"
            refuse(estimator, "activation", why, _smooth(estimator))
        if estimator.early_stopping:
            why = "its solution must be a minimum of the objective"
            refuse(estimator, "early_stopping", why, "Set early_stopping=False.")
        if estimator.warm_start:
            why = "its solution must not depend on an earlier fit"
            refuse(estimator, "warm_start", why, "Set warm_start=False.")
        seed = estimator.random_state
        if seed is not None and not isinstance(seed, Integral):
            why = "every fold starts from the same random numbers"
            refuse(estimator, "random_state", why, "Set random_state to an integer.")
        return cls(_sizes(estimator), estimator.activation, int(seed or 0))

    def units(self, features: list[str]) -> list[str]:
        """The layers of weights."""
        del features
        count = range(1, len(self.hidden) + 1)
        return [*(f"hidden {i}" for i in count), "output"]

    def init(self, features: int, outputs: int) -> Any:
        random, layers = check_random_state(self.seed), []
        sizes = [features, *self.hidden, outputs]
        for before, after in pairwise(sizes):
            reach = np.sqrt((2.0 if self.activation == "logistic" else 6.0) / (before + after))
            weights = random.uniform(-reach, reach, (before, after))
            layers.append((weights, random.uniform(-reach, reach, after)))
        return layers

    def outcome(self, w: Any, X: Any) -> Any:
        """z_L (n, m)."""
        z = X
        for i, (weights, intercepts) in enumerate(w):
            z = (_ACTIVATIONS[self.activation](z) if i else z) @ weights + intercepts
        return z

    def loss(self, z: Any, target: Any) -> Any:
        """ℓ (n,)."""
        raise NotImplementedError

    def objective(self, w: Any, rows: Rows, values: Mapping[str, Any]) -> Any:
        losses = self.loss(self.outcome(w, rows.X), rows.target)
        alphas = jnp.broadcast_to(values["alpha"], (len(w),))
        decay = sum(alphas[i] * jnp.sum(weights**2) for i, (weights, _) in enumerate(w))
        total = jnp.sum(rows.weight)
        return (jnp.sum(rows.weight * losses) + 0.5 * decay) / total

    def validation_losses(self, w: Any, rows: Rows) -> Any:
        return self.loss(self.outcome(w, rows.X), rows.target)

    def start(self, name: str, rows: Rows) -> float:
        del name
        return _START * float(jnp.sum(rows.weight))

    def complete(self, w: Any) -> Any:
        """Layers as scikit-learn has them."""
        return w

    def settle(self, final, w, value, values, X, y):
        """With a single alpha, the geometric mean, where there are several: scikit-learn has one.

        scikit-learn fits one step, which settles all but the weights; these are the minimum here.
        """
        alpha = np.asarray(values["alpha"])
        final.set_params(alpha=float(np.exp(np.log(alpha).mean())))
        short = clone(final).set_params(solver="lbfgs", max_iter=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            short.fit(X, y)
        vars(final).update({k: v for k, v in vars(short).items() if k not in final.get_params()})
        layers = [tuple(map(np.asarray, layer)) for layer in self.complete(w)]
        final.coefs_ = [matrix for matrix, _ in layers]
        final.intercepts_ = [intercepts for _, intercepts in layers]
        final.loss_ = value


def _smooth(estimator: Any) -> str:
    """What to write in place of an activation with kinks."""
    kind = type(estimator).__name__
    return (
        f"Write {kind}(activation='tanh'), or 'logistic' ('identity' makes it linear); to keep "
        f"{estimator.activation!r}, look for alpha by GridSearchCV."
    )


def _sizes(estimator: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in np.atleast_1d(estimator.hidden_layer_sizes))


@dataclass(frozen=True)
class RegressorModel(Perceptron):
    """ℓ(z, u) = ½ ‖z − u‖², validated by the squared error, its mean over the targets."""

    estimator = MLPRegressor
    loss_name = "mean squared error"

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        if getattr(estimator, "loss", "squared_error") != "squared_error":
            refuse(estimator, "loss", "it is not implemented", "Set loss='squared_error'.")
        return super().of(estimator)

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        return self, Encoded(as_numbers(y, "MLPRegressor", several=True))

    def loss(self, z: Any, target: Any) -> Any:
        return 0.5 * jnp.sum((z - target) ** 2, axis=-1)

    def validation_losses(self, w: Any, rows: Rows) -> Any:
        return jnp.mean((self.outcome(w, rows.X) - rows.target) ** 2, axis=-1)


@dataclass(frozen=True)
class ClassifierModel(Perceptron):
    """Two classes, u in {0, 1}: ℓ(z, u) = log(1 + e^z) − u z."""

    estimator = MLPClassifier
    loss_name = "log loss"

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        classes, codes = as_labels(y, "MLPClassifier")
        if len(classes) == 2:
            return self, Encoded(codes[:, None].astype(float), classes)
        several = SoftmaxModel(self.hidden, self.activation, self.seed)
        return several, Encoded(np.eye(len(classes))[codes], classes)

    def loss(self, z: Any, target: Any) -> Any:
        return jnp.sum(jnp.logaddexp(0.0, z) - target * z, axis=-1)


@dataclass(frozen=True)
class SoftmaxModel(ClassifierModel):
    """More classes, u one-hot: ℓ(z, u) = log Σ_c e^z_c − u·z.

    The last output's intercept stays zero: ℓ sees differences only, and nothing penalises it.
    """

    def init(self, features: int, outputs: int) -> Any:
        *layers, (weights, intercepts) = super().init(features, outputs)
        return [*layers, (weights, intercepts[:-1] - intercepts[-1])]

    def outcome(self, w: Any, X: Any) -> Any:
        return super().outcome(self.complete(w), X)

    def complete(self, w: Any) -> Any:
        *layers, (weights, intercepts) = w
        return [*layers, (weights, jnp.append(intercepts, 0.0))]

    def loss(self, z: Any, target: Any) -> Any:
        return jax.nn.logsumexp(z, axis=-1) - jnp.sum(target * z, axis=-1)
