"""A batch of small quadratic programmes, each with data of its own.

    y* = argmin 1/2 y'Qy + p'y   subject to   G y <= h,  A y = b,       F = weights · y*

Q = M'M/n + 0.01 I with M, p, G, A and the weights standard normal. A point y0, normal too, is
feasible by construction: A y0 = b, and h exceeds G y0 by a slack drawn between 0.05 and 1.05
times SLACK, at which about a third of the inequalities are active at the solution.
"""

from typing import NamedTuple

import numpy as np

BATCH, VARIABLES, INEQUALITIES, EQUALITIES = 64, 50, 25, 5
SLACK = 24.0
CHANGE = 0.01  # of p and h, in norm, between a problem and the one solved after it
INFEASIBLE, UNBOUNDED = 7, 9  # elements spoilt by `with_infeasible` and `with_unbounded`


class Batch(NamedTuple):
    """Arrays of all problems of a batch, all float64. The first six are differentiated."""

    Q: np.ndarray  # (BATCH, VARIABLES, VARIABLES), symmetric
    p: np.ndarray  # (BATCH, VARIABLES)
    G: np.ndarray  # (BATCH, INEQUALITIES, VARIABLES)
    h: np.ndarray  # (BATCH, INEQUALITIES)
    A: np.ndarray  # (BATCH, EQUALITIES, VARIABLES)
    b: np.ndarray  # (BATCH, EQUALITIES)
    weights: np.ndarray  # (BATCH, VARIABLES)

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        return self[:6]

    def copy(self) -> "Batch":
        return Batch(*(array.copy() for array in self))


def random(seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    M = rng.normal(size=(BATCH, VARIABLES, VARIABLES))
    Q = M.transpose(0, 2, 1) @ M / VARIABLES + 0.01 * np.eye(VARIABLES)
    p, y0, weights = rng.normal(size=(3, BATCH, VARIABLES))
    G = rng.normal(size=(BATCH, INEQUALITIES, VARIABLES))
    A = rng.normal(size=(BATCH, EQUALITIES, VARIABLES))
    slack = SLACK * rng.uniform(0.05, 1.05, size=(BATCH, INEQUALITIES))
    h = np.einsum("kij,kj->ki", G, y0) + slack
    b = np.einsum("kij,kj->ki", A, y0)
    return Batch((Q + Q.transpose(0, 2, 1)) / 2, p, G, h, A, b, weights)


def moved(batch: Batch, seed: int = 1) -> Batch:
    """The same with p and h changed by CHANGE of their norms, in random directions."""
    rng = np.random.default_rng(seed)

    def change(array):
        step = rng.normal(size=array.shape)
        size = np.linalg.norm(array, axis=1) / np.linalg.norm(step, axis=1)
        return array + CHANGE * size[:, None] * step

    return batch._replace(p=change(batch.p), h=change(batch.h))


def with_infeasible(batch: Batch) -> Batch:
    """In element INFEASIBLE, row 1 asks for the opposite of row 0, with a gap of 1 between."""
    spoilt, k = batch.copy(), INFEASIBLE
    spoilt.G[k, 1], spoilt.h[k, 1] = -spoilt.G[k, 0], -spoilt.h[k, 0] - 1
    return spoilt


def with_unbounded(batch: Batch) -> Batch:
    """In element UNBOUNDED, only p depends on the first variable: -y_0 falls for ever."""
    spoilt, k = batch.copy(), UNBOUNDED
    spoilt.Q[k, 0, :] = spoilt.Q[k, :, 0] = 0
    spoilt.G[k, :, 0], spoilt.A[k, :, 0], spoilt.p[k, 0] = 0, 0, -1
    return spoilt
