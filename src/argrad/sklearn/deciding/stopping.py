"""How a comparison may come to an end before all of it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from argrad import SolveError


class BudgetError(Exception):
    """No further evaluation is allowed."""


class EndedError(Exception):
    """Whoever is told of evaluations wants no more of them."""


@dataclass
class Stop:
    """What ended a comparison, nothing of which need have.

    `unsolved` is the error of a fold without a solution, `interrupted` whether it was Ctrl-C, and
    `ended` whether that or somebody who is told of evaluations. An exhausted budget leaves no
    trace.
    """

    unsolved: SolveError | None = None
    interrupted: bool = False
    ended: bool = False


@contextmanager
def until_stopped() -> Iterator[Stop]:
    """A context that these ends leave, so that what is known by then counts.

    >>> with until_stopped() as stop:
    ...     raise EndedError
    >>> stop
    Stop(unsolved=None, interrupted=False, ended=True)
    """
    stop = Stop()
    try:
        yield stop
    except BudgetError:
        pass
    except SolveError as error:
        stop.unsolved = error
    except EndedError:
        stop.ended = True
    except KeyboardInterrupt:
        stop.interrupted = stop.ended = True
