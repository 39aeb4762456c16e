"""What a bilevel run leaves behind: a record of every upper step, and the best of them."""

import dataclasses
import enum
from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Array, PyTree

from argrad.status import SolveError


class BilevelStatus(enum.StrEnum):
    """Why a bilevel run ended.

    >>> import argrad.bilevel as bilevel
    >>> bilevel.BilevelStatus("converged").name
    'converged'
    """

    converged = "converged"
    max_steps_reached = "max_steps reached"
    stalled = "the upper optimiser could make no further progress"
    stopped = "stopped by the callback"
    interrupted = "interrupted"
    lower_failed = "the lower problem or the upper objective failed"


@dataclasses.dataclass(frozen=True)
class Record:
    """One evaluation of the upper objective and its gradient, as the callback sees it.

    - `step`: counted from 0.
    - `x`, `y`: the point and the lower solution there.
    - `value`: F(y, x), +inf where the evaluation failed; `gradient_norm`: ‖dF/dx‖₂.
    - `accepted`: false for a trial point that the optimiser's line search turned down.
    - `lower_iterations`: steps of the lower solver, 0 where it does not say.
    - `adjoint_steps`: steps of the adjoint's linear solver, 0 for a direct one.
    - `seconds`: since the run began, compilation included.
    """

    step: int
    x: PyTree[Array]
    y: PyTree[Array]
    value: float
    gradient_norm: float
    accepted: bool
    lower_iterations: int
    adjoint_steps: int
    seconds: float


_COLUMNS = tuple(f.name for f in dataclasses.fields(Record) if f.name not in ("x", "y"))


class History(Mapping[str, np.ndarray]):
    """The numbers of all records, column by column: a mapping from name to array.

    `dict(history)` and `pandas.DataFrame(dict(history))` are its exports. It holds no x and no
    y; a callback that wants them keeps them.

    >>> import argrad as ag
    >>> found = ag.minimise(ag.Bilevel(lambda y, x: y**2, lambda y, x: (y - x) ** 2), 1.0, 0.0)
    >>> list(found.history)[:3]
    ['step', 'value', 'gradient_norm']
    >>> float(found.history["value"][0])
    1.0
    """

    def __init__(self) -> None:
        self._rows: list[tuple] = []

    def append(self, record: Record) -> None:
        """Keep the numbers of `record`."""
        self._rows.append(tuple(getattr(record, name) for name in _COLUMNS))

    @property
    def steps(self) -> int:
        """How many evaluations there were."""
        return len(self._rows)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in _COLUMNS:
            raise KeyError(f"{name!r}; the history holds {', '.join(_COLUMNS)}")
        column = _COLUMNS.index(name)
        return np.array([row[column] for row in self._rows])

    def __iter__(self) -> Iterator[str]:
        return iter(_COLUMNS)

    def __len__(self) -> int:
        return len(_COLUMNS)

    def __repr__(self) -> str:
        return f"History({self.steps} steps of {', '.join(_COLUMNS)})"


@dataclasses.dataclass(frozen=True)
class BilevelResult:
    """The best point that a bilevel run met, which need not be its last.

    - `x`, `y`, `value`: the upper variable, the lower solution y*(x), and F(y, x).
    - `status`: a `BilevelStatus`; it prints as a sentence.
    - `history`: a `History`, one row for each evaluation.
    """

    x: PyTree[Array]
    y: PyTree[Array]
    value: float
    status: BilevelStatus
    history: History

    @property
    def steps(self) -> int:
        """Evaluations of the upper objective and its gradient."""
        return self.history.steps

    @property
    def lower_iterations(self) -> int:
        """Steps of the lower solver in the whole run."""
        return int(self.history["lower_iterations"].sum())

    @property
    def adjoint_steps(self) -> int:
        """Steps of the linear solver in all adjoint solves."""
        return int(self.history["adjoint_steps"].sum())

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the run."""
        return self.status == BilevelStatus.interrupted


class BilevelError(SolveError):
    """A bilevel run met a point where F or its gradient cannot be had.

    `result` is the best point before it, or None where that was the starting point.
    """

    def __init__(self, message: str, result: BilevelResult | None):
        super().__init__(message)
        self.result = result
