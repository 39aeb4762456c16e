"""What may be spent, by fits and by the clock, and who is told of it."""

import time

import numpy as np
import pytest

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.allowance import Allowance
from argrad.sklearn.deciding.stopping import BudgetError, EndedError


def bowl(h):
    return Evaluation(h, float(h @ h), h**2, 2 * h, None)


def test_no_more_fits_than_are_allowed():
    allowance = Allowance(9, np.inf)
    criterion = allowance.spend(bowl, 4)
    criterion(np.ones(1))
    criterion(np.ones(1))
    with pytest.raises(BudgetError):
        criterion(np.ones(1))
    assert (allowance.used, allowance.dear) == (8, False)


def test_time_on_the_wall_and_of_the_processor():
    with pytest.raises(BudgetError):
        Allowance(9, time.perf_counter() - 1.0).spend(bowl, 1)(np.ones(1))
    allowance = Allowance(9, np.inf)
    criterion = allowance.spend(bowl, 1)
    allowance.begin_clock(60.0)
    criterion(np.ones(1))
    assert not allowance.dear
    allowance.begin_clock(-1.0)
    with pytest.raises(BudgetError):
        criterion(np.ones(1))
    assert (allowance.used, allowance.dear) == (1, True)


def test_a_first_evaluation_of_half_the_time_is_the_last():
    def slow(h):
        end = time.process_time() + 0.06
        while time.process_time() < end:
            pass
        return bowl(h)

    for seconds, dear in ((0.1, True), (60.0, False)):
        allowance = Allowance(99, np.inf)
        allowance.begin_clock(seconds)
        criterion = allowance.spend(slow, 1)
        criterion(np.ones(1))
        assert allowance.dear == dear
    criterion(np.ones(1))
    assert Allowance(9, np.inf).seconds_left(20.0) == 20.0
    assert 0.0 <= Allowance(9, time.perf_counter() + 5.0).seconds_left(20.0) <= 5.0
    assert Allowance(9, time.perf_counter() - 5.0).seconds_left(20.0) == 0.0


def test_whoever_listens_knows_what_is_tried_and_can_end_it():
    told = []

    def listen(trying, evaluation, allowance):
        told.append((trying, evaluation.value, allowance.first))
        return len(told) == 3

    allowance = Allowance(99, np.inf, listen)
    criterion = allowance.spend(bowl, 2)
    allowance.begin("shared")
    criterion(np.array([1.0]))
    criterion(np.array([2.0]))
    allowance.begin("per-layer")
    with pytest.raises(EndedError):
        criterion(np.array([3.0]))
    assert told == [("shared", 1.0, True), ("shared", 4.0, False), ("per-layer", 9.0, True)]
    assert allowance.ended
