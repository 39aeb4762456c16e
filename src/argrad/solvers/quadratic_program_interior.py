"""An interior point method for convex quadratic programs that also proves when none can be solved.

The homogeneous embedding: with slacks s >= 0, multipliers l (those of inequalities >= 0) and two
further numbers τ, κ >= 0,

    Q y + Jᵀl + p τ = 0,   J y + s = limits τ,   yᵀQy/τ + pᵀy + limitsᵀl + κ = 0,

always has a solution with s l = 0 and τ κ = 0. Where τ > 0, (y, l)/τ solves the program. Where
κ > 0 nothing does, and (y, l) proves it: Jᵀl = 0 and limitsᵀl < 0, so that no point is feasible,
or Q y = 0, J y <= 0 and pᵀy < 0, so that the objective falls for ever along y. Steps are those
of Mehrotra.

Source: Goulart and Chen 2024, arXiv:2405.12762; Mehrotra 1992.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from argrad.solvers.quadratic_program_data import Program, Units, residual
from argrad.solvers.quadratic_program_forms import DualForm, PrimalForm

_MOST = 0.99  # of the way to the nearest bound


class Rows(NamedTuple):
    """What is fixed about the rows: which are there and which are inequalities, and their units.

    `weight` makes a multiplier comparable with a slack.
    """

    present: Bool[Array, " m"]
    inequality: Bool[Array, " m"]
    limits: Float[Array, " m"]
    lengths: Float[Array, " m"]
    weight: Float[Array, " m"]
    reach: Float[Array, ""]


class Iterate(NamedTuple):
    """A point of the embedding, and what it shows.

    `gap` is the largest relative error of the optimality conditions at (y, l)/τ.
    """

    y: Float[Array, " n"]
    l: Float[Array, " m"]
    s: Float[Array, " m"]
    tau: Float[Array, ""]
    kappa: Float[Array, ""]
    steps: Int[Array, ""]
    gap: Float[Array, ""]
    infeasible: Bool[Array, ""]
    unbounded: Bool[Array, ""]
    broken: Bool[Array, ""]

    @property
    def ended(self) -> Bool[Array, ""]:
        """Whether no further step is of use."""
        return self.infeasible | self.unbounded | self.broken


def begin(program: Program, units: Units) -> tuple[Rows, Iterate]:
    """y = 0, slacks and multipliers equal in the units of the program."""
    m, limits = program.size, program.limits()
    present = jnp.isfinite(limits)
    inequality = present & (jnp.arange(m) >= program.equalities)
    limits = jnp.where(present, limits, 0)
    bounds = jnp.ones(m - program.rows.shape[0], limits.dtype)
    lengths = jnp.concatenate([jnp.sqrt(program.squares()), bounds])
    reach = units.reach
    force = jnp.maximum(units.force, units.curvature * reach)
    force = jnp.where(force > 0, force, 1)
    no = jnp.array(False)
    rows = Rows(present, inequality, limits, lengths, lengths**2 * reach / force, reach)
    return rows, Iterate(
        y=jnp.zeros_like(program.p),
        l=jnp.where(inequality, force / lengths, 0),
        s=jnp.where(inequality, reach * lengths, 0),
        tau=jnp.ones((), limits.dtype),
        kappa=reach * force,
        steps=jnp.array(0),
        gap=jnp.full((), jnp.inf, limits.dtype),
        infeasible=no,
        unbounded=no,
        broken=no,
    )


def step(form: DualForm | PrimalForm, units: Units, rows: Rows, it: Iterate) -> Iterate:
    """A predictor and a corrector with one factor."""
    program = form.program
    p, limits, inequality = program.p, rows.limits, rows.inequality
    y, l, s, tau, kappa = it.y, it.l, it.s, it.tau, it.kappa
    safe_l, safe_s = jnp.where(inequality, l, 1), jnp.where(inequality, s, 1)
    D = jnp.where(inequality, safe_s / safe_l, 0)
    factor = form.factorise(rows.present, D)

    def solve(a, b):
        """[[Q, Jᵀ], [J, −D]]⁻¹; a second pass takes back most of what `factor` regularises."""

        def improve(_, found):
            u, v = found
            short = jnp.where(rows.present, b - program.times(u) + D * v, 0)
            left = a - program.Q @ u - program.transposed(v)
            du, dv = form.solve(factor, rows.present, D, left, short)
            return u + du, jnp.where(rows.present, v + dv, 0)

        return lax.fori_loop(0, 2, improve, (jnp.zeros_like(a), jnp.zeros_like(b)))

    curved = program.Q @ y
    quadratic = y @ curved
    d_y = curved + program.transposed(l) + p * tau
    d_l = jnp.where(rows.present, program.times(y) + s - limits * tau, 0)
    d_tau = quadratic / tau + p @ y + limits @ l + kappa
    product = jnp.where(inequality, s * l, 0)
    mean = (jnp.sum(product) + tau * kappa) / (jnp.sum(inequality) + 1)
    slope = 2 * curved / tau + p
    y_tau, l_tau = solve(-p, limits)
    denominator = slope @ y_tau + limits @ l_tau - quadratic / tau**2 - kappa / tau

    def direction(keep, d_s, d_kappa):
        """Newton's step that leaves `keep` of the residuals and takes d_s and d_kappa away."""
        go = keep - 1
        y_one, l_one = solve(go * d_y, go * d_l + d_s / safe_l)
        numerator = go * d_tau + d_kappa / tau - slope @ y_one - limits @ l_one
        dtau = numerator / denominator
        dl = l_one + dtau * l_tau
        ds = jnp.where(inequality, -(d_s + s * dl) / safe_l, 0)
        return y_one + dtau * y_tau, dl, ds, dtau, -(d_kappa + kappa * dtau) / tau

    def longest(move):
        _, dl, ds, dtau, dkappa = move
        each = jnp.minimum(_ratio(safe_l, dl), _ratio(safe_s, ds))
        each = jnp.min(jnp.where(inequality, each, jnp.inf), initial=jnp.inf)
        return jnp.minimum(each, jnp.minimum(_ratio(tau, dtau), _ratio(kappa, dkappa)))

    def predict_and_correct(turn, carry):
        keep, move = carry
        _, dl, ds, dtau, dkappa = move
        centre = keep * mean
        d_s = jnp.where(inequality, product + ds * dl - centre, 0)
        move = direction(keep, d_s, kappa * tau + dkappa * dtau - centre)
        return jnp.where(turn == 0, (1 - jnp.minimum(1, longest(move))) ** 3, keep), move

    still = jax_zeros((y, l, s, tau, kappa))
    keep = jnp.zeros_like(tau)
    _, move = lax.fori_loop(0, 2, predict_and_correct, (keep, still))
    t = jnp.minimum(1, _MOST * longest(move))
    new = tuple(old + t * change for old, change in zip((y, l, s, tau, kappa), move, strict=True))
    finite = jnp.isfinite(sum(jnp.sum(part) for part in new))
    # The embedding is homogeneous: its solutions are rays.
    largest = jnp.maximum(new[3], new[4] / (rows.reach * jnp.maximum(units.force, 1e-30)))
    largest = jnp.where(finite, largest, 1)
    old = (y, l, s, tau, kappa)
    new = tuple(jnp.where(finite, a / largest, b) for a, b in zip(new, old, strict=True))
    eps = float(jnp.finfo(y.dtype).eps)
    broken = ~finite | (t < eps**0.75)
    next = it._replace(y=new[0], l=new[1], s=new[2], tau=new[3], kappa=new[4], broken=broken)
    return _examined(program, units, rows, next._replace(steps=it.steps + 1))


