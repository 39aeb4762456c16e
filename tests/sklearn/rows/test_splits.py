import numpy as np
import pytest
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
)

from argrad.sklearn.rows.splits import make_splits

X = np.zeros((12, 1))
CLASSES = np.array([0, 1])
Y = np.array([0] * 8 + [1] * 4)


def test_a_number_stratifies_classes_only():
    splits = make_splits(4, X, Y, CLASSES, {})
    expected = StratifiedKFold(4).split(X, Y)
    for found, wanted in zip(splits, expected, strict=True):
        np.testing.assert_array_equal(found[1], wanted[1])
    assert make_splits(4, X, Y * 1.0, None, {})[0][1].tolist() == [0, 1, 2]


def test_splitters_groups_and_pairs():
    assert len(make_splits(KFold(3), X, Y * 1.0, None, {})) == 3
    groups = np.arange(12) % 3
    for _, valid in make_splits(GroupKFold(3), X, Y * 1.0, None, {"groups": groups}):
        assert len(set(groups[valid])) == 1
    pair = (np.arange(12) < 6, np.arange(6, 12))
    train, valid = make_splits([pair], X, Y * 1.0, None, {})[0]
    assert train.tolist() == list(range(6))
    assert valid.tolist() == list(range(6, 12))


def test_one_predefined_split_is_enough():
    fold = np.where(np.arange(12) < 9, -1, 0)
    for cv in (PredefinedSplit(fold), [(np.arange(9), np.arange(9, 12))]):
        ((train, valid),) = make_splits(cv, X, Y * 1.0, None, {})
        assert train.tolist() == list(range(9))
        assert valid.tolist() == [9, 10, 11]


def test_none_is_five_folds():
    assert len(make_splits(None, X, Y * 1.0, None, {})) == 5


@pytest.mark.parametrize(("classes", "kind"), [(None, KFold), (CLASSES, StratifiedKFold)])
def test_a_random_state_draws_the_folds_of_a_number(classes, kind):
    y = Y if classes is not None else Y * 1.0
    found = make_splits(3, X, y, classes, {}, 7)
    for pair, wanted in zip(found, kind(3, shuffle=True, random_state=7).split(X, y), strict=True):
        np.testing.assert_array_equal(pair[1], wanted[1])
    assert any(
        a[1].tolist() != b[1].tolist()
        for a, b in zip(found, make_splits(3, X, y, classes, {}), strict=True)
    )
    # It is of no concern to a splitter, which has its own.
    plain = make_splits(kind(3), X, y, classes, {}, 7)
    assert plain[0][1].tolist() == make_splits(3, X, y, classes, {})[0][1].tolist()


@pytest.mark.parametrize("cv", [GroupKFold(3), LeaveOneGroupOut()])
def test_missing_groups_are_asked_for(cv):
    with pytest.raises(ValueError, match=rf"{type(cv).__name__} splits by groups.*groups=groups"):
        make_splits(cv, X, Y * 1.0, None, {"groups": None})


def test_random_splits_may_be_more_than_rows():
    assert len(make_splits(ShuffleSplit(20, random_state=0), X, Y * 1.0, None, {})) == 20


@pytest.mark.parametrize(
    ("cv", "classes", "said"),
    [
        (13, None, "cv=13 asks for 13 folds, but there are only 12 rows"),
        (1, None, "cv=1 folds are too few.*ask for 2 or more"),
        ("5", None, "cv='5' is not a way to split rows"),
        (2.5, None, r"cv=2\.5 is not a way to split rows"),
        (KFold(13), None, "only 12 rows"),
        (10, CLASSES, "no class has more than 8 rows"),
        ([], None, "gives no folds"),
        ([([0, 1], [])], None, "fold 0 has no validation rows"),
        ([([0, 1], [2]), ([0, 12], [1])], None, "fold 1 names training row 12"),
        (KFold(2), CLASSES, "no training row of fold 0 is of class .*0"),
    ],
)
def test_splits_that_cannot_be_used(cv, classes, said):
    y = np.sort(Y) if classes is not None else Y * 1.0
    if isinstance(cv, KFold) and classes is not None:
        y = np.array([0] * 6 + [1] * 6)
    with pytest.raises(ValueError, match=said):
        make_splits(cv, X, y, classes, {})


def test_rows_without_weight_do_not_count_for_their_class():
    weights = np.where(CLASSES[Y] == 1, 0.0, 1.0)
    weights[8] = 1.0  # one row of class 1, which is left out once
    with pytest.raises(
        ValueError, match=r"of fold 0 with a positive sample_weight is of class .*1"
    ):
        make_splits(2, X, Y, CLASSES, {}, None, weights)
    weights[10:] = 1.0
    assert len(make_splits(2, X, Y, CLASSES, {}, None, weights)) == 2
