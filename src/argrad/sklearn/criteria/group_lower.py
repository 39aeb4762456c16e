"""The group lasso on the training rows of one fold, solved exactly.

For rows x_i of a centred design, with weights r that sum to one, groups g of d_g columns each, and
a penalty λ_j that is the same, λ_g, within a group

    f(w) = ½ Σ_i r_i (x_i·w − u_i)² + Σ_g λ_g √d_g ‖w_g‖.

Sweeps over the groups, a proximal step each, find out which are in use: those outside pull with
‖q_g − Q_g w‖ ≤ λ_g √d_g. Between sweeps there is a step of Newton's method among those in use,
where f is smooth: with u_g = w_g / ‖w_g‖ its Hessian is A = Q + D, of which D has the blocks
λ_g √d_g (I − u_g u_gᵀ) / ‖w_g‖. It ends at rounding, where a sweep changes nothing.

A is singular where Σ_g c_g X_g u_g = 0, as it must be where more groups are in use than there are
rows. Along c_g u_g the loss stays and the norms change linearly, so that one way f does not grow
until a group is zero: as in Carathéodory's theorem there is a solution without such c. It is the
only one unless a group that is out pulls with all that holds it, and there is a c with that one in.

Source: Yuan and Lin 2006, Model selection and estimation in regression with grouped variables,
J. R. Stat. Soc. B 68; steps with the largest eigenvalue of each group's Q as in Yang and Zou 2015,
A fast unified algorithm for solving group-lasso penalized learning problems, Stat. Comput. 25.
Newton's steps see the pulls of groups beside their directions, which are the same at the solution,
as in Chan, Golub and Mulet 1999, A nonlinear primal-dual method for total variation-based image
restoration, SIAM J. Sci. Comput. 20(6): by the directions alone nearly every step has to be
shortened where penalties are small.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.signs import SINGULAR, entering, factorised, flattest, held, solved
from argrad.sklearn.criteria.sparse_lower import OnSupport, Support, lowered
from argrad.sklearn.criteria.training_rows import LeastSquares

_ROUNDS, _HALVINGS = 1000, 30
# Steps of Newton's method that may be damped, by this part of the largest curvature.
_WITHOUT, _DAMPED = 200, 1e-6
# A Newton step of this part of the coefficients is the last, what it leaves is quadratic in it; on
# the way to smaller penalties less will do.
_SHORT, _ROUGH = 1e-9, 1e-3
# Steps that no longer shrink are rounding: up to this part of the coefficients, for penalties of
# the size of the pulls, and more for smaller ones.
_ROUNDED = 1e-13
# What f falls by at least, of what its slope foretells, but for rounding.
_FALLS, _ROUNDING = 1e-4, 1e-14


@dataclass(frozen=True)
class GroupSolution(OnSupport):
    """Whole groups in use; of each of their columns the group among those in use, `number`.

    `weight` (|S|,) is λ_g √d_g of its columns, and `root` √d_g.
    """

    number: np.ndarray
    weight: np.ndarray
    root: np.ndarray

    def pushed(self, l1: np.ndarray, ridge: np.ndarray) -> np.ndarray:
        """∂G/∂t, see `OnSupport`."""
        del ridge
        return l1 * self.root * self.vector / self._norms()

    def bent(self, l1: np.ndarray, ridge: np.ndarray, w1: np.ndarray) -> np.ndarray:
        """2 ∂²G/∂t∂w w₁ + ∂²G/∂w² (w₁, w₁), of the direction u = w / ‖w‖ in each group.

        For p = w₁ − u (u·w₁) the direction changes by p / ‖w‖, and to second order by
        −(2 (u·w₁) p + u ‖p‖²) / ‖w‖².
        """
        del ridge
        norms = self._norms()
        u = self.vector / norms
        along = self._sums(u * w1)
        p = w1 - u * along
        second = -(2 * along * p + u * self._sums(p**2)) / norms**2
        return 2 * l1 * self.root * p / norms + self.weight * second

    def _norms(self) -> np.ndarray:
        return np.sqrt(self._sums(self.vector**2))

    def _sums(self, each: np.ndarray) -> np.ndarray:
        """Of each column the sum over its group."""
        return np.bincount(self.number, each)[self.number]


@dataclass
class GroupProblem(LeastSquares):
    """f of one fold; `groups` (d,) numbers the group of each column from 0, without a gap."""

    groups: np.ndarray = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = np.bincount(self.groups)
        self._root = np.sqrt(sizes)
        order = np.argsort(self.groups, kind="stable")
        self._members = np.split(order, np.cumsum(sizes)[:-1])
        self._steepest: dict[int, float] = {}

    @property
    def least(self) -> float:
        """The least penalty at which no column is used."""
        return float(self._pulls_of(self.pull).max())

    def solve(self, l1: np.ndarray, ridge: np.ndarray, start: Support) -> GroupSolution:
        """The solution at penalties λ = `l1` (d,), the same within each group, begun at `start`.

        `ridge` is zero. Raises `LowerError` where the solution is not unique, or the penalty so
        small that rounding hides it.
        """
        del ridge
        penalty = np.zeros(len(self._root))
        penalty[self.groups] = l1
        w = np.zeros(len(l1))
        w[start.columns] = start.coefficients
        if not len(start.columns):
            for factor in lowered(self._pulls_of(self.pull), penalty):
                w, _ = self._solve(factor * penalty, w, _ROUGH)
        w, used = self._solve(penalty, w, _SHORT)
        S = self._columns(used)
        S = S[np.argsort(S)]
        number = np.searchsorted(used, self.groups[S])
        weight = (penalty * self._root)[self.groups[S]]
        factor = factorised(self._curved(S, w[S], number, weight))
        if factor is None:
            raise LowerError("its penalty is so small that rounding hides it")
        self._refuse_others(penalty, S, w[S])
        return GroupSolution(Support(S, w[S]), factor, number, weight, self._root[self.groups[S]])

    def _solve(
        self, penalty: np.ndarray, w: np.ndarray, short: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """w (d,) and the groups in use, ascending; groups that are needed are learnt."""
        bound, enough = held(penalty, self.least), _ROUGH
        while True:
            used = np.unique(self.groups[np.flatnonzero(w)])
            self.learn(self._columns(used))
            if len(self.known) == len(w):
                enough = short
            w = self._among_known(penalty, bound, w, enough)
            used = np.unique(self.groups[np.flatnonzero(w)])
            S = self._columns(used)
            excess = self._pulls_of(self.pulls_at(S, w[S])) - bound
            excess[self.groups[self.known]] = -np.inf
            outside = np.flatnonzero(excess > 0)
            if not len(outside):
                if enough == short:
                    return w, used
                enough = short
                continue
            order = np.argsort(-excess[outside])[: 2 * entering(len(used))]
            self.learn(self._columns(outside[order]))

    def _among_known(
        self, penalty: np.ndarray, bound: np.ndarray, start: np.ndarray, short: float
    ) -> np.ndarray:
        """w (d,) with all groups held at zero that are not known."""
        known, Q, q = self.known, self.gram, self.pull[self.known]
        groups = np.unique(self.groups[known])
        w, whole, damped, moved = start[known], start.copy(), 0, np.inf if start.any() else 0.0
        unclear = _ROUNDED * self.least / penalty.min()
        for _ in range(_ROUNDS):
            before, earlier = w != 0, moved
            # Far from the solution among those in use others pull for no good reason.
            enter = earlier <= _ROUGH
            self._sweep(groups, penalty * self._root, bound * self._root, Q, q, w, enter)
            S = np.flatnonzero(np.isin(self.groups[known], np.unique(self.groups[known][w != 0])))
            moved = self._newton(S, penalty, Q, q, w) if len(S) else 0.0
            damped += np.isnan(moved)
            if damped > _WITHOUT:
                break
            rounded = 0.5 * earlier <= moved <= unclear
            if enter and (moved <= short or rounded) and np.array_equal(before, w != 0):
                whole[known] = w
                return whole
        raise LowerError("the groups that it needs do not settle, its penalty is so small")

    def _sweep(
        self,
        groups: np.ndarray,
        weight: np.ndarray,
        bound: np.ndarray,
        Q: np.ndarray,
        q: np.ndarray,
        w: np.ndarray,
        enter: bool,
    ) -> None:
        """One proximal step in each of these groups that is in use or has to be, in place."""
        pulls = q - Q @ w
        number = self.groups[self.known]
        norms = np.sqrt(np.bincount(number, pulls**2, len(bound)))[groups]
        used = np.bincount(number, w != 0, len(bound))[groups] > 0
        for g in groups[used | (enter & (norms > bound[groups]))]:
            at = self.place[self._members[g]]
            own = Q[np.ix_(at, at)]
            old, without = w[at], pulls[at] + own @ w[at]
            if np.linalg.norm(without) <= bound[g]:
                new = np.zeros(len(at))
            else:
                L = self._slope_of(g, own)
                aim = old + pulls[at] / L
                new = max(1.0 - weight[g] / (L * np.linalg.norm(aim)), 0.0) * aim
            if not np.array_equal(new, old):
                pulls -= Q[:, at] @ (new - old)
                w[at] = new

    def _newton(
        self, S: np.ndarray, penalty: np.ndarray, Q: np.ndarray, q: np.ndarray, w: np.ndarray
    ) -> float:
        """A step of Newton's method among the groups in use, in place: how long it was.

        Infinite where it was shortened or had to take groups out first, NaN where it was damped.
        """
        columns = self.known[S]
        _, number = np.unique(self.groups[columns], return_inverse=True)
        weight = (penalty * self._root)[self.groups[columns]]
        system = Q[np.ix_(S, S)]
        share = weight / np.bincount(number)[number]  # that a column has in its group's norm
        pulls = q[S] - Q[S] @ w
        pulls /= np.maximum(weight, np.sqrt(np.bincount(number, pulls**2))[number])
        curved, regular = self._curved(columns, w[S], number, weight, pulls), True
        factor = factorised(curved)
        if factor is None and self._spared(S, number, share, system, w):
            return np.inf
        while factor is None:
            regular = False
            curved[np.diag_indices(len(S))] += _DAMPED * np.diag(curved).max()
            factor = factorised(curved)

        def norms(v: np.ndarray) -> np.ndarray:
            return np.sqrt(np.bincount(number, v**2))[number]

        slope = system @ w[S] - q[S] + weight * w[S] / norms(w[S])
        step = -solved(factor, slope)
        longest = float(np.abs(w[S]).max())
        moved = float(np.abs(step).max()) / longest

        def f(v: np.ndarray) -> float:
            return float(v @ (0.5 * (system @ v) - q[S]) + share @ norms(v))

        here, t = f(w[S]), 1.0
        for _ in range(_HALVINGS):
            there = w[S] + t * step
            # A group that would turn round ends at zero, and goes on from there if it has to.
            there[np.bincount(number, w[S] * there)[number] <= 0] = 0.0
            if f(there) <= here + _FALLS * t * (slope @ step) + _ROUNDING * self.size**2:
                w[S] = there
                break
            t /= 2
        if not regular:
            return np.nan
        return moved if t == 1.0 else np.inf

    def _spared(
        self,
        S: np.ndarray,
        number: np.ndarray,
        share: np.ndarray,
        system: np.ndarray,
        w: np.ndarray,
    ) -> bool:
        """Take groups out, in place, without which f is no higher: whether there were any."""
        norms = np.sqrt(np.bincount(number, w[S] ** 2))
        weight, began = np.bincount(number, share), len(norms)
        u = np.zeros((len(S), began))
        u[np.arange(len(S)), number] = w[S] / norms[number]
        gram, left = u.T @ system @ u, np.arange(began)
        while (c := _dependent(gram[np.ix_(left, left)])) is not None:
            c = -c if weight[left] @ c > 0 else c
            shrinking = np.flatnonzero(c < 0)
            last = shrinking[np.argmin(norms[left][shrinking] / -c[shrinking])]
            norms[left] -= norms[left[last]] / c[last] * c
            norms[left[last]] = 0.0
            left = np.delete(left, last)
        w[S] = (u * norms).sum(axis=1)
        return len(left) < began

    def _refuse_others(self, penalty: np.ndarray, S: np.ndarray, w: np.ndarray) -> None:
        """Raise `LowerError` where there are other solutions than w (|S|,)."""
        pulls, bound = self.pulls_at(S, w), 2 * penalty - held(penalty, self.least)
        at_bound = self._pulls_of(pulls) >= bound
        out = np.setdiff1d(np.flatnonzero(at_bound), self.groups[S])
        if not len(out):
            return
        T = np.concatenate([S, self._columns(out)])
        v = np.concatenate([w, pulls[self._columns(out)]])
        _, number = np.unique(self.groups[T], return_inverse=True)
        z = self.columns(self.rows, T) * v
        z = np.stack([z[:, number == g].sum(axis=1) for g in range(number.max() + 1)], axis=1)
        if _dependent(z.T @ (self._r[:, None] * z)) is not None:
            raise LowerError(
                f"its solution is not unique, column {self._members[out[0]][0]} (counted from 0) "
                "can stand for others that are in use"
            )

    def _curved(
        self,
        columns: np.ndarray,
        w: np.ndarray,
        number: np.ndarray,
        weight: np.ndarray,
        pulled: np.ndarray | None = None,
    ) -> np.ndarray:
        """A over these columns, with (I − ½ (u vᵀ + v uᵀ)) for (I − u uᵀ) where they pull by v.

        That is A at the solution, for v = u there, and convex as long as ‖v‖ ≤ 1.
        """
        S = self.place[columns]
        norms = np.sqrt(np.bincount(number, w**2))[number]
        u = w / norms
        same = number[:, None] == number
        turned = np.outer(u * weight / norms, u if pulled is None else pulled)
        curved = self.gram[np.ix_(S, S)] - np.where(same, 0.5 * (turned + turned.T), 0.0)
        curved[np.diag_indices(len(S))] += weight / norms
        return curved

    def _slope_of(self, g: int, own: np.ndarray) -> float:
        """The largest eigenvalue of a group's Q."""
        if g not in self._steepest:
            self._steepest[g] = float(np.linalg.eigvalsh(own)[-1])
        return self._steepest[g]

    def _columns(self, groups: np.ndarray) -> np.ndarray:
        parts = [self._members[g] for g in groups]
        return np.concatenate(parts) if parts else np.empty(0, dtype=int)

    def _pulls_of(self, pulls: np.ndarray) -> np.ndarray:
        """Of each group ‖pull_g‖ / √d_g."""
        return np.sqrt(np.bincount(self.groups, pulls**2)) / self._root


def _dependent(gram: np.ndarray) -> np.ndarray | None:
    """c with Σ_g c_g z_g = 0, of the inner products of these z, None if there is none."""
    if not len(gram):
        return None
    least, c = flattest(gram)
    return c if least <= SINGULAR else None
