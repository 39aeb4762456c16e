import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold

from argrad.sklearn.splits import make_splits

X = np.zeros((12, 1))
CLASSES = np.array([0, 1])
Y = np.array([0] * 8 + [1] * 4)


def test_a_number_stratifies_classes_only():
    splits = make_splits(4, X, Y, CLASSES, None)
    expected = StratifiedKFold(4).split(X, Y)
    for found, wanted in zip(splits, expected, strict=True):
        np.testing.assert_array_equal(found[1], wanted[1])
    assert make_splits(4, X, Y * 1.0, None, None)[0][1].tolist() == [0, 1, 2]


def test_splitters_groups_and_pairs():
    assert len(make_splits(KFold(3), X, Y * 1.0, None, None)) == 3
    groups = np.arange(12) % 3
    for _, valid in make_splits(GroupKFold(3), X, Y * 1.0, None, groups):
        assert len(set(groups[valid])) == 1
    pair = (np.arange(12) < 6, np.arange(6, 12))
    train, valid = make_splits([pair], X, Y * 1.0, None, None)[0]
    assert train.tolist() == list(range(6))
    assert valid.tolist() == list(range(6, 12))


def test_random_splits_may_be_more_than_rows():
    assert len(make_splits(ShuffleSplit(20, random_state=0), X, Y * 1.0, None, None)) == 20


@pytest.mark.parametrize(
    ("cv", "classes", "said"),
    [
        (13, None, "cv=13 asks for 13 folds, but there are only 12 rows"),
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
        make_splits(cv, X, y, classes, None)
