"""What ends a comparison, and what passes through."""

import pytest

from argrad import SolveError
from argrad.sklearn.deciding.stopping import BudgetError, EndedError, Stop, until_stopped

UNSOLVED = SolveError("flat")


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (BudgetError(), Stop()),
        (UNSOLVED, Stop(unsolved=UNSOLVED)),
        (EndedError(), Stop(ended=True)),
        (KeyboardInterrupt(), Stop(interrupted=True, ended=True)),
    ],
)
def test_what_ends_it_is_known_afterwards(error, left):
    done = []
    with until_stopped() as stop:
        done.append(1)
        raise error
    assert (done, stop) == ([1], left)


def test_nothing_need_end_it():
    with until_stopped() as stop:
        pass
    assert stop == Stop()


def test_mistakes_are_not_hidden():
    with pytest.raises(ValueError, match="a mistake"), until_stopped():
        raise ValueError("a mistake")
