"""The decision on unseen folds: against scikit-learn's nested loop, and on known truths."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit
from sklearn.preprocessing import StandardScaler

from argrad import SolveError
from argrad.sklearn import PerFeature
from argrad.sklearn.criteria.criterion import Criterion, Evaluation
from argrad.sklearn.deciding.candidates import (
    ADAPTIVE,
    GROUPED,
    PER_CLASS,
    SHARED,
    STRENGTHS,
    Box,
    Candidate,
    Objectives,
    path,
)
from argrad.sklearn.deciding.granularity import choose, decide, restricted
from argrad.sklearn.deciding.stopping import BudgetError
from argrad.sklearn.models import model_of
from argrad.sklearn.rows.folds import stack_folds

from ..reference import reference_loss, ridge


def criteria(X, y):
    """Criteria of ridge regression, one penalty a column, of any splits."""
    model, encoded = model_of(ridge()).for_target(y)

    def make(splits):
        folds = stack_folds(StandardScaler(), X, y, encoded.values, splits, True)
        return Objectives(Criterion(model, folds, PerFeature(1e-4, 1e4)))

    return make


def box_of(criterion):
    start = criterion.start()
    return Box(start.min() - 9.0, start.max() + 9.0, start)


def regression(rng, n, d, informative, noise):
    w = np.zeros(d)
    w[:informative] = rng.choice([-1.0, 1.0], size=informative)
    X = rng.normal(size=(n, d))
    return X, X @ w + noise * rng.normal(size=n)


def decided(X, y, cv=5, groups=None):
    make = criteria(X, y)
    splits = list(KFold(cv).split(X))
    return decide(make, splits, box_of(make(splits).each), groups)


def test_inner_folds_never_see_the_fold_left_out(rng):
    rows = rng.permutation(60)
    splits = [(rows[train], rows[valid]) for train, valid in KFold(6).split(rows)]
    for o, (train, valid) in enumerate(splits):
        inner = restricted(splits, train)
        assert len(inner) == 5
        for inner_train, inner_valid in inner:
            assert not np.isin(valid, np.concatenate([inner_train, inner_valid])).any(), o
            assert not np.intersect1d(inner_train, inner_valid).size
        held_out = np.concatenate([inner_valid for _, inner_valid in inner])
        np.testing.assert_array_equal(np.sort(held_out), np.sort(train))


def test_inner_folds_respect_groups_and_time(rng):
    groups = rng.integers(0, 12, size=80)
    splits = list(GroupKFold(4).split(groups, groups=groups))
    for train, _ in splits:
        for inner_train, inner_valid in restricted(splits, train):
            assert not np.intersect1d(groups[inner_train], groups[inner_valid]).size
    splits = list(TimeSeriesSplit(4).split(np.arange(50)))
    for o, (train, _) in enumerate(splits):
        inner = restricted(splits, train)
        assert len(inner) == o
        assert all(inner_train.max() < inner_valid.min() for inner_train, inner_valid in inner)


def test_unseen_loss_is_scikit_learns_nested_loop(rng):
    """For the shared penalty: tuned by SciPy on the inner folds, and measured on the outer one."""
    X, y = regression(rng, 90, 5, 5, 3.0)
    found = decided(X, y, cv=3)
    splits = list(KFold(3).split(X))
    losses = []
    for train, valid in splits:
        inner = restricted(splits, train)

        def loss(h):
            return reference_loss(ridge(), np.exp(h), X, y, inner)

        h = minimize_scalar(loss, bounds=(-5.0, 12.0), method="bounded", options={"xatol": 1e-4}).x
        losses.append(reference_loss(ridge(), np.exp(h), X, y, [(train, valid)]))
    row = found.results.iloc[0]
    assert row["candidate"] == "shared"
    # Tuning ends where the criterion is flat to a millionth, the unseen loss being less flat.
    assert row["unseen_loss"] == pytest.approx(np.mean(losses), rel=1e-3)
    assert row["standard_error"] == pytest.approx(np.std(losses, ddof=1) / 3**0.5, rel=2e-2)


def test_columns_of_noise_are_given_penalties_of_their_own():
    """Four strong columns among forty: what unseen rows say is far beyond chance."""
    X, y = regression(np.random.default_rng(0), 150, 40, 4, 1.0)
    found = decided(X, y)
    assert found.chosen.granularity == "per-feature"
    assert found.log_values[:4].max() < found.log_values[4:].mean()
    table = found.results.set_index("candidate")
    assert table.loc[str(found.chosen), "unseen_loss"] < 0.9 * table.loc["shared", "unseen_loss"]


def test_freedom_that_does_not_pay_is_not_taken():
    """Columns that matter alike, in a few rows: every penalty of its own only fits the folds."""
    X, y = regression(np.random.default_rng(1), 60, 15, 15, 6.0)
    found = decided(X, y)
    table = found.results
    assert found.chosen == SHARED
    assert table["cv_loss"].iloc[-1] < table["cv_loss"].iloc[0]  # the criterion would have it
    assert table["unseen_loss"].iloc[-1] > table["unseen_loss"].iloc[0]
    assert found.optimism == pytest.approx(
        table["unseen_loss"].iloc[0] - table["cv_loss"].iloc[0], rel=1e-12
    )


def test_groups_that_are_the_truth_are_taken():
    X, y = regression(np.random.default_rng(2), 120, 30, 3, 2.0)
    groups = np.repeat([0, 1], [3, 27])
    found = decided(X, y, groups=groups)
    assert found.chosen.granularity == "grouped"
    assert len(np.unique(found.log_values)) == 2


def test_the_lowest_mean_unless_the_shared_one_is_about_as_good(rng):
    shared = rng.uniform(1.0, 2.0, size=5)
    assert choose(np.array([shared, shared - 0.1, shared - 0.2, shared + 0.1])) == 2
    assert choose(np.array([shared, shared])) == 0
    gain = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    error = gain.std(ddof=1) / 5**0.5
    assert choose(np.array([shared, shared - gain - 0.49 * error])) == 0
    assert choose(np.array([shared, shared - gain - 0.51 * error])) == 1
    assert choose(np.array([shared[:1], shared[:1] - 1.0])) == 0
    assert choose(np.array([shared, shared - gain - 1.9 * error]), doubt=2.0) == 0
    assert choose(np.array([shared, shared - gain - 2.1 * error]), doubt=2.0) == 1


class Valley:
    """F(h) = mean_j (h_j − m_j)² + 1 in each of k folds, failing after so many evaluations."""

    def __init__(self, m, k, log, error=None, after=np.inf):
        self.m, self.k, self.log, self.error, self.after = m, k, log, error, after

    def __call__(self, h):
        self.log.append(h)
        if len(self.log) > self.after:
            raise self.error
        away = h - self.m
        value = float(np.mean(away**2)) + 1.0
        return Evaluation(h, value, np.full(self.k, value), 2 * away / len(away), None)


def valleys(m, log=None, kind=Valley, **more):
    """Objectives of any splits, with the same minimum."""
    m, log = np.array(m), [] if log is None else log
    return lambda splits: Objectives(kind(m, len(splits), log, **more))


def valley(splits, error=None, after=np.inf, m=(-1.0, 0.0, 3.0)):
    log: list = []
    box = Box(-5.0, 5.0, np.zeros(3))
    return decide(valleys(m, log, error=error, after=after), splits, box), log


def test_where_nothing_overfits_there_is_no_prior():
    found, _ = valley(list(KFold(4).split(np.arange(40))))
    assert found.chosen.prior_strength == 0.0
    assert len(found.results) == 1 + len(STRENGTHS)
    np.testing.assert_allclose(found.log_values, [-1.0, 0.0, 3.0], atol=0.05)
    assert found.optimism == pytest.approx(0.0, abs=1e-12)


def test_where_the_cv_loss_gains_nothing_nothing_is_compared():
    splits = list(KFold(4).split(np.arange(40)))
    found, log = valley(splits, m=np.full(3, 0.5))
    assert found.chosen == SHARED
    assert found.results["candidate"].tolist() == ["shared"]
    assert found.optimism == pytest.approx(0.0, abs=1e-12)
    assert len(log) < len(valley(splits)[1]) / 2


def test_what_is_gained_in_a_few_rows_is_not_gained_in_many():
    """In a thousandth of them even a gain of two thirds: 1 instead of 3.9."""
    splits, box = list(KFold(4).split(np.arange(40))), Box(-5.0, 5.0, np.zeros(3))
    for part, granularity in ((1e-2, "per-feature"), (1e-3, "shared")):
        found = decide(valleys([-1.0, 0.0, 3.0]), splits, box, part=part)
        assert found.chosen.granularity == granularity


def test_points_without_a_solution_are_kept_away_from():
    """The criterion fails where penalties are far apart: the best is just before that."""

    class Cliff(Valley):
        def __call__(self, h):
            if np.ptp(h) > 2.0:
                raise SolveError("no solution")
            return super().__call__(h)

    splits = list(KFold(4).split(np.arange(40)))
    box = Box(-5.0, 5.0, np.zeros(3))
    found = decide(valleys([-1.0, 0.0, 3.0], kind=Cliff), splits, box)
    assert found.chosen.granularity == "per-feature"
    assert 1.0 < np.ptp(found.log_values) <= 2.0


@pytest.mark.parametrize("error", [BudgetError(), KeyboardInterrupt()])
def test_what_was_measured_in_full_counts_when_it_ends_early(error):
    splits = list(KFold(4).split(np.arange(40)))
    full, log = valley(splits)
    found, _ = valley(splits, error, after=len(log) // 2)
    measured = len(found.results)
    assert 1 < measured < len(full.results)
    assert found.results.equals(full.results.iloc[:measured])
    assert found.chosen.granularity == "per-feature"
    assert found.interrupted == isinstance(error, KeyboardInterrupt)
    nothing, _ = valley(splits, error, after=2)
    assert nothing.chosen == SHARED
    assert nothing.results.empty
    assert np.isnan(nothing.optimism)
    assert "before the decision ended" in nothing.reason
    # The shared penalty is where its tuning ended, if that was ended.
    shared = next(path(valleys([-1.0, 0.0, 3.0])(splits), Box(-5.0, 5.0, np.zeros(3)), None))
    partly, log = valley(splits, error, after=12)
    assert partly.results.empty
    np.testing.assert_array_equal(partly.log_values, shared.log_values)


def test_what_is_clearly_the_best_ends_the_tuning_of_others():
    """Adaptive penalties that lose half of what one penalty a column does at its best."""
    splits, tried = list(KFold(4).split(np.arange(40))), []

    def make(some):
        own = Valley(np.array([1.0, 2.0]), len(some), [])

        def adaptive(h):
            found = own(h)
            losses = found.split_losses * np.linspace(0.4, 0.6, len(some))
            return Evaluation(h, float(losses.mean()), losses, 0.5 * found.gradient, None)

        return valleys([-1.0, 0.0, 3.0])(some)._replace(adaptive=adaptive)

    found = decide(make, splits, Box(-5.0, 5.0, np.zeros(3)), trying=tried.append)
    assert found.chosen == ADAPTIVE
    np.testing.assert_allclose(found.log_values, [1.0, 2.0], atol=0.05)
    assert found.results["candidate"].tolist() == ["shared", "adaptive", "per-feature, prior 1"]
    assert "per-feature, prior 0.3" not in tried
    assert found.optimism == pytest.approx(0.0, abs=1e-3)
    assert found.reason.startswith("adaptive: loses 0.5")


def test_one_split_leaves_nothing_unseen():
    found, _ = valley([(np.arange(30), np.arange(30, 40))])
    assert found.chosen == SHARED
    assert np.isnan(found.optimism)
    assert found.results["candidate"].tolist() == ["shared"]
    assert found.results["cv_loss"].notna().all()


def test_a_penalty_a_class_is_one_of_the_candidates():
    """F has its minimum where classes differ and columns do not: h holds columns by classes."""
    splits = list(KFold(4).split(np.arange(40)))
    box = Box(-5.0, 5.0, np.zeros(6))
    tried = []

    def found(m, groups=None):
        tried.clear()
        return decide(valleys(m), splits, box, groups, outputs=3, trying=tried.append)

    by_class = found([-1.0, 0.0, 3.0, -1.0, 0.0, 3.0])
    assert by_class.chosen == PER_CLASS
    np.testing.assert_allclose(by_class.log_values, [-1.0, 0.0, 3.0] * 2, atol=1e-2)
    assert tried[:3] == ["shared", "per-class", "shared, without fold 0"]
    assert tried.index("per-feature, prior 1") > tried.index("per-class, without fold 3")
    assert "per-class, without fold 3" in tried
    by_column = found([-1.0, -1.0, -1.0, 2.0, 2.0, 2.0])
    assert by_column.chosen == Candidate("per-feature", 0.0)
    np.testing.assert_allclose(by_column.log_values, [-1.0] * 3 + [2.0] * 3, atol=3e-2)
    by_group = found([-1.0, -1.0, -1.0, 2.0, 2.0, 2.0], np.array([0, 1]))
    assert by_group.chosen == GROUPED
    np.testing.assert_allclose(by_group.log_values, by_column.log_values, atol=5e-2)


def test_the_reason_names_both_numbers():
    splits = list(KFold(4).split(np.arange(40)))
    free, _ = valley(splits)
    table = free.results.set_index("candidate")["unseen_loss"]
    assert free.reason.startswith(f"per-feature: loses {table['per-feature']:.4g} on unseen folds")
    assert f"shared loses {table['shared']:.4g}" in free.reason
    assert repr(free).startswith(free.reason)
    flat, _ = valley(splits, m=(1.0, 1.0, 1.0))
    assert flat.reason.startswith("shared: more freedom would lower even the CV loss")
    single, _ = valley([(np.arange(30), np.arange(30, 40))])
    assert "single split" in single.reason
    X, y = regression(np.random.default_rng(1), 60, 15, 15, 6.0)
    kept = decided(X, y)
    losses = kept.results["unseen_loss"]
    assert kept.reason.startswith(f"shared: loses {losses[0]:.4g} on unseen folds; per-feature")
    assert f"{losses[1:].min():.4g}" in kept.reason


def test_candidates_without_a_solution_are_left_out_by_name():
    """Penalties of groups, tuned without fold 1, leave that fold without one."""
    splits, groups, tried = list(KFold(4).split(np.arange(40))), np.array([0, 0, 1]), ["shared"]

    class Groups(Valley):
        def __call__(self, h):
            if self.k in (1, 4) and tried[-1] == "grouped, without fold 3":
                raise SolveError("none with groups")
            return super().__call__(h)

    box = Box(-5.0, 5.0, np.zeros(3))
    found = decide(valleys([-1.0, 0.0, 3.0], kind=Groups), splits, box, groups, trying=tried.append)
    assert found.chosen == Candidate("per-feature", 0.0)
    assert found.results["candidate"].tolist()[:2] == ["shared", "per-feature, prior 1"]
    assert found.reason.endswith("left out, as a fold had no solution: grouped (none with groups)")
    np.testing.assert_allclose(found.log_values, [-1.0, 0.0, 3.0], atol=0.05)


def test_a_fold_without_a_solution_where_another_was_left_out_is_no_matter():
    splits, tried, alone = list(KFold(4).split(np.arange(40))), [], []

    class Apart(Valley):
        def __call__(self, h):
            if self.k == 4 and "without" in tried[-1]:
                raise SolveError("none in another fold")
            if self.k == 1:
                alone.append(h)
            return super().__call__(h)

    box = Box(-5.0, 5.0, np.zeros(3))
    found = decide(valleys([-1.0, 0.0, 3.0], kind=Apart), splits, box, trying=tried.append)
    assert len(alone) == 4 * len(found.results)
    assert len(found.results) == 1 + len(STRENGTHS)
    assert found.chosen == Candidate("per-feature", 0.0)


def test_where_nothing_but_the_shared_penalty_has_a_solution_that_is_said():
    splits = list(KFold(4).split(np.arange(40)))

    class OnlyShared(Valley):
        def __call__(self, h):
            if np.ptp(h) > 0:
                raise SolveError("none apart")
            return super().__call__(h)

    box = Box(-5.0, 5.0, np.array([0.0, 0.0, 0.0]))
    found = decide(valleys([-1.0, 0.0, 3.0], kind=OnlyShared), splits, box, np.array([0, 0, 1]))
    assert found.chosen == SHARED
    assert found.log_values[0] == pytest.approx(2 / 3, abs=1e-2)
    assert found.reason.startswith("shared: more freedom would lower even the CV loss")
