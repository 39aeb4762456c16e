"""How far a contestant is from the reference, and what an exception said."""

from typing import Any

import numpy as np

from qp.contestants.interface import Gradients
from qp.reference import Reference

NAMES = ("Q", "p", "G", "h", "A", "b")


def _symmetric(array: np.ndarray) -> np.ndarray:
    return (array + array.transpose(0, 2, 1)) / 2


def relative(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """‖found − exact‖/‖exact‖ of each problem; NaN counts as infinitely far."""
    flat, exact = (np.reshape(a, (len(exact), -1)) for a in (found, exact))
    error = np.linalg.norm(flat - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return np.where(np.isfinite(error), error, np.inf)


def by_array(found: Gradients, exact: Gradients) -> dict[str, np.ndarray]:
    """Errors of each problem, that with respect to Q among symmetric matrices."""
    pairs = dict(zip(NAMES, zip(found, exact, strict=True), strict=True))
    pairs["Q"] = tuple(map(_symmetric, pairs["Q"]))
    return {name: relative(*pair) for name, pair in pairs.items()}


def summary(solution: np.ndarray, gradients: Gradients, exact: Reference) -> dict[str, Any]:
    """A problem's gradient is as wrong as the worst of its six arrays."""
    errors = by_array(gradients, exact.gradients)
    worst = np.max(list(errors.values()), axis=0)

    def number(value):
        return float(value) if np.isfinite(value) else None

    return {
        "solution_error": number(relative(solution, exact.solution).max()),
        "gradient_errors": [number(error) for error in worst],
        "gradient_worst": number(worst.max()),
        "gradient_median": number(np.median(worst)),
        "above_1e-3": int(np.sum(worst > 1e-3)),
        "above_1e-10": int(np.sum(worst > 1e-10)),
        "median_by_array": {name: number(np.median(error)) for name, error in errors.items()},
    }


def message(error: BaseException) -> str:
    """The line that says what went wrong: of a long report, the last that names an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = lines or [type(error).__name__]
    named = [line.split("Error: ", 1)[1] for line in lines if "Error: " in line]
    return (named or lines)[-1]
