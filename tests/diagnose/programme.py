"""Quadratic and linear programmes as data, so that one compilation serves all of them, and their
solution by trying every set of active rows."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import argrad as ag

D, E, G, K = 6, 2, 5, 2  # variables, equalities, inequalities, parameters


class Data(NamedTuple):
    """min ½ yᵀQy + (c + C x)ᵀy + s·x  s.t.  A y = a + a_x x,  B y <= b + b_x x."""

    Q: np.ndarray
    c: np.ndarray
    C: np.ndarray
    A: np.ndarray
    a: np.ndarray
    a_x: np.ndarray
    B: np.ndarray
    b: np.ndarray
    b_x: np.ndarray
    s: np.ndarray


def data(**given) -> Data:
    """Zeros for what is not given; smaller arrays are the upper left part.

    Variables that are not given are the nearest to 1, equalities not given set the last ones to 1,
    and inequalities not given keep the last one below 9.
    """
    shapes = {"Q": (D, D), "c": (D,), "C": (D, K), "A": (E, D), "a": (E,), "a_x": (E, K)}
    shapes |= {"B": (G, D), "b": (G,), "b_x": (G, K), "s": (K,)}
    full = {name: np.zeros(shape) for name, shape in shapes.items()}
    for name, value in given.items():
        value = np.asarray(value, float)
        full[name][tuple(map(slice, value.shape))] = value
    for i in range(len(given.get("Q", ())), D):
        full["Q"][i, i], full["c"][i] = 1, -1
    for i in range(len(given.get("A", ())), E):
        full["A"][i, D - 1 - i] = full["a"][i] = 1
    for i in range(len(given.get("B", ())), G):
        full["B"][i, D - 1], full["b"][i] = 1, 9
    return Data(**full)


def objective(y, x, d: Data):
    return 0.5 * y @ d.Q @ y + (d.c + d.C @ x) @ y + d.s @ x


ROWS = (
    ag.equality(lambda y, x, d: d.A @ y - d.a - d.a_x @ x, name="equal"),
    ag.inequality(lambda y, x, d: d.B @ y - d.b - d.b_x @ x, name="below"),
)
programme = ag.argmin(objective, subject_to=ROWS)
start = np.ones(D)


def random(rng, strong=2, weak=1) -> Data:
    """A strictly convex programme whose y*(0) has as many strongly and weakly active rows."""
    root = rng.normal(size=(D, D))
    Q, A, B = root @ root.T + np.eye(D), rng.normal(size=(E, D)), rng.normal(size=(G, D))
    y, dual = rng.normal(size=D), rng.normal(size=E)
    above = np.arange(G) >= strong
    slack = np.where(np.arange(G) >= strong + weak, rng.uniform(1, 2, size=G), 0)
    mu = np.where(above, 0, rng.uniform(1, 2, size=G))
    return Data(
        Q=Q,
        c=-(Q @ y + dual @ A + mu @ B),
        C=rng.normal(size=(D, K)),
        A=A,
        a=A @ y,
        a_x=rng.normal(size=(E, K)),
        B=B,
        b=B @ y + slack,
        b_x=rng.normal(size=(G, K)),
        s=rng.normal(size=K),
    )


def enumerated(d: Data, x) -> tuple[np.ndarray, np.ndarray]:
    """y*(x) and μ of a strictly convex programme, by trying every set of active rows."""
    x = np.asarray(x)
    best, least = None, np.inf
    for held in itertools.product([False, True], repeat=G):
        held = np.array(held)
        rows = np.concatenate([d.A, d.B[held]])
        if len(rows) > D:
            continue
        right = np.concatenate([d.a + d.a_x @ x, (d.b + d.b_x @ x)[held]])
        K = np.block([[d.Q, rows.T], [rows, np.zeros((len(rows), len(rows)))]])
        right = np.concatenate([-d.c - d.C @ x, right])
        try:
            found = np.linalg.solve(K, right)
            left = right - K.astype(np.longdouble) @ found
            found += np.linalg.solve(K, left.astype(float))
        except np.linalg.LinAlgError:
            continue
        y, mu = found[:D], np.zeros(G)
        mu[held] = found[D + E :]
        excess = d.B @ y - d.b - d.b_x @ x
        wrong = max(np.max(-mu), np.max(excess))
        if wrong < least:
            best, least = (y, mu), wrong
    if least > 1e-9:
        raise ValueError("infeasible")
    return best


def value(d: Data, x) -> float:
    y, _ = enumerated(d, x)
    return 0.5 * y @ d.Q @ y + (d.c + d.C @ x) @ y + d.s @ x


def as_arrays(d: Data) -> Data:
    return Data(*map(jnp.asarray, d))
