"""The linear systems of a convex quadratic program, condensed to their smaller side.

    [ Q   Jᵀ ] [ u ]   [ a ]
    [ J  −D  ] [ l ] = [ b ]      J = the rows of A, of G, −1 for lower and 1 for upper bounds

D is the slack over the multiplier of each row in an interior point method and zero for the rows
that an active set holds; rows that are not held have −l = b instead. Either Q is factorised once
and each D costs the Cholesky factor of a matrix with one row a constraint (`DualForm`), or each D
costs one with a row a variable (`PrimalForm`). What a factor lacks in accuracy, where Q is
singular or rows depend on each other, is restored by iterative refinement.
"""

from typing import Protocol

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Bool, Float

from argrad.linalg.cholesky import lower_cholesky
from argrad.linalg.extremes import smallest
from argrad.solvers.quadratic_program_data import Program, Units


class Form(Protocol):
    """A way to solve the systems above.

    `factorise` is given the rows that are held and D, or None for the zero of an active set;
    `solve` what it returned as well. `independent` says whether the factor of an active set
    proves its rows independent; `of` is the form of a program with the same Q and rows. The
    system has Q + `shift`, None for zero.
    """

    program: Program
    shift: Float[Array, ""] | None

    def of(self, program: Program) -> "Form": ...

    def factorise(self, held: Bool[Array, " m"], D: Float[Array, " m"] | None) -> Array: ...

    def solve(
        self,
        factor: Float[Array, "k k"],
        held: Bool[Array, " m"],
        D: Float[Array, " m"] | None,
        a: Float[Array, " n"],
        b: Float[Array, " m"],
    ) -> tuple[Float[Array, " n"], Float[Array, " m"]]: ...

    def independent(
        self, factor: Float[Array, "k k"], held: Bool[Array, " m"]
    ) -> Bool[Array, ""]: ...


def cholesky(matrix: Float[Array, "k k"]) -> Float[Array, "k k"]:
    """The upper factor, UᵀU = matrix, as `lower_cholesky` has it transposed.

    LAPACK stores matrices the other way round than XLA: its lower factor lies in memory as the
    upper one does in XLA's, so that one that is carried through a loop, and laid out there as
    XLA does, is not copied. One that is not carried is not copied as the lower one.
    """
    return lower_cholesky(matrix).T


def least_share(factor: Float[Array, "k k"], diagonal: Float[Array, " k"]) -> Float[Array, ""]:
    """The smallest pivot, as a share of the diagonal element that it is what is left of."""
    return smallest(jnp.diagonal(factor) ** 2 / diagonal, 1.0)


def convex_factor(
    Q: Float[Array, "n n"], stiffness: Float[Array, ""]
) -> tuple[Float[Array, "n n"], Float[Array, ""], Bool[Array, ""]]:
    """L with L Lᵀ = Q + shift, the shift, and whether Q is convex, for a Q that may be singular.

    The shift is zero or eps^½ `stiffness`. Negative curvature that may be rounding is taken for
    none.
    """
    n, eps = Q.shape[0], float(jnp.finfo(Q.dtype).eps)
    L = lower_cholesky(Q)
    posed = least_share(L, jnp.diagonal(Q)) > eps**0.5
    eye = jnp.eye(n, dtype=Q.dtype)
    rounding = 100 * n * eps * jnp.max(jnp.abs(Q)) + float(jnp.finfo(Q.dtype).tiny)
    # One factor after another: XLA would run independent ones side by side, and with a batch of
    # them on as many threads each waits for a thread that another holds (jaxlib 0.10).
    rounding = jnp.where(posed, 0, rounding)
    convex = posed | jnp.all(jnp.isfinite(lower_cholesky(Q + rounding * eye)))
    shift = jnp.where(convex & ~posed, eps**0.5 * stiffness, 0)
    return jnp.where(posed, L, lower_cholesky(Q + shift * eye)), shift, convex


def over(L: Float[Array, "n n"], rows: Float[Array, "k n"]) -> Float[Array, "k n"]:
    """Rows times L⁻ᵀ: quicker than L⁻¹ times columns, as LAPACK and XLA order matrices."""
    return lax.linalg.triangular_solve(L, rows, lower=True, transpose_a=True)


