"""What `check` found, as numbers and as words."""

import dataclasses
import importlib
import math
import textwrap
from typing import Any, Literal

Verdict = Literal["valid", "one-sided", "approximate", "invalid"]
Standing = Literal["pass", "warn", "fail", "skip"]
_WIDTH = 100


@dataclasses.dataclass(frozen=True)
class Line:
    """One thing that was looked at.

    - `name`: what; `values`: the numbers found, by name.
    - `standing`: "pass", "warn" (worth knowing, no fault), "fail", or "skip" (not looked at).
    - `meaning`: the same in words.
    """

    name: str
    values: dict[str, Any]
    standing: Standing
    meaning: str

    @property
    def numbers(self) -> str:
        """The values as text."""
        return ", ".join(f"{key} {_short(value)}" for key, value in self.values.items())


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Whether the derivative of a solution can be trusted, made by `check`.

    - `verdict`: "valid", "one-sided", "approximate" or "invalid"; `check` defines them.
    - `reason`: one sentence, why; `remedy`: one sentence, what to try, empty where valid.
    - `error`: estimated relative error of the derivative; NaN where nothing could be measured.
    - `lines`: everything that was looked at, a `Line` each.
    """

    verdict: Verdict
    reason: str
    remedy: str
    error: float
    lines: tuple[Line, ...]

    def __bool__(self) -> bool:
        """Whether the verdict is "valid"."""
        return self.verdict == "valid"

    def __getitem__(self, name: str) -> Line:
        """The line of that name, or KeyError."""
        for line in self.lines:
            if line.name == name:
                return line
        raise KeyError(f"{name!r}; there are {', '.join(line.name for line in self.lines)}")

    def __str__(self) -> str:
        head = [f"derivative: {self.verdict}", *_wrapped(self.reason)]
        if self.remedy:
            head += _wrapped(f"Try: {self.remedy}")
        if not math.isnan(self.error):
            head.append(f"estimated relative error: {self.error:.1e}")
        wide = max((len(line.name) for line in self.lines), default=0)
        rows = []
        for line in self.lines:
            said = f"{line.meaning} ({line.numbers})" if line.values else line.meaning
            first = f"  {line.standing:4}  {line.name:{wide}}  "
            rows.append(textwrap.fill(said, _WIDTH, initial_indent=first,
                                      subsequent_indent=" " * len(first)))  # fmt: skip
        return "\n".join([*head, "", *rows])

    def __rich__(self) -> Any:
        """A table for Rich, which whoever asks for this has installed."""
        table = importlib.import_module("rich.table")
        console = importlib.import_module("rich.console")
        text = importlib.import_module("rich.text").Text
        colours = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "dim"}
        grid = table.Table("", "looked at", "found", "numbers")
        for line in self.lines:
            mark = text(line.standing, style=colours[line.standing])
            grid.add_row(mark, text(line.name), text(line.meaning), text(line.numbers))
        head = [f"derivative: {self.verdict}", self.reason]
        head += [f"Try: {self.remedy}"] if self.remedy else []
        if not math.isnan(self.error):
            head.append(f"estimated relative error: {self.error:.1e}")
        return console.Group(text("\n".join(head)), grid)


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "[" + " ".join(_short(v) for v in value) + "]"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH)
