"""What kind of stationary point y* is: minimum, saddle, maximum, or flat along some direction.

Judged by the extreme eigenvalues of ∇²L on the null space of the active rows, in units of the
variables that balance the matrix (Ruiz 2001), so that variables of very different sizes are not
taken for flat directions. Without forming it, by Lanczos' method, above 500 variables.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from argrad.diagnose.certificate import Line, Standing
from argrad.diagnose.subject import Evaluation, Subject
from argrad.external import External
from argrad.linalg.kkt import balancing_units

Array = np.ndarray
DENSE = 500
_LANCZOS = 80  # steps, with all vectors kept and orthogonalised against each other
_PROBES = 8
_NEXT_TO = 1e-5  # relative distance at which a curvature should be about what it is at y*
_GROWTH = 100.0  # and by how much more it has to be for the minimum to be degenerate


class Curvature(NamedTuple):
    """`kind` is "minimum", "saddle", "maximum", "flat" or "unknown", of what is minimised.

    `smallest` and `largest` are eigenvalues in balanced units, `condition` is that of the
    balanced KKT matrix (or of ∂C/∂y), `step` the Newton step that is left at y*.
    """

    kind: str
    smallest: float
    largest: float
    condition: float
    exact: bool
    rows: Array
    inverse: Array | None
    flattest: Array | None
    matters: bool  # whether anybody claimed a minimum

    def line(self) -> Line:
        if self.kind == "unknown":
            return Line("curvature", {}, "skip", "no finite solution to look at")
        values = {"smallest": self.smallest, "largest": self.largest}
        how = "" if self.exact else " as far as Lanczos' method saw"
        if self.kind == "minimum":
            return Line("curvature", values, "pass", f"an isolated minimum{how}")
        if self.kind == "degenerate":
            meaning = "the curvature vanishes at y*, as that of y⁴ does, or all but vanishes"
            return Line("curvature", values, "fail", meaning)
        if self.kind == "flat":
            return Line("curvature", values, "fail", f"flat along a direction{how}: not isolated")
        if not self.matters:
            return Line("curvature", values, "pass", f"a {self.kind}, and no minimum was claimed")
        return Line("curvature", values, "fail", f"a {self.kind}, not a minimum{how}")

    def head_room(self, eps: float) -> Line:
        error = self.condition * eps
        if not np.isfinite(error):
            return Line("head room", {}, "skip", "no condition number to judge by")
        values = {"condition": self.condition, "eps": eps}
        name = "float64" if eps < 1e-10 else "float32"
        if error < 1e-4:
            return Line("head room", values, "pass", f"{name} leaves {-np.log10(error):.0f} digits")
        more = "; float64 would" if name == "float32" and self.condition < 1e12 else ""
        standing: Standing = "fail" if error > 0.1 else "warn"
        digits = max(0, int(-np.log10(error)))
        return Line("head room", values, standing, f"{name} leaves {digits} digits at most{more}")


def curvature(subject: Subject, at: Evaluation, active: Array, units: Array) -> Curvature:
    """Look at the solution `at` with these rows active; `units` are the sizes of variables."""
    claimed = True
    if isinstance(subject.solve, External):
        claimed = subject.solve.conditions.curvature == "definite"
    nothing = Curvature(
        "unknown", np.nan, np.nan, np.nan, False, np.zeros((0, 0)), None, None, claimed
    )
    if not np.all(np.isfinite(at.y)):
        return nothing
    if subject.size > DENSE and at.rows.size == 0:
        return _lanczos(subject, at, claimed)
    matrix, jacobian = subject.second_order(at)
    if subject.barrier:
        slack = np.where(active, 1.0, -at.rows)
        stiff = np.where(active, 0.0, at.multipliers / slack)
        matrix = matrix + (jacobian.T * stiff) @ jacobian
    rows = jacobian[active]
    if not (np.all(np.isfinite(matrix)) and np.all(np.isfinite(rows))):
        return nothing
    eps = float(np.finfo(subject.dtype).eps)
    if isinstance(subject.solve, External) and subject.solve.conditions.curvature == "general":
        return _general(matrix, eps, claimed)
    found = _dense((matrix + matrix.T) / 2, rows, eps, claimed)
    if found.kind == "minimum" and found.flattest is not None and not subject.barrier:
        w = found.flattest / np.max(np.abs(found.flattest / units)) * _NEXT_TO
        bent = [w @ subject.model(at, at.y + sign * w, w)[2] for sign in (0.0, 1.0, -1.0)]
        # To both sides: to one side only it would be a bend, and y* may have two slopes.
        if min(bent[1:]) > _GROWTH * bent[0]:
            return found._replace(kind="degenerate")
    return found


def _dense(matrix: Array, rows: Array, eps: float, claimed: bool) -> Curvature:
    d, k = matrix.shape[0], rows.shape[0]
    held = jnp.ones(k, bool)
    units = np.asarray(balancing_units(jnp.asarray(matrix), jnp.asarray(rows), held), float)
    scaled, rows = units[:, None] * matrix * units, rows * units
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(norms > 0, norms, 1)
    size = np.max(np.abs(scaled), initial=0.0)
    tiny = max(eps**0.875, 4 * d * eps)
    _, sigma, right = np.linalg.svd(unit, full_matrices=True)
    basis = right[int(np.sum(sigma > eps**0.625)) :].T
    if size == 0 and basis.shape[1]:
        return Curvature("flat", 0.0, 0.0, np.inf, True, unit, None, None, claimed)
    scaled = scaled / (size or 1.0)
    values, flattest = np.ones(1), None
    if basis.shape[1]:
        values, vectors = np.linalg.eigh(basis.T @ scaled @ basis)
        flattest = units * (basis @ vectors[:, 0])
    kkt = np.block([[scaled, unit.T], [unit, np.zeros((k, k))]])
    whole = np.abs(np.linalg.eigvalsh(kkt))
    condition = float(np.max(whole) / np.min(whole)) if np.min(whole) > 0 else np.inf
    kind = _kind(values, tiny)
    inverse = None
    if condition * eps < 1:
        full = np.linalg.inv(kkt)[:d, :d]
        inverse = units[:, None] * full * units / (size or 1.0)
    low, high = float(values[0]), float(values[-1])
    return Curvature(kind, low, high, condition, True, unit, inverse, flattest, claimed)


def _kind(values: Array, tiny: float) -> str:
    if np.min(np.abs(values)) <= tiny * max(np.max(np.abs(values)), 1e-300):
        return "saddle" if values[0] < -tiny else "flat"
    if values[0] > 0:
        return "minimum"
    return "maximum" if values[-1] < 0 else "saddle"


def _general(matrix: Array, eps: float, claimed: bool) -> Curvature:
    """∂C/∂y that need not be symmetric: singular values after balancing rows and columns."""
    scaled = matrix.copy()
    columns, lines = np.ones(scaled.shape[1]), np.ones(scaled.shape[0])
    for _ in range(8):
        c = np.sqrt(np.max(np.abs(scaled), axis=0))
        r = np.sqrt(np.max(np.abs(scaled), axis=1))
        c, r = np.where(c > 0, c, 1), np.where(r > 0, r, 1)
        scaled, columns, lines = scaled / c / r[:, None], columns / c, lines / r
    sigma = np.linalg.svd(scaled, compute_uv=False)
    tiny = max(eps**0.875, 4 * matrix.shape[0] * eps)
    regular = sigma[-1] > tiny * sigma[0]
    condition = float(sigma[0] / sigma[-1]) if sigma[-1] > 0 else np.inf
    inverse = columns[:, None] * np.linalg.inv(scaled) * lines if regular else None
    kind = "regular root" if regular else "flat"
    none = np.zeros((0, matrix.shape[0]))
    return Curvature(
        kind, float(sigma[-1]), float(sigma[0]), condition, True, none, inverse, None, claimed
    )


def _lanczos(subject: Subject, at: Evaluation, claimed: bool) -> Curvature:
    """Extreme Ritz values of the Hessian scaled by an estimate of its diagonal.

    The diagonal by Bekas, Kokiopoulou and Saad 2007, from products with vectors of ±1.
    """
    rng, d = np.random.default_rng(0), subject.size
    product = lambda v: subject.model(at, at.y, v)[2]
    signs = rng.choice([-1.0, 1.0], (_PROBES, d))
    diagonal = np.mean([z * product(z) for z in signs], axis=0)
    scale = np.abs(diagonal)
    scale = 1 / np.sqrt(np.maximum(scale, 1e-16 * np.max(scale) + 1e-300))
    v = rng.normal(size=d)
    basis, alpha, beta = [v / np.linalg.norm(v)], [], []
    for _ in range(min(_LANCZOS, d)):
        w = scale * product(scale * basis[-1])
        alpha.append(w @ basis[-1])
        kept = np.array(basis)
        for _ in range(2):  # twice is enough (Kahan, in Parlett 1980)
            w = w - kept.T @ (kept @ w)
        beta.append(np.linalg.norm(w))
        if beta[-1] <= 1e-12 * max(map(abs, alpha)) or not np.isfinite(beta[-1]):
            break
        basis.append(w / beta[-1])
    values = np.linalg.eigvalsh(np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1))
    tiny = max(subject.eps**0.875, 4 * d * subject.eps)
    condition = float(np.max(np.abs(values)) / np.min(np.abs(values)))
    none = np.zeros((0, d))
    kind = _kind(values, tiny)
    low, high = float(values[0]), float(values[-1])
    return Curvature(kind, low, high, condition, False, none, None, None, claimed)
