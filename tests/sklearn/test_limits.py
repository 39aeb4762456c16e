import time

import pytest

from argrad.sklearn.limits import Limits, limits_of


def limits(max_fits=None, timeout=None, **changes):
    settings = {"fits_each": 5, "fits_after": 1, "default": 12, **changes}
    return limits_of(max_fits, timeout, time.perf_counter(), **settings)


@pytest.mark.parametrize(
    ("max_fits", "changes", "evaluations"),
    [
        (None, {}, 12),
        (6, {}, 1),
        (10, {}, 1),
        (11, {}, 2),
        (10, {"fits_after": 0}, 2),
        (21, {"fits_each": 10}, 2),
    ],
)
def test_all_fits_are_counted(max_fits, changes, evaluations):
    assert limits(max_fits, **changes).evaluations == evaluations


def test_enough_evaluations_end_it():
    few = limits(11)
    assert few.allow(1)
    assert not few.allow(2)


def test_time_ends_it():
    now = time.perf_counter()
    assert not Limits(100, 3.0, now - 4.0).allow(1)
    assert Limits(100, 60.0, now - 4.0).allow(1)
    assert Limits(100, None, now - 1e6).allow(1)
    assert Limits(100, None, now - 4.0).elapsed() == pytest.approx(4.0, abs=1.0)


def test_time_left_goes_by_the_pace_after_the_first():
    now = time.perf_counter()
    assert Limits(10, None, now).seconds_left([2.0]) == pytest.approx(18.0)
    assert Limits(10, None, now).seconds_left([2.0, 0.25, 0.75]) == pytest.approx(7 * 0.5)
    assert Limits(10, 4.0, now - 3.0).seconds_left([2.0, 0.25, 0.75]) == pytest.approx(1.0, abs=0.5)
    assert Limits(10, 2.0, now - 3.0).seconds_left([2.0, 0.25, 0.75]) == 0.0
    assert Limits(3, None, now).seconds_left([2.0, 0.25, 0.75]) == 0.0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_fits": 0}, "max_fits must be a whole number of at least 1, or None, got 0"),
        ({"max_fits": 20.5}, r"got 20\.5"),
        ({"max_fits": True}, "got True"),
        ({"max_fits": 5}, "that takes 5 fits, and 1 on all rows at the end. Set max_fits to 6"),
        ({"timeout": 0}, "timeout must be a positive number of seconds, or None, got 0"),
        ({"timeout": -1.0}, r"got -1\.0"),
        ({"timeout": float("nan")}, "got nan"),
        ({"timeout": float("inf")}, "got inf"),
        ({"timeout": "60"}, "got '60'"),
    ],
)
def test_impossible_limits(settings, said):
    with pytest.raises(ValueError, match=said):
        limits(**settings)
