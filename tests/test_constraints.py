"""Equalities, inequalities, boxes, linear rows: solutions, multipliers, derivatives, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import argrad as ag
from argrad.constraints import linear
from argrad.rows import gather

S = ag.Status
TREE = {"u": np.zeros((2, 2)), "v": np.zeros(2)}  # six variables


def distance(y, x, *args):
    return jnp.sum((y - x["target"]) ** 2) / 2


def on_a_tree(function):
    """The same function of a pytree y."""
    return lambda y, x, *args: function(ravel_pytree(y)[0], x, *args)


def like_tree(v):
    return ravel_pytree(TREE)[1](jnp.asarray(v))


def product(y, x, weight):
    return y[0] * y[5] - weight * x["area"]


def bowl(y, x, weight):
    return {"round": y[1:4] @ y[1:4] - x["size"], "flat": jnp.stack([y[4] - weight, -y[4] - 9])}


def flat_problem(A):
    return [
        ag.equality(product),
        ag.inequality(bowl),
        ag.box(lambda x, weight: x["low"], jnp.array([jnp.inf] * 5 + [2.0])),
        linear(A, lambda x, weight: x["sum"], relation="=="),
        linear(lambda x, weight: -A, lambda x, weight: 9 - x["sum"]),
    ]


def tree_problem(A):
    parts = {"u": A[:, :4].reshape(1, 2, 2), "v": A[:, 4:]}
    upper = {"u": jnp.full((2, 2), jnp.inf), "v": jnp.array([jnp.inf, 2.0])}
    return [
        ag.equality(on_a_tree(product)),
        ag.inequality(on_a_tree(bowl)),
        ag.box(lambda x, weight: like_tree(x["low"]), upper),
        linear(parts, lambda x, weight: x["sum"], relation="=="),
        linear(lambda x, weight: jax.tree.map(jnp.negative, parts), lambda x, weight: 9 - x["sum"]),
    ]


def test_every_kind_on_vectors_and_on_pytrees(rng, central_difference):
    """Optimality by hand on the flat problem; the pytree gives the same, in other shapes."""
    A = jnp.asarray(rng.uniform(0.5, 1.5, (1, 6)))
    weight = 0.7

    def parameters(p):
        low = jnp.concatenate([jnp.full(2, -jnp.inf), p[:1], jnp.full(3, -5.0)])
        target = p[1:7]
        return {"target": target, "low": low, "area": p[7], "size": p[8], "sum": p[9:]}

    p = np.concatenate([[0.6], rng.uniform(-2, 2, 6), rng.uniform(0.5, 1, 2), rng.uniform(3, 4, 1)])
    p[1], p[6] = rng.uniform(0.5, 2, 2)
    start = jnp.array([1.0, 0.0, 0.5, 0.5, 0.5, 1.0])
    solve = ag.argmin(distance, subject_to=flat_problem(A))
    solution = jax.jit(lambda p: solve.solution(parameters(p), start, weight))(p)
    y, x = solution.primal, parameters(p)
    constraints = gather(flat_problem(A))

    def rows(y):
        found = constraints.evaluate(constraints.pieces, y, x, weight)
        return [g if h is None else h for h, g in found]

    def lagrangian(y):
        pairs = zip(solution.multipliers, rows(y), strict=True)
        forces = [ravel_pytree(l)[0] @ ravel_pytree(row)[0] for l, row in pairs]
        return distance(y, x) + sum(forces)

    np.testing.assert_allclose(jax.grad(lagrangian)(y), 0, atol=1e-10)
    assert jax.tree.structure(solution.multipliers) == jax.tree.structure(tuple(rows(y)))
    for kind in (1, 2, 4):
        row, l = ravel_pytree(rows(y)[kind])[0], ravel_pytree(solution.multipliers[kind])[0]
        assert jnp.all(row <= 1e-10)
        assert jnp.all(l >= -1e-12)
        np.testing.assert_allclose(row * l, 0, atol=1e-10)
    assert product(y, x, weight) == pytest.approx(0, abs=1e-10)
    np.testing.assert_allclose(A @ y, x["sum"], atol=1e-10)
    # An infinite bound is none: its multiplier is zero, its row void.
    np.testing.assert_array_equal(solution.multipliers[2]["upper"][:5], 0)

    tree = ag.argmin(on_a_tree(distance), subject_to=tree_problem(A))
    flat = jax.jit(lambda p: ravel_pytree(tree(parameters(p), like_tree(start), weight))[0])
    np.testing.assert_allclose(flat(p), y, atol=1e-10)
    np.testing.assert_allclose(
        jax.jit(jax.jacfwd(flat))(p), central_difference(flat, p, h=1e-4), atol=1e-6
    )


BOXES = {
    "none": (None, None, "needs a lower or an upper bound"),
    "crossed": (1.0, 0.0, "lower 1 is above upper 0; no y"),
    "crossed somewhere": (np.zeros((2, 2)), np.array([[1, 1], [-1, 1]]), r"at \[1, 0\]"),
    "crossed in a tree": ({"a": 0.0, "b": np.ones(2)}, {"a": 1.0, "b": 0.5}, "lower 1 is above"),
    "one number for a tree": (2.0, {"a": 3.0, "b": np.ones(2)}, "lower 2 is above upper 1"),
    "shapes": (np.zeros(3), np.ones(2), r"\(3,\), upper has shape \(2,\)"),
    "NaN": (np.array([0.0, np.nan]), None, "lower holds NaN"),
    "NaN beside a function": (lambda x: x, np.nan, "upper holds NaN"),
    "nothing fits above": (np.inf, None, "lower holds inf"),
    "nothing fits below": (None, np.array([1.0, -np.inf]), "upper holds -inf"),
}


@pytest.mark.parametrize(("lower", "upper", "message"), BOXES.values(), ids=BOXES)
def test_a_box_that_nothing_fits_is_refused_at_once(lower, upper, message):
    with pytest.raises(ValueError, match="box.*" + message):
        ag.box(lower, upper)
    with pytest.raises(ValueError, match="box.*" + message):
        jax.jit(lambda x: x + (ag.box(lower, upper) is None))(1.0)


def test_a_box_with_traced_bounds_is_made():
    assert jax.jit(lambda x: jnp.sum(ag.box(x, 0.0).lower))(jnp.ones(2)) == 2
    ag.box({"a": 0.0}, lambda x: x)


def test_functions_and_relations_of_the_right_kind():
    with pytest.raises(TypeError, match="equality needs a function"):
        ag.equality(jnp.ones(2))
    with pytest.raises(TypeError, match="inequality needs a function"):
        ag.inequality(None)
    with pytest.raises(ValueError, match="relation must be '<=' or '=='"):
        linear(jnp.ones((1, 2)), 1.0, relation=">=")


VECTOR, PAIR = np.zeros(2), {"a": np.zeros(2), "b": np.array(0.0)}
MISFITS = {
    "columns": (lambda: linear(np.ones((1, 3)), 1.0), VECTOR, r"A has shape \(1, 3\), y .*\(2,\)"),
    "a row": (lambda: linear(np.ones(2), 1.0), VECTOR, r"A has shape \(2,\)"),
    "a number": (lambda: linear(1.0, 1.0), VECTOR, r"A has shape \(\)"),
    "b": (lambda: linear(np.ones((1, 2)), np.ones(2)), VECTOR, r"A y has shape \(1,\), b .*\(2,\)"),
    "structure of A": (lambda: linear(np.ones((1, 3)), 1.0), PAIR, "A is .* same pytree"),
    "rows of A": (
        lambda: linear({"a": np.ones((2, 2)), "b": np.ones(1)}, 1.0),
        PAIR,
        "as many rows for each leaf",
    ),
    "A at run time": (lambda: linear(lambda x: np.ones((1, 3)), 1.0), VECTOR, r"\(rows, \*y.shape"),
    "bound": (lambda: ag.box(np.zeros(3)), VECTOR, r"lower has shape \(3,\), y has \(2,\)"),
    "structure of a bound": (lambda: ag.box(None, {"a": 1.0}), PAIR, "upper is .* same pytree"),
    "bound of a leaf": (
        lambda: ag.box({"a": np.zeros(3), "b": 0.0}),
        PAIR,
        r"lower has shape \(3,\), y has \(2,\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "init", "message"), MISFITS.values(), ids=MISFITS)
def test_shapes_and_structures_that_do_not_fit(make, init, message):
    objective = lambda y, x: sum(jnp.sum(v**2) for v in jax.tree.leaves(y))
    solve = ag.argmin(objective, subject_to=[make()])
    with pytest.raises(ValueError, match=message) as caught:
        solve(1.0, init)
    assert "in the constraint" in "".join(caught.value.__notes__)


def test_bounds_that_contradict_each_other_at_run_time_are_named():
    solve = ag.argmin(
        lambda y, x: jnp.sum(y**2), subject_to=[ag.box(lambda x: x, 0.0, name="window")]
    )
    with pytest.raises(ag.SolveError, match=r"no point.*window.upper\[1\], window.lower\[1\]"):
        solve(jnp.array([-1.0, 0.5, -1.0]), jnp.zeros(3))


NOT_FINITE = {
    "bound": (lambda: ag.box(-9.0, lambda x: jnp.stack([1.0, x])), jnp.nan, r"box.upper\[1\]"),
    "side": (lambda: ag.box(lambda x: jnp.stack([0.0, x])), jnp.inf, r"box.lower\[1\]"),
    "row": (lambda: ag.inequality(lambda y, x: jnp.log(y[0] - 1) - x, name="log"), 1.0, "log"),
    "gradient": (lambda: ag.equality(lambda y, x: jnp.sqrt(y) - x, name="root"), 1.0, r"root\[0\]"),
}


@pytest.mark.parametrize(("make", "x", "message"), NOT_FINITE.values(), ids=NOT_FINITE)
def test_nan_and_infinity_in_a_constraint_are_traced_to_it(make, x, message):
    fine = ag.inequality(lambda y, x: y - 50, name="fine")
    solve = ag.argmin(lambda y, x: jnp.sum((y - 1) ** 2), subject_to=[fine, make()])
    with pytest.raises(ag.SolveError, match=rf"could not start.*\(constraints {message}"):
        solve(x, jnp.zeros(2))


def test_infinite_bounds_at_run_time_are_none():
    """Also in the derivative, where inf − inf would be NaN."""
    bounds = ag.box(lambda x: x[:2], lambda x: x[2:])
    solve = ag.argmin(lambda y, x: jnp.sum((y - 3.0) ** 2), subject_to=[bounds])
    x = jnp.array([-jnp.inf, 4.0, 2.0, jnp.inf])
    solution = solve.solution(x, jnp.zeros(2))
    np.testing.assert_allclose(solution.primal, [2, 4], atol=1e-12)
    np.testing.assert_allclose(solution.multipliers[0]["upper"], [2, 0], atol=1e-12)
    np.testing.assert_allclose(solution.multipliers[0]["lower"], [0, 2], atol=1e-12)
    slopes = jax.jacrev(solve)(x, jnp.zeros(2))
    np.testing.assert_allclose(slopes, [[0, 0, 1, 0], [0, 1, 0, 0]], atol=1e-12)
