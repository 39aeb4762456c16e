"""Bilevel optimisation by the plain double loop: a lower solve to accuracy at every upper step."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from argrad.adjoints import Unrolled
from argrad.bilevel.evaluation import Evaluation, Warm, cold, evaluate
from argrad.bilevel.history import BilevelResult, BilevelStatus, Record
from argrad.bilevel.optimiser import AbstractUpperOptimiser, Told, as_upper_optimiser
from argrad.bilevel.problem import Bilevel, check_upper, upper_starting_point
from argrad.bilevel.progress import progress_bar
from argrad.bilevel.run import FailedStepError, Run, last_words, reason_of_failure
from argrad.problem import check_objective, extra_arguments, starting_point
from argrad.transformation import Argmin


def minimise(
    bilevel: Bilevel,
    x0: PyTree,
    init: PyTree,
    *args: Any,
    optimiser: Any | None = None,
    max_steps: int = 500,
    warm_start: bool = True,
    callback: Callable[[Record], bool | None] | None = None,
    progress: bool = False,
    throw: bool = True,
) -> BilevelResult:
    """minimise over x the upper objective F(y*(x), x, *args), from `x0`.

    x is a pytree of real floating-point arrays; `init`, with the structure of y, is where the
    first lower solve starts; `args` go to the upper and the lower objective both, and data belong
    there rather than in closures. Each step solves the lower problem to accuracy and takes

        dF/dx = ∂F/∂x − (∂²f/∂x∂y) u,   (∂²f/∂y²) u = ∂F/∂y   at (y*(x), x),

    the lower solve starting at the last y* and the adjoint solve at the last u (`warm_start`).
    An `Unrolled` lower level always starts at `init`, on which its solution depends.

    - `optimiser`: an Optax optimiser or an Optimistix minimiser. By default Optimistix' BFGS up
      to 1000 variables and L-BFGS above, which search along a line and need no learning rate.
    - `max_steps`: the most evaluations of F and its gradient.
    - `callback`: called with a `Record` after each of them; returning True ends the run.
    - `progress`: show a progress bar (ImportError without the extra `argrad[progress]`).
    - `throw`: see below.

    Returns a `BilevelResult`: the best point met, why the run ended, and its history. Ctrl-C ends
    it too, without an exception once there is a point to return.

    A trial point at which the lower problem cannot be solved, or F is not finite, is turned down
    by an optimiser with a line search. Where the optimiser has gone there, or started there,
    BilevelError (a SolveError) names the upper step and holds the best result before it; with
    `throw=False` that result is returned with status `lower_failed`, unless it was the start.
    Raises TypeError for an x0, init or optimiser of the wrong kind, ValueError for objectives that
    do not return one number and for an x0 with NaN. A saddle or local minimum of F may be found.

    Source: Pedregosa 2016, arXiv:1602.02355, with exact inner solves.

    >>> import jax.numpy as jnp, argrad as ag
    >>> def fit(w, log_penalty, train, valid):
    ...     A, b = train
    ...     return jnp.sum((A @ w - b) ** 2) + jnp.exp(log_penalty) * jnp.sum(w**2)
    >>> def validation(w, log_penalty, train, valid):
    ...     A, b = valid
    ...     return jnp.sum((A @ w - b) ** 2)
    >>> train = jnp.array([[1.0, 1.0], [1.0, 2.0], [0.5, 1.0]]), jnp.array([3.2, 4.3, 2.6])
    >>> valid = jnp.array([[1.0, 1.5], [0.5, 0.5]]), jnp.array([3.3, 1.4])
    >>> problem = ag.Bilevel(validation, fit)
    >>> found = ag.minimise(problem, 0.0, jnp.zeros(2), train, valid)
    >>> print(found.status, round(found.value, 3))
    converged 0.014
    """
    if not isinstance(bilevel, Bilevel):
        raise TypeError(f"bilevel must be an argrad.Bilevel(upper, lower), got {bilevel!r}.")
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, got {max_steps}.")
    x, y0, args = upper_starting_point(x0), starting_point(init), extra_arguments(args)
    upper_optimiser = as_upper_optimiser(optimiser, x)
    lower = bilevel.lower
    if isinstance(lower, Argmin):
        check_objective(lower.problem, y0, x, args)
        warm_start = warm_start and not isinstance(lower.adjoint, Unrolled)
    value = check_upper(bilevel, y0, x, args)

    start = cold(lower, y0, x, args)
    run = Run()
    with progress_bar(progress, max_steps) as show:
        try:
            warm, state = start, upper_optimiser.init(x, value, _objective(bilevel, start, args))
            for _ in range(max_steps):
                evaluation, told, point, norm = _step(
                    bilevel, upper_optimiser, x, state, warm, args
                )
                record = run.keep(evaluation, told, point, norm)
                show(record)
                if record.accepted and bool(evaluation.failed):
                    raise FailedStepError(reason_of_failure(bilevel, evaluation, point, warm, args))
                if callback is not None and callback(record):
                    return run.result(BilevelStatus.stopped)
                if told.converged:
                    return run.result(BilevelStatus.converged)
                if told.stalled:
                    return run.result(BilevelStatus.stalled)
                x, state = told.x, told.state
                if warm_start and record.accepted:
                    warm = evaluation.warm
        except KeyboardInterrupt:
            if run.best is None:
                raise
            return run.result(BilevelStatus.interrupted)
        except FailedStepError as error:
            return run.failure(str(error), throw)
        except Exception as error:
            # A SolveError of an argmin inside the objectives, or an exception of a solver that is
            # not JAX, comes out of compiled code as one or another kind of JAX' own.
            if not (isinstance(error, jax.errors.JaxRuntimeError) or "INTERNAL: " in str(error)):
                raise
            if "KeyboardInterrupt: " in str(error) and run.best is not None:
                return run.result(BilevelStatus.interrupted)
            return run.failure(last_words(error), throw, error)
    return run.result(BilevelStatus.max_steps_reached)


@eqx.filter_jit
def _step(
    bilevel: Bilevel,
    optimiser: AbstractUpperOptimiser,
    x: PyTree[Array],
    state: PyTree,
    warm: Warm,
    args: tuple,
) -> tuple[Evaluation, Told, PyTree[Array], Array]:
    """Evaluate where the optimiser asks, and tell it."""
    point = optimiser.point(x, state)
    evaluation = evaluate(bilevel, point, warm, args)
    told = optimiser.tell(
        x, state, evaluation.value, evaluation.gradient, _objective(bilevel, warm, args)
    )
    return evaluation, told, point, jnp.linalg.norm(ravel_pytree(evaluation.gradient)[0])


def _objective(bilevel: Bilevel, warm: Warm, args: tuple) -> Callable[[PyTree], Array]:
    """F as a plain function of x, differentiable to any order; NaN where the lower solve fails."""
    quiet = Bilevel(bilevel.upper, dataclasses.replace(bilevel.lower, throw=False))
    return lambda x: quiet(x, warm.y, *args)
