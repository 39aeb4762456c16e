"""One bilevel run as it goes: its records, the best point so far, and how it fails."""

import time
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from argrad.bilevel.evaluation import Evaluation, Warm
from argrad.bilevel.history import BilevelError, BilevelResult, BilevelStatus, History, Record
from argrad.bilevel.optimiser import Told
from argrad.bilevel.problem import Bilevel
from argrad.external import External
from argrad.status import Status


class FailedStepError(Exception):
    """The optimiser has gone to a point where F or its gradient cannot be had."""


class Run:
    """The history so far, and the best of it."""

    def __init__(self) -> None:
        self.history, self.start = History(), time.perf_counter()
        self.best: tuple[float, PyTree, PyTree] | None = None

    def keep(self, evaluation: Evaluation, told: Told, point: PyTree, norm: Array) -> Record:
        value, y = float(evaluation.value), evaluation.warm.y
        record = Record(
            step=self.history.steps,
            x=point,
            y=y,
            value=value,
            gradient_norm=float("nan") if evaluation.failed else float(norm),
            accepted=bool(told.accepted),
            lower_iterations=int(evaluation.lower_iterations),
            adjoint_steps=int(evaluation.adjoint_steps),
            seconds=time.perf_counter() - self.start,
        )
        self.history.append(record)
        if not evaluation.failed and (self.best is None or value < self.best[0]):
            self.best = value, point, y
        return record

    def result(self, status: BilevelStatus) -> BilevelResult:
        assert self.best is not None  # the first point failed otherwise
        value, x, y = self.best
        return BilevelResult(x, y, value, status, self.history)

    def failure(self, reason: str, throw: bool, cause: Exception | None = None) -> BilevelResult:
        result = None if self.best is None else self.result(BilevelStatus.lower_failed)
        if result is not None and not throw:
            return result
        if result is None:
            raise BilevelError(f"at x0, {reason} Start elsewhere.", None) from cause
        step = self.history.steps - (0 if cause else 1)  # a failed evaluation is in the history
        raise BilevelError(
            f"at upper step {step}, {reason} The best point before it is this error's `result` "
            "(throw=False returns it). Take shorter steps, or an optimiser with a line search.",
            result,
        ) from cause


def last_words(error: Exception) -> str:
    """What an exception said inside compiled code, without the trace around it."""
    line = [line.strip() for line in str(error).splitlines() if line.strip()][-1]
    return line.removeprefix("argrad.status.").removeprefix("SolveError: ")


def reason_of_failure(
    bilevel: Bilevel, evaluation: Evaluation, x: PyTree, warm: Warm, args: tuple
) -> str:
    """Why an evaluation failed, as a sentence."""
    if evaluation.status == Status.converged:
        y = evaluation.warm.y
        value = float(jnp.asarray(bilevel.upper(y, x, *args)))
        what = "its gradient is not finite" if jnp.isfinite(value) else f"it is {value}"
        return f"the upper objective cannot be used: {what}."
    if isinstance(bilevel.lower, External):
        # `implicit` knows more than it can say with throw=False.
        try:
            jax.vjp(lambda x: bilevel.lower(x, warm.y, *args), x)[1](warm.y)
        except Exception as error:
            return last_words(error)
    sentences: Any = Status
    return f"the lower solve {sentences[evaluation.status]}."
