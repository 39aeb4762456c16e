"""Timing on a machine that others use too: contestants take turns, medians are kept."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

PATIENCE = 12.0  # seconds after which a slow job is not repeated further
FAST = 0.05  # seconds that one sample takes at least, of many runs if it must
FEWEST = 3


class Seconds(NamedTuple):
    """Of one run, by the clock on the wall and of processor time over all threads."""

    wall: float
    processor: float


def timed(job: Callable[[], object], runs: int = 1) -> Seconds:
    """The mean of `runs` in a row."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(runs):
        job()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return Seconds(wall / runs, processor / runs)


def median(samples: list[Seconds]) -> Seconds:
    return Seconds(
        statistics.median(s.wall for s in samples), statistics.median(s.processor for s in samples)
    )


def take_turns(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, Seconds]:
    """Median time of each job over `rounds` rounds.

    In a round each job has one turn: a run untimed, which brings what it needs into the caches,
    and then as many as take FAST seconds, of which the mean counts; a slow one a single run.
    Jobs must have been run before: compilation is timed by `compile_seconds`.
    """
    samples: dict[str, list[Seconds]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            done = samples[name]
            if len(done) >= FEWEST and sum(s.wall for s in done) > PATIENCE:
                continue
            slow = bool(done) and done[-1].wall >= FAST
            runs = 1 if slow else int(FAST / timed(job).wall) + 1
            done.append(timed(job, runs))
    return {name: median(done) for name, done in samples.items()}


def compile_seconds(
    jobs: dict[str, Callable[[], object]], clear: Callable[[], None], rounds: int = 7
) -> dict[str, Seconds]:
    """Median over `rounds` of (first call after `clear`) − (second call): tracing and compiling."""
    samples: dict[str, list[Seconds]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            clear()
            first, again = timed(job), timed(job)
            samples[name].append(Seconds(*(a - b for a, b in zip(first, again, strict=True))))
    return {name: median(done) for name, done in samples.items()}