def forwards(L: Float[Array, "n n"], a: Float[Array, " n"]) -> Float[Array, " n"]:
    """L⁻¹ a, as a column, which for one vector is quicker than as a row."""
    return lax.linalg.triangular_solve(L, a[:, None], left_side=True, lower=True)[:, 0]


def backwards(L: Float[Array, "n n"], a: Float[Array, " n"]) -> Float[Array, " n"]:
    """L⁻ᵀ a."""
    solve = lax.linalg.triangular_solve
    return solve(L, a[:, None], left_side=True, lower=True, transpose_a=True)[:, 0]


def substitute(U: Float[Array, "n n"], a: Float[Array, " n"]) -> Float[Array, " n"]:
    """(UᵀU)⁻¹ a."""
    return cho_solve((U.T, True), a)


class DualForm(eqx.Module):
    """y = −Q⁻¹(p + Jᵀl) eliminated: with Q = L Lᵀ, R = J L⁻ᵀ and S = R Rᵀ, factorise S + D.

    `offset` is the slack at l = 0, so that the slack at l is offset + S l. For programs without
    bounds. Their Q need not be symmetric: nothing but residuals is taken with it, for which no
    half of it has to be made and kept.
    """

    program: Program
    shift: Float[Array, ""] | None
    L: Float[Array, "n n"]
    R: Float[Array, "m n"]
    S: Float[Array, "m m"]
    q: Float[Array, " n"]
    offset: Float[Array, " m"]

    def of(self, program):
        q = forwards(self.L, program.p)
        offset = program.limits() + self.R @ q
        return DualForm(program, None, self.L, self.R, self.S, q, offset)

    def factorise(self, held, D):
        S = jnp.where(held[:, None] & held, self.S, jnp.eye(held.size, dtype=self.S.dtype))
        if D is None and self.shift is None:
            return cholesky(S)
        # Room for rounding, so that the factor exists where rows depend on each other.
        room = float(jnp.finfo(S.dtype).eps) ** 0.75 * jnp.diagonal(self.S)
        return cholesky(S + jnp.diag(jnp.where(held, room if D is None else room + D, 0)))

    def solve(self, factor, held, D, a, b):
        del D
        r = forwards(self.L, a)
        l = substitute(factor, jnp.where(held, self.R @ r - b, -b))
        return backwards(self.L, r - jnp.where(held, l, 0) @ self.R), l

    def independent(self, factor, held):
        share = least_share(factor, jnp.where(held, jnp.diagonal(self.S), 1))
        return share > float(jnp.finfo(factor.dtype).eps) ** 0.25


