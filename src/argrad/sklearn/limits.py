"""How long a search may go on: in fits of the model, and in seconds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any


@dataclass(frozen=True)
class Limits:
    """At most so many `evaluations`, none begun later than `seconds` after `start`.

    `start` is a reading of `time.perf_counter`. The first evaluation is always made. If there are
    searches after this one, they will take `later` evaluations, and all must end at `last`.
    """

    evaluations: int
    seconds: float | None
    start: float
    later: int = 0
    last: float | None = None

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.start

    def allow(self, evaluations: int) -> bool:
        """Whether another evaluation may begin after so many."""
        late = self.seconds is not None and self.elapsed() >= self.seconds
        return evaluations < self.evaluations and not late

    def seconds_left(self, durations: list[float]) -> float:
        """The most that the search may still take, after evaluations that took so many seconds.

        At the pace of the evaluations after the first, which compiles.
        """
        usual = durations[1:] or durations
        left = sum(usual) / len(usual) * (self.evaluations - len(durations) + self.later)
        last = self.seconds if self.last is None else self.last
        if last is not None:
            left = min(left, last - self.elapsed())
        return max(left, 0.0)


def limits_of(
    max_fits: Any, timeout: Any, start: float, *, fits_each: int, fits_after: int, default: int
) -> Limits:
    """Limits that a user set as a number of fits and as seconds; ValueError for impossible ones.

    An evaluation takes `fits_each` fits, and `fits_after` are made once it has ended. Without a
    limit in fits there are `default` evaluations.
    """
    if timeout is not None and not (_is_number(timeout, Real) and 0 < timeout < math.inf):
        raise ValueError(f"timeout must be a positive number of seconds, or None, got {timeout!r}.")
    if max_fits is None:
        return Limits(default, timeout, start)
    if not (_is_number(max_fits, Integral) and max_fits >= 1):
        raise ValueError(
            f"max_fits must be a whole number of at least 1, or None, got {max_fits!r}."
        )
    least = fits_each + fits_after
    if max_fits < least:
        raise ValueError(
            f"max_fits={max_fits} does not allow for a single evaluation: that takes {fits_each} "
            f"fits, and {fits_after} on all rows at the end. Set max_fits to {least} or more."
        )
    return Limits((int(max_fits) - fits_after) // fits_each, timeout, start)


@dataclass(frozen=True)
class Budget:
    """What a user allows for `parts` searches in turn: `max_fits`, and `timeout` from `start` on.

    Every evaluation takes `fits_each` fits, and `fits_after` are made at the very end. ValueError
    for limits that are impossible.
    """

    max_fits: Any
    timeout: Any
    start: float
    fits_each: int
    fits_after: int
    parts: int

    def __post_init__(self) -> None:
        limits_of(
            self.max_fits,
            self.timeout,
            self.start,
            fits_each=self.parts * self.fits_each,
            fits_after=self.fits_after,
            default=1,
        )

    @property
    def late(self) -> bool:
        """Whether no further search may begin."""
        return self.timeout is not None and time.perf_counter() - self.start >= self.timeout

    def part(self, number: int, fits: int, settling: int, default: int) -> Limits:
        """The limits of search `number`, from 0, after `fits` fits and `settling` of its own.

        What is left is shared out evenly among the searches that are.
        """
        left, elapsed = self.parts - number, time.perf_counter() - self.start
        most = None if self.max_fits is None else (self.max_fits - self.fits_after - fits) // left
        until = None
        if self.timeout is not None:
            until = elapsed + max(self.timeout - elapsed, 1e-9) / left
        limits = limits_of(
            most,
            until,
            self.start,
            fits_each=self.fits_each,
            fits_after=settling,
            default=default,
        )
        return replace(limits, later=(left - 1) * limits.evaluations, last=self.timeout)


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