def _ratio(value, change):
    """How many times `change` can be added until `value` is zero."""
    return jnp.where(change < 0, -value / jnp.where(change < 0, change, -1), jnp.inf)


def jax_zeros(tree):
    return tuple(jnp.zeros_like(part) for part in tree)


def _examined(program: Program, units: Units, rows: Rows, it: Iterate) -> Iterate:
    """The iterate with its gap, and whether it proves that there is no solution."""
    eps = float(jnp.finfo(it.y.dtype).eps)
    tiny = float(jnp.finfo(it.y.dtype).tiny)
    tol = eps**0.5
    y, l, s, limits = it.y, it.l, it.s, rows.limits
    now = residual(program, units, y / it.tau, l / it.tau)
    short = jnp.where(rows.present, jnp.abs(now.slack - s / it.tau) / now.reach, 0)
    size = jnp.maximum(jnp.abs(program.p @ y), jnp.abs(limits @ l)) / it.tau
    complementarity = (s @ jnp.where(rows.inequality, l, 0)) / it.tau**2
    size = jnp.maximum(size, now.force * jnp.max(jnp.abs(y)) / it.tau)
    size = jnp.maximum(size, eps ** (1 / 3) * units.force * rows.reach)
    gap = jnp.maximum(
        jnp.max(jnp.abs(now.gradient)) / now.force, complementarity / jnp.maximum(size, tiny)
    )
    gap = jnp.maximum(gap, jnp.max(short, initial=0.0))

    # lᵀ(J y − limits) > 0 for every y that is not beyond all reach.
    proof = -(limits @ l)
    crosswise = jnp.max(jnp.abs(program.transposed(l)))
    infeasible = proof > eps**0.5 * jnp.sum(jnp.abs(limits * l))
    # Where rounding allows no further step, or soon will not, what there is has to do.
    last = it.broken | (it.tau < eps ** (2 / 3))
    infeasible &= crosswise * rows.reach <= jnp.where(last, eps ** (1 / 3), tol) * proof

    length = jnp.max(jnp.abs(y))
    outwards = jnp.where(rows.present, program.times(y) / rows.lengths, 0)
    outwards = jnp.where(rows.inequality, outwards, jnp.abs(outwards))
    unbounded = -(program.p @ y) > tol * units.force * length
    unbounded &= jnp.max(jnp.abs(program.Q @ y)) <= tol * units.curvature * length
    unbounded &= jnp.max(outwards, initial=0.0) <= tol * length
    return it._replace(gap=gap, infeasible=infeasible, unbounded=unbounded)
