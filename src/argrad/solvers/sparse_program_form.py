"""The linear systems of a sparse quadratic program, with banded Cholesky factors."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from argrad.linalg.block_tridiagonal import BlockCholesky, BlockTridiagonal
from argrad.linalg.cholesky import DEFINITE, SINGULAR
from argrad.solvers.active_set import INACTIVE, STRONGLY_ACTIVE
from argrad.solvers.quadratic_program_data import Units
from argrad.solvers.quadratic_program_forms import PrimalForm, penalty
from argrad.solvers.sparse_program_data import Plan, SparseProgram

_ROUNDS = 6  # of inverse iteration
_PROBED = 1e-10  # what rows are told from dependent ones by, beside squares of their lengths


class SparseForm(PrimalForm):
    """`PrimalForm`, factorised as a block-tridiagonal matrix."""

    program: SparseProgram

    def factor(self, weights, diagonal, free):
        plan = self.program.plan
        K = plan.matrix(self.program.Q, self.program.rows, weights)
        return _masked(_shifted(K, plan, diagonal), plan, free).cholesky()

    def substitute(self, factor, a):
        plan = self.program.plan
        return plan.by_variable(factor.solve(plan.by_block(a)))

    def independent(self, factor, held):
        raise NotImplementedError("that of sparse rows is judged by `regularity`.")


def _shifted(K: BlockTridiagonal, plan: Plan, diagonal: Float[Array, " n"]) -> BlockTridiagonal:
    eye = jnp.eye(plan.size, dtype=diagonal.dtype)
    return K._replace(diagonal=K.diagonal + eye * plan.by_block(diagonal)[:, None])


def _masked(K: BlockTridiagonal, plan: Plan, free: Bool[Array, " n"] | None) -> BlockTridiagonal:
    """The identity where variables are not free."""
    if free is None:
        return K
    free = plan.by_block(free)
    eye = jnp.eye(plan.size, dtype=K.diagonal.dtype)
    own = free[:, :, None] & free[:, None, :]
    beside = free[:, :, None] & jnp.roll(free, 1, axis=0)[:, None, :]
    return BlockTridiagonal(jnp.where(own, K.diagonal, eye), jnp.where(beside, K.below, 0))


def form(program: SparseProgram, sizes: Units) -> tuple[SparseForm, Bool[Array, ""]]:
    """The condensed systems, shifted where that is needed, and whether Q is convex."""
    plan, eps = program.plan, float(jnp.finfo(program.p.dtype).eps)
    Q, diagonal = plan.matrix(program.Q, program.rows, None), program.curvatures()
    pivots = plan.by_variable(Q.cholesky().pivots)
    posed = jnp.all(pivots > eps**0.5 * diagonal)
    shift = jnp.where(posed, 0, eps**0.5 * sizes.stiffness)
    # Rounding grows with the width of the band, not with the number of variables.
    largest = jnp.max(jnp.abs(program.Q.data), initial=0.0)
    rounding = 300 * plan.size * eps * largest + float(jnp.finfo(diagonal.dtype).tiny)
    rounded = _shifted(Q, plan, jnp.broadcast_to(rounding, diagonal.shape)).cholesky()
    convex = posed | _complete(rounded)
    return shifted(program, sizes, shift), convex


def shifted(program: SparseProgram, sizes: Units, shift: Float[Array, ""]) -> SparseForm:
    """The condensed systems with a shift that is known."""
    return SparseForm(program, shift, penalty(program, sizes, shift))


def _complete(factor: BlockCholesky) -> Bool[Array, ""]:
    """Whether there is such a factor."""
    return jnp.all(jnp.isfinite(factor.inverse[-1]))  # a block that failed spoils all later ones


def regularity(
    program: SparseProgram, activity: Int[Array, " m"]
) -> tuple[Int[Array, ""], Float[Array, " m"]]:
    """The curvature that strongly active rows leave, and how active rows depend on each other.

    Both by inverse iteration from a random vector, which finds what is singular to rounding. Rows
    that hardly differ from dependent ones, or curvature that is hardly zero, may be told from
    them otherwise than by the singular values of dense matrices.
    """
    strong, active = activity == STRONGLY_ACTIVE, activity != INACTIVE
    return _curvature(program, strong), _dependent(program, active)


def _curvature(program: SparseProgram, held: Bool[Array, " m"]) -> Int[Array, ""]:
    """SINGULAR where uᵀQu and the held rows J u vanish together for some u."""
    plan, k, eps = program.plan, program.rows.shape[0], float(jnp.finfo(program.p.dtype).eps)
    size = jnp.max(jnp.abs(program.curvatures()))
    size = jnp.where(size > 0, size, 1)
    weights = jnp.where(held[:k], size / program.squares(), 0)
    free = _free(program, held)
    tiny = 100 * plan.size * eps * size
    K = plan.matrix(program.Q, program.rows, weights)
    K = _shifted(K, plan, jnp.broadcast_to(tiny, free.shape))
    factor = _masked(K, plan, free).cholesky()

    def round_(_, u):
        u = jnp.where(free, plan.by_variable(factor.solve(plan.by_block(u))), 0)
        return _unit(u)

    u = jax.random.normal(jax.random.key(0), free.shape, program.p.dtype)
    u = jax.lax.fori_loop(0, _ROUNDS, round_, jnp.where(free, _unit(u), 0))
    left = u @ (program.Q @ u) + weights @ (program.rows @ u) ** 2
    # NaN: not even the shift made it definite.
    singular = ~(left > tiny * (u @ u)) & jnp.any(free)
    return jnp.where(singular, SINGULAR, DEFINITE)


def _dependent(program: SparseProgram, held: Bool[Array, " m"]) -> Float[Array, " m"]:
    """How much of a combination of the held rows that vanishes each is, or 0 where none does.

    Inverse iteration with J Jᵀ + δ, whose inverse is (1 − J (δ + JᵀJ)⁻¹ Jᵀ)/δ.
    """
    plan, k, dtype = program.plan, program.rows.shape[0], program.p.dtype
    eps, free = float(jnp.finfo(dtype).eps), _free(program, held)
    lower, upper = program.bounds(held)
    found = jnp.zeros(held.shape, dtype)
    if k and program.rows.data.size:
        here = held[:k]
        lengths = jnp.sqrt(program.squares())
        delta = max(_PROBED, 100 * plan.size * eps)
        bare = program.rows.scaled(jnp.where(here, 1 / lengths, 0), free.astype(dtype))
        nothing = program.Q.with_data(jnp.zeros_like(program.Q.data))
        K = plan.matrix(nothing, bare, jnp.ones(k, dtype))
        factor = _shifted(K, plan, jnp.full(free.shape, delta, dtype)).cholesky()

        def round_(_, v):
            inner = plan.by_variable(factor.solve(plan.by_block(v @ bare)))
            return _unit(jnp.where(here, v - bare @ inner, 0))

        v = jax.random.normal(jax.random.key(1), here.shape, dtype)
        v = jax.lax.fori_loop(0, _ROUNDS, round_, _unit(jnp.where(here, v, 0)))
        vanishes = jnp.linalg.norm(v @ bare) <= eps**0.5
        part = jnp.abs(v) / jnp.max(jnp.abs(v), initial=float(jnp.finfo(dtype).tiny))
        found = found.at[:k].set(jnp.where(vanishes & jnp.any(here), part, 0))
    if lower is not None and upper is not None:
        between = lower & upper
        both = jnp.concatenate([jnp.zeros(k, bool), between, between])
        found = jnp.where(jnp.any(between), both, found)
    return found


def _free(program: SparseProgram, held: Bool[Array, " m"]) -> Bool[Array, " n"]:
    free = jnp.ones(program.p.shape, bool)
    for part in program.bounds(held):
        free = free if part is None else free & ~part
    return free


def _unit(v):
    size = jnp.linalg.norm(v)
    return v / jnp.where(size > 0, size, 1)
