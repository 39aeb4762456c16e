"""What a search tunes and lowers, once that is settled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils import resample

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Criterion, Evaluation
from argrad.sklearn.criteria.margin_criterion import MarginCriterion
from argrad.sklearn.criteria.sparse_criterion import FIRST_STEP
from argrad.sklearn.criteria.trained_criterion import TrainedCriterion
from argrad.sklearn.deciding.allowance import Allowance
from argrad.sklearn.deciding.auto import (
    Auto,
    PerCoefficient,
    affordable_rows,
    affordable_rows_of_few,
    affordable_rows_of_network,
    affordable_rows_of_sparse,
)
from argrad.sklearn.deciding.candidates import (
    ADAPTIVE,
    GROUPED,
    PER_CLASS,
    PER_LAYER,
    SHARED,
    STRENGTHS,
    Box,
    Objectives,
    sparse_strengths,
)
from argrad.sklearn.deciding.descending import evaluations
from argrad.sklearn.deciding.granularity import (
    DOUBT,
    MUCH_DOUBT,
    Decision,
    decide,
    restricted,
    undecided,
)
from argrad.sklearn.deciding.nested import Several, compare
from argrad.sklearn.deciding.prior import WithPrior
from argrad.sklearn.deciding.stopping import BudgetError, EndedError
from argrad.sklearn.families import AnyCriterion, criterion_of, linear_criterion
from argrad.sklearn.hyperparameters import Adaptive, Hyperparameter, PerFeature, PerLayer, Shared
from argrad.sklearn.models import Model, Tunable
from argrad.sklearn.models.sparse import SparseModel
from argrad.sklearn.models.trained import Trained
from argrad.sklearn.place import Place
from argrad.sklearn.row_prior import with_row_prior
from argrad.sklearn.row_weights import NO_FACTORS, RowFactors
from argrad.sklearn.rows.folds import Folds, Split
from argrad.sklearn.space import Space
from argrad.sklearn.upper import shared_descent

# With many rows a search begins where that of a part of them ends: of so many, or so many a column,
# at least.
_PART, _EACH, _TOL = 1 / 16, 50, 1e-8
_AGAIN = 25  # evaluations that a search for one penalty never takes
# Seconds of processor time for which the layers of a network are compared: its size does not say
# how hard it is to train.
_PATIENCE = 20.0


@dataclass(frozen=True)
class Settled:
    """What is tuned: the place with its hyperparameter, its criterion, and where to begin (s,).

    `objective` is the criterion, with a prior where the decision was for one. `decision` is None
    where the user had left nothing to decide; to settle it took `fits` of the model, and `ended`
    is whether Ctrl-C or a callback wanted no more of it. `shifts` of the start are points to be
    looked at before a descent from the best of them. `over(splits, rows)` is the same objective
    over other splits, of all rows for None or of those at some positions, where the user had
    decided.
    """

    place: Place
    criterion: AnyCriterion
    objective: Callable[[np.ndarray], Evaluation]
    start: np.ndarray
    decision: Decision | None = None
    fits: int = 0
    ended: bool = False
    shifts: Sequence[np.ndarray] = ()
    over: Callable[..., Callable[[np.ndarray], Evaluation]] | None = None


def settle(
    place: Place,
    model: Tunable,
    stack: Callable[..., Folds],
    splits: Sequence[Split],
    strata: np.ndarray | None,
    allowance: Allowance,
    factors: RowFactors = NO_FACTORS,
    outputs: Sequence[str] = ("y0",),
) -> Settled:
    """Settle what is tuned over these splits.

    `stack(splits)` makes folds of all rows, `stack(splits, rows)` of those at some positions;
    `factors` are those of the rows' weights that are tuned as well.

    Where `Auto` could not afford to look at all rows it decides on a part of them, drawn in
    proportion to the classes `strata` (n,). Where even that is too much it is the shared number,
    uncompared.
    """
    folds = stack(splits)

    def make(folds: Folds, hyperparameter: Hyperparameter) -> AnyCriterion:
        if isinstance(model, Model):
            return linear_criterion(model, folds, hyperparameter)
        alone = replace(place, tuned={place.name: hyperparameter})
        return criterion_of(model, folds, _space(alone, model, folds, outputs))

    def begin(criterion: AnyCriterion, hyperparameter: Hyperparameter) -> np.ndarray:
        if isinstance(criterion, Criterion) and criterion.many_rows and criterion.shared:
            return _from_a_part(hyperparameter, criterion, stack, splits, strata, allowance)
        return criterion.start()

    if not isinstance(model, Model):
        if not (isinstance(place.hyperparameter, Auto) and _can_be_several(model, folds)):
            return _of_several(place, model, folds, outputs, stack)
    elif not isinstance(place.hyperparameter, Auto):

        def over(
            some: Sequence[Split], rows: np.ndarray | None
        ) -> Callable[[np.ndarray], Evaluation]:
            ours = factors.of(rows)
            criterion = linear_criterion(model, stack(some, rows), place.hyperparameter, ours)
            return with_row_prior(criterion, ours)

        criterion = linear_criterion(model, folds, place.hyperparameter, factors)
        start = begin(criterion, place.hyperparameter)
        spent = allowance.used, allowance.ended
        weighed = with_row_prior(criterion, factors)
        return Settled(place, criterion, weighed, start, None, *spent, over=over)
    each = make(folds, _finest(model, folds)(1e-4, 1e4))
    decision, hyperparameter = _decided(
        place.hyperparameter, model, make, each, stack, splits, strata, allowance
    )
    place = replace(place, tuned={place.name: hyperparameter})
    # Of the minima that networks may have it goes on from those that were compared.
    again = isinstance(hyperparameter, PerLayer)
    tuned = each if again else make(folds, hyperparameter)
    objective: Callable[[np.ndarray], Evaluation] = tuned
    if 0 < decision.chosen.prior_strength < np.inf:
        objective = WithPrior(tuned, decision.chosen.prior_strength, decision.scale)
    start = decision.log_values
    if not isinstance(hyperparameter, Adaptive):
        number = hyperparameter.index(model.units(folds.features), _outputs(model, folds)).ravel()
        start = np.bincount(number, start) / np.bincount(number)
    enough = allowance.fits - allowance.used > _AGAIN * len(splits) and allowance.deadline == np.inf
    if isinstance(hyperparameter, Shared) and enough and not decision.ended:
        start = begin(tuned, hyperparameter)  # what `Shared` finds, to the last digit
    ended = decision.ended or allowance.ended
    return Settled(place, tuned, objective, start, decision, allowance.used, ended)


def _of_several(
    place: Place,
    model: Tunable,
    folds: Folds,
    outputs: Sequence[str],
    stack: Callable[..., Folds],
) -> Settled:
    """Of models with hyperparameters that are no penalties of columns; `Auto` is one number."""
    tuned = place.own_names
    guess = {k: Shared(0.5, 2.0) if isinstance(v, Auto) else v for k, v in tuned.items()}
    space = _space(replace(place, tuned=guess, prefix=""), model, folds, outputs)
    criterion = criterion_of(model, folds, space)
    start = criterion.start()
    ranges = {
        place.prefix + name: kind.decided(SHARED, kind.box(space.parts(start)[name]))
        if isinstance(kind, Auto)
        else kind
        for name, kind in tuned.items()
    }
    shifts = criterion.shifts() if isinstance(criterion, MarginCriterion) else ()

    def over(some: Sequence[Split], rows: np.ndarray | None) -> AnyCriterion:
        return criterion_of(model, stack(some, rows), space)

    place = replace(place, tuned=ranges)
    return Settled(place, criterion, criterion, start, shifts=shifts, over=over)


def _space(place: Place, model: Tunable, folds: Folds, outputs: Sequence[str]) -> Space:
    """Of what is tuned in the estimator itself."""
    return Space(place.own_names, model.units(folds.features), outputs)


def _can_be_several(model: Tunable, folds: Folds) -> bool:
    """Whether the penalty of a model that is not linear can be one a column, or one a layer."""
    if isinstance(model, SparseModel):
        return PerFeature in _kinds(model)
    return PerLayer in _kinds(model) and len(model.units(folds.features)) > 1


def _finest(model: Tunable, folds: Folds) -> type[Hyperparameter]:
    """What all candidates are ties of."""
    if isinstance(model, Trained):
        return PerLayer
    return PerFeature if _outputs(model, folds) == 1 else PerCoefficient


def _outputs(model: Tunable, folds: Folds) -> int:
    """How many penalties a column, or a layer, may have: one a target of linear models alone."""
    one = isinstance(model, SparseModel | Trained)
    return 1 if one else folds.each[0].target.shape[1]


def _from_a_part(hyperparameter, criterion, stack, splits, strata, allowance):
    """Where the criterion of a part of the rows is lowest in one number, h (1,)."""
    n = _count(splits)
    rows = max(int(_PART * n), _EACH * len(criterion.folds.features))
    if rows >= n:
        return criterion.start()
    drawn = draw(n, rows, strata)
    few = Criterion(criterion.model, stack(among(splits, drawn), drawn), hyperparameter)
    shift = shift_of(criterion, rows / n)
    low, high = np.log(hyperparameter.low), np.log(hyperparameter.high)
    start = float(np.clip(few.start()[0], low, high))
    upper = shared_descent(low - shift, high - shift, start, _TOL)
    allowance.begin("a part of the rows")
    solved: list[Evaluation] = []
    try:
        box = np.array([low - shift]), np.array([high - shift])
        for found in evaluations(upper, allowance.spend(few, len(splits)), *box):
            solved.append(found)
    except (BudgetError, EndedError, SolveError):
        pass  # what was solved until then counts
    if not solved:
        return criterion.start()
    return min(solved, key=lambda each: each.value).log_values + shift


def _kinds(model: Tunable) -> tuple[type[Hyperparameter], ...]:
    """What its penalty may be."""
    return next(iter(model.kinds.values()))


def _count(splits: Sequence[Split]) -> int:
    """How many rows the splits are of."""
    return 1 + max(int(part.max()) for split in splits for part in split)


def shift_of(criterion: AnyCriterion, part: float) -> float:
    """What is added to log penalties that suit a part of the rows, for all of them.

    A penalty of a sum over rows keeps its size, one of a mean shrinks as rows are added.
    """
    if isinstance(criterion, Criterion) and criterion.model.averaged:
        return criterion.model.sign * math.log(part)
    return 0.0


def draw(n: int, rows: int, strata: np.ndarray | None) -> np.ndarray:
    """The positions of so many of n rows, in proportion to the classes `strata` (n,)."""
    return np.sort(
        resample(np.arange(n), replace=False, n_samples=rows, stratify=strata, random_state=0)
    )


def among(splits: Sequence[Split], drawn: np.ndarray) -> list[Split]:
    """The splits among the rows `drawn`, by positions in these."""
    kept = restricted(splits, drawn)
    return [(np.searchsorted(drawn, a), np.searchsorted(drawn, b)) for a, b in kept]


def _decided(auto, model, make, whole, stack, splits, strata, allowance):
    """The decision, and the hyperparameter that it comes to.

    `whole` is the criterion of all rows in what the candidates are ties of; `make` makes others.
    """
    folds = whole.folds
    units, targets = model.units(folds.features), _outputs(model, folds)
    n = _count(splits)
    sparse, trained = isinstance(model, SparseModel), isinstance(whole, TrainedCriterion)
    box = auto.box(whole.start())
    groups = auto.numbers(units)
    number, few = len(units), None
    if sparse:
        rows = n if affordable_rows_of_sparse(number) >= n else 0
    elif trained:
        number, few = whole.weights, _few(box, targets, groups, trained)
        seconds = allowance.seconds_left(_PATIENCE)
        rows = affordable_rows_of_network(number, seconds)
    else:
        number *= model.outputs(targets)
        rows = affordable_rows(number, model.squares)
        if rows == 0 and (targets > 1 or groups is not None):  # no penalties of columns, then
            rows = affordable_rows_of_few(number, model.squares)
            few = _few(box, targets, groups, trained)
    if rows == 0:
        what = "weights" if trained else "coefficients"
        within = f"{seconds:.0f} s of processor time" if trained else "a minute"
        why = f"{number} {what} are too many to compare what else there is within {within}"
        return undecided(box.start, why), auto.decided(SHARED, box)
    drawn = None
    if rows < n:
        drawn = draw(n, rows, strata)
        splits = among(splits, drawn)

    def spending(chosen: Sequence[Split]) -> Objectives:
        fits, parts = len(chosen), folds
        criterion = whole
        if drawn is not None or chosen is not splits:
            parts = stack(chosen, drawn)
            criterion = make(parts, _finest(model, parts)(1e-4, 1e4))
        each = allowance.spend(criterion, fits)
        if not sparse:
            return Objectives(each)
        twice = None
        if Adaptive in _kinds(model):
            twice = allowance.spend(make(parts, auto.decided(ADAPTIVE, box)), fits)
        return Objectives(each, twice, FIRST_STEP)

    part = min(1.0, rows / n)
    doubt, told = doubt_of(whole, strata), allowance.begin
    if trained:
        allowance.begin_clock(seconds)
    if few is not None:
        level = np.full(len(box.start), box.start.mean())
        objective_for = lambda chosen: spending(chosen).each
        decision = compare(objective_for, splits, few, level, doubt, None, told, part, early=True)
        if allowance.dear:
            why = (
                f"{' and '.join(map(str, few.ways))} takes more than {seconds:.0f} s of "
                "processor time to compare; ask for it by name to have that done"
            )
            decision = undecided(decision.log_values, why)
    else:
        strengths = sparse_strengths(number) if sparse else STRENGTHS
        decision = decide(spending, splits, box, groups, part, targets, told, doubt, strengths)
    return decision, auto.decided(decision.chosen, box)


def doubt_of(criterion: AnyCriterion, strata: np.ndarray | None) -> float:
    """By how many standard errors more freedom has to win, with classes `strata` (n,) or None."""
    sure = strata is None and not isinstance(criterion, TrainedCriterion)
    return DOUBT if sure else MUCH_DOUBT


def _few(box: Box, targets: int, groups: np.ndarray | None, layers: bool) -> Several:
    """One number, one a group, one a class: for log penalties (d m,) of m targets; or a layer."""
    numbers = np.arange(len(box.start))
    ways = {}
    if groups is not None:
        ways[GROUPED] = groups[numbers // targets]
    if targets > 1:
        ways[PER_CLASS] = numbers % targets
    if layers:
        ways[PER_LAYER] = numbers
    bounds = np.full(len(numbers), box.low), np.full(len(numbers), box.high)
    return Several(np.zeros(len(numbers), dtype=int), ways, *bounds)
