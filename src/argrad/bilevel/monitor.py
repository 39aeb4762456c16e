"""Watch the error of approximate hypergradients while a descent runs on them."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import PyTree

from argrad.bilevel.certified import hypergradient
from argrad.bilevel.history import Record
from argrad.bilevel.problem import Bilevel
from argrad.problem import extra_arguments


class ErrorWarning(UserWarning):
    """The error of a hypergradient has left its band."""


class ErrorMonitor:
    """A callback for `minimise` that estimates the error of the gradient now and then.

    Every `every` accepted steps, the first included, `hypergradient` tells how wrong the gradient
    at that point may be. Where the relative error is above `band` an `ErrorWarning` says so, and
    with `stop` the run ends there with its best point. An approximate gradient whose relative
    error stays below 1 still descends: ⟨g, exact⟩ >= (1 − error) ‖exact‖² where the error is taken
    relative to the exact one.

    - `bilevel`, `args`: as given to `minimise`.
    - `max_products`: the most products with the Hessian that an estimate takes, twice.

    `steps` and `errors` are lists of where it looked and what it found. ValueError unless band
    > 0 and every >= 1.

    >>> import jax.numpy as jnp, argrad as ag
    >>> cheap = ag.Implicit(linear_solver=ag.Identity(0.25))
    >>> lower = ag.argmin(lambda y, x: (y[0] - x) ** 2 + 2 * (y[1] - x) ** 2, adjoint=cheap)
    >>> problem = ag.Bilevel(lambda y, x: jnp.sum((y - 1) ** 2), lower)
    >>> monitor = ag.ErrorMonitor(problem, band=0.5)
    >>> found = ag.minimise(problem, 0.0, jnp.zeros(2), callback=monitor)
    >>> round(monitor.errors[0], 2)  # (0.5 + 1) / 2 of the exact gradient
    0.33
    """

    def __init__(
        self,
        bilevel: Bilevel,
        *args: Any,
        band: float = 0.3,
        every: int = 10,
        stop: bool = False,
        max_products: int = 1000,
    ):
        if not band > 0:
            raise ValueError(f"band must be positive, got {band}.")
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}.")
        self.bilevel, self.args = bilevel, extra_arguments(args)
        self.band, self.every, self.stop, self.max_products = band, every, stop, max_products
        self.steps: list[int] = []
        self.errors: list[float] = []
        self._accepted = 0

    def __call__(self, record: Record) -> bool:
        """Look at this step if it is time to; whether the run is to end."""
        if not record.accepted:
            return False
        due = self._accepted % self.every == 0
        self._accepted += 1
        if not due:
            return False
        error = self.relative_error(record.x, record.y)
        self.steps.append(record.step)
        self.errors.append(error)
        if error <= self.band:
            return False
        warnings.warn(
            f"at upper step {record.step} the gradient is off by about {error:.2g} of its norm, "
            f"more than the band of {self.band:g}. Use a stronger adjoint (argrad.compare_adjoints "
            "shows which), or stop here.",
            ErrorWarning,
            stacklevel=2,
        )
        return self.stop

    def relative_error(self, x: PyTree, y: PyTree) -> float:
        """The estimate at x, the lower solve starting at y; infinite where there is none."""
        upper, lower = self.bilevel.upper, self.bilevel.lower
        found = hypergradient(upper, lower, x, y, *self.args, max_products=self.max_products)
        error = float(found.relative_error)
        return error if np.isfinite(error) else float("inf")
