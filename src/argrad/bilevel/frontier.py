"""Accuracy against cost of the ways to compute one hypergradient: rows, table, frame, picture."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """One adjoint, at the worst of all points that were compared.

    - `error`: ‖g − exact‖₂ / ‖exact‖₂; infinite where the adjoint failed.
    - `cosine`: of the angle between g and the exact gradient.
    - `sign_errors`: the share of components whose sign is wrong.
    - `products`: with the Hessian, a gradient; NaN where the adjoint does not count them.
    - `milliseconds`: a gradient, given y*; `compile_seconds` came before the first.
    - `memory`: the most that the adjoint holds at once besides its input and output, in bytes.
    """

    name: str
    error: float
    cosine: float
    sign_errors: float
    products: float
    milliseconds: float
    compile_seconds: float
    memory: int

    def descends(self, margin: float) -> bool:
        """Whether −g goes down, and not just barely: the cosine is at least `margin`."""
        return self.cosine >= margin


@dataclasses.dataclass(frozen=True)
class Frontier:
    """What `compare_adjoints` found. `print` it, or take `frame()` or `plot()`.

    - `rows`: a `Row` for each adjoint, the exact one first.
    - `recommended`, `reason`: the name of one of them, and why, in a sentence.
    - `reference`: what "exact" was, in words.
    - `solve_milliseconds`: the lower solve that all of them share.
    - `accuracy`, `margin`: what was asked for.
    """

    rows: tuple[Row, ...]
    recommended: str
    reason: str
    reference: str
    solve_milliseconds: float
    accuracy: float
    margin: float

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"{name!r}; the frontier holds {', '.join(row.name for row in self.rows)}")

    def cheapest(self) -> tuple[Row, ...]:
        """The rows that no other beats in both error and time, by time."""
        finite = [row for row in self.rows if math.isfinite(row.error)]
        best, kept = math.inf, []
        for row in sorted(finite, key=lambda row: (row.milliseconds, row.error)):
            if row.error < best:
                kept.append(row)
                best = row.error
        return tuple(kept)

    def frame(self) -> Any:
        """One row for each adjoint as a pandas DataFrame; ImportError without pandas."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError(_needs("pandas")) from error
        frame = pandas.DataFrame([dataclasses.asdict(row) for row in self.rows])
        frame["descends"] = [row.descends(self.margin) for row in self.rows]
        frame["recommended"] = frame["name"] == self.recommended
        return frame.set_index("name")

    def plot(self, ax: Any = None) -> Any:
        """Error against time, those that nothing beats joined; ImportError without Matplotlib."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(_needs("Matplotlib")) from error
        ax = plt.subplots(layout="constrained")[1] if ax is None else ax
        floor = min((row.error for row in self.rows if row.error > 0), default=1e-16)
        shown = {row.name: max(row.error, floor) for row in self.rows if math.isfinite(row.error)}
        line = self.cheapest()
        ax.plot(
            [r.milliseconds for r in line], [shown[r.name] for r in line], color="0.7", zorder=1
        )
        for row in self.rows:
            if row.name in shown:
                mark = "o" if row.descends(self.margin) else "x"
                colour = "C3" if row.name == self.recommended else "C0"
                ax.scatter(row.milliseconds, shown[row.name], marker=mark, color=colour, zorder=2)
                ax.annotate(row.name, (row.milliseconds, shown[row.name]), fontsize=8)
        ax.axhline(self.accuracy, color="0.5", linestyle=":", linewidth=1)
        ax.set(xscale="log", yscale="log", xlabel="milliseconds a gradient")
        ax.set_ylabel("relative error (crosses do not descend)")
        return ax

    def __str__(self) -> str:
        lines = [list(_HEADINGS), *self._cells()]
        widths = [max(len(line[k]) for line in lines) for k in range(len(_HEADINGS))]
        table = "\n".join(
            "  ".join(
                cell.ljust(width) if k == 0 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
        return f"{table}\n{self._summary()}"

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        del console, options
        from rich.table import Table

        table = Table()
        for k, heading in enumerate(_HEADINGS):
            table.add_column(heading, justify="left" if k == 0 else "right")
        for row, cells in zip(self.rows, self._cells(), strict=True):
            table.add_row(*cells, style="bold" if row.name == self.recommended else None)
        yield table
        yield self._summary()

    def _summary(self) -> str:
        return (
            f"Recommended: {self.recommended}. {self.reason}\nReference: {self.reference}. The "
            f"lower solve takes {_number(self.solve_milliseconds)} ms; times leave it out."
        )

    def _cells(self) -> list[list[str]]:
        return [
            [
                row.name,
                _number(row.error),
                f"{row.cosine:.4f}",
                f"{100 * row.sign_errors:.0f} %",
                "yes" if row.descends(self.margin) else "no",
                "" if math.isnan(row.products) else f"{row.products:.0f}",
                _number(row.milliseconds),
                f"{row.memory / 2**20:.2f}",
            ]
            for row in self.rows
        ]


_HEADINGS = ("adjoint", "error", "cosine", "wrong signs", "descends", "products", "ms", "MiB")


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _needs(library: str) -> str:
    return f'this needs {library}: install it with pip install "argrad[report]".'


def recommend(rows: tuple[Row, ...], accuracy: float, margin: float) -> tuple[str, str]:
    """The quickest row that is accurate enough and descends, and why; the first row if none is."""
    exact, others = rows[0], rows[1:]
    good = [row for row in rows if row.error <= accuracy and row.descends(margin)]
    best = min(good, key=lambda row: row.milliseconds, default=exact)
    off = [row for row in others if row not in good]
    if best is not exact:
        reason = (
            f"It is within {_number(best.error)} of the exact gradient (cosine {best.cosine:.4f}) "
            f"for {_number(best.milliseconds)} ms instead of {_number(exact.milliseconds)} ms."
        )
        quicker = [row for row in off if row.milliseconds < best.milliseconds]
        if quicker:
            nearest = min(quicker, key=lambda row: row.error)
            reason += f" What is quicker is off by {_number(nearest.error)} or more."
        return best.name, reason
    if others and len(off) == len(others):
        nearest = min(others, key=lambda row: row.error)
        return exact.name, (
            f"No approximation is within {_number(accuracy)}: the nearest, {nearest.name}, is off "
            f"by {_number(nearest.error)}."
        )
    return exact.name, "No approximation that is accurate enough is quicker."
