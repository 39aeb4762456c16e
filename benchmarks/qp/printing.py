"""The tables, as plain text."""

from typing import Any

from printing import aligned, milliseconds
from qp.problems import BATCH

GRADIENT = ("worst error", "median", ">1e-3", ">1e-10")
LAYER = ("", "solve", "solve+gradient", "ratio", "to by hand", *GRADIENT, "compile")
RESOLVE = ("", "from scratch", "warm", "ratio", "warm+gradient", *GRADIENT)
WIDTH = 72  # of what is said
SPOILT = ("", "solution", "gradient", "others as before", "said of it".ljust(WIDTH))


def _size(value: float | None) -> str:
    return "NaN" if value is None else f"{value:.0e}"


def _shortened(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def _errors(row: dict[str, Any]) -> tuple[str, ...]:
    sizes = (_size(row["gradient_worst"]), _size(row["gradient_median"]))
    return (*sizes, str(row["above_1e-3"]), str(row["above_1e-10"]))


def _layer(row: dict[str, Any], clock: str, best: float) -> tuple[str, ...]:
    solve, gradient = row["solve"][clock], row["gradient"][clock]
    return (
        milliseconds(solve),
        milliseconds(gradient),
        f"{gradient / solve:.2f}",
        f"{gradient / best:.2f}",
        *_errors(row),
        "-" if row["compile"] is None else f"{row['compile'][clock]:.2f} s",
    )


def _resolve(row: dict[str, Any], clock: str, _: float) -> tuple[str, ...]:
    cold, warm, gradient = (row[what][clock] for what in ("cold", "warm", "gradient"))
    times = (milliseconds(cold), milliseconds(warm), f"{warm / cold:.2f}", milliseconds(gradient))
    return (*times, *_errors(row))


def _spoilt(row: dict[str, Any], _: str, __: float) -> tuple[str, ...]:
    if row["raised"]:
        what = _shortened(row["raised"])
    elif row["flag"]:
        others = row["flagged_others"]
        what = _shortened(row["flag"]) + (f" (and of {others} others)" if others else "")
    else:
        what = _shortened(row["said"][0]) if row["said"] else "nothing"
    return row["solution"], row["gradient"], f"{row['unchanged']} of {BATCH - 1}", what.ljust(WIDTH)


KINDS = {"layer": (LAYER, _layer), "resolve": (RESOLVE, _resolve), "spoilt": (SPOILT, _spoilt)}


def table(part: dict[str, Any], clock: str) -> str:
    header, line = KINDS[part["kind"]]
    rows = [row for row in part["rows"] if "missing" not in row]
    timed = [r["gradient"][clock] for r in rows if part["kind"] == "layer" and r["by_hand"]]
    best = min(timed, default=float("nan"))
    lines = [
        (row["name"], *line(row, clock, best)) if row in rows else (row["name"], row["missing"])
        for row in part["rows"]
    ]
    return "\n".join(line.rstrip() for line in (part["title"], *aligned(header, lines)))
