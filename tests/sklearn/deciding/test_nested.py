"""Several numbers against one, on criteria whose best numbers are known."""

from dataclasses import replace

import numpy as np
import pytest

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.candidates import SHARED, Candidate, Tuned
from argrad.sklearn.deciding.nested import Several, can_win, compare
from argrad.sklearn.deciding.stopping import BudgetError, EndedError

FOLDS = np.arange(60).reshape(6, 10)
SPLITS = [(np.setdiff1d(FOLDS, fold), fold) for fold in FOLDS]
OWN = Candidate("per-layer", 0.0)


def bowls(best):
    """Of splits, F(h) = mean over validation parts of 1 + ‖h − best of that fold‖²."""

    def criterion_for(splits):
        wanted = np.array([best[valid[0] // 10] for _, valid in splits])

        def criterion(h):
            away = h - wanted
            losses = 1.0 + (away**2).sum(axis=1)
            return Evaluation(h, float(losses.mean()), losses, 2 * away.mean(axis=0), None)

        return criterion

    return criterion_for


def several(size=3, tie=None):
    tie = np.zeros(size, dtype=int) if tie is None else tie
    return Several(tie, {OWN: np.arange(size)}, np.full(size, -9.0), np.full(size, 9.0))


def test_several_are_taken_where_every_fold_wants_the_same_ones(rng):
    best = np.array([1.0, -1.0, 2.0]) + 0.05 * rng.normal(size=(6, 3))
    decision = compare(bowls(best), SPLITS, several(), np.zeros(3), 0.5)
    assert decision.chosen == OWN
    np.testing.assert_allclose(decision.log_values, best.mean(axis=0), atol=0.05)
    assert list(decision.results["candidate"]) == ["shared", "per-layer"]
    # Of h̄ without fold o the loss on o: 1 + ‖6/5 (h_o − h̄)‖², since h_o itself has no part in it.
    away = 1.2 * (best - best.mean(axis=0))
    own = 1.0 + (away**2).sum(axis=1)
    assert decision.results["unseen_loss"][1] == pytest.approx(own.mean(), abs=1e-3)
    level = best.mean()
    one = 1.0 + ((best - (6 * level - best.mean(axis=1, keepdims=True)) / 5) ** 2).sum(axis=1)
    assert decision.results["unseen_loss"][0] == pytest.approx(one.mean(), rel=1e-2)


def test_one_is_kept_where_folds_want_different_ones(rng):
    """best = m + e with means of zero over the numbers, e over the folds too; |e|² = 3, |m|² = 0.2.

    One number is 0 whatever is left out and loses 1 + |m|² + |e|²; several lose 1 + |6/5 e|².
    """
    e, m = rng.normal(size=(6, 3)), rng.normal(size=3)
    e -= e.mean(axis=0)
    e -= e.mean(axis=1, keepdims=True)
    e *= np.sqrt(3 / (e**2).sum(axis=1).mean())
    m -= m.mean()
    m *= np.sqrt(0.2 / (m @ m))
    decision = compare(bowls(m + e), SPLITS, several(), np.ones(3), 0.5)
    assert decision.chosen == SHARED
    assert np.ptp(decision.log_values) < 1e-12
    np.testing.assert_allclose(decision.results["cv_loss"], [4.2, 4.0], rtol=2e-3)
    np.testing.assert_allclose(decision.results["unseen_loss"], [4.2, 1 + 1.44 * 3], rtol=2e-2)


def test_numbers_of_other_groups_are_not_tied(rng):
    best = np.array([1.0, -1.0, 5.0]) + 0.05 * rng.normal(size=(6, 3))
    start, tie = np.zeros(3), np.array([0, 0, 1])
    noisy = best + np.array([8.0, -8.0, 0.0]) * np.sign(rng.permutation(6)[:, None] - 2.5)
    decision = compare(bowls(noisy), SPLITS, several(3, tie), start, 0.5)
    assert decision.chosen == SHARED
    a, b, c = decision.log_values
    assert a == pytest.approx(b)
    assert c == pytest.approx(5.0, abs=0.2)


def test_what_was_found_is_not_tuned_again(rng):
    best, told = np.array([1.0, -1.0]) + 0.05 * rng.normal(size=(6, 2)), []
    found = Tuned(OWN, best.mean(axis=0), 1.23)
    ways = several(2)
    decision = compare(bowls(best), SPLITS, ways, np.zeros(2), 0.5, found, told.append)
    assert decision.log_values is found.log_values
    assert decision.results["cv_loss"][1] == 1.23
    assert told == ["shared", *(f"shared and per-layer, without fold {o}" for o in range(6))]


def test_the_best_of_several_ways(rng):
    """Where each pair wants numbers of its own, four numbers are no better than the two pairs."""
    best = np.array([1.0, 1.0, -1.0, -1.0]) + 0.2 * rng.normal(size=(6, 4))
    best -= best.mean(axis=0) - [1.0, 1.0, -1.0, -1.0]
    pairs = Candidate("grouped", 0.0)
    ways = replace(several(4), ways={pairs: np.array([0, 0, 1, 1]), OWN: np.arange(4)})
    decision = compare(bowls(best), SPLITS, ways, np.zeros(4), 0.5)
    assert list(decision.results["candidate"]) == ["shared", "grouped", "per-layer"]
    assert decision.chosen == pairs
    np.testing.assert_allclose(decision.log_values, [1, 1, -1, -1], atol=0.1)


def test_folds_that_cannot_change_it_are_not_looked_at(rng):
    """Two losses of six folds leave √((6 − 2) · 5 / 2) = 3.16 standard errors at most."""
    best = np.zeros((6, 2))
    best[:, 0], best[:, 1] = [-3.0, 3.0, 1.0, 1.0, 1.0, 1.0], [3.0, -3.0, -1.0, -1.0, -1.0, -1.0]
    told = []
    rule = {"trying": told.append, "early": True}
    decision = compare(bowls(best), SPLITS, several(2), np.zeros(2), 3.2, **rule)
    assert decision.chosen == SHARED
    assert told[-1] == "shared and per-layer, without fold 1"
    assert decision.reason.endswith(" (the first 2 of 6 folds left no doubt)")
    for doubt, early in ((0.5, True), (3.2, False)):
        rule["early"] = early
        decision = compare(bowls(best), SPLITS, several(2), np.zeros(2), doubt, **rule)
        assert told[-1] == "shared and per-layer, without fold 5"
        assert not decision.reason.endswith("no doubt)")


@pytest.mark.parametrize("doubt", [0.5, 1.5, 3.0])
def test_whether_it_can_be_won_is_what_a_search_finds(rng, doubt):
    """The most standard errors by any gains on the other folds, all alike or not."""
    for known in (1, 2, 3, 4, 5):
        gains = rng.normal(size=known)
        rest = rng.exponential(size=(20000, 5 - known)) * 10.0 ** rng.uniform(-2, 4, (20000, 1))
        alike = np.repeat(np.geomspace(1e-3, 1e9, 20000)[:, None], 5 - known, axis=1)
        every = np.hstack([np.tile(gains, (40000, 1)), np.vstack([rest, alike])])
        errors = every.mean(axis=1) / (every.std(axis=1, ddof=1) / np.sqrt(5))
        most = float(errors.max())
        if abs(most - doubt) > 0.01:
            assert can_win(gains, 5, doubt) == (most > doubt)


def test_a_thousandth_of_the_cv_loss_is_nothing(rng):
    best = np.zeros((6, 2)) + np.array([0.01, -0.01])
    decision = compare(bowls(best), SPLITS, several(2), np.ones(2), 0.5)
    assert decision.chosen == SHARED
    assert decision.results.empty
    assert "lowers even the CV loss, of 1, by less than a thousandth" in decision.reason


@pytest.mark.parametrize(
    ("splits", "why"),
    [
        (SPLITS[:1], "with a single split"),
        ([(np.delete(np.arange(60), [i]), np.array([i])) for i in range(60)], "of 60 folds"),
    ],
)
def test_folds_that_cannot_be_left_out(rng, splits, why):
    best = np.array([3.0, -3.0]) + rng.normal(size=(6, 2))
    decision = compare(bowls(best), splits, several(2), np.zeros(2), 0.5)
    assert decision.chosen == SHARED
    assert why in decision.reason


@pytest.mark.parametrize(
    ("error", "ended", "why"),
    [
        (BudgetError(), False, "before two folds"),
        (EndedError(), True, "before two folds"),
        (KeyboardInterrupt(), True, "before two folds"),
        (SolveError("flat"), False, "a fold had no solution (flat)"),
    ],
)
def test_an_early_end_leaves_what_is_known(rng, error, ended, why):
    best = np.array([3.0, -3.0]) + 0.1 * rng.normal(size=(6, 2))
    after = {"splits": 1}

    def criterion_for(splits):
        after["splits"] -= 1
        if after["splits"] < 0:
            raise error
        return bowls(best)(splits)

    decision = compare(criterion_for, SPLITS, several(2), np.zeros(2), 0.5)
    assert decision.chosen == SHARED
    assert why in decision.reason
    assert decision.ended == ended
    assert decision.interrupted == isinstance(error, KeyboardInterrupt)
    after["splits"] = 4  # all folds, and without each of three
    decision = compare(criterion_for, SPLITS, several(2), np.zeros(2), 0.5)
    assert decision.chosen == OWN
    assert decision.ended == ended


def test_a_way_without_a_solution_is_left_out_by_name(rng):
    """One a pair, tuned without fold 2, leaves that fold without one; four numbers are taken."""
    best = np.array([1.0, 0.5, -1.0, -0.5]) + 0.02 * rng.normal(size=(6, 4))
    pairs, tried = Candidate("grouped", 0.0), []
    ways = replace(several(4), ways={pairs: np.array([0, 0, 1, 1]), OWN: np.arange(4)})

    def criterion_for(splits):
        found = bowls(best)(splits)

        def criterion(h):
            paired = h[0] == h[1] and h[0] != h[2]
            if len(splits) in (1, 6) and paired and tried[-1].endswith("without fold 2"):
                raise SolveError("no pairs")
            return found(h)

        return criterion

    decision = compare(criterion_for, SPLITS, ways, np.zeros(4), 0.5, trying=tried.append)
    assert decision.chosen == OWN
    assert decision.results["candidate"].tolist() == ["shared", "per-layer"]
    assert decision.reason.endswith("left out, as a fold had no solution: grouped (no pairs)")
    one = replace(ways, ways={pairs: np.array([0, 0, 1, 1])})
    decision = compare(criterion_for, SPLITS, one, np.zeros(4), 0.5, trying=tried.append)
    assert decision.chosen == SHARED
    assert decision.results.empty
    assert "a fold had no solution with grouped (no pairs)" in decision.reason
    assert decision.log_values[0] == pytest.approx(best.mean(), abs=0.01)


def test_other_folds_are_no_matter_where_one_is_measured(rng):
    best = np.array([1.0, -1.0, 2.0]) + 0.05 * rng.normal(size=(6, 3))

    def criterion_for(splits):
        found, tuned = bowls(best)(splits), best.mean(axis=0)

        def criterion(h):
            if len(splits) == 6 and np.ptp(h) > 0 and np.abs(h - tuned).max() > 1e-3:
                raise SolveError("none in another fold")
            return found(h)

        return criterion

    own = Tuned(OWN, best.mean(axis=0), 1.0)
    decision = compare(criterion_for, SPLITS, several(), np.zeros(3), 0.5, own)
    assert decision.chosen == OWN
    away = 1.2 * (best - best.mean(axis=0))
    unseen = (1.0 + (away**2).sum(axis=1)).mean()
    assert decision.results["unseen_loss"][1] == pytest.approx(unseen, abs=1e-3)
