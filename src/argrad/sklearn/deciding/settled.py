"""What a search tunes and lowers, once that is settled."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import resample

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Criterion, Evaluation
from argrad.sklearn.criteria.margin_criterion import MarginCriterion
from argrad.sklearn.criteria.sparse_criterion import FIRST_STEP
from argrad.sklearn.deciding.auto import (
    Auto,
    PerCoefficient,
    affordable_rows,
    affordable_rows_of_few,
    affordable_rows_of_sparse,
)
from argrad.sklearn.deciding.descending import evaluations
from argrad.sklearn.deciding.granularity import (
    ADAPTIVE,
    DOUBT,
    DOUBT_OF_CLASSES,
    GROUPED,
    PER_CLASS,
    SHARED,
    STRENGTHS,
    Box,
    BudgetError,
    Decision,
    EndedError,
    Objectives,
    decide,
    restricted,
    sparse_strengths,
    undecided,
)
from argrad.sklearn.deciding.nested import Several, compare
from argrad.sklearn.deciding.prior import WithPrior
from argrad.sklearn.families import AnyCriterion, criterion_of, linear_criterion
from argrad.sklearn.hyperparameters import Adaptive, Hyperparameter, PerFeature, Shared
from argrad.sklearn.limits import Limits
from argrad.sklearn.models import Model, Tunable
from argrad.sklearn.models.sparse import SparseModel
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


@dataclass
class Allowance:
    """What a decision may spend: `fits` of the model, until `deadline` on `time.perf_counter`.

    `listen` is told of every evaluation: what is tried, in words, the evaluation, and this, which
    knows whether it is the `first` of what is tried. The decision ends where it returns True.
    """

    fits: float
    deadline: float
    listen: Callable[[str, Evaluation, Allowance], Any] = lambda *told: False
    used: int = 0
    trying: str = ""
    first: bool = True
    ended: bool = False

    def begin(self, what: str) -> None:
        """Say what is tried from now on."""
        self.trying, self.first = what, True

    def spend(
        self, criterion: Callable[[np.ndarray], Evaluation], fits_each: int
    ) -> Callable[[np.ndarray], Evaluation]:
        """The criterion, raising BudgetError where an evaluation would be one too many."""

        def counted(log_values: np.ndarray) -> Evaluation:
            if self.used + fits_each > self.fits or time.perf_counter() > self.deadline:
                raise BudgetError
            self.used += fits_each
            evaluation = criterion(log_values)
            self.ended = self.listen(self.trying, evaluation, self) is True
            self.first = False
            if self.ended:
                raise EndedError
            return evaluation

        return counted

    @classmethod
    def half_of(cls, limits: Limits, fits_each: int, listen: Any = None) -> Allowance:
        """Half of the fits and of the seconds that a search may take, at `fits_each` a point."""
        seconds = np.inf if limits.seconds is None else limits.start + limits.seconds / 2
        fits = fits_each * (limits.evaluations - 1) / 2
        return cls(fits, seconds) if listen is None else cls(fits, seconds, listen)


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
        space = Space(
            {next(iter(model.kinds)): hyperparameter}, model.units(folds.features), outputs
        )
        return criterion_of(model, folds, space)

    def begin(criterion: AnyCriterion, hyperparameter: Hyperparameter) -> np.ndarray:
        if isinstance(criterion, Criterion) and criterion.many_rows and criterion.shared:
            return _from_a_part(hyperparameter, criterion, stack, splits, strata, allowance)
        return criterion.start()

    if not isinstance(model, Model):
        of_columns = isinstance(model, SparseModel) and PerFeature in _kinds(model)
        if not (of_columns and isinstance(place.hyperparameter, Auto)):
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
    decision, hyperparameter = _decided(
        place.hyperparameter, model, make, folds, stack, splits, strata, allowance
    )
    place = replace(place, tuned={place.name: hyperparameter})
    tuned = make(folds, hyperparameter)
    objective: Callable[[np.ndarray], Evaluation] = tuned
    if 0 < decision.chosen.prior_strength < np.inf:
        objective = WithPrior(tuned, decision.chosen.prior_strength, decision.scale)
    start = decision.log_values
    if not isinstance(hyperparameter, Adaptive):
        number = hyperparameter.index(folds.features, folds.each[0].target.shape[1]).ravel()
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
    space = Space(guess, model.units(folds.features), outputs)
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
        for found in evaluations(upper, allowance.spend(few, len(splits))):
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


def _decided(auto, model, make, folds, stack, splits, strata, allowance):
    """The decision, and the hyperparameter that it comes to; `make` makes criteria of folds."""

    def one_each(folds: Folds) -> AnyCriterion:
        return make(folds, (PerFeature if targets == 1 else PerCoefficient)(1e-4, 1e4))

    targets = folds.each[0].target.shape[1]
    n = _count(splits)
    sparse = isinstance(model, SparseModel)
    number = len(folds.features) * (1 if sparse else model.outputs(targets))
    box = auto.box(one_each(folds).start())
    groups = auto.numbers(folds.features)
    few = None
    if sparse:
        rows = n if affordable_rows_of_sparse(number) >= n else 0
    else:
        rows = affordable_rows(number, model.squares)
        if rows == 0 and (targets > 1 or groups is not None):  # no penalties of columns, then
            rows, few = affordable_rows_of_few(number, model.squares), _few(box, targets, groups)
    if rows == 0:
        why = f"{number} coefficients are too many to compare what else there is within a minute"
        return undecided(box, why), auto.decided(SHARED, box)
    drawn = None
    if rows < n:
        drawn = draw(n, rows, strata)
        splits = among(splits, drawn)

    def spending(chosen: Sequence[Split]) -> Objectives:
        all_of_it = chosen is splits and drawn is None
        parts, fits = folds if all_of_it else stack(chosen, drawn), len(chosen)
        each = allowance.spend(one_each(parts), fits)
        if not sparse:
            return Objectives(each)
        twice = None
        if Adaptive in _kinds(model):
            twice = allowance.spend(make(parts, auto.decided(ADAPTIVE, box)), fits)
        return Objectives(each, twice, FIRST_STEP)

    part = min(1.0, rows / n)
    doubt = DOUBT if strata is None else DOUBT_OF_CLASSES
    told = allowance.begin
    if few is not None:
        level = np.full(len(box.start), box.start.mean())
        objective_for = lambda chosen: spending(chosen).each
        decision = compare(objective_for, splits, few, level, doubt, None, told, part, early=True)
    else:
        strengths = sparse_strengths(number) if sparse else STRENGTHS
        decision = decide(spending, splits, box, groups, part, targets, told, doubt, strengths)
    return decision, auto.decided(decision.chosen, box)


def _few(box: Box, targets: int, groups: np.ndarray | None) -> Several:
    """One number, one a group, one a class: for log penalties (d m,) of m targets."""
    numbers = np.arange(len(box.start))
    ways = {}
    if groups is not None:
        ways[GROUPED] = groups[numbers // targets]
    if targets > 1:
        ways[PER_CLASS] = numbers % targets
    bounds = np.full(len(numbers), box.low), np.full(len(numbers), box.high)
    return Several(np.zeros(len(numbers), dtype=int), ways, *bounds)
