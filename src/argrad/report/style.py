"""How the pictures look: one colour a search, quiet axes, names as they are."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

COLOURS = {"gradient": "#c1440e", "grid": "#4a6d8c", "tpe": "#7a9a3b", "auto": "#7b4a8c"}
MARKERS = {"gradient": "o", "grid": "s", "tpe": "^", "auto": "D"}


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


def literal(name: str, longest: int = 32) -> str:
    """A name from the user's table: cut if long, its dollars not taken for formulas."""
    cut = name if len(name) <= longest else name[: longest - 1] + "…"
    return cut.replace("$", r"\$")


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG."""
    with warnings.catch_warnings():
        # Names in scripts that the font lacks are drawn as boxes; the JSON has them in full.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(path, dpi=150)
