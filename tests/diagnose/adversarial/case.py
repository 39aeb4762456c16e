"""What a case is: a problem drawn at random from a family, and the verdict that is right for it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import argrad as ag


class Problem(NamedTuple):
    """The arguments of `check`."""

    solve: Any
    x: Any
    init: Any
    args: tuple = ()


class Case(NamedTuple):
    """`error`, if given, is the relative error that the derivative has by theory."""

    name: str
    verdict: str
    build: Callable[[np.random.Generator], Problem]
    seed: int
    fast: bool
    float32: bool

    def problem(self, extra: int = 0) -> Problem:
        name = [ord(c) for c in self.name]
        return self.build(np.random.default_rng([self.seed, extra, *name]))


class Family(list[Case]):
    """Cases, each a function of a random generator that was given a verdict."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def add(self, verdict: str, variants: int = 2, *, fast: bool = False, float32: bool = False):
        def register(build):
            for seed in range(variants):
                name = f"{self.name}: {build.__name__.replace('_', ' ')}"
                self.append(Case(name, verdict, build, seed, fast and seed == 0, float32))
            return build

        return register


def affine(f):
    """argmin of a·f((y − c) / s, x), f in other units of value and variable, from other places.

    Its minimum c + s·u*(x) exists and is differentiable where u*(x) is, whatever a, s and c.
    """
    return ag.argmin(lambda y, x, a, s, c: a * f((y - c) / s, x))


def units(rng, u0):
    """A start c + s·u0 and random (a, s, c) for `affine`."""
    u0 = np.asarray(u0, float)
    a, s = 10.0 ** rng.uniform(-3, 3), 10.0 ** rng.uniform(-2, 2)
    c = s * rng.normal(size=u0.shape)
    return c + s * u0, (a, s, c)


def positive(rng, d, condition=10.0):
    """A random symmetric positive definite matrix with this condition number."""
    q, _ = np.linalg.qr(rng.normal(size=(d, d)))
    return (q * np.geomspace(1, condition, d)) @ q.T
