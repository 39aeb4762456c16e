"""How the pictures look: one colour and one name a search, quiet axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

NAMES = {"gradient": "gradient search", "grid": "grid search", "tpe": "TPE"}
COLOURS = {"gradient": "#c1440e", "grid": "#4a6d8c", "tpe": "#7a9a3b"}
MARKERS = {"gradient": "o", "grid": "s", "tpe": "^"}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches, drawn without a display."""
    return Figure(figsize=(width, height), layout="constrained")


def quiet(axes: Any) -> None:
    """Take away what carries no information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def scale_losses(axes: Any, lowest: float, highest: float) -> None:
    """A vertical axis for losses: logarithmic if they differ much, labelled 0.1, 0.2, 0.5."""
    if not 0.0 < 3.0 * lowest < highest:
        return
    axes.set_yscale("log")
    if highest < 1e4 * lowest:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG."""
    figure.savefig(path, dpi=150)
