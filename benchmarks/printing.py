"""The tables, as plain text."""

from typing import Any

RACE = ("", "solve", "solve+gradient", "ratio", "to best by hand", "error", "compile")
JIT = ("", "solve in jit", "outside", "ratio", "gradient in jit", "outside", "ratio")


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def aligned(header: tuple[str, ...], lines: list[tuple[str, ...]]) -> list[str]:
    full = [line for line in (header, *lines) if len(line) == len(header)]
    widths = [max(len(line[i]) for line in full) for i in range(len(header))]
    text = []
    for line in (header, *lines):
        if len(line) < len(header):
            text.append("  " + line[0].ljust(widths[0]) + "  " + line[1])
        else:
            cells = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
            text.append("  " + "  ".join((line[0].ljust(widths[0]), *cells)))
    return text


def _race_line(row: dict[str, Any], clock: str, best: float) -> tuple[str, ...]:
    if "missing" in row:
        return row["name"], row["missing"]
    solve, gradient = row["solve"][clock], row["gradient"][clock]
    return (
        row["name"],
        milliseconds(solve),
        milliseconds(gradient),
        f"{gradient / solve:.2f}",
        f"{gradient / best:.2f}",
        f"{row['gradient_error']:.0e}",
        "-" if row["compile"] is None else f"{row['compile'][clock]:.2f} s",
    )


def _jit_line(row: dict[str, Any], clock: str) -> tuple[str, ...]:
    if "missing" in row:
        return row["name"], row["missing"]
    cells = [row["name"]]
    for what in ("solve", "gradient"):
        inside, outside = row[f"{what}_inside"][clock], row[f"{what}_outside"][clock]
        cells += [milliseconds(inside), milliseconds(outside), f"{outside / inside:.2f}"]
    return tuple(cells)


def table(key: str, part: dict[str, Any], clock: str) -> str:
    rows = part["rows"]
    if key == "outside_jit":
        lines = aligned(JIT, [_jit_line(row, clock) for row in rows])
    else:
        by_hand = [r["gradient"][clock] for r in rows if r.get("by_hand") and "gradient" in r]
        best = min(by_hand, default=float("nan"))
        lines = aligned(RACE, [_race_line(row, clock, best) for row in rows])
    return "\n".join([part["title"], *lines])
