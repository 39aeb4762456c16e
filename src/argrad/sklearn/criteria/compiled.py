"""The k-fold criterion in JAX, with its derivatives: one compiled program a model and shape.

The lower solutions come from outside, together with the inverse Hessians: argrad.implicit makes
them differentiable functions of the log penalties by their stationarity conditions, of any
order, and checks that they satisfy these.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from argrad import implicit, stationarity
from argrad.sklearn.criteria.known_inverse import KnownInverse
from argrad.sklearn.models import Model
from argrad.sklearn.row_weights import reweighted


class Entries(NamedTuple):
    """The columns of a sparse design: entries by row and column, in the order of rows."""

    values: Float[Array, " e"]
    row: Int[Array, " e"]
    column: Int[Array, " e"]


class Rows(NamedTuple):
    """Rows of the folds, (k, n, ...) each, or (n, ...) of what is common to all folds.

    `columns` X, `ones` e and `centre` c are the design [X − e cᵀ, e], see
    `argrad.sklearn.criteria.centred`. Where weights of rows are tuned, `numbers` (k, n, j) says
    which log values sum to the logarithm of the factor of a row's training weight.
    """

    columns: Any
    ones: Float[Array, " n"]
    target: Float[Array, "n t"]
    centre: Float[Array, " d"]
    training: Float[Array, " n"]
    validation: Float[Array, " n"]
    numbers: Int[Array, "n j"] | None = None


# Axes of the folds: those of a design that all have in common, and those of one each.
_COMMON: Any = (None, None, None, 0, 0, 0, 0)
_EACH: Any = (0, 0, 0, 0, 0, 0, 0)
_ONE_DESIGN, _OWN_DESIGNS = Rows(*_COMMON), Rows(*_EACH)


class Solutions(NamedTuple):
    """Lower solutions (k, q) and the inverses (k, q, q) of the Hessians there."""

    y: Float[Array, "k q"]
    inverse_hessian: Float[Array, "k q q"]


class Upper(NamedTuple):
    """What a lower problem depends on: θ (d, m), and log factors (n,) of its rows' weights."""

    log_penalty: Float[Array, "d m"]
    log_factor: Float[Array, " n"] | None


class Layout(NamedTuple):
    """Where numbers stand in the matrix (d + 1, m) of coefficients and intercepts.

    `entry` is each one's position in y, q where it is zero; `number` (d, m) says which
    hyperparameter penalises it.
    """

    entry: Int[Array, "p m"]
    number: Int[Array, "d m"]


def _predictor(w: Array, rows: Rows) -> Array:
    """[X − e cᵀ, e] w."""
    if isinstance(rows.columns, Entries):
        products = rows.columns.values[:, None] * w[rows.columns.column]
        n = rows.target.shape[0]
        z = jax.ops.segment_sum(products, rows.columns.row, n, indices_are_sorted=True)
    else:
        z = rows.columns @ w[:-1]
    return z + rows.ones[:, None] * (w[-1] - rows.centre @ w[:-1])


def _matrix(y: Array, layout: Layout) -> Array:
    return jnp.append(y, 0.0)[layout.entry]


def _lower(model: Model, y, upper, layout, rows):
    """f(y; θ), see `argrad.sklearn.models.base`."""
    w = _matrix(y, layout)
    training = rows.training
    if upper.log_factor is not None:
        training = reweighted(training, upper.log_factor, model.averaged, jnp)
    loss = jnp.sum(training * model.loss(_predictor(w, rows), rows.target, jnp))
    return loss + 0.5 * jnp.sum(jnp.exp(upper.log_penalty) * w[:-1] ** 2)


def _already_solved(upper, y, *data):
    del upper, data
    return y


def _split_loss(model: Model, upper, layout, y, inverse_hessian, rows):
    """Validation loss of one fold, differentiable in what its lower problem has, and y*."""
    solve = implicit(
        _already_solved,
        stationarity(partial(_lower, model)),
        linear_solver=KnownInverse(inverse_hessian),
        host=False,
        throw=False,  # NaN derivatives are told apart outside, without a callback in the program
    )
    y = solve(upper, y, layout, rows)
    losses = model.criterion_loss(_predictor(_matrix(y, layout), rows), rows.target, jnp)
    return jnp.sum(rows.validation * losses), y


def _criterion(model: Model, one_design: bool, log_values, layout, solutions, rows):
    """Mean validation loss over the folds, and (loss, y*) of each."""
    log_penalty = model.sign * log_values[layout.number]

    def split(solution, rows):
        factor = None if rows.numbers is None else jnp.sum(log_values[rows.numbers], axis=-1)
        return _split_loss(model, Upper(log_penalty, factor), layout, *solution, rows)

    axes: Any = _ONE_DESIGN if one_design else _OWN_DESIGNS
    losses, y = jax.vmap(split, in_axes=(0, axes))(solutions, rows)
    return jnp.mean(losses), (losses, y)


def _gradient(model: Model, one_design: bool, log_values, *args):
    """((F, (losses, y*)), ∂F/∂h) for log hyperparameters h (s,), in reverse mode."""
    value = partial(_criterion, model, one_design)
    return jax.value_and_grad(value, has_aux=True)(log_values, *args)


def _curve(model: Model, one_design: bool, log_value, *args):
    """F, F', F'' in one log hyperparameter (1,), with losses and y* differentiated as well.

    Forward over forward: three triples (F, (losses, y*)), the value and both derivatives.
    """
    unit = jnp.ones_like(log_value)

    def value(h):
        return _criterion(model, one_design, h, *args)

    def first(h):
        return jax.jvp(value, (h,), (unit,))

    (primal, slope), (_, curvature) = jax.jvp(first, (log_value,), (unit,))
    return primal, slope, curvature


# Compiled code for few rows is run a handful of times: optimising it takes longer than it saves.
_UNOPTIMISED: Any = {"xla_backend_optimization_level": 0}

_PROGRAMS = {
    (function, quick): jax.jit(
        function, static_argnums=(0, 1), compiler_options=_UNOPTIMISED if quick else None
    )
    for function in (_gradient, _curve)
    for quick in (True, False)
}


def _run(function, quick, *args):
    return _PROGRAMS[function, quick](*args)


gradient = partial(_run, _gradient)
curve = partial(_run, _curve)
