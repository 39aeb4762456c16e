"""Wrong labels found by weights of rows."""

import numpy as np

from examples import data_cleaning as cleaning


def test_what_is_named_as_wrong_is_wrong():
    doubtful, wrong, right, _ = cleaning.task(seed=3)
    ranking = cleaning.suspects(doubtful, right)
    assert sorted(ranking.row) == list(range(cleaning.TRAIN))
    assert ranking.weight.is_monotonic_increasing
    np.testing.assert_array_equal(ranking.label, doubtful.y[ranking.row])
    named = ranking.row[ranking.weight < 0.5]
    assert wrong[named].mean() >= 0.93
    assert wrong[named].sum() >= 0.9 * wrong.sum()


def test_half_of_the_labels_are_wrong_and_the_rest_of_the_rows_is_right():
    doubtful, wrong, right, test = cleaning.task(seed=0)
    assert wrong.sum() == cleaning.TRAIN // 2
    assert len(right.y) == cleaning.RIGHT
    assert len(doubtful.y) + len(right.y) + len(test.y) == 1797
    true = cleaning.LogisticRegression(max_iter=1000).fit(*right.and_also(test))
    found = true.predict(doubtful.X) == doubtful.y
    assert found[wrong].mean() < 0.02
    assert found[~wrong].mean() > 0.95
