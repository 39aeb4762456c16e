"""The tables of `tuning.py`, as plain text."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from printing import aligned, milliseconds
from searches.contestants import REFERENCE

HEADER = ("", "fits", "time", "first", "CV loss", "test loss", "± se", "better", "worse")


def table(part: dict[str, Any], clock: str) -> str:
    lines = [_line(name, row, clock) for name, row in part["rows"].items()]
    text = [part["title"], *aligned(HEADER, lines)]
    default = part["rows"]["argrad, default"]
    counted = Counter(default["chosen"]).most_common()
    chosen = ", ".join(f"{name} ({times})" for name, times in counted)
    text.append(f"  the default chose: {chosen}")
    reference = np.array(part["rows"][REFERENCE]["test_loss"])
    excess = np.mean(default["test_loss"]) - reference.mean()
    if len(reference) > 1:
        errors = excess / _error(reference)
        text.append(f"  the default less shared: {errors:+.2f} standard errors of shared")
    if part["hindsight"]:
        best = min(part["hindsight"], key=part["hindsight"].__getitem__)
        ratio = np.mean(default["test_loss"]) / part["hindsight"][best]
        text.append(
            f"  best in hindsight: {best}, {part['hindsight'][best]:.4g}; "
            f"the default is {100 * (ratio - 1):+.1f} % of it"
        )
    return "\n".join(text)


def _error(values: Any) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _line(name: str, row: dict[str, Any], clock: str) -> tuple[str, ...]:
    if "missing" in row:
        return name, row["missing"]
    seconds = row[clock]
    error = f"{_error(row['test_loss']):.4f}" if len(seconds) > 1 else "-"
    return (
        name,
        f"{np.mean(row['fits']):.0f}",
        milliseconds(float(np.median(seconds))),
        milliseconds(seconds[0]),
        f"{np.mean(row['cv_loss']):.4f}",
        f"{np.mean(row['test_loss']):.4f}",
        error,
        str(row["wins"]),
        str(row["losses"]),
    )
