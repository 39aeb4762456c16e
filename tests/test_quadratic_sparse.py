"""Sparse quadratic programs against the same programs as dense matrices, and large ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO
from scipy.optimize import linprog

import argrad as ag

NAMES = ("Q", "p", "G", "h", "A", "b", "lower", "upper")
MATRICES = ("Q", "G", "A")
n, width = 21, 2


def banded_rows(rng, starts, n):
    """One row a start: a few elements, the first of them the largest."""
    column = starts[:, None] + np.arange(width + 1)
    value = rng.uniform(-0.5, 0.5, size=column.shape) + np.array([2.0, 0.0, 0.0])
    row = np.repeat(np.arange(starts.size), width + 1)
    return np.stack([row, column.ravel()], 1), value.ravel()


def banded_program(rng, n, kinds="GAlu"):
    """A strictly convex program with about a third of its rows active at a known solution.

    Entries and indices of Q, G and A, and vectors. Each row begins at a variable of its own that
    no active bound holds, so that the active rows are independent.
    """
    offsets = range(-width, width + 1)
    index = [(i, i + k) for k in offsets for i in range(max(0, -k), min(n, n - k))]
    band = {(i, j): rng.uniform(-0.4, 0.4) for i, j in index if j < i}
    q = [band.get((max(i, j), min(i, j)), 2.0 + i % 3) for i, j in index]
    matrices = {"Q": (np.array(index), np.array(q))}
    starts = rng.permutation(n - width)
    y, force = rng.normal(size=n), np.zeros(n)
    data = dict.fromkeys(NAMES)
    taken = np.zeros(n, bool)
    for kind, limit, k in (("G", "h", n // 3), ("A", "b", n // 5)):
        if kind not in kinds:
            continue
        start, starts = starts[:k], starts[k:]
        at, value = matrices[kind] = banded_rows(rng, start, n)
        taken[start] = True
        on = (rng.random(k) < 0.4) if kind == "G" else np.ones(k, bool)
        l = np.where(on, rng.uniform(0.5, 2, k) * (1 if kind == "G" else rng.choice([-1, 1], k)), 0)
        met = np.bincount(at[:, 0], value * y[at[:, 1]], minlength=k)
        data[limit] = met + np.where(on, 0, rng.uniform(0.5, 2, k))
        force += np.bincount(at[:, 1], value * l[at[:, 0]], minlength=n)
    for kind, limit, sign in (("l", "lower", -1), ("u", "upper", 1)):
        if kind in kinds:
            on = (rng.random(n) < 0.3) & ~taken
            taken |= on
            data[limit] = y + sign * np.where(on, 0, rng.uniform(0.5, 2, n))
            force += sign * np.where(on, rng.uniform(0.5, 2, n), 0)
    at, value = matrices["Q"]
    curved = np.bincount(at[:, 0], value * y[at[:, 1]], minlength=n)
    data["p"] = -curved - force
    data |= {name: value for name, (_, value) in matrices.items()}
    places = {name: jnp.asarray(at) for name, (at, _) in matrices.items()}
    return places, {name: jnp.asarray(d) for name, d in data.items() if d is not None}, y


def solver(places, sparse, **options):
    """The solution as a function of numbers alone, by sparse or by dense matrices."""

    def solve(data):
        given = dict.fromkeys(NAMES) | data
        for name, at in places.items():
            rows = n_rows(given, name)
            matrix = BCOO((data[name], at), shape=(rows, given["p"].size))
            given[name] = matrix if sparse else matrix.todense()
        limits = [given.pop(name) for name in ("lower", "upper")]
        return ag.quadratic_program(*given.values(), lower=limits[0], upper=limits[1], **options)

    return solve


def n_rows(given, name):
    return given[{"Q": "p", "G": "h", "A": "b"}[name]].size


def summary(solution, weights):
    """One number to which primal and multipliers all contribute, and differently."""
    parts = [solution.primal, *(m for m in solution.multipliers if m is not None)]
    flat = jnp.concatenate(parts)
    return weights[: flat.size] @ flat


def everything(places, weights, push):
    """Solution, a number, its derivatives in both modes, of sparse data; one solve to compile."""
    solve = solver(places, True)

    def upper(data):
        solution = solve(data)
        return summary(solution, weights) + solution.value, solution

    @jax.jit
    def differentiate(data):
        number, along, solution = jax.linearize(upper, data, has_aux=True)
        (gradient,) = jax.linear_transpose(along, data)(jnp.ones(()))
        return solution, number, gradient, along(push)

    return differentiate


def linear_system(places, data, found):
    """Q, the active rows of J and their multipliers, as dense matrices, for NumPy."""

    def dense(name):
        matrix = np.zeros((n_rows(data, name), n))
        np.add.at(matrix, tuple(np.asarray(places[name]).T), np.asarray(data[name]))
        return matrix

    blocks = {"b": ("A", found.multipliers.equality), "h": ("G", found.multipliers.inequality)}
    blocks |= {"lower": (-1, found.multipliers.lower), "upper": (1, found.multipliers.upper)}
    rows, limits, l = [np.zeros((0, n))], [np.zeros(0)], [np.zeros(0)]
    for limit, (matrix, multiplier) in blocks.items():
        if limit in data:
            rows.append(dense(matrix) if limit in "bh" else matrix * np.eye(n))
            limits.append(np.asarray(data[limit]) * (-1 if limit == "lower" else 1))
            l.append(np.asarray(multiplier))
    return dense("Q"), np.concatenate(rows), np.concatenate(limits), np.concatenate(l)


def moves(places, data, push, found):
    """How y*, all multipliers and the value move along `push`, by the KKT matrix in NumPy."""
    Q, J, _, l = linear_system(places, data, found)
    dQ, dJ, dlimits, _ = linear_system(places, push, found)
    y, on = np.asarray(found.primal), np.abs(l) > 1e-9
    k = sum(n_rows(data, name) for name in ("A", "G") if name in data)
    dJ[k:] = 0  # rows of bounds never change
    right = np.concatenate([dQ @ y + push["p"] + dJ.T @ l, (dJ @ y - dlimits)[on]])
    zeros = np.zeros((on.sum(), on.sum()))
    step = np.linalg.solve(np.block([[(Q + Q.T) / 2, J[on].T], [J[on], zeros]]), -right)
    dl = np.zeros_like(l)
    dl[on] = step[n:]
    value = y @ dQ @ y / 2 + push["p"] @ y + l @ (dJ @ y - dlimits)
    return step[:n], dl, value


@pytest.mark.parametrize("kinds", ["G", "A", "lu"])
def test_derivatives_are_those_of_the_optimality_conditions(rng, kinds):
    places, data, y = banded_program(rng, n, kinds)
    weights = jnp.asarray(rng.normal(size=5 * n))
    push = {name: jnp.asarray(rng.normal(size=d.shape)) for name, d in data.items()}
    push["Q"] = push["Q"] + push["Q"][_opposite(places["Q"])]
    found, _, gradient, along = everything(places, weights, push)(data)
    assert found.status == ag.Status.converged
    np.testing.assert_allclose(found.primal, y, rtol=1e-9, atol=1e-10)
    dy, dl, dvalue = moves(places, data, push, found)
    expected = weights[: n + dl.size] @ np.concatenate([dy, dl]) + dvalue
    np.testing.assert_allclose(along, expected, rtol=1e-9)
    reverse = sum(jnp.vdot(gradient[name], push[name]) for name in data)
    np.testing.assert_allclose(along, reverse, rtol=1e-9)


def _opposite(at):
    """Where the transposed entry of each entry stands."""
    where = {tuple(pair): k for k, pair in enumerate(np.asarray(at).tolist())}
    return np.array([where[j, i] for i, j in np.asarray(at).tolist()])


def test_solution_and_every_derivative_are_those_of_dense_matrices(rng):
    places, data, y = banded_program(rng, n)
    weights = jnp.asarray(rng.normal(size=5 * n))
    push = {name: jnp.asarray(rng.normal(size=d.shape)) for name, d in data.items()}
    found, _, gradient, along = everything(places, weights, push)(data)
    np.testing.assert_allclose(found.primal, y, rtol=1e-9, atol=1e-10)

    def upper(data):
        solution = solver(places, False)(data)
        return summary(solution, weights) + solution.value, solution

    (_, dense), expected = jax.jit(jax.value_and_grad(upper, has_aux=True))(data)
    same = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    jax.tree.map(same, (found.primal, found.multipliers), (dense.primal, dense.multipliers))
    jax.tree.map(np.testing.assert_array_equal, found.activity, dense.activity)
    jax.tree.map(same, gradient, expected)
    reverse = sum(jnp.vdot(gradient[name], push[name]) for name in data)
    np.testing.assert_allclose(along, reverse, rtol=1e-9)


def test_second_derivatives_of_a_batch(rng):
    places, data, _ = banded_program(rng, n, "Al")
    shift = rng.normal(size=(2, n))
    solve = solver(places, True)

    def bent(s):
        value = lambda t: solve(data | {"p": data["p"] + t * s}).value
        return jax.grad(jax.grad(value))(0.0), solve(data)

    bent, found = jax.jit(jax.vmap(bent))(jnp.asarray(shift))
    still = {name: np.zeros(d.shape) for name, d in data.items()}
    first = jax.tree.map(lambda a: a[0], found)
    for s, curvature in zip(shift, bent, strict=True):
        np.testing.assert_allclose(
            curvature, s @ moves(places, data, still | {"p": s}, first)[0], rtol=1e-9
        )


def test_the_order_of_variables_and_entries_changes_nothing(rng):
    places, data, y = banded_program(rng, 40)
    order = rng.permutation(40)
    rank = np.argsort(order)
    moved = {
        name: d[order] if d.size == 40 and name in "p lower upper" else d
        for name, d in data.items()
    }
    at = {}
    for name in places:
        row, column = np.asarray(places[name]).T
        row, column = rank[row] if name == "Q" else row, rank[column]
        mixed = rng.permutation(row.size)
        # An entry in two halves, and one that lies outside of the matrix.
        twice = np.concatenate([mixed, mixed[:1]])
        index = np.stack([row, column], 1)[twice]
        halves = np.asarray(moved[name])[twice] * np.r_[0.5, np.ones(mixed.size - 1), 0.5]
        at[name] = jnp.asarray(np.concatenate([index, [[10_000, 10_000]]]))
        moved[name] = jnp.asarray(np.append(halves, 7.0))
    found = solver(at, True)(moved)
    np.testing.assert_allclose(found.primal, y[order], atol=1e-10)


def test_a_start_that_holds_the_right_rows_takes_one_step(rng):
    places, data, y = banded_program(rng, n)
    found = solver(places, True)(data)
    again = solver(places, True, init=found)(data | {"p": data["p"] * (1 + 1e-9)})
    assert again.iterations <= 2
    np.testing.assert_allclose(again.primal, y, atol=1e-7)


def matrices_of(*dense):
    return [None if a is None else BCOO.fromdense(jnp.asarray(a, float)) for a in dense]


D = np.eye(n - 1, n, 1) - np.eye(n - 1, n)  # differences of neighbours
zero, one, free = np.zeros(n), np.ones(n), np.full(n, np.inf)
# Q, p, limits of D y, of −D y and of y[0] stated twice, lower, upper
programs = {
    "converged": (np.eye(n), one, one[1:], free[1:], free[:2], -free, free),
    "infeasible": (np.eye(n), one, -one[1:], -0.5 * one[1:], free[:2], -free, free),
    "unbounded": (np.zeros((n, n)), one, one[1:], free[1:], free[:2], -free, free),
    "nonconvex": (np.diag(np.r_[-1.0, one[1:]]), one, one[1:], free[1:], free[:2], -one, one),
    "kink": (np.eye(n), np.r_[0.0, one[1:]], free[1:], free[1:], free[:2], -free, zero),
    "dependent": (np.eye(n), -one, free[1:], free[1:], zero[:2], -free, free),
    "singular": (D.T @ D, D.T @ np.arange(n - 1.0), free[1:], free[1:], free[:2], -free, free),
    "nonfinite_start": (np.eye(n), one * np.nan, one[1:], free[1:], free[:2], -free, free),
}


def test_what_has_no_solution_or_no_derivative_is_called_so():
    index = np.argwhere(np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= 1)
    G = np.r_[D, -D, np.eye(n)[[0, 0]]]
    places = {"Q": jnp.asarray(index), "G": jnp.asarray(np.argwhere(G))}
    solve = solver(places, True, throw=False)

    def upper(p, Q, h, lower, upper):
        data = {"Q": Q, "p": p, "G": jnp.asarray(G[G != 0]), "h": h, "lower": lower, "upper": upper}
        found = solve(data)
        return jnp.sum(found.primal), found

    batch = [
        (p, Q[tuple(index.T)], np.concatenate(limits), lower, upper)
        for Q, p, *limits, lower, upper in programs.values()
    ]
    batch = [jnp.asarray(np.stack(arrays)) for arrays in zip(*batch, strict=True)]
    gradients, found = jax.jit(jax.vmap(jax.grad(upper, has_aux=True)))(*batch)
    for i, status in enumerate(programs):
        assert jax.tree.map(lambda a, i=i: a[i], found.status) == getattr(ag.Status, status)
        assert np.isnan(gradients[i]).any() == (status != "converged")
    np.testing.assert_allclose(found.primal[0], -1, atol=1e-12)
    np.testing.assert_allclose(gradients[0], -1, atol=1e-12)


def test_a_linear_program(rng):
    (G,) = matrices_of(np.r_[D, -D])
    c, h = jnp.asarray(rng.normal(size=n)), jnp.asarray(rng.uniform(0.5, 1, 2 * n - 2))
    bounds = {"lower": -1 - jnp.asarray(rng.random(n)), "upper": 1 + jnp.asarray(rng.random(n))}
    found = ag.linear_program(c, G, h, **bounds)
    expected = linprog(c, G.todense(), h, bounds=np.stack([*bounds.values()], 1))
    np.testing.assert_allclose(found.primal, expected.x, atol=1e-9)
    np.testing.assert_allclose(found.multipliers.inequality, -expected.ineqlin.marginals, atol=1e-9)


def test_traced_indices_are_refused():
    Q = BCOO.fromdense(jnp.eye(3))
    with pytest.raises(ValueError, match="indices of Q are traced"):
        jax.jit(lambda Q: ag.quadratic_program(Q, jnp.ones(3)).primal)(Q)


@pytest.mark.parametrize(
    ("Q", "A", "message"),
    [
        (jnp.eye(200), BCOO.fromdense(jnp.eye(1, 200)), "A is sparse"),
        (BCOO.fromdense(jnp.ones((200, 200))), None, "half bandwidth 199"),
        (BCOO.fromdense(jnp.eye(200)), BCOO.fromdense(jnp.ones((1, 200))), r"A\[0\] has 200"),
        (BCOO.fromdense(jnp.eye(200).at[4, 5].set(jnp.nan)), None, r"Q is nan at \[4, 5\]"),
        (BCOO.fromdense(jnp.eye(7)), None, r"Q has shape \(7, 7\)"),
        (BCOO.fromdense(jnp.ones((2, 200, 200)), n_batch=1), None, "1 batch"),
    ],
)
def test_matrices_that_do_not_do_are_refused(Q, A, message):
    with pytest.raises(ValueError, match=message):
        ag.quadratic_program(Q, jnp.ones(200), A=A, b=None if A is None else jnp.ones(1))


def optimality(places, data, found):
    """The largest residual of the optimality conditions, in NumPy."""
    y, l = np.asarray(found.primal), found.multipliers

    def times(name, v, transposed=False):
        (row, column), size = np.asarray(places[name]).T, n_rows(data, name)
        row, column = (column, row) if transposed else (row, column)
        return np.bincount(row, np.asarray(data[name]) * v[column], y.size if transposed else size)

    gradient = times("Q", y) + data["p"] - l.lower + l.upper
    gradient += times("G", l.inequality, True) + times("A", l.equality, True)
    slacks = [data["h"] - times("G", y), y - data["lower"], data["upper"] - y]
    prices = [l.inequality, l.lower, l.upper]
    parts = [gradient, times("A", y) - data["b"]]
    parts += [np.minimum(a, b) for a, b in zip(slacks, prices, strict=True)]
    return max(np.abs(part).max() for part in parts)


def test_twenty_thousand_variables(rng):
    places, data, y = banded_program(rng, 20_000)
    weights = jnp.asarray(rng.normal(size=100_000))
    push = {name: jnp.asarray(rng.normal(size=d.shape)) for name, d in data.items()}
    solve = everything(places, weights, push).lower(data).compile()
    assert solve.memory_analysis().temp_size_in_bytes <= 10_000 * y.size  # 8 · y.size² is dense
    found, _, gradient, along = solve(data)
    np.testing.assert_allclose(found.primal, y, atol=1e-9)
    assert optimality(places, data, found) <= 1e-9
    reverse = sum(jnp.vdot(gradient[name], push[name]) for name in data)
    np.testing.assert_allclose(along, reverse, rtol=1e-9)
    moved = lambda t: solve({name: d + t * push[name] for name, d in data.items()})[1]
    np.testing.assert_allclose(along, (moved(1e-6) - moved(-1e-6)) / 2e-6, rtol=1e-4)


@pytest.mark.slow
def test_memory_is_linear_in_the_number_of_variables(rng):
    taken = []
    for size in (5_000, 20_000):
        places, data, _ = banded_program(rng, size)
        loss = lambda data: jnp.sum(solver(places, True)(data).primal)
        analysis = jax.jit(jax.grad(loss)).lower(data).compile().memory_analysis()
        taken.append(analysis.temp_size_in_bytes / size)
    assert max(taken) <= 1.1 * min(taken)
    assert max(taken) <= 10_000  # bytes a variable, where a dense matrix has 160_000


@pytest.mark.slow
def test_a_pair_of_rows_that_conflict_is_named_among_thousands(rng):
    size = 20_000
    row, sign = np.repeat(np.arange(2 * size - 2), 2), np.tile([-1.0, 1.0], 2 * size - 2)
    column = np.tile(np.stack([np.arange(size - 1), np.arange(1, size)], 1).ravel(), 2)
    sign[2 * size - 2 :] *= -1
    G = BCOO(
        (jnp.asarray(sign), jnp.asarray(np.stack([row, column], 1))), shape=(2 * size - 2, size)
    )
    Q = BCOO(
        (jnp.ones(size), jnp.asarray(np.tile(np.arange(size)[:, None], 2))), shape=(size, size)
    )
    h = np.full(2 * size - 2, 0.3)
    h[size + 1776] = -0.4  # of the row that is the negative of row 1777
    with pytest.raises(ag.SolveError, match=r"G\[1777\], G\[21776\]|G\[21776\], G\[1777\]"):
        ag.quadratic_program(Q, rng.normal(size=size), G, h)
