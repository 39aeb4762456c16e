"""Quadratic and linear programs against their optimality conditions and central differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag

n, m, e = 6, 4, 2


def random_program(rng, active=2):
    """A strictly convex program with `active` of its inequalities active at a known solution."""
    root = rng.normal(size=(n, n))
    Q = root @ root.T + 0.1 * np.eye(n)
    G, A, y = rng.normal(size=(m, n)), rng.normal(size=(e, n)), rng.normal(size=n)
    on = np.arange(m) < active
    mu = np.where(on, rng.uniform(0.5, 2, size=m), 0)
    h = G @ y + np.where(on, 0, rng.uniform(0.5, 2, size=m))
    lam = rng.normal(size=e)
    p = -(Q @ y + G.T @ mu + A.T @ lam)
    return (Q, p, G, h, A, A @ y), y, mu, lam


solve = jax.jit(lambda *data: ag.quadratic_program(*data))
quiet = lambda *data: ag.quadratic_program(*data, throw=False)


def test_solution_multipliers_and_value_are_those_it_was_made_of(rng):
    for _ in range(20):
        data, y, mu, lam = random_program(rng, active=int(rng.integers(0, m + 1)))
        found = solve(*data)
        scale = 1 + np.abs(y).max() + mu.max() + np.abs(lam).max()
        np.testing.assert_allclose(found.primal, y, atol=1e-10 * scale)
        np.testing.assert_allclose(found.multipliers.inequality, mu, atol=1e-9 * scale)
        np.testing.assert_allclose(found.multipliers.equality, lam, atol=1e-9 * scale)
        np.testing.assert_allclose(found.value, y @ data[0] @ y / 2 + data[1] @ y, rtol=1e-9)


@pytest.mark.parametrize("which", range(6))
def test_derivative_with_respect_to_each_datum(rng, central_difference, which):
    data, *_ = random_program(rng)
    weights = rng.normal(size=n)

    def upper(datum):
        changed = (*data[:which], datum, *data[which + 1 :])
        return weights @ solve(*changed).primal

    exact = jax.grad(upper)(jnp.asarray(data[which]))
    expected = central_difference(upper, data[which], h=1e-4)
    np.testing.assert_allclose(exact, expected, atol=1e-7 * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("bounded", [False, True], ids=["rows", "bounds"])
def test_a_batch_of_which_some_are_solved_with_care(rng, bounded):
    """Where Q is singular, and rows make the solution unique, beside programs with a definite Q:
    every derivative against one dense linear solve."""
    batch, reaches = [], []
    for k in range(8):
        data, y, mu, lam = random_program(rng, active=3)
        if k % 2:
            root = rng.normal(size=(n, n - 2))
            flat = 10.0 ** rng.uniform(-2, 2) * root @ root.T
            data = (flat, data[1] + (data[0] - flat) @ y, *data[2:])
        batch.append((*data, y - 1, y + 1) if bounded else data)
        reaches.append((y, lam, mu))
    stacked = [jnp.asarray(np.stack(parts)) for parts in zip(*batch, strict=True)]
    weights = rng.normal(size=(8, n))

    def upper(*data):
        one = lambda *data: ag.quadratic_program(
            *data[:6], **dict(zip(("lower", "upper"), data[6:], strict=False))
        )
        return jnp.sum(weights * jax.vmap(one)(*data).primal)

    found = jax.jit(jax.grad(upper, argnums=range(6)))(*stacked)
    for k, ((y, lam, mu), (Q, _, G, _, A, *_)) in enumerate(zip(reaches, batch, strict=True)):
        on = mu > 0
        J, l = np.concatenate([A, G[on]]), np.concatenate([lam, mu[on]])
        K = np.block([[Q, J.T], [J, np.zeros((l.size, l.size))]])
        both = np.linalg.solve(K, np.concatenate([weights[k], np.zeros(l.size)]))
        u, v = both[:n], both[n:]
        slope, by_G, by_h = -(np.outer(l, u) + np.outer(v, y)), np.zeros((m, n)), np.zeros(m)
        by_G[on], by_h[on] = slope[e:], v[e:]
        by_Q = -(np.outer(u, y) + np.outer(y, u)) / 2
        size = 1 + np.abs(both).max() * (1 + np.abs(y).max() + np.abs(l).max())
        expected = (by_Q, -u, by_G, by_h, slope[:e], v[:e])
        for part, wanted in zip(found, expected, strict=True):
            tol = 1e-14 * np.linalg.cond(K) * size
            np.testing.assert_allclose(part[k], wanted, atol=tol)


def test_forward_mode_agrees_with_reverse(rng):
    data, *_ = random_program(rng)
    primal = lambda p: solve(data[0], p, *data[2:]).primal
    p = jnp.asarray(data[1])
    forward, reverse = jax.jacfwd(primal)(p), jax.jacrev(primal)(p)
    np.testing.assert_allclose(forward, reverse, atol=1e-10 * (1 + np.abs(forward).max()))


def test_an_infeasible_and_an_unbounded_element_leave_their_neighbours_alone(rng):
    batch = [list(random_program(rng)[0]) for _ in range(4)]
    batch[1][2] = np.concatenate([batch[1][2][:1], -batch[1][2][:1], batch[1][2][2:]])
    batch[1][3] = np.concatenate([[-1.0, -1.0], batch[1][3][2:]])  # g y <= −1 and −g y <= −1
    batch[2][0], batch[2][2] = np.zeros((n, n)), np.zeros((m, n))
    batch[2][3] = np.ones(m)
    stacked = [jnp.asarray(np.stack(data)) for data in zip(*batch, strict=True)]
    found = jax.jit(jax.vmap(quiet))(*stacked)
    expected = [ag.Status.converged, ag.Status.infeasible, ag.Status.unbounded, ag.Status.converged]
    for i, status in enumerate(expected):
        assert jax.tree.map(lambda a, i=i: a[i], found.status) == status
    for i in (0, 3):
        np.testing.assert_allclose(found.primal[i], solve(*batch[i]).primal, atol=1e-9)
    loss = lambda p: jnp.sum(jax.vmap(quiet)(stacked[0], p, *stacked[2:]).primal)
    gradient = np.asarray(jax.grad(loss)(stacked[1]))
    assert np.isfinite(gradient[[0, 3]]).all()
    assert np.isnan(gradient[[1, 2]]).any(axis=1).all()


def test_a_warm_start_leads_to_the_same_solution(rng):
    warm = jax.jit(lambda start, *data: ag.quadratic_program(*data, init=start))
    data, *_ = random_program(rng)
    before = solve(*data)
    for _ in range(5):
        changed = (data[0], data[1] + 0.3 * rng.normal(size=n), *data[2:])
        np.testing.assert_allclose(warm(before, *changed).primal, solve(*changed).primal, atol=1e-9)


@pytest.mark.parametrize("room", [None, 0.4], ids=["rows", "bounds"])
def test_a_warm_start_uses_factors_only_of_the_same_matrices(rng, room):
    """Each datum changed alone, and none; rows may change with it. The derivative, too."""
    data, y, *_ = random_program(rng)
    bounds = {} if room is None else {"lower": y - room, "upper": y + room}
    data = data if room is None else (data[0], data[1] + rng.normal(size=n), *data[2:])
    cold = jax.jit(lambda *data: ag.quadratic_program(*data, **bounds))

    @jax.jit
    def warm(start, *data):
        def solution(p):
            found = ag.quadratic_program(data[0], p, *data[2:], **bounds, init=start)
            return found.primal, found

        slope, found = jax.jacobian(solution, has_aux=True)(data[1])
        return found, slope

    exact = jax.jit(jax.jacobian(lambda p, *others: cold(others[0], p, *others[1:]).primal))
    before = cold(*data)
    for which in (None, *range(6)):
        other = list(data)
        if which == 0:
            root = rng.normal(size=(n, n))
            other[0] = root @ root.T + 0.1 * np.eye(n)
        elif which is not None:
            other[which] = data[which] + 0.1 * rng.normal(size=np.shape(data[which]))
        again, slope = warm(before, *other)
        expected = cold(*other)
        size = 1 + np.abs(expected.primal).max()
        np.testing.assert_allclose(again.primal, expected.primal, atol=1e-11 * size)
        wanted = exact(other[1], other[0], *other[2:])
        np.testing.assert_allclose(slope, wanted, atol=1e-9 * (1 + np.abs(wanted).max()))
        # What it hands on is as good as what it was given.
        np.testing.assert_allclose(warm(again, *data)[0].primal, before.primal, atol=1e-11 * size)


@pytest.mark.parametrize("room", [None, 0.4], ids=["rows", "bounds"])
def test_of_a_matrix_that_is_not_symmetric_its_symmetric_half_counts(rng, room):
    """The solution, the value and derivatives of both; begun anew and warm."""
    data, y, *_ = random_program(rng)
    bounds = {} if room is None else {"lower": y - room, "upper": y + room}
    data = data if room is None else (data[0], data[1] + rng.normal(size=n), *data[2:])
    twist = rng.normal(size=(n, n))
    weights, Q = rng.normal(size=n), data[0]
    before = ag.quadratic_program(*data, **bounds)

    @jax.jit
    def upper(Q, p, start):
        found = ag.quadratic_program(Q, p, *data[2:], **bounds, init=start)
        return weights @ found.primal + found.value

    slopes = jax.jit(jax.grad(upper, (0, 1)))
    p = data[1] + 0.01 * rng.normal(size=n)
    crooked = jnp.asarray(Q + twist - twist.T)
    # Warm with factors of this very matrix, of another one, and without any.
    own = ag.quadratic_program(crooked, *data[1:], **bounds)
    for start in (own, before, None):
        expected = upper(Q, p, start)
        np.testing.assert_allclose(upper(crooked, p, start), expected, rtol=1e-9, atol=1e-9)
        for found, wanted in zip(slopes(crooked, p, start), slopes(Q, p, start), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-8 * (1 + np.abs(wanted).max()))
        by_Q = slopes(crooked, p, start)[0]
        np.testing.assert_allclose(by_Q, by_Q.T, atol=1e-12 * (1 + np.abs(by_Q).max()))


def test_linear_program_at_a_vertex_moves_with_its_rows(rng):
    A, b, c = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([4.0, 6.0]), -np.array([1.0, 1.0])
    G = np.concatenate([A, -np.eye(2)])

    def primal(b):
        return ag.linear_program(c, G, jnp.concatenate([b, jnp.zeros(2)])).primal

    np.testing.assert_allclose(primal(jnp.asarray(b)), np.linalg.solve(A, b), atol=1e-10)
    np.testing.assert_allclose(jax.jacobian(primal)(jnp.asarray(b)), np.linalg.inv(A), atol=1e-10)


def test_what_is_not_convex_is_refused():
    with pytest.raises(ag.SolveError, match="convex"):
        ag.quadratic_program(np.diag([1.0, -1.0]), np.ones(2), lower=-np.ones(2), upper=np.ones(2))


def test_a_row_stated_twice_is_solved_but_not_differentiated():
    G, h = np.array([[1.0, 0.0], [1.0, 0.0]]), np.zeros(2)
    program = lambda p: ag.quadratic_program(np.eye(2), p, G, h)
    found = program(jnp.array([-1.0, 1.0]))
    assert found.status == ag.Status.dependent
    np.testing.assert_allclose(found.primal, [0, -1], atol=1e-10)
    both = r"depend on each other.*constraints G\[[01]\], G\[[01]\],"
    with pytest.raises(Exception, match=both):
        jax.grad(lambda p: program(p).primal.sum())(jnp.array([-1.0, 1.0]))


class TestSlopeOfTheValue:
    """The envelope theorem needs a solution and multipliers that are unique."""

    @staticmethod
    def slope(h, throw):
        """min ½|y|² − y₁ with y₁ <= h₁ and y₁ <= h₂ and y₁ >= h₃."""
        G = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
        limits = lambda h: h * jnp.array([1.0, 1.0, -1.0])
        p = np.array([-1.0, 0.0])
        value = lambda h: ag.quadratic_program(np.eye(2), p, G, limits(h), throw=throw).value
        return jax.grad(value)(h)

    quiet = jax.jit(jax.vmap(lambda h: TestSlopeOfTheValue.slope(h, False)))
    loud = jax.jit(lambda h: TestSlopeOfTheValue.slope(h, True))

    def test_in_a_batch(self):
        """One at a kink, where y₁ <= 1 does not press, has a slope all the same."""
        h = jnp.array([[0.5, 9, -1], [0.5, 0.5, -1], [0.5, 9, 0.7], [1, 9, -1], [9, 9, 2]])
        slopes = TestSlopeOfTheValue.quiet(h)
        np.testing.assert_allclose(slopes[0], [-0.5, 0, 0], atol=1e-12)
        assert np.isnan(slopes[1:3]).all()
        np.testing.assert_allclose(slopes[3:], [[0, 0, 0], [0, 0, 1]], atol=1e-12)

    def test_an_error_though_nobody_asks_for_the_value(self):
        loud = TestSlopeOfTheValue.loud
        np.testing.assert_allclose(loud(jnp.array([0.5, 9, -1])), [-0.5, 0, 0], atol=1e-12)
        with pytest.raises(Exception, match=r"LICQ fails.*constraints G\[[01]\]"):
            jax.block_until_ready(loud(jnp.array([0.5, 0.5, -1])))
        with pytest.raises(Exception, match=r"no point that satisfies.*G\[2\]"):
            jax.block_until_ready(loud(jnp.array([0.5, 9, 0.7])))


Q, P, G, H, A, B = np.eye(2), np.ones(2), np.ones((3, 2)), np.ones(3), np.ones((1, 2)), np.ones(1)
with_nan, with_inf = np.array([1.0, np.nan]), np.array([1.0, np.inf])
BAD = {
    "Q not square": ((np.ones((2, 3)), P), {}, r"Q has shape \(2, 3\), but \(2, 2\) is needed"),
    "Q of other size": ((np.eye(3), P), {}, r"Q has shape \(3, 3\).* beside p of shape \(2,\)"),
    "p a matrix": ((Q, np.ones((2, 1))), {}, r"p .* has shape \(2, 1\), but one number a variable"),
    "no variables": ((np.zeros((0, 0)), np.zeros(0)), {}, "at least one variable"),
    "columns of G": ((Q, P, np.ones((3, 4)), H), {}, r"G has shape \(3, 4\), but \(3, 2\)"),
    "G a vector": ((Q, P, np.ones(2), H), {}, r"G has shape \(2,\), but \(2, 2\)"),
    "h": ((Q, P, G, np.ones(2)), {}, r"h has shape \(2,\), but \(3,\) .* beside G of"),
    "b": ((Q, P, G, H, A, np.ones(2)), {}, r"b has shape \(2,\), but \(1,\) .* beside A"),
    "A": ((Q, P, None, None, np.ones((1, 3)), B), {}, r"A has shape \(1, 3\), but \(1, 2\)"),
    "lower": ((Q, P), {"lower": np.zeros(3)}, r"lower has shape \(3,\), but \(\) or \(2,\)"),
    "upper": ((Q, P), {"upper": np.zeros((1, 2))}, r"upper has shape \(1, 2\)"),
    "G alone": ((Q, P, G), {}, "G needs h: give both"),
    "h alone": ((Q, P, None, H), {}, "h needs G: give both"),
    "A alone": ((Q, P, G, H, A), {}, "A needs b: give both"),
    "b alone": ((Q, P, None, None, None, B), {}, "b needs A: give both"),
    "NaN in Q": ((np.diag(with_nan), P), {}, r"Q is nan at \[1, 1\]"),
    "infinite p": ((Q, with_inf), {}, r"p is inf at \[1\]"),
    "NaN in h": ((Q, P, np.eye(2), with_nan), {}, r"h is nan at \[1\]"),
    "h of -inf": ((Q, P, np.eye(2), -with_inf), {}, r"h is -inf at \[1\]"),
    "infinite b": ((Q, P, None, None, A, np.array([np.inf])), {}, r"b is inf at \[0\]"),
    "lower of inf": ((Q, P), {"lower": with_inf}, r"lower is inf at \[1\]"),
    "upper of -inf": ((Q, P), {"upper": -with_inf}, r"upper is -inf at \[1\]"),
    "crossed": ((Q, P), {"lower": [0.0, 3.0], "upper": 2.0}, r"lower 3 is above upper 2 at \[1\]"),
    "complex": ((Q * 1j, P), {}, "must be of real numbers, got complex"),
    "no steps": ((Q, P), {"max_steps": 0}, "max_steps must be at least 1, got 0"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "options", "message"), BAD.values(), ids=BAD)
def test_data_that_do_not_fit(data, options, message):
    with pytest.raises(ValueError, match=message):
        ag.quadratic_program(*data, **options)


def test_numpys_numbers_where_x64_is_off(recwarn):
    with jax.enable_x64(False):
        found = ag.quadratic_program(np.eye(2), -np.ones(2), np.ones((1, 2)), np.ones(1))
    assert found.primal.dtype == jnp.float32
    assert not recwarn.list


def test_a_start_of_another_kind():
    with pytest.raises(TypeError, match="init must be what quadratic_program or linear_program"):
        ag.quadratic_program(Q, P, init=np.zeros(2))
    with pytest.raises(TypeError, match="init must be what quadratic_program or linear_program"):
        ag.quadratic_program(Q, P, init=ag.argmin(lambda y, x: y @ y).solution(1.0, jnp.ones(2)))
    before = ag.quadratic_program(Q, P, lower=0.0)
    with pytest.raises(ValueError, match=r"shape of its lower is \(2,\), here it would be absent"):
        ag.quadratic_program(Q, P, init=before)
    with pytest.raises(ValueError, match=r"shape of its primal is \(2,\), here it would be \(3,\)"):
        ag.quadratic_program(np.eye(3), np.ones(3), lower=0.0, init=before)


def test_unknown_values_that_do_not_fit_are_a_status():
    """Inside `jit` values are not known; with `throw=False` nobody wants an error."""
    crossed = ag.quadratic_program(Q, P, lower=3.0, upper=2.0, throw=False)
    assert crossed.status == ag.Status.infeasible
    with pytest.raises(Exception, match="NaN"):
        jax.block_until_ready(jax.jit(lambda p: ag.quadratic_program(Q, p).primal)(with_nan))
