"""What a contestant does with a batch in which one problem has no solution."""

import io
import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from qp.contestants.interface import Contestant
from qp.errors import message, relative
from qp.problems import BATCH, Batch

SAME = 1e-3  # relative, of what the contestant itself returns for the batch as it was


def _call(job: Callable, given: tuple) -> tuple[Any, str | None, list[str]]:
    """What came back, or what was raised, and what was said on the way."""
    said = io.StringIO()
    logging.disable()  # JAX logs the traceback of what a callback raises
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(said):
        warnings.simplefilter("always")
        try:
            found, raised = job(*given), None
        except Exception as error:
            found, raised = None, message(error)
    logging.disable(logging.NOTSET)
    return found, raised, [*(str(w.message) for w in caught), *said.getvalue().splitlines()]


def _unchanged(found: tuple, before: tuple, others: np.ndarray) -> int:
    """How many of the other problems have the solution and the gradients that they had."""
    distances = [relative(*pair) for pair in zip(found, before, strict=True)]
    return int(np.sum(np.max(distances, axis=0)[others] <= SAME))


def _returned(found, raised: str | None, k: int) -> str:
    if raised is not None:
        return "raises"
    arrays = found if isinstance(found, tuple) else (found,)
    return "numbers" if all(np.isfinite(array[k]).all() for array in arrays) else "NaN"


def observe(c: Contestant, whole: Batch, batch: Batch, k: int) -> dict[str, Any]:
    """`whole` is the batch before problem `k` of it was spoilt, as `batch` is."""
    others = np.arange(BATCH) != k
    clean, given = c.prepare(whole), c.prepare(batch)
    try:
        before = (c.solve(*clean), *c.gradient(*clean))
        usual = {*_call(c.solve, clean)[2], *_call(c.gradient, clean)[2]}
    except Exception as error:
        return {"missing": f"failed before anything was spoilt: {message(error)}"}
    found, raised, said = _call(c.solve, given)
    slopes, slopes_raised, slopes_said = _call(c.gradient, given)
    failed = raised or slopes_raised
    row = {
        "solution": _returned(found, raised, k),
        "gradient": _returned(slopes, slopes_raised, k),
        "raised": failed,
        "said": sorted({*said, *slopes_said} - usual),
        "unchanged": 0 if failed else _unchanged((found, *slopes), before, others),
        "flag": None,
        "flagged_others": 0,
    }
    if c.verdicts and not raised:
        verdicts = c.verdicts(*given)
        row["flag"] = verdicts[k]
        row["flagged_others"] = sum(verdicts[i] is not None for i in np.flatnonzero(others))
    return row
