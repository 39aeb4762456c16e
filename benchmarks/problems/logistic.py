"""l2-logistic regression with one log penalty per feature, in an easy and a hard version.

Lower level, over the weights w in R^200, given log penalties θ in R^200:

    f(w, θ) = 1/n Σ_i log(1 + exp(−s_i x_i·w)) + 1/2 Σ_j exp(θ_j) w_j²,   n = 2000, s_i = ±1.

Upper level: F(w) = mean log loss of the same form on 1000 validation rows, without the penalty.
Wanted: dF/dθ at a fixed θ.

Rows are x = z Q diag(σ) Qᵀ with z standard normal and Q a random rotation, labels follow a
logistic model, θ is spread about a centre. The versions differ in the spread of σ and in that
centre, which were chosen to make the lower Hessian's condition number at the solution about 4
and about 5e3. The rotation keeps a diagonal rescaling from undoing the hard version.
"""

from typing import NamedTuple

import numpy as np

ROWS, FEATURES, VALIDATION_ROWS = 2000, 200, 1000


class Logistic(NamedTuple):
    """Arrays of one version, all float64. Signs are −1 and 1."""

    name: str
    theta: np.ndarray  # (FEATURES,)
    X: np.ndarray  # (ROWS, FEATURES)
    signs: np.ndarray  # (ROWS,)
    X_val: np.ndarray  # (VALIDATION_ROWS, FEATURES)
    signs_val: np.ndarray  # (VALIDATION_ROWS,)


def _make(name: str, smallest_scale: float, penalty: float, seed: int) -> Logistic:
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.normal(size=(FEATURES, FEATURES)))
    scales = np.geomspace(1.0, smallest_scale, FEATURES)
    X = rng.normal(size=(ROWS + VALIDATION_ROWS, FEATURES)) @ (Q * scales) @ Q.T
    truth = rng.normal(size=FEATURES)
    margin = X @ truth
    margin *= 1.5 / margin.std()
    signs = np.where(rng.uniform(size=len(X)) < 1 / (1 + np.exp(-margin)), 1.0, -1.0)
    theta = np.log(penalty) + rng.uniform(-0.5, 0.5, size=FEATURES)
    return Logistic(name, theta, X[:ROWS], signs[:ROWS], X[ROWS:], signs[ROWS:])


def easy() -> Logistic:
    return _make("easy", smallest_scale=1.0, penalty=0.01, seed=0)


def hard() -> Logistic:
    return _make("hard", smallest_scale=0.01, penalty=2.2e-5, seed=1)
