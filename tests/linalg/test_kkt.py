"""Both forms of the inverse of a KKT matrix, against dense inverses and the formulas of Gould et
al. 2016 (lemma 4.2 of arXiv:1607.05447, and its null-space form)."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import null_space

from argrad.linalg import kkt
from argrad.linalg.cholesky import DEFINITE, INDEFINITE, SINGULAR

D, M = 7, 4
lagrangian_form, null_space_form = jax.jit(kkt.lagrangian_form), jax.jit(kkt.null_space_form)
FORMS = {"lagrangian": lambda *a: lagrangian_form(*a)[0], "null space": null_space_form}


def definite(rng, d):
    """Eigenvalues between 1/2 and 2."""
    q, _ = np.linalg.qr(rng.normal(size=(d, d)))
    h = q @ np.diag(rng.uniform(0.5, 2, size=d)) @ q.T
    return (h + h.T) / 2


def independent(rng, m, d):
    """Rows with singular values between 1/2 and 2."""
    q, _ = np.linalg.qr(rng.normal(size=(d, d)))
    r, _ = np.linalg.qr(rng.normal(size=(m, m)))
    return r @ np.diag(rng.uniform(0.5, 2, size=m)) @ q[:m]


def curved(rng, rows, eigenvalues):
    """A Hessian with these eigenvalues on the null space of the rows, and with negative ones and
    any mixture elsewhere."""
    m, d = rows.shape
    free = null_space(rows)
    turn, _ = np.linalg.qr(rng.normal(size=(d - m, d - m)))
    free = free @ turn
    mixed = rng.normal(size=(d, m)) @ rows
    return free @ np.diag(eigenvalues) @ free.T + mixed + mixed.T - 5 * rows.T @ rows


def dense(hessian, rows, active):
    """The KKT matrix: rows that are not active are zero, with −1 on the diagonal."""
    rows = rows * active[:, None]
    return np.block([[hessian, rows.T], [rows, -np.diag(~active).astype(float)]])


def assembled(inverse):
    return np.block([[inverse.primal, inverse.cross.T], [inverse.cross, -inverse.dual]])


@pytest.fixture
def problem(rng):
    return definite(rng, D), independent(rng, M, D), np.ones(M, bool)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_dense_inverse_for_every_mask(problem, form):
    hessian, rows, _ = problem
    masks = np.array(list(itertools.product([True, False], repeat=M)))
    found = jax.vmap(form, (None, None, 0))(hessian, rows, masks)
    for i, mask in enumerate(masks):
        inverse = jax.tree.map(lambda a: a[i], found)
        expected = np.linalg.inv(dense(hessian, rows, mask))
        np.testing.assert_allclose(assembled(inverse), expected, atol=1e-12)
        assert inverse.curvature == DEFINITE
        assert not np.any(inverse.dependent)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_formulas_of_the_paper(problem, rng, form):
    """g' for rows that x does not move, and for rows that it does (with C = ∂h/∂x)."""
    H, A, active = problem
    B, C = rng.normal(size=(D, 3)), rng.normal(size=(M, 3))
    i = np.linalg.inv(H)
    fixed = (i @ A.T @ np.linalg.inv(A @ i @ A.T) @ A @ i - i) @ B
    F = null_space(A)
    np.testing.assert_allclose(fixed, -F @ np.linalg.inv(F.T @ H @ F) @ F.T @ B, atol=1e-12)
    moving = fixed - i @ A.T @ np.linalg.inv(A @ i @ A.T) @ C
    inverse = form(H, A, active)
    np.testing.assert_allclose(inverse.primal @ -B, fixed, atol=1e-12)
    for k in range(3):
        slope, _ = inverse.solve(-B[:, k], -C[:, k])
        np.testing.assert_allclose(slope, moving[:, k], atol=1e-12)


def test_null_space_formula_where_the_hessian_is_indefinite(rng):
    A = independent(rng, M, D)
    H = curved(rng, A, rng.uniform(0.5, 2, size=D - M))
    assert np.linalg.eigvalsh(H)[0] < 0
    B, F = rng.normal(size=(D, 3)), null_space(A)
    inverse = null_space_form(H, A, np.ones(M, bool))
    assert inverse.curvature == DEFINITE
    expected = -F @ np.linalg.inv(F.T @ H @ F) @ F.T @ B
    np.testing.assert_allclose(inverse.primal @ -B, expected, atol=1e-11)
    whole = np.linalg.inv(dense(H, A, np.ones(M, bool)))
    scale = np.max(np.abs(whole))
    np.testing.assert_allclose(assembled(inverse), whole, atol=1e-12 * scale)
    _, posed = lagrangian_form(H, A, np.ones(M, bool))
    assert not posed


def test_large_matrices_get_the_form_that_is_well_posed(rng):
    """Above 64 variables the Lagrangian form is tried first."""
    d, m = 70, 6
    rows, active = independent(rng, m, d), np.arange(m) != 2
    inverse = jax.jit(kkt.kkt_inverse)
    for hessian in (definite(rng, d), curved(rng, rows, rng.uniform(0.5, 2, size=d - m))):
        # Where row 2 is not active, a direction of negative curvature is free.
        for mask in (active, np.ones(m, bool)):
            found = inverse(hessian, rows, mask)
            fine = mask.all() or np.linalg.eigvalsh(hessian)[0] > 0
            assert found.curvature == (DEFINITE if fine else INDEFINITE)
            expected = np.linalg.inv(dense(hessian, rows, mask))
            np.testing.assert_allclose(
                assembled(found), expected, atol=1e-11 * np.max(np.abs(expected))
            )


