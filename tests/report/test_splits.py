from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from argrad.report.errors import TableError
from argrad.report.splits import split_rows
from argrad.report.target import read_target


def classes(*counts: int):
    labels = [letter for letter, count in zip("abcdef", counts, strict=False) for _ in range(count)]
    return read_target(pd.Series(labels), "kind")


def numbers(rows: int):
    return read_target(pd.Series(np.linspace(0.5, 7.0, rows)), "price")


@pytest.mark.parametrize("target", [classes(40, 20), numbers(60)])
def test_rows_are_set_aside_and_the_rest_is_folded(target):
    splits = split_rows(target, folds=5, test_size=0.25, seed=3)
    assert len(splits.test) == 15
    assert set(splits.train) | set(splits.test) == set(range(60))
    validated = np.concatenate([validation for _, validation in splits.folds])
    assert sorted(validated) == list(range(45))
    for train, validation in splits.folds:
        assert not set(train) & set(validation)


def test_shares_of_classes_are_kept():
    target = classes(40, 20)
    splits = split_rows(target, folds=5, test_size=0.25, seed=3)
    train = target.values[splits.train]
    assert (target.values[splits.test] == "a").sum() == 10
    assert all((train[validation] == "a").sum() == 6 for _, validation in splits.folds)


def test_the_seed_decides_the_rows():
    first, again, other = (split_rows(numbers(60), 5, 0.25, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.train, again.train)
    assert not np.array_equal(first.train, other.train)


@pytest.mark.parametrize(
    ("target", "folds", "test_size", "message"),
    [
        (numbers(5), 5, 0.25, "5 rows; with 2 set aside for testing, 3 are fewer than the 5 folds"),
        (numbers(50), 1, 0.25, "1 folds cannot cross-validate: use --cv 2"),
        (numbers(50), 5, 0.0, "test size of 0 is no share"),
        (numbers(50), 5, 25, "test size of 25 is no share"),
        (classes(30, 3), 5, 0.25, "class 'b' of 'kind' has 3 of the table's 33 rows, fewer"),
        (classes(30, 3, 2), 5, 0.25, "and 1 more classes are as rare"),
        (classes(30, 5), 5, 0.25, "class 'b' of 'kind' has 4 of the 26 rows kept for training"),
        (classes(30, 30, 30), 5, 0.02, "2 rows set aside for testing are fewer than the 3 classes"),
    ],
)
def test_too_few_rows_are_refused(target, folds, test_size, message):
    with pytest.raises(TableError, match=message):
        split_rows(target, folds, test_size, seed=0)


def test_rare_whole_numbers_suggest_regression():
    target = read_target(pd.Series([1] * 30 + [2] * 2), "rooms")
    with pytest.raises(TableError, match="or --task regression"):
        split_rows(target, 5, 0.25, 0)


@pytest.mark.parametrize("target", [numbers(120), classes(60, 60)])
def test_groups_stay_on_one_side_of_every_split(target, rng):
    groups = rng.integers(0, 15, 120)
    splits = split_rows(target, 4, 0.25, seed=1, groups=groups)
    assert not set(groups[splits.train]) & set(groups[splits.test])
    assert sorted([*splits.train, *splits.test]) == list(range(120))
    of_train = groups[splits.train]
    for train, validation in splits.folds:
        assert not set(of_train[train]) & set(of_train[validation])
    assert sorted(np.concatenate([valid for _, valid in splits.folds])) == list(
        range(len(splits.train))
    )


def test_too_few_groups_are_refused():
    with pytest.raises(TableError, match="of 5 groups; with 2 set aside for testing, 3 are fewer"):
        split_rows(numbers(50), 5, 0.25, 0, groups=np.arange(50) % 5)
    with pytest.raises(TableError, match="The class 'b' of 'kind' is not among"):
        split_rows(classes(40, 10), 3, 0.25, 0, groups=np.arange(50) // 10)  # b is one group
