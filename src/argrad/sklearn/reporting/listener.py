"""Whoever listens to a search: the terminal, a callback, or both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.allowance import Allowance


@dataclass(frozen=True)
class Listener:
    """Prints a line a point if `verbose`, and calls `callback`, if any, which returns True to end.

    `begun` is when the search did, on `time.perf_counter`.
    """

    callback: Callable[[dict[str, Any]], Any] | None
    verbose: bool
    begun: float

    def at_point(self, told: dict[str, Any]) -> Any:
        """What is told of a point."""
        self.say(
            f"evaluation {told['evaluation']}: CV loss {told['cv_loss']:.6g}, gradient "
            f"{told['gradient_norm']:.2g}, {told['fits']} fits, {told['seconds']:.2f} s, at "
            f"most {told['seconds_left']:.2f} s left"
        )
        return self._call(told)

    def between(self, fits: int) -> Callable[[str, Evaluation, Allowance], Any]:
        """What an `Allowance` tells: of evaluations that are no points, after `fits` before it."""

        def listen(trying: str, found: Evaluation, allowance: Allowance) -> Any:
            now = time.perf_counter()
            told = {
                "evaluation": 0,
                "trying": trying,
                "fits": fits + allowance.used,
                "seconds": now - self.begun,
                "seconds_left": max(allowance.deadline - now, 0.0),
                "cv_loss": float(np.mean(found.split_losses)),
                "gradient_norm": float(np.linalg.norm(found.gradient)),
                "params": {},
                "scores": {},
            }
            if allowance.first:
                self.say(f"trying {trying}: {told['fits']} fits, {told['seconds']:.2f} s")
            return self._call(told)

        return listen

    def say(self, line: str) -> None:
        """Print a line, if anything is to be printed."""
        if self.verbose:
            print(line, flush=True)

    def _call(self, told: dict[str, Any]) -> Any:
        return self.callback(told) if self.callback is not None else False
