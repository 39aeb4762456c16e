"""Accuracy against cost, on problems whose gradients are known in NumPy."""

import io
import re

import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

import argrad as ag
from argrad.bilevel.frontier import Row, recommend

D = 8


def lower(y, x, H):
    return 0.5 * y @ H @ y - x @ y


def upper(y, x, H):
    return 0.5 * jnp.sum((y - 1) ** 2)


class Problem:
    """y* = H⁻¹x, so that the gradient is H⁻¹(y* − 1) and each approximation another matrix."""

    def __init__(self, rng):
        root = rng.normal(size=(D, D))
        self.H = np.diag(rng.uniform(1, 10, D)) + 0.1 * root @ root.T
        self.x = rng.normal(size=D)
        self.solve = ag.argmin(lower)

    def slope(self, x):
        return np.linalg.solve(self.H, x) - 1

    def gradients(self, inverse, x):
        return inverse @ self.slope(x), np.linalg.solve(self.H, self.slope(x))


def measures(g, exact):
    error = np.linalg.norm(g - exact) / np.linalg.norm(exact)
    cosine = g @ exact / (np.linalg.norm(g) * np.linalg.norm(exact))
    return error, cosine, np.mean(np.sign(g) != np.sign(exact))


@pytest.fixture
def problem(rng):
    return Problem(rng)


def test_rows_hold_the_worst_of_all_points_as_numpy_has_it(problem, rng):
    points = [problem.x, rng.normal(size=D)]
    adjoints = {
        "identity": ag.Identity(),
        "diagonal": ag.DiagonalApproximation(),
        "two": ag.CG(max_steps=2, truncate=True),
    }
    found = ag.compare_adjoints(
        upper,
        problem.solve,
        points[0],
        jnp.zeros(D),
        problem.H,
        adjoints=adjoints,
        also_at=points[1:],
        rounds=2,
    )
    assert [row.name for row in found.rows] == ["exact", *adjoints]
    matrices = {"identity": np.eye(D), "diagonal": np.diag(1 / np.diag(problem.H))}
    for name, inverse in matrices.items():
        at = [measures(*problem.gradients(inverse, x)) for x in points]
        worst = max(m[0] for m in at), min(m[1] for m in at), max(m[2] for m in at)
        row = found[name]
        np.testing.assert_allclose((row.error, row.cosine, row.sign_errors), worst, rtol=1e-9)
    assert found["exact"].error == 0
    assert found["identity"].products == 0
    assert found["diagonal"].products == D
    assert found["two"].products == 2
    assert all(row.milliseconds > 0 and row.compile_seconds > 0 for row in found.rows)
    assert "factor" in found.reference
    assert found.recommended in [row.name for row in found.rows]


def test_adjoints_that_are_not_linear_solves(problem):
    """The derivative of one gradient step of length 1 is the identity's."""
    step = lambda y, x, H: y - (H @ y - x)
    adjoints = {"one step": ag.OneStep(step), "identity": ag.Identity()}
    found = ag.compare_adjoints(
        upper, problem.solve, problem.x, jnp.zeros(D), problem.H, adjoints=adjoints, rounds=1
    )
    np.testing.assert_allclose(found["one step"].error, found["identity"].error, rtol=1e-9)
    assert np.isnan(found["one step"].products)


def test_accuracy_is_measured_on_the_subsample(problem):
    other = Problem(np.random.default_rng(0))
    found = ag.compare_adjoints(
        upper,
        problem.solve,
        problem.x,
        jnp.zeros(D),
        problem.H,
        adjoints={"identity": ag.Identity()},
        subsample=(other.H,),
        rounds=1,
    )
    error, *_ = measures(*other.gradients(np.eye(D), problem.x))
    np.testing.assert_allclose(found["identity"].error, error, rtol=1e-9)
    assert "subsample" in found.reference


