"""Convex quadratic programs of every mix of rows, against the optimality conditions in NumPy and
linear programs by SciPy that say whether there is a solution at all."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

import argrad as ag
from argrad.rows import row_name
from argrad.solvers.quadratic_program import solve_quadratic_program
from argrad.solvers.quadratic_program_data import Program

BATCH = 24
SHAPES = {"more rows than variables": (5, 6, 2), "fewer rows than variables": (12, 4, 1)}
S = ag.Status


class Data(NamedTuple):
    """min ½ yᵀQy + pᵀy  s.t.  G y <= h, A y = b, lower <= y <= upper."""

    Q: np.ndarray
    p: np.ndarray
    G: np.ndarray
    h: np.ndarray
    A: np.ndarray
    b: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def rescaled(self, rng, size):
        """In other units of the objective, of every row and, as far as 10^±size, of y."""
        units = lambda k, most=6.0: 10.0 ** rng.uniform(-most, most, k)
        f, r, s, y = units(()), units(self.h.size), units(self.b.size), units(self.p.size, size)
        return Data(
            f * self.Q * y[:, None] * y,
            f * self.p * y,
            r[:, None] * self.G * y,
            r * self.h,
            s[:, None] * self.A * y,
            s * self.b,
            self.lower / y,
            self.upper / y,
        )


def random(rng, n, i, e):
    """Q of any rank, 0 included; some rows weakly active, some void, some impossible."""
    root, G, A = rng.normal(size=(n, rng.integers(n + 1))), *rng.normal(size=(2, 6, n))
    G, A, y = G[:i], A[:e], rng.normal(size=n)
    slack = lambda k: np.where(rng.random(k) < 0.3, 0, rng.uniform(0, 2, k))
    void = lambda k, share: np.where(rng.random(k) < share, np.inf, 0)
    bounded = rng.choice([0.0, 0.5, 1.0])
    h = G @ y + slack(i) + void(i, 0.2) - (rng.random() < 0.2) * rng.uniform(0, 8)
    low, high = slack(n), slack(n)
    high = np.where(low + high == 0, 1, high)
    lower, upper = y - low - void(n, bounded), y + high + void(n, bounded)
    return Data(root @ root.T, rng.normal(size=n), G, h, A, A @ y, lower, upper)


def outcome(d):
    """What becomes of a program, by one linear program that looks for any feasible point and one
    that looks for a direction along which the objective falls for ever."""
    there = np.isfinite(d.h)
    rows = {"A_ub": d.G[there], "A_eq": d.A}
    box = np.stack([d.lower, d.upper], axis=1)
    free = linprog(0 * d.p, b_ub=d.h[there], b_eq=d.b, bounds=box, **rows)
    if free.status == 2:
        return S.infeasible
    steady = np.concatenate([d.A, d.Q])
    ahead = np.stack([np.where(np.isinf(d.lower), -1, 0), np.isinf(d.upper)], axis=1)
    still = {"b_ub": np.zeros(there.sum()), "b_eq": np.zeros(len(steady)), "bounds": ahead}
    falling = linprog(d.p, A_ub=d.G[there], A_eq=steady, **still)
    return S.unbounded if falling.fun < -1e-7 else S.converged


def flaw(d, y, l):
    """The largest violation of any optimality condition, relative to the terms it is a sum of."""
    e, n = d.b.size, d.p.size
    rows = np.concatenate([d.A, d.G, -np.eye(n), np.eye(n)])
    limits = np.concatenate([d.b, d.h, -d.lower, d.upper])
    there = np.isfinite(limits)
    assert np.all(l[~there] == 0)
    rows, limits, l, equal = (
        rows[there],
        limits[there],
        l[there],
        (np.arange(there.size) < e)[there],
    )
    forces = np.abs(d.Q) @ np.abs(y) + np.abs(d.p) + np.abs(l) @ np.abs(rows)
    reaches = np.abs(rows) @ np.abs(y) + np.abs(limits)
    excess = (rows @ y - limits) / reaches
    push = l * np.abs(rows).max(axis=1) / forces.max()
    work = forces @ np.abs(y) + np.abs(l) @ reaches
    return max(
        np.max(np.abs(d.Q @ y + d.p + l @ rows) / forces),
        np.max(np.where(equal, np.abs(excess), excess)),
        np.max(np.where(equal, 0, -push)),
        np.max(np.where(equal, 0, np.abs(l * (limits - rows @ y)) / work)),
    )


@cache
def compiled():
    def one(d):
        program = Program(
            d.Q, d.p, jnp.concatenate([d.A, d.G]), d.b, d.h, d.lower, d.upper, symmetric=True
        )
        found = solve_quadratic_program(program, start=None, known=None, max_steps=50)
        return found.y, found.l, found.status, found.rows

    return jax.jit(one), jax.jit(jax.vmap(one))


def solve(batch):
    """y, all multipliers, status and named rows of each program of a batch."""
    found = compiled()[1](Data(*map(np.stack, zip(*batch, strict=True))))
    return [jax.tree.map(lambda a, k=k: a[k], found) for k in range(len(batch))]


def was_solved(status):
    """Whether there is a solution, with or without a derivative."""
    return any(bool(status == s) for s in (S.converged, S.kink, S.dependent, S.singular))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_random_programs_in_any_units(rng, shape):
    programs = [random(rng, *shape) for _ in range(BATCH)]
    expected = [outcome(d) for d in programs]
    for size in (0, 1, 3):
        scaled = [d.rescaled(rng, size) if size else d for d in programs]
        for d, becomes, (y, l, status, _) in zip(scaled, expected, solve(scaled), strict=True):
            if becomes is S.converged:
                assert was_solved(status)
                assert flaw(d, np.asarray(y), np.asarray(l)) < 1e-7
            else:
                assert status == becomes


def test_linear_programs_have_the_value_that_scipy_finds(rng):
    n, i, e = SHAPES["more rows than variables"]
    programs = []
    for _ in range(BATCH):
        d = random(rng, n, i, e)
        d = d._replace(Q=0 * d.Q, lower=np.maximum(d.lower, -9), upper=np.minimum(d.upper, 9))
        programs.append(d)
    for d, (y, _, status, _) in zip(programs, solve(programs), strict=True):
        there, box = np.isfinite(d.h), np.stack([d.lower, d.upper], axis=1)
        exact = linprog(d.p, d.G[there], d.h[there], d.A, d.b, bounds=box)
        if exact.status == 2:
            assert status == S.infeasible
        else:
            assert was_solved(status)
            assert d.p @ y == pytest.approx(exact.fun, abs=1e-8)


def plain(rng):
    """Strictly convex, with a solution at which a row and a bound are active."""
    n, i, e = SHAPES["more rows than variables"]
    root, y, far = rng.normal(size=(n, n)), rng.normal(size=n), np.full(n, np.inf)
    Q, G, A = root @ root.T + np.eye(n), rng.normal(size=(i, n)), rng.normal(size=(e, n))
    first = np.arange(n) == 0
    h = G @ y + (np.arange(i) > 0)
    p = -Q @ y - G[0] + first - rng.normal(size=e) @ A
    return Data(Q, p, G, h, A, A @ y, np.where(first, y, -far), far)


def bad(rng):
    """Programs that cannot be solved, with why and the rows that an error should name."""
    d = plain(rng)
    n, i = d.p.size, d.h.size
    at = lambda k, value, others: np.where(np.arange(others.size) == k, value, others)
    far = np.full(n, np.inf)
    G, wide = d.G.copy(), np.full(i, np.inf)
    G[3] = -G[1]
    opposed = d._replace(G=G, h=at(1, -1, at(3, -1, wide)), lower=-far)
    crossed = d._replace(h=wide, lower=at(2, 5, -far), upper=at(2, 4, far))
    flat = d._replace(Q=0 * d.Q, G=0 * d.G, h=np.ones(i))
    saddle = d._replace(Q=d.Q - 2 * np.max(np.linalg.eigvalsh(d.Q)) * np.eye(n))
    lost = d._replace(p=at(1, np.nan, d.p))
    return {
        "opposed": (opposed, S.infeasible, {"G[1]", "G[3]"}),
        "crossed": (crossed, S.infeasible, {"lower[2]", "upper[2]"}),
        "flat": (flat, S.unbounded, set()),
        "saddle": (saddle, S.nonconvex, set()),
        "NaN": (lost, S.nonfinite_start, set()),
    }


def test_what_cannot_be_solved_is_told_apart_and_leaves_its_neighbours_alone(rng):
    good = [plain(rng) for _ in range(3)]
    alone = [compiled()[0](d) for d in good]
    wrong = bad(rng)
    batch = [good[0], *(d for d, _, _ in wrong.values()), good[1], good[2]]
    found = solve(batch + [good[0]] * (BATCH - len(batch)))
    for (_, status, names), (_, _, verdict, rows) in zip(wrong.values(), found[1:], strict=False):
        assert verdict == status
        assert {row_name(rows.layout, int(i)) for i in rows.indices if i >= 0} == names
    beside = [found[0], *found[len(wrong) + 1 : len(batch)]]
    for d, (y, l, status, _), (y_alone, l_alone, _, _) in zip(good, beside, alone, strict=True):
        assert status == S.converged
        assert flaw(d, np.asarray(y), np.asarray(l)) < 1e-12
        np.testing.assert_allclose(y, y_alone, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(l, l_alone, rtol=1e-12, atol=1e-12)


def test_equalities_alone_against_one_linear_solve(rng):
    """Q need only be definite where the equalities leave y free."""
    n, e = 4, 2
    A, b, p = rng.normal(size=(e, n)), rng.normal(size=e), rng.normal(size=n)
    free = np.linalg.svd(A)[2][e:]
    Q = free.T @ np.diag([1.0, 3.0]) @ free
    found = ag.quadratic_program(Q, p, A=A, b=b)
    K = np.block([[Q, A.T], [A, np.zeros((e, e))]])
    exact = np.linalg.solve(K, np.concatenate([-p, b]))
    np.testing.assert_allclose(found.primal, exact[:n], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.multipliers.equality, exact[n:], rtol=1e-11, atol=1e-11)
    assert found.multipliers.inequality is None
    assert found.multipliers.lower is None


def test_variables_fixed_by_equal_bounds_are_solved_for_beside_degenerate_rows(rng):
    """Found with the two bounds' multipliers not unique, whatever else is tight."""

    def draw():
        n, i, e = 5, 6, 2
        root, y = rng.normal(size=(n, n)), rng.normal(size=n)
        G, A = rng.normal(size=(i, n)), rng.normal(size=(e, n))
        room = lambda k: np.where(rng.random(k) < 0.3, 0.0, rng.uniform(0.5, 2, size=k))
        lower, upper = y - room(n), y + room(n)
        lower[0] = upper[0] = y[0]
        Q = root @ root.T + 0.1 * np.eye(n)
        p = -Q @ y + rng.normal(size=n)
        return Q, p, G, G @ y + room(i), A, A @ y, lower, upper

    data = jax.tree.map(lambda *a: np.stack(a), *[draw() for _ in range(200)])

    def solve(*data):
        *program, lower, upper = data
        return ag.quadratic_program(*program, lower=lower, upper=upper, throw=False)

    found = jax.jit(jax.vmap(solve))(*data)
    assert np.all(found.status == ag.Status.dependent)
    assert np.max(found.violation) < 1e-9