@pytest.mark.parametrize("units", [np.ones(M + 1), np.logspace(-5, 5, M + 1)], ids=["ones", "wide"])
def test_rows_that_explain_each_other_are_named_and_the_rest_is_least_squares(rng, units):
    """Row 4 is row 0 minus row 2: each of these three has a part in that, 1 and 3 have none."""
    H, rows = definite(rng, D), independent(rng, M, D)
    A = units[:, None] * np.concatenate([rows, rows[:1] - rows[2:3]])
    active = np.ones(M + 1, bool)
    _, posed = lagrangian_form(H, A, active)
    assert not posed
    inverse = null_space_form(H, A, active)
    assert inverse.curvature == DEFINITE
    a, b = rng.normal(size=D), A @ rng.normal(size=D)
    u, l = inverse.solve(a, b)
    without = np.linalg.solve(dense(H, rows, active[:-1]), np.concatenate([a, (b / units)[:-1]]))
    np.testing.assert_allclose(u, without[:D], atol=1e-11)
    np.testing.assert_allclose(H @ u + A.T @ l, a, atol=1e-11)
    # The smallest multipliers have no part in the combination that vanishes.
    norms = np.linalg.norm(A, axis=1)
    vanishing = null_space((A / norms[:, None]).T, rcond=1e-9)[:, 0]
    assert abs(vanishing @ (l * norms)) < 1e-11
    parts = np.abs(vanishing) / np.max(np.abs(vanishing))
    assert np.all(parts[[0, 2, 4]] > 0.01)
    np.testing.assert_allclose(inverse.dependent, parts, atol=1e-9)


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [2.0, 4.0, 0.0]], {0, 2}),
        ([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]], {1}),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]], {0, 1, 3}),
    ],
    ids=["twice", "zero", "more than variables"],
)
def test_dependent_rows(rows, named):
    rows = np.array(rows)
    active = np.ones(len(rows), bool)
    found = null_space_form(np.eye(3), rows, active).dependent
    assert set(np.flatnonzero(found > 1e-9)) == named
    assert np.max(found) == 1
    # Rows that are not active do not count, whatever is in them.
    active[list(named)[1:] or [1]] = False
    assert not np.any(null_space_form(np.eye(3), rows, active).dependent)


@pytest.mark.parametrize(
    ("lowest", "curvature"),
    [(1.0, DEFINITE), (1e-9, DEFINITE), (0.0, SINGULAR), (-1e-9, INDEFINITE), (-1.0, INDEFINITE)],
)
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_curvature_on_the_null_space(rng, lowest, curvature, scale):
    A = independent(rng, M, D)
    H = scale * curved(rng, A, [2.0, 1.0, lowest])
    inverse = null_space_form(H, A, np.ones(M, bool))
    assert inverse.curvature == curvature
    assert np.all(np.isfinite(assembled(inverse)))


def test_rows_that_are_not_active_may_be_anything(problem, rng):
    H, A, active = problem
    active[1] = False
    A[1] = 1e200
    found = null_space_form(H, A, active)
    np.testing.assert_allclose(
        assembled(found),
        np.linalg.inv(dense(H, np.where(active[:, None], A, 0), active)),
        atol=1e-12,
    )
    a, b = rng.normal(size=D), rng.normal(size=M)
    _, l = found.solve(a, b)
    assert float(l[1]) == pytest.approx(-b[1], rel=1e-14)


def test_variables_of_very_different_sizes_are_told_from_flat_directions(rng):
    """Curvatures 1e-12 and 1e12 on variables of sizes 1e6 and 1e-6: without their sizes, flat.

    Those sizes can be seen in the matrix itself.
    """
    H, A, active = definite(rng, D), independent(rng, M, D), np.ones(M, bool)
    units = np.logspace(6, -6, D)
    H, A = H / units / units[:, None], A / units
    assert null_space_form(H, A, active).curvature == SINGULAR
    both = np.concatenate([units, np.ones(M)])
    inverse = np.linalg.inv(dense(H, A, active) * both * both[:, None])
    for sizes in (units, kkt.balancing_units(H, A, active)):
        found = null_space_form(H, A, active, sizes)
        assert found.curvature == DEFINITE
        np.testing.assert_allclose(assembled(found) / both / both[:, None], inverse, atol=1e-12)


def test_balancing_leaves_no_row_larger_than_another(rng):
    """Also where a variable has no curvature, and where a row is not active."""
    H, A = definite(rng, D), independent(rng, M, D)
    H[:, 0] = H[0] = 0
    active = np.array([True, False, True, True])
    units = np.logspace(6, -6, D)
    H, A = H / units / units[:, None], np.logspace(-3, 5, M)[:, None] * A / units
    found = np.asarray(kkt.balancing_units(H, A, active))
    largest = np.max(np.abs(H * found * found[:, None]), axis=1)[1:]
    assert np.all((largest > 1e-2) & (largest < 2))
    np.testing.assert_array_equal(
        found, kkt.balancing_units(H, np.where(active[:, None], A, 7), active)
    )


def test_what_is_flat_stays_flat_in_balanced_units(rng):
    """A Hessian of rank 2 in three scaled variables."""
    factor = rng.normal(size=(2, 3)) * np.array([1e5, 1.0, 1e-5])
    matrix = factor.T @ factor, np.ones((1, 3)), np.zeros(1, bool)
    units = kkt.balancing_units(*matrix)
    assert null_space_form(*matrix, units).curvature == SINGULAR


def test_single_precision(rng):
    H, A = definite(rng, D), independent(rng, M, D)
    single = [jnp.asarray(a, jnp.float32) for a in (H, A)]
    expected = np.linalg.inv(dense(H, A, np.ones(M, bool)))
    for form in FORMS.values():
        found = form(*single, np.ones(M, bool))
        assert found.primal.dtype == jnp.float32
        np.testing.assert_allclose(assembled(found), expected, atol=1e-4)
