"""The pairs of several classes are fitted at once; what they are polished from is each pair's."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.svm import SVC

from argrad.sklearn.criteria.kernel_machine import FoldKernel, solve_duals
from argrad.sklearn.models.kernel import Kernel
from argrad.sklearn.models.margins import Problem


@pytest.mark.parametrize("count", [2, 5])
def test_each_pair_is_that_of_scikit_learn(count, rng):
    codes = rng.permutation(np.arange(30 * count) % count)
    X = rng.normal(size=(len(codes), 3)) + rng.normal(size=(count, 3))[codes]
    squares = ((X[:, None] - X) ** 2).sum(2)
    weight, train = rng.uniform(0.5, 2, len(codes)), np.arange(len(codes)) % 4 > 0
    problems = []
    for a, b in combinations(range(count), 2):
        i, j = (np.flatnonzero(np.isin(codes, [a, b]) & part) for part in (train, ~train))
        i_sign, j_sign = (np.where(codes[rows] == b, 1.0, -1.0) for rows in (i, j))
        problems.append(Problem(i, i_sign, weight[i], j, j_sign, np.ones(len(j))))
    kernel = FoldKernel.of(Kernel("rbf"), squares, 0.3)
    outcomes = solve_duals(kernel, problems, {"C": 2.0}, codes.astype(float))
    assert len(outcomes) == len(problems)
    for problem, outcome in zip(problems, outcomes, strict=True):
        machine = SVC(C=2.0, gamma=0.3, tol=1e-8)
        rows = problem.train
        machine.fit(X[rows], problem.target, sample_weight=problem.cost)
        wanted = machine.decision_function(X[problem.valid])
        np.testing.assert_allclose(outcome.values, wanted, atol=1e-5)
        # Begun at another pair's coefficients, or of another sign, it takes dozens of changes.
        assert outcome.solution.changes <= 3