class PrimalForm(eqx.Module):
    """l eliminated: factorise Q + JᵀD⁻¹J.

    Of a program with a symmetric Q. Held bounds fix their variables. Other held rows are met up
    to a penalty, `weights`, so that solutions have its relative error; it is as large as leaves
    the curvature of Q to be seen.
    """

    program: Program
    shift: Float[Array, ""] | None
    weights: Float[Array, " k"]

    def of(self, program):
        return PrimalForm(program.symmetrised(), None, self.weights)

    def factorise(self, held, D):
        weights, bounds = self._weights(held, D)
        if self.shift is not None:
            bounds = bounds + self.shift
        diagonal = jnp.broadcast_to(bounds, self.program.p.shape)
        fixing = D is None and self.program.bounded
        return self.factor(weights, diagonal, ~self._fixed(held)[2] if fixing else None)

    def factor(self, weights, diagonal, free):
        """Of Q + rowsᵀ weights rows + diagonal, the identity where variables are not free."""
        rows, Q = self.program.rows, self.program.Q
        K = Q + (rows.T * weights) @ rows if weights.size else Q
        K = K + jnp.diag(diagonal)
        if free is not None:
            K = jnp.where(free[:, None] & free, K, jnp.eye(free.size, dtype=K.dtype))
        return cholesky(K)

    def substitute(self, factor, a):
        """K⁻¹ a."""
        return substitute(factor, a)

    def solve(self, factor, held, D, a, b):
        program, k = self.program, self.weights.size
        if D is not None:
            weights, _ = self._weights(held, D)
            inverse = self._inverse(held, D)
            force = program.transposed(inverse * b)
            u = self.substitute(factor, a + force)
            return u, jnp.where(held, inverse * (program.times(u) - b), -b)
        rows = program.rows
        weights, _ = self._weights(held, D)
        right = a + (weights * b[:k]) @ rows
        if program.bounded:
            lower, upper, either = self._fixed(held)
            b_lower, b_upper = program.bounds(b)
            fixed = jnp.where(upper, b_upper, 0) if lower is None else -b_lower
            fixed = jnp.where(either, fixed, 0)
            if lower is not None and upper is not None:
                fixed = jnp.where(upper, b_upper, fixed)
            right = right - self._curve(fixed) - (weights * (rows @ fixed)) @ rows
            right = jnp.where(either, fixed, right)
        u = self.substitute(factor, right)
        l = jnp.where(held[:k], weights * (rows @ u - b[:k]), -b[:k])
        if not program.bounded:
            return u, l
        force = a - self._curve(u) - jnp.where(held[:k], l, 0) @ rows
        parts = [l]
        if lower is not None:
            parts.append(jnp.where(lower, -force, -b_lower))
        if upper is not None:
            parts.append(jnp.where(upper, force, -b_upper))
        return u, jnp.concatenate(parts)

    def independent(self, factor, held):
        del factor
        rows = self.program.rows
        if not rows.size:
            return jnp.array(True)
        # The angles between the rows, where bounds do not fix the variable.
        rows = rows / jnp.sqrt(self.program.squares())[:, None]
        if self.program.bounded:
            rows = jnp.where(self._fixed(held)[2], 0, rows)
        held = held[: rows.shape[0]]
        gram = jnp.where(held[:, None] & held, rows @ rows.T, jnp.eye(held.size, dtype=rows.dtype))
        share = least_share(cholesky(gram), jnp.ones_like(rows[:, 0]))
        return share > float(jnp.finfo(rows.dtype).eps) ** 0.25

    def _curve(self, u):
        curved = self.program.Q @ u
        return curved if self.shift is None else curved + self.shift * u

    def _fixed(self, held):
        """Variables at their lower bound, at their upper, at either."""
        lower, upper = self.program.bounds(held)
        either = upper if lower is None else lower if upper is None else lower | upper
        return lower, upper, either

    def _inverse(self, held, D):
        """D⁻¹; that of equalities, which have D = 0, by penalty."""
        inverse = jnp.where(held, 1 / jnp.where(held & (D > 0), D, 1), 0)
        e = self.program.equalities
        return inverse.at[:e].set(self.weights[:e]) if e else inverse

    def _weights(self, held, D):
        """Of the rows that are not bounds, and what bounds add to the diagonal."""
        k = self.weights.size
        if D is None:
            return jnp.where(held[:k], self.weights, 0), jnp.zeros((), self.weights.dtype)
        inverse = self._inverse(held, D)
        bounds = [part for part in self.program.bounds(inverse) if part is not None]
        return inverse[:k], sum(bounds, jnp.zeros((), inverse.dtype))


def condensed(
    program: Program,
    units: Units,
    L: Float[Array, "n n"],
    shift: Float[Array, ""] | None,
) -> DualForm | PrimalForm:
    """The form with the smaller matrix, given L with L Lᵀ = Q + shift; None for no shift."""
    rows = program.rows
    if program.bounded or rows.shape[0] > rows.shape[1]:
        return PrimalForm(program.symmetrised(), shift, penalty(program, units, shift))
    both = over(L, jnp.concatenate([rows, program.p[None]]))
    R, q = both[:-1], both[-1]
    return DualForm(program, shift, L, R, R @ R.T, q, program.limits() + R @ q)


def penalty(program: Program, units: Units, shift: Float[Array, ""] | None) -> Float[Array, " k"]:
    """The weights with which `PrimalForm` meets the rows that are not bounds."""
    # They stand between the rows and Q; a shift, between Q and rounding, needs room too.
    eps = float(jnp.finfo(program.p.dtype).eps)
    size = eps**-0.5 * units.curvature
    if shift is not None:
        size = jnp.where(shift > 0, eps ** (-1 / 3) * units.stiffness, size)
    return size / program.squares()
