"""What a run owes its user: callbacks, interruption, progress, history and errors to act on."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import argrad as ag
from argrad.bilevel import BilevelStatus


def upper(y, x):
    return jnp.sum((y - 1) ** 2) + 0.1 * jnp.sum(x**2)


def lower(y, x):
    return jnp.sum(jnp.cosh(y - x))


problem = ag.Bilevel(upper, lower)
slow = {"optimiser": optax.sgd(0.01), "max_steps": 50}


def test_callback_sees_every_step_and_can_stop_the_run():
    seen = []

    def stop_at_four(record):
        seen.append(record)
        return record.step == 4

    found = ag.minimise(problem, np.zeros(2), np.zeros(2), callback=stop_at_four, **slow)
    assert found.status == BilevelStatus.stopped
    assert [record.step for record in seen] == [0, 1, 2, 3, 4]
    assert found.steps == 5
    for record in seen:
        np.testing.assert_allclose(record.value, upper(record.y, record.x), rtol=1e-12)
        gradient = jax.grad(problem)(record.x, np.zeros(2))
        np.testing.assert_allclose(record.gradient_norm, jnp.linalg.norm(gradient), rtol=1e-9)


@pytest.mark.parametrize("answer", [None, False, 0])
def test_other_answers_of_the_callback_do_not_stop_it(answer):
    found = ag.minimise(problem, np.zeros(2), np.zeros(2), callback=lambda r: answer, **slow)
    assert found.steps == 50


def test_history_is_a_mapping_of_arrays():
    found = ag.minimise(problem, np.zeros(2), np.zeros(2), **slow)
    columns = dict(found.history)
    assert {len(column) for column in columns.values()} == {50}
    np.testing.assert_array_equal(columns["step"], np.arange(50))
    assert (np.diff(columns["seconds"]) > 0).all()
    assert (np.diff(columns["value"]) < 0).all()
    assert columns["accepted"].dtype == bool
    assert found.lower_iterations == columns["lower_iterations"].sum() > 50
    assert found.adjoint_steps == columns["adjoint_steps"].sum()
    with pytest.raises(KeyError, match="gradient_norm"):
        found.history["loss"]


def test_interrupt_returns_the_best_so_far():
    def interrupt(record):
        if record.step == 3:
            raise KeyboardInterrupt

    found = ag.minimise(problem, np.zeros(2), np.zeros(2), callback=interrupt, **slow)
    assert found.interrupted
    assert found.status == "interrupted"
    assert found.steps == 4
    assert found.value == found.history["value"].min()


def test_interrupt_before_there_is_anything_to_return_goes_through():
    def interrupted(x, init):
        raise KeyboardInterrupt

    solve = ag.implicit(interrupted, ag.stationarity(lower))
    with pytest.raises(KeyboardInterrupt):
        ag.minimise(ag.Bilevel(upper, solve), np.zeros(2), np.zeros(2))


def test_progress_without_rich_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ImportError, match=r"argrad\[progress\]"):
        ag.minimise(problem, np.zeros(2), np.zeros(2), progress=True)
    ag.minimise(problem, np.zeros(2), np.zeros(2))  # and is not needed otherwise


def test_progress_with_rich_shows_steps_and_best(capsys):
    pytest.importorskip("rich")
    found = ag.minimise(problem, np.zeros(2), np.zeros(2), progress=True, **slow)
    shown = capsys.readouterr().out
    assert "50/50" in shown
    assert f"{found.value:.6g}" in shown


def test_nan_in_the_lower_objective_at_the_start():
    nowhere = ag.Bilevel(lambda y, x: y, lambda y, x: jnp.log(x) * y**2 + y)
    with pytest.raises(ag.SolveError, match=r"^at x0, the lower solve .*Start elsewhere") as caught:
        ag.minimise(nowhere, -1.0, 0.0)
    assert caught.value.result is None
    with pytest.raises(ag.SolveError):  # there is nothing that throw=False could return
        ag.minimise(nowhere, -1.0, 0.0, throw=False)


def test_nan_in_the_upper_objective_at_the_start():
    nowhere = ag.Bilevel(lambda y, x: jnp.log(x) + y, lambda y, x: (y - x) ** 2)
    with pytest.raises(ag.SolveError, match="at x0, the upper objective cannot be used: it is nan"):
        ag.minimise(nowhere, -1.0, 0.0)
    kink = ag.Bilevel(lambda y, x: jnp.sqrt(x) + y, lambda y, x: (y - x) ** 2)
    with pytest.raises(ag.SolveError, match="its gradient is not finite"):
        ag.minimise(kink, 0.0, 0.0)


def test_a_lower_failure_on_the_way_names_the_step_and_keeps_the_best():
    """y* = 1/x exists for x > 0 only, and gradient descent walks out of there."""
    solve = ag.argmin(lambda y, x: 0.5 * x * y**2 - y)
    walking = ag.Bilevel(lambda y, x: x + 0 * y, solve)
    options = {"optimiser": optax.sgd(0.3), "max_steps": 50}
    with pytest.raises(ag.BilevelError, match=r"at upper step 4, the lower solve") as caught:
        ag.minimise(walking, 1.0, 0.5, **options)
    best = caught.value.result
    np.testing.assert_allclose(best.x, 0.1, rtol=1e-9)
    np.testing.assert_allclose(best.y, 10.0, rtol=1e-9)
    assert best.status == BilevelStatus.lower_failed
    found = ag.minimise(walking, 1.0, 0.5, throw=False, **options)
    assert found.status == BilevelStatus.lower_failed
    assert found.value == best.value
    assert np.isinf(found.history["value"][-1])


def test_an_external_solver_that_stops_early_is_named_as_the_cause():
    sloppy = ag.implicit(lambda x, init: init + 0.1, ag.stationarity(lower))
    with pytest.raises(ag.BilevelError, match=r"at x0, .*too far from satisfying its optimality"):
        ag.minimise(ag.Bilevel(upper, sloppy), np.zeros(2), np.zeros(2))


def test_a_failure_inside_the_upper_objective_keeps_the_best():
    """An argmin in F, with its own error inside compiled code."""
    inner = ag.argmin(lambda z, x: 0.5 * x * z**2 - z)
    nested = ag.Bilevel(lambda y, x: x + 0 * inner(x, 0.5), lambda y, x: (y - x) ** 2)
    options = {"optimiser": optax.sgd(0.3), "max_steps": 50}
    with pytest.raises(ag.BilevelError, match="the lower solve") as caught:
        ag.minimise(nested, 1.0, 0.0, **options)
    np.testing.assert_allclose(caught.value.result.x, 0.1, rtol=1e-9)


def test_an_exception_of_a_solver_that_is_not_jax_keeps_the_best():
    calls = []

    def solver(x, init):
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("the licence server is down")
        return np.asarray(x)

    external = ag.implicit(solver, ag.stationarity(lower), host=True)
    with pytest.raises(ag.BilevelError, match="the licence server is down") as caught:
        ag.minimise(ag.Bilevel(upper, external), np.zeros(2), np.zeros(2), **slow)
    assert caught.value.result.value == caught.value.result.history["value"].min()


@pytest.mark.parametrize(
    ("x0", "error", "message"),
    [
        (1, TypeError, r"x0 is 1 of type int; .*Write 1\.0 for 1\."),
        ({"a": np.arange(3)}, TypeError, r"x0\['a'\] has dtype int"),
        ((1.0, "b"), TypeError, r"x0\[1\] is 'b' of type str"),
        (True, TypeError, r"x0 is True of type bool"),
        (1j, TypeError, r"complex"),
        ((), ValueError, "no variables"),
        (np.zeros((0, 3)), ValueError, "no variables"),
        ([1.0, np.nan], ValueError, r"x0\[1\] holds NaN"),
    ],
)
def test_what_cannot_be_an_upper_variable_is_named(x0, error, message):
    with pytest.raises(error, match=message):
        ag.minimise(problem, x0, np.zeros(2))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ag.Bilevel(3.0, lower), TypeError, "upper must be a function"),
        (lambda: ag.Bilevel(upper, "lower"), TypeError, r"argrad\.argmin.*'lower'"),
        (lambda: ag.minimise(upper, 1.0, 1.0), TypeError, r"argrad\.Bilevel"),
        (lambda: run(lambda y, x: y), ValueError, r"upper objective .* shape \(2,\)"),
        (lambda: run(lambda y, x: jnp.argmax(y)), ValueError, "upper objective .* int"),
        (lambda: run(upper, max_steps=0), ValueError, "max_steps must be at least 1, got 0"),
        (lambda: run(upper, optimiser="adam"), TypeError, r"optax\.adam.*'adam'"),
    ],
)
def test_other_mistakes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def run(upper, **options):
    return ag.minimise(ag.Bilevel(upper, lower), np.zeros(2), np.zeros(2), **options)


def test_an_error_inside_the_upper_objective_says_what_it_was_given():
    with pytest.raises(TypeError) as caught:
        run(lambda y, x: y["weights"].sum())
    assert "upper objective F(y, x, *args)" in caught.value.__notes__[-1]


def test_a_traced_start_is_refused_with_the_way_out():
    with pytest.raises(TypeError, match=r"loop in Python.*optimistix\.minimise"):
        jax.jit(lambda x: ag.minimise(problem, x, np.zeros(2)).x)(np.zeros(2))
