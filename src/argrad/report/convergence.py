"""A picture of how each search came down to its best CV loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from argrad.report.searches.outcome import IN_WORDS, SearchOutcome
from argrad.report.style import COLOURS, MARKERS, literal, new_figure, quiet, save_figure
from argrad.report.tuning import TuneResult

# Nearer to the lowest loss than this, solvers' tolerances are all there is to see.
_FLOOR = 1e-6


def draw_convergence(result: TuneResult, path: Path) -> None:
    """Write a PNG: the lowest CV loss so far against fits, and against seconds.

    It is drawn as its distance from the lowest loss that any search found, relative to that.
    """
    figure = new_figure(10.0, 4.2)
    by_fits, by_seconds = figure.subplots(1, 2, sharey=True)
    lowest = min(float(outcome.history["cv_loss"].min()) for outcome in result.drawn)
    for outcome in result.drawn:
        above = _above(outcome, lowest)
        _draw(by_fits, outcome, "fits", outcome.fits, above)
        _draw(by_seconds, outcome, "seconds", outcome.seconds, above)
    by_fits.set_xlabel("fits of the model")
    by_fits.set_ylabel("CV loss so far above the lowest found,\nrelative to it")
    by_seconds.set_xlabel("seconds")
    by_fits.legend(frameon=False)
    figure.suptitle(
        f"{literal(result.table, 60)}: how the searches came down "
        f"(lowest {result.problem.loss_name}: {lowest:.4g})"
    )
    for axes in (by_fits, by_seconds):
        axes.set_xscale("log")
        axes.set_yscale("log")
        quiet(axes)
    save_figure(figure, path)


def _above(outcome: SearchOutcome, lowest: float) -> np.ndarray:
    """Relative distance of the best so far from `lowest`, with the final state once more."""
    so_far = np.minimum.accumulate(outcome.history["cv_loss"].to_numpy(dtype=float))
    above = (so_far - lowest) / (abs(lowest) or 1.0)
    return np.maximum(np.append(above, above[-1]), _FLOOR)


def _draw(axes: Any, outcome: SearchOutcome, along: str, end: float, above: np.ndarray) -> None:
    """Steps from evaluation to evaluation, prolonged to where the search ended."""
    axes.plot(
        np.append(outcome.history[along], end),
        above,
        drawstyle="steps-post",
        color=COLOURS[outcome.name],
        marker=MARKERS[outcome.name],
        markersize=3.5,
        linewidth=1.5,
        label=IN_WORDS[outcome.name],
        zorder=3 if outcome.name == "gradient" else 2,
    )
