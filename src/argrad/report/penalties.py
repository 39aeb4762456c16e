"""The penalties that a search came to, where there are several, by what each is of."""

from __future__ import annotations

from typing import Any

import numpy as np

from argrad.report.searches.outcome import SearchOutcome
from argrad.report.style import COLOURS, literal, quiet

# What there may be one each of, in words, by granularity; features are not named here.
EACH = {"grouped": "group", "per-class": "class", "per-layer": "layer"}


def by_name(outcome: SearchOutcome, penalty: str) -> dict[str, float]:
    """The penalties of an outcome of a granularity in `EACH`: by group, class or layer."""
    before = f"{penalty}["
    columns = [str(column) for column in outcome.history if str(column).startswith(before)]
    names = [column.removeprefix(before).removesuffix("]") for column in columns]
    return dict(zip(names, np.asarray(outcome.params[penalty]).tolist(), strict=True))


def draw_penalties(axes: Any, penalties: np.ndarray, meaning: str, each: str) -> None:
    """One point a row, for each feature, class or layer, as `each` says."""
    axes.plot(penalties, range(len(penalties)), "o", color=COLOURS["gradient"])
    axes.set_xscale("log")
    axes.set_xlabel(meaning)
    axes.set_title(f"penalty of each {each}", fontsize=10)
    axes.margins(y=0.02)
    quiet(axes)


def draw_named(axes: Any, penalties: dict[str, float], meaning: str, each: str) -> None:
    """The same, with the name of each."""
    draw_penalties(axes, np.array(list(penalties.values())), meaning, each)
    axes.set_yticks(range(len(penalties)), [literal(name) for name in penalties])
    axes.margins(y=0.2)
