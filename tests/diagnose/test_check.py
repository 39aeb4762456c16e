"""What `check` returns, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag


def parabola(y, x):
    return jnp.sum((y - x) ** 2)


SOLVE = ag.argmin(parabola)


@pytest.fixture(scope="module")
def certificate():
    with jax.enable_x64(True):
        return ag.check(SOLVE, np.ones(2), np.zeros(2))


def test_a_good_problem(certificate):
    assert certificate.verdict == "valid"
    assert certificate
    assert certificate.remedy == ""
    assert certificate.error < 1e-10
    assert [line.standing for line in certificate.lines].count("fail") == 0


def test_its_text_has_every_line(certificate):
    text = str(certificate)
    assert text.startswith("derivative: valid")
    for line in certificate.lines:
        assert line.name in text
    assert max(map(len, text.splitlines())) <= 100


def test_its_table_for_rich(certificate):
    console = pytest.importorskip("rich.console").Console(width=120, record=True)
    console.print(certificate)
    assert "spot check" in console.export_text()


def test_a_line_by_name(certificate):
    assert certificate["curvature"].values["smallest"] == pytest.approx(1)
    with pytest.raises(KeyError, match="there are convergence"):
        certificate["weather"]


def test_a_failed_solve_is_a_verdict_and_not_an_error():
    found = ag.check(ag.argmin(lambda y, x: x * y), 1.0, 0.0)
    assert found.verdict == "invalid"
    assert "limit" in found.reason
    assert np.isnan(found.error)


def test_an_exception_in_a_solver_is_a_verdict_too():
    def broken(x, init):
        raise RuntimeError("out of order")

    solve = ag.implicit(broken, ag.stationarity(parabola), host=True)
    found = ag.check(solve, 1.0, 0.0)
    assert found.verdict == "invalid"
    assert "out of order" in found.reason


def test_a_callback_without_derivative_is_a_verdict_too():
    def f(y, x):
        away = jax.pure_callback(lambda y: np.asarray(y) ** 2, jax.eval_shape(lambda: y), y)
        return away + x * y

    found = ag.check(ag.argmin(f), 1.0, 0.0)
    assert found.verdict == "invalid"


def test_approximate_adjoints_are_measured():
    """One gradient step at curvatures 1 and 3 is off by 0 along the one, by 2/3 along the other."""
    weights = np.array([1.0, 3.0])
    solve = ag.argmin(lambda y, x: 0.5 * jnp.sum(weights * (y - x) ** 2), adjoint=ag.OneStep())
    x = np.ones(2)
    found = ag.check(solve, x, np.zeros(2))
    off = jax.jacobian(solve)(x, np.zeros(2)) - np.eye(2)
    assert found.verdict == "approximate"
    assert 0.3 < found.error / np.linalg.norm(off, 2) < 3


def test_warm_starts_pass(certificate):
    warm = SOLVE.solution(np.ones(2), np.zeros(2))
    assert ag.check(SOLVE, np.ones(2), warm).verdict == certificate.verdict


def test_seeds_repeat():
    one, two = (ag.check(SOLVE, np.ones(2), np.zeros(2), seed=3) for _ in range(2))
    assert str(one) == str(two)


def test_no_other_starts():
    tied = ag.argmin(lambda y, x: (y**2 - 1) ** 2 + x * y)
    assert ag.check(tied, 0.0, 0.9, starts=0).verdict == "valid"
    assert ag.check(tied, 0.0, 0.9).verdict == "invalid"
    nearly = ag.check(tied, 1e-3, 0.9)
    assert nearly["branches"].values["others"] == 1


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((parabola, 1.0, 0.0), {}, TypeError, "argrad.argmin"),
        ((SOLVE, 1, 0.0), {}, ValueError, "no floating-point numbers"),
        ((SOLVE, 1.0, 0), {}, TypeError, "0.0"),
        ((SOLVE, 1.0, 0.0), {"starts": -1}, ValueError, "starts"),
        ((SOLVE, 1.0, 0.0), {"tol": 2.0}, ValueError, "tol"),
        ((SOLVE, np.ones(2), np.zeros(3)), {}, TypeError, "broadcast|incompatible|add|sub"),
    ],
)
def test_bad_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        ag.check(*arguments, **options)


def test_not_inside_jit():
    with pytest.raises(TypeError, match="host"):
        jax.jit(lambda x: ag.check(SOLVE, x, 0.0).error)(1.0)
