"""The problems as restated here, checked without argrad: shapes, derivatives and solutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from . import ALL

WITHOUT_MULTIPLIERS = {"HS13"}
# SLSQP needs independent equalities.
INDEPENDENT = {"HS55": slice(5)}
SLOW = {"HS85"}
# From the collection's start SLSQP ends at another local minimum, at a stationary point that is
# none, on a plateau or outside the constraints; here it starts closer.
NEARBY = {
    "HS2": (1.2, 1.5),
    "HS16": (0.4, 0.3),
    "HS20": (0.4, 1.0),
    "HS25": (49.0, 24.5, 1.4),
    "HS33": (0.1, 1.4, 1.5),
    "HS47": (0.7, 0.7, 1.2, 1.75, 1.5),
    "HS54": (13000.0, 1.1, 2.1e6, 11.0, 2e-3, 1.1e8),
    "HS55": (0.2, 1.4, 1.4, 0.8, 0.6, 0.6),
    "HS59": (14.0, 50.0),
    "HS61": (5.0, -2.0, 3.0),
    "HS88": (1.1, -0.5),
    "HS90": (1.1, -0.5, 0.1, 0.1),
    "HS105": (0.49, 0.35, 163.0, 130.0, 223.0, 20.0, 12.0, 16.0),
    "HS116": (0.8, 0.9, 0.97, 0.1, 0.19, 0.46, 574.0, 74.0, 500.0, 0.1, 20.0, 77.0, 0.01),
}


class Compiled:
    """f, ∇f, h, h', g and g' of one program as NumPy arrays, and its bounds."""

    def __init__(self, program):
        nothing = lambda y: y[:0]
        f, h = program.objective, program.equality or nothing
        g = program.inequality or nothing
        self.program, self.d = program, len(program.start)
        self.lower = np.array(program.lower or (-np.inf,) * self.d)
        self.upper = np.array(program.upper or (np.inf,) * self.d)
        self._all = jax.jit(
            lambda y: (f(y), jax.grad(f)(y), h(y), jax.jacfwd(h)(y), g(y), jax.jacfwd(g)(y))
        )
        self._last = None

    def __call__(self, y):
        y = np.array(y, float)
        if self._last is None or not np.array_equal(self._last[0], y):
            self._last = y, [np.asarray(part) for part in self._all(jnp.asarray(y))]
        return self._last[1]

    def units(self, y):
        """What counts as one of each variable, equality and inequality at y."""
        _, _, _, h_slope, _, g_slope = self(y)
        unit = np.maximum(np.abs(y), 1e-3)
        return unit, *(np.maximum(np.abs(slope) @ unit, 1) for slope in (h_slope, g_slope))


@pytest.fixture(
    scope="module",
    params=[pytest.param(p, marks=[pytest.mark.slow] * (p.name in SLOW)) for p in ALL],
    ids=lambda program: program.name,
)
def case(request):
    return Compiled(request.param)


def violation(case, y):
    """The largest violation of a constraint, in units of that constraint, or of a bound."""
    _, _, h, _, g, _ = case(y)
    unit, h_unit, g_unit = case.units(y)
    bounds = np.concatenate([(case.lower - y) / unit, (y - case.upper) / unit])
    return max(0, *np.abs(h / h_unit), *(g / g_unit), *bounds)


def stationarity(case, y, tol=1e-8):
    """‖∇L‖ relative to ‖∇f‖ or 1, with the best multipliers that have the right signs."""
    _, f_slope, _, h_slope, g, g_slope = case(y)
    unit, _, g_unit = case.units(y)
    identity = np.eye(case.d)
    normals = [
        h_slope,
        -h_slope,
        g_slope[g / g_unit > -tol],
        -identity[y - case.lower < tol * unit],
        identity[case.upper - y < tol * unit],
    ]
    normals = np.concatenate(normals) * unit
    size = np.linalg.norm(normals, axis=1, keepdims=True)
    f_slope = f_slope * unit
    residual = np.linalg.norm(f_slope)
    if len(normals):
        residual = nnls((normals / np.where(size > 0, size, 1)).T, -f_slope)[1]
    return residual / max(1, np.linalg.norm(f_slope))


def slsqp(case, start):
    """SciPy's SLSQP, with variables, objective and constraints brought to the size of one."""
    start = np.clip(start, case.lower, case.upper)
    unit, h_unit, g_unit = case.units(start)
    f_unit = max(1, np.abs(case(start)[1]) @ unit)
    constraints = []
    if case.program.equality:
        kept = INDEPENDENT.get(case.program.name, slice(None))
        h = lambda z: (case(z * unit)[2] / h_unit)[kept]
        h_slope = lambda z: (case(z * unit)[3] * unit / h_unit[:, None])[kept]
        constraints.append({"type": "eq", "fun": h, "jac": h_slope})
    if case.program.inequality:
        g = lambda z: -case(z * unit)[4] / g_unit
        g_slope = lambda z: -case(z * unit)[5] * unit / g_unit[:, None]
        constraints.append({"type": "ineq", "fun": g, "jac": g_slope})
    found = minimize(
        lambda z: float(case(z * unit)[0]) / f_unit,
        start / unit,
        jac=lambda z: case(z * unit)[1] * unit / f_unit,
        bounds=list(zip(case.lower / unit, case.upper / unit, strict=True)),
        constraints=constraints,
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 400},
    )
    return found.x * unit


def test_each_problem_comes_once_and_in_the_order_of_the_collection():
    numbers = [int(program.name.removeprefix("HS")) for program in ALL]
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= 100


def test_shapes_and_derivatives_at_the_start(case):
    program, d = case.program, case.d
    for point in (program.lower, program.upper, program.minimiser):
        assert point is None or len(point) == d
    assert np.all(case.lower < case.upper)
    f, f_slope, h, h_slope, g, g_slope = case(program.start)
    assert f.dtype == np.float64
    assert (f.shape, f_slope.shape) == ((), (d,))
    assert (h_slope.shape, g_slope.shape) == ((len(h), d), (len(g), d))
    assert (len(h) > 0, len(g) > 0) == (
        program.equality is not None,
        program.inequality is not None,
    )
    for part in (f, f_slope, h, h_slope, g, g_slope):
        assert np.all(np.isfinite(part))


def test_the_minimiser_is_feasible_and_stationary(case):
    program = case.program
    if program.minimiser is None:
        assert program.note  # says which points share the value
        return
    y = np.array(program.minimiser)
    assert case(y)[0] == pytest.approx(program.optimum, rel=1e-11, abs=1e-14)
    assert violation(case, y) < 1e-12
    if program.name in WITHOUT_MULTIPLIERS:
        assert stationarity(case, y) > 0.5
    else:
        assert stationarity(case, y) < 1e-9


def test_slsqp_reproduces_the_optimum(case):
    program = case.program
    y = slsqp(case, NEARBY.get(program.name, program.start))
    tol = 1e-4 if program.name in WITHOUT_MULTIPLIERS else 1e-7
    assert violation(case, y) < 1e-8
    assert case(y)[0] == pytest.approx(program.optimum, rel=tol, abs=tol)
    assert stationarity(case, y, tol=1e-5) < 1e-3
