"""Differentiable argmin and argmax, and bilevel optimisation.

Names are imported when first used, so that `argrad --help` need not wait for JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from argrad import prox
    from argrad.adjoints import Barrier, Implicit, OneStep, Unrolled
    from argrad.bilevel import (
        Bilevel,
        BilevelError,
        BilevelResult,
        Constants,
        ErrorMonitor,
        ErrorWarning,
        Frontier,
        Hypergradient,
        compare_adjoints,
        default_adjoints,
        hypergradient,
        minimise,
    )
    from argrad.conditions import Conditions, fixed_point, root, stationarity
    from argrad.constraints import box, equality, inequality, linear
    from argrad.diagnose import (
        Certificate,
        Neighbour,
        Path,
        check,
        directional,
        multiplier_range,
        neighbour,
        path,
    )
    from argrad.external import implicit
    from argrad.linalg import (
        CG,
        MINRES,
        BlockDiagonal,
        DiagonalApproximation,
        GaussNewton,
        Identity,
        Minibatch,
        Neumann,
        Nystrom,
        QuasiNewton,
        StochasticNeumann,
        finite_difference,
    )
    from argrad.nonsmooth import (
        BlackBox,
        Changes,
        Continuation,
        Estimate,
        Gaussian,
        Gumbel,
        Perturbed,
        Smooth,
        black_box,
        continuation,
        perturbed,
        smooth,
        soft,
    )
    from argrad.quadratic import linear_program, quadratic_program
    from argrad.sets import ball, simplex, sphere
    from argrad.solvers import InteriorPoint, Newton
    from argrad.status import SolveError, Status
    from argrad.transformation import Argmin, Solution, Value, argmax, argmin, proximal, value

_HOME = {
    "argmin": "transformation",
    "argmax": "transformation",
    "proximal": "transformation",
    "value": "transformation",
    "Argmin": "transformation",
    "Value": "transformation",
    "Solution": "transformation",
    "Barrier": "adjoints",
    "Implicit": "adjoints",
    "OneStep": "adjoints",
    "Unrolled": "adjoints",
    "Bilevel": "bilevel",
    "BilevelError": "bilevel",
    "BilevelResult": "bilevel",
    "Constants": "bilevel",
    "ErrorMonitor": "bilevel",
    "ErrorWarning": "bilevel",
    "Frontier": "bilevel",
    "compare_adjoints": "bilevel",
    "default_adjoints": "bilevel",
    "Hypergradient": "bilevel",
    "hypergradient": "bilevel",
    "minimise": "bilevel",
    "Conditions": "conditions",
    "fixed_point": "conditions",
    "root": "conditions",
    "stationarity": "conditions",
    "box": "constraints",
    "equality": "constraints",
    "inequality": "constraints",
    "linear": "constraints",
    "Certificate": "diagnose",
    "Neighbour": "diagnose",
    "Path": "diagnose",
    "check": "diagnose",
    "directional": "diagnose",
    "multiplier_range": "diagnose",
    "neighbour": "diagnose",
    "path": "diagnose",
    "implicit": "external",
    "CG": "linalg",
    "BlockDiagonal": "linalg",
    "DiagonalApproximation": "linalg",
    "GaussNewton": "linalg",
    "Identity": "linalg",
    "MINRES": "linalg",
    "Minibatch": "linalg",
    "Neumann": "linalg",
    "Nystrom": "linalg",
    "QuasiNewton": "linalg",
    "StochasticNeumann": "linalg",
    "finite_difference": "linalg",
    "BlackBox": "nonsmooth",
    "black_box": "nonsmooth",
    "Changes": "nonsmooth",
    "Continuation": "nonsmooth",
    "Smooth": "nonsmooth",
    "continuation": "nonsmooth",
    "smooth": "nonsmooth",
    "soft": "nonsmooth",
    "Estimate": "nonsmooth",
    "Gaussian": "nonsmooth",
    "Gumbel": "nonsmooth",
    "Perturbed": "nonsmooth",
    "perturbed": "nonsmooth",
    "linear_program": "quadratic",
    "quadratic_program": "quadratic",
    "ball": "sets",
    "simplex": "sets",
    "sphere": "sets",
    "InteriorPoint": "solvers",
    "Newton": "solvers",
    "SolveError": "status",
    "Status": "status",
}

__all__ = [*_HOME, "prox"]


def __getattr__(name: str) -> Any:
    if name == "prox":
        return importlib.import_module("argrad.prox")
    if name not in _HOME:
        raise AttributeError(f"module 'argrad' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"argrad.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
