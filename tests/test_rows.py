"""Rows of all constraints together: order, names, shapes, and what is no constraint."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag
from argrad.constraints import linear
from argrad.rows import check_constraints, gather, inside, row_name

Y = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([[3.0], [4.0]])}


def budget(y, x):
    return {"low": x - y["a"][0], "high": (y["a"], y["b"])}


def mixture():
    return gather(
        [
            ag.inequality(budget),
            ag.equality(lambda y, x: (y["a"] @ y["a"] - x, y["b"])),
            ag.simplex(10.0),
            ag.box(None, 5.0),
            ag.box(0.0, None, name="positive"),
            ag.box(-1.0, None),
        ]
    )


def test_equalities_come_first_each_constraint_after_the_other():
    constraints = mixture()
    equal, below = constraints(Y, 2.0)
    np.testing.assert_allclose(equal, [5 - 2, 3, 4, 10 - 10])
    exact = [1, 2, 3, 4, 2 - 1, -1, -2, -3, -4, *(v - 5 for v in (1, 2, 3, 4))]
    np.testing.assert_allclose(below, [*exact, -1, -2, -3, -4, -2, -3, -4, -5])


def test_rows_and_their_names_are_in_the_same_order():
    """By function, by position, by kind, and numbered where two are alike."""
    constraints = mixture()
    layout = constraints.layout(constraints.shapes(Y, 2.0, ()))
    equal, below = constraints(Y, 2.0)
    named = [row_name(layout, i) for i in range(equal.size + below.size)]
    assert named[:4] == [
        "subject_to[1].0",
        "subject_to[1].1[0][0]",
        "subject_to[1].1[1][0]",
        "simplex",
    ]
    assert named[4:9] == [
        "budget.high.0[0]",
        "budget.high.0[1]",
        "budget.high.1[0][0]",
        "budget.high.1[1][0]",
        "budget.low",
    ]
    assert named[9] == "simplex.a[0]"
    assert named[13] == "box.upper.a[0]"
    assert named[17] == "positive.lower.a[0]"
    assert named[-1] == "box (2).lower.b[1][0]"
    with pytest.raises(IndexError, match="no row"):
        row_name(layout, len(named))


def test_vectors_and_entries_shaped_like_rows_are_inverse(rng):
    constraints = mixture()
    shapes = constraints.shapes(Y, 2.0, ())
    equal, below = (jnp.asarray(rng.normal(size=v.shape)) for v in constraints(Y, 2.0))
    entries = constraints.by_constraint(shapes, equal, below)
    assert jax.tree.map(jnp.shape, entries[0]) == {"low": (), "high": ((2,), (2, 1))}
    assert jax.tree.map(jnp.shape, entries[1]) == ((), (2, 1))
    assert jax.tree.map(jnp.shape, entries[2]) == ((), {"a": (2,), "b": (2, 1)})
    for one, other in zip(constraints.flat(shapes, entries), (equal, below), strict=True):
        np.testing.assert_array_equal(one, other)
    below_only = constraints.by_constraint(shapes, None, below)
    assert jax.tree.leaves(below_only[1]) == []
    np.testing.assert_array_equal(below_only[2]["b"], entries[2][1]["b"])


def test_closed_constraints_hold_their_arrays_as_leaves():
    weights = jnp.array([2.0, 3.0])
    constraints = gather([ag.equality(lambda y, x: weights @ y - x), ag.ball(norm=1)])
    y = jnp.array([1.0, -1.0])
    closed = constraints.closed(y, jnp.array(0.0), ())
    x = jnp.array(0.5)
    assert any(leaf is weights for leaf in jax.tree.leaves(closed))
    for one, other in zip(closed(y, x), constraints(y, x), strict=True):
        np.testing.assert_array_equal(one, other)
    turned = closed.on((None, jnp.array([1, -1], jnp.int8)))
    np.testing.assert_allclose(turned(y, x)[1], [1, -1, -1])
    assert closed.piecewise
    assert not mixture().piecewise


@pytest.mark.parametrize("wrong", [3, None, lambda y, x: y])
def test_subject_to_is_a_list_of_constraints(wrong):
    objective = lambda y, x: jnp.sum(y**2)
    with pytest.raises(TypeError, match="subject_to must be a list of constraints"):
        ag.argmin(objective, subject_to=wrong)
    with pytest.raises(
        TypeError, match=r"subject_to\[1\] .* must be made by argrad.equality.*linear or"
    ):
        ag.argmin(objective, subject_to=[ag.box(0.0), wrong])


def test_one_constraint_need_not_be_in_a_list():
    assert gather(ag.box(0.0)).names == ("box",)
    assert gather(c for c in [ag.box(0.0)]).names == ("box",)
    assert gather([]) is None


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda y, x: y <= x, "bool.*not whether it holds"),
        (lambda y, x: {"n": jnp.round(y).astype(int)}, "int"),
        (lambda y, x: y + 1j, "complex"),
    ],
)
@pytest.mark.parametrize("make", [ag.equality, ag.inequality])
def test_rows_must_be_real_floating_point_numbers(make, returned, message):
    solve = ag.argmin(lambda y, x: jnp.sum(y**2), subject_to=[make(returned, name="odd")])
    with pytest.raises(ValueError, match="'odd' must return real floating-point.*" + message):
        solve(1.0, jnp.ones(2))


@jax.jit
def second(y, x):
    del y
    return jax.checkpoint(lambda y, x: jnp.sin(x))(x, x)


@jax.jit
def both(y, x):
    return jnp.cos(y), jnp.sin(x)


FREE_OF_Y = {
    "x": lambda y, x: jnp.stack([x, 2 * x]),
    "number": lambda y, x: 1.0,
    "shape": lambda y, x: jnp.zeros_like(y) + x,
    "jit": second,
    "jit of one of two": lambda y, x: both(y, x)[1],
    "jit in jit": jax.jit(lambda y, x: second(jnp.exp(y), x)),
}


@pytest.mark.parametrize("function", FREE_OF_Y.values(), ids=FREE_OF_Y)
def test_a_constraint_without_y_is_a_mistake(function):
    constraints = gather([ag.box(0.0), ag.inequality(function, name="idle")])
    with pytest.raises(ValueError, match="'idle' does not depend on y"):
        check_constraints(constraints, jnp.ones(2), 1.0, ())


BOUND_TO_Y = {
    "jit": lambda y, x: both(y, x)[0],
    "arguments exchanged": lambda y, x: second(x, y),
    "loop": lambda y, x: jax.lax.fori_loop(0, 3, lambda _, v: jnp.sin(v), y),
    "branch": lambda y, x: jax.lax.cond(x > 0, jnp.sin, jnp.cos, y),
    "one row of two": lambda y, x: (x, y[0]),
    "custom derivative": lambda y, x: jax.nn.relu(y) - x,
    "itself": lambda y, x: y,
}


@pytest.mark.parametrize("function", BOUND_TO_Y.values(), ids=BOUND_TO_Y)
def test_dependence_is_seen_through_inner_functions(function):
    check_constraints(gather([ag.inequality(function)]), jnp.ones(2), 1.0, ())


def test_an_error_in_a_constraint_says_in_which():
    solve = ag.argmin(
        lambda y, x: jnp.sum(y**2), subject_to=[ag.box(0.0), ag.equality(lambda y, x: y @ x[:3])]
    )
    with pytest.raises(TypeError) as caught:
        solve(jnp.ones(4), jnp.ones(2))
    assert "the constraint 'subject_to[1]' of (y, x, *args)" in "".join(caught.value.__notes__)


def test_the_start_goes_inside_where_that_is_easy():
    constraints = gather([ag.box(0.0, jnp.array([1.0, jnp.inf])), ag.equality(lambda y, x: y[0])])
    y = inside(constraints, jnp.array([7.0, -7.0]), 0.0, ())
    assert 0 < y[0] < 1
    assert y[1] > 0
    simplex = inside(gather([ag.simplex(2.0)]), jnp.array([-1.0, 5.0, 0.0]), 0.0, ())
    assert jnp.all(simplex > 0)
    assert jnp.sum(simplex) == pytest.approx(2)
    # NaN in a bound is for the solve to report, not for the start to hide in.
    unknown = gather([ag.box(0.0, lambda x: x)])
    assert jnp.all(jnp.isfinite(inside(unknown, jnp.ones(2), jnp.array([jnp.nan, 2.0]), ())))
    off_centre = inside(gather([ag.sphere()]), jnp.zeros(3), 0.0, ())
    assert jnp.linalg.norm(off_centre) == pytest.approx(1)


def test_rows_are_named_in_every_style_where_a_solve_ends_at_a_kink():
    def capped(y, x):
        return y[0] - 1

    solve = ag.argmin(
        lambda y, x: jnp.sum((y - x) ** 2),
        subject_to=[
            ag.inequality(capped),
            ag.inequality(lambda y, x: y[1] - 1),
            linear(jnp.array([[0.0, 0.0, 1.0]]), jnp.array([1.0]), name="third"),
        ],
    )
    with pytest.raises(Exception, match=r"capped, subject_to\[1\], third\[0\]"):
        jax.jacrev(solve)(jnp.ones(3), jnp.zeros(3))
