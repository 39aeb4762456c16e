"""A picture of how each search came down to its best CV loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from argrad.report.searches.outcome import SearchOutcome
from argrad.report.style import COLOURS, MARKERS, NAMES, new_figure, quiet, save_figure
from argrad.report.tuning import TuneResult


def draw_convergence(result: TuneResult, path: Path) -> None:
    """Write a PNG: the lowest CV loss so far against fits, and against seconds."""
    figure = new_figure(10.0, 4.2)
    by_fits, by_seconds = figure.subplots(1, 2, sharey=True)
    for outcome in result.outcomes:
        _draw(by_fits, outcome, "fits", outcome.fits)
        _draw(by_seconds, outcome, "seconds", outcome.seconds)
    by_fits.set_xlabel("fits of the model")
    by_fits.set_ylabel(f"lowest CV loss so far ({result.problem.loss_name})")
    by_seconds.set_xlabel("seconds")
    by_fits.legend(frameon=False)
    figure.suptitle(f"{result.table}: how the searches came down")
    for axes in (by_fits, by_seconds):
        axes.set_xscale("log")
        axes.set_yscale("log")
        quiet(axes)
    save_figure(figure, path)


def _draw(axes: Any, outcome: SearchOutcome, along: str, end: float) -> None:
    """Steps from evaluation to evaluation, prolonged to where the search ended."""
    spent = np.append(outcome.history[along], end)
    lowest = np.minimum.accumulate(np.append(outcome.history["cv_loss"], outcome.cv_loss))
    colour = COLOURS[outcome.name]
    axes.plot(
        spent,
        lowest,
        drawstyle="steps-post",
        color=colour,
        marker=MARKERS[outcome.name],
        markersize=3.5,
        linewidth=1.5,
        label=NAMES[outcome.name],
        zorder=3 if outcome.name == "gradient" else 2,
    )