def test_an_adjoint_that_fails_has_an_infinite_error_and_is_not_recommended(problem):
    adjoints = {"short": ag.CG(max_steps=1), "wrong step": ag.Neumann(50, step_size=10.0)}
    found = ag.compare_adjoints(
        upper, problem.solve, problem.x, jnp.zeros(D), problem.H, adjoints=adjoints, rounds=1
    )
    assert found["short"].error == np.inf
    assert found["wrong step"].error == np.inf
    assert found.recommended == "exact"
    assert "inf" in str(found)


def test_above_constraints_the_defaults_do_not_ask_for_a_definite_matrix(rng):
    x = rng.normal(size=D)
    names = list(ag.default_adjoints(jnp.zeros(D), constrained=True))
    assert names == ["MINRES 5"]
    solve = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.simplex()])
    upper = lambda y, x: jnp.sum(jnp.arange(D) * y)
    found = ag.compare_adjoints(upper, solve, x, jnp.full(D, 1 / D), rounds=1)
    assert [row.name for row in found.rows] == ["exact", *names]


def test_default_adjoints_fit_the_variable():
    tree = {"a": jnp.zeros(200), "b": jnp.zeros((10, 10))}
    assert {"blocks", "CG 80", "Nystrom 40", "identity"} <= set(ag.default_adjoints(tree))
    assert "CG 20" not in ag.default_adjoints(jnp.zeros(10))


def row(name, error, cosine, milliseconds):
    return Row(name, error, cosine, 0.0, 1.0, milliseconds, 0.1, 100)


ROWS = (
    row("exact", 0.0, 1.0, 10.0),
    row("good", 0.05, 0.99, 2.0),
    row("better", 0.01, 0.999, 4.0),
    row("quick", 0.8, 0.3, 1.0),
)


@pytest.mark.parametrize(
    ("rows", "accuracy", "margin", "name", "words"),
    [
        (ROWS, 0.1, 0.5, "good", "within 0.05 .* 2 ms instead of 10 ms. What is quicker is off"),
        (ROWS, 0.02, 0.5, "better", "off by 0.05 or more"),
        (ROWS, 0.1, 0.9999, "exact", "the nearest, better, is off by 0.01"),
        (ROWS, 0.001, 0.5, "exact", "No approximation is within 0.001"),
        (
            (*ROWS[:1], row("slow", 0.01, 1.0, 20.0)),
            0.1,
            0.5,
            "exact",
            "accurate enough is quicker",
        ),
    ],
)
def test_the_quickest_that_will_do_is_recommended(rows, accuracy, margin, name, words):
    found, reason = recommend(rows, accuracy, margin)
    assert found == name
    assert re.search(words, reason)


def test_table_frame_and_picture():
    found = ag.Frontier(ROWS, "good", "Because.", "a factor", 3.0, 0.1, 0.5)
    assert [r.name for r in found.cheapest()] == ["quick", "good", "better", "exact"]
    frame = found.frame()
    assert list(frame.index) == ["exact", "good", "better", "quick"]
    assert list(frame["recommended"]) == [False, True, False, False]
    assert list(frame["descends"]) == [True, True, True, False]
    text = str(found)
    assert "good" in text
    assert "Recommended: good. Because." in text
    console = Console(file=io.StringIO(), width=120)
    console.print(found)
    assert "Reference: a factor" in console.file.getvalue()
    ax = found.plot()
    assert {t.get_text() for t in ax.texts} == {"exact", "good", "better", "quick"}
    with pytest.raises(KeyError, match="the frontier holds exact, good"):
        found["none"]


def test_bad_arguments(problem):
    given = (problem.x, jnp.zeros(D), problem.H)
    with pytest.raises(TypeError, match="compare_adjoints needs what"):
        ag.compare_adjoints(upper, lower, *given)
    with pytest.raises(TypeError, match=r"the adjoint 'mine' must be an argrad adjoint"):
        ag.compare_adjoints(upper, problem.solve, *given, adjoints={"mine": 3})
    with pytest.raises(ValueError, match="margin must be positive, got 0"):
        ag.compare_adjoints(upper, problem.solve, *given, margin=0)
