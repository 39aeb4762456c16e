"""GradientSearchCV: hyperparameters by descent on the cross-validation loss."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter

from argrad import SolveError
from argrad.sklearn.choice import descent_of
from argrad.sklearn.combinations import Combination, combinations, warn_left_out
from argrad.sklearn.deciding.allowance import Allowance
from argrad.sklearn.deciding.asked import Verdict, judge
from argrad.sklearn.deciding.settled import settle
from argrad.sklearn.delegation import ActsAsBest
from argrad.sklearn.fitting import Fitting
from argrad.sklearn.limits import Budget
from argrad.sklearn.place import Place, find_place
from argrad.sklearn.reporting.listener import Listener
from argrad.sklearn.reporting.results import Record
from argrad.sklearn.reporting.scoring import FoldScoring, scorers_of
from argrad.sklearn.reporting.tasks import CallbackSupportMixin, Tasks, with_callbacks
from argrad.sklearn.row_weights import row_factors
from argrad.sklearn.rows.data import Data
from argrad.sklearn.rows.folds import Folds, Split
from argrad.sklearn.rows.inputs import as_weights, checked
from argrad.sklearn.rows.routing import route_fit, route_score, router_of
from argrad.sklearn.rows.splits import make_splits
from argrad.sklearn.running import Run
from argrad.sklearn.space import Space
from argrad.sklearn.trail import Branch, Trail


class GradientSearchCV(ActsAsBest, CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator):
    """Hyperparameter search by descent on the cross-validation loss, with exact gradients.

    For log hyperparameters h the criterion is

        F(h) = 1/k Σ_i  mean loss on the validation rows of fold i of the model fitted, with
               hyperparameters e^h, on its training rows

    with log loss for LogisticRegression and the squared error for Ridge, minus what
    `GridSearchCV` calls `neg_log_loss` and `neg_mean_squared_error`; half the mean deviance for
    the regressors with Poisson, gamma or Tweedie deviance; and Huber's loss, with the scale of
    the training rows, for HuberRegressor. Means are weighted where rows are. Its derivatives are
    exact: each fold's coefficients are a differentiable function of h by their optimality
    conditions.

    Parameters
    ----------
    estimator : Ridge (of one target or several), LogisticRegression, PoissonRegressor,
        GammaRegressor, TweedieRegressor, HuberRegressor, KernelRidge, SVC, SVR,
        LinearSVC, LinearSVR, Lasso, ElasticNet, GroupLasso, MLPRegressor, MLPClassifier, or what
        `from_objective` makes; alone or as the last step of a Pipeline. The steps before are fitted
        on the training rows of every fold.
    params : None to tune the estimator's penalty in the granularity that `Auto` decides on; or a
        dictionary from `C` of LogisticRegression or `alpha` of the others (in a Pipeline
        `step__alpha`) to `Auto()`, `Shared(low, high)`, `Grouped(groups, low, high)`,
        `PerFeature(low, high)`, `PerClass(low, high)`, or, of Lasso, `Adaptive(low, high)`, of MLPs
        `PerLayer(low, high)`. Beside it or alone there may be `class_weight` with `ClassWeights()`
        and `sample_weight` with `SampleWeights(groups)`. Other parameters have lists of values, as
        in `GridSearchCV`: each combination of them is searched by itself, from where the last one
        ended; or a list of such dictionaries.
    cv : number of folds (stratified for classes), a splitter, or an iterable of pairs of row
        positions (train, validation), of which one is enough.
    criterion : the name of the loss of validation rows that is lowered, None for the estimator's
        own: "log_loss", or "brier_score" for classifiers; "mean_squared_error" for all regressors;
        "half_mean_deviance" for those with a deviance, and "huber_loss" for HuberRegressor;
        "squared_hinge_loss" or "logistic_loss" of the margins for SVC and LinearSVC.
    scoring : scores to report, as in `GridSearchCV`: the name of a scorer, a callable, or a list
        or dictionary of several. They neither steer the search nor choose its best point. At
        every point scikit-learn fits the estimator on the training rows of each fold once more
        and scores it on the validation rows, so a point takes 2 k fits instead of k. `score`
        uses the first of them; without any, the estimator's own.
    tol : the search ends when no further decrease by more than `tol` times the loss is in sight;
        None for 1e-8 with one hyperparameter (1e-10 of sparse models), 1e-4 with one a feature.
    max_fits : the most fits of the model, all of them counted, as in `n_fits_` and
        `n_fits_comparing_`; None for as many as 12 points take with one hyperparameter, 100 with
        one a feature. A decision on the granularity takes no more than half of them, and of the
        `timeout`.
    timeout : seconds after which no further point is begun; the first always is.
    refit : whether to fit the best estimator on all rows.
    error_score : 'raise', or the score of a point at which a fold cannot be solved, and of a
        scorer that fails or returns NaN. With a number, NaN unless you say otherwise, the search
        warns, goes half the way back to the best point and on from there; where the first point
        has no solution it looks for one that has.
    n_jobs : processes for the fits and scorers of `scoring`, as in joblib.
    random_state : seed by which the folds of an integer `cv` are drawn; None to take the rows in
        order, as `GridSearchCV` does.
    nested : whether several numbers for a penalty that `params` asks for (`Grouped`, `PerFeature`,
        `PerClass`, `PerLayer`, `PerEntry`) are compared with a shared one after the search, on
        folds left out of the tuning of both: nested cross-validation. It takes up to five times
        the fits of the search, or 400, within `max_fits` and `timeout`, and changes nothing but
        `freedom_pays_` and what follows it below; where it does not pay there is a UserWarning.
    callback : called after each point with a dictionary of `evaluation` (from 1), `fits`,
        `seconds`, `seconds_left` (at most, at this pace), `cv_loss`, `gradient_norm`, `params`,
        `scores`; returning True ends the search. Before the first point, while `Auto` decides,
        and after the last, while `nested` compares, `evaluation` is 0, `params` are empty, and
        `trying` says what is, in words.
    verbose : print a line a point, for whatever `Auto` or `nested` tries, and on what pays, if
        positive.

    Attributes
    ----------
    best_estimator_ : a scikit-learn estimator fitted on all rows; under `PerFeature` and
        `Adaptive` one fitted on scaled columns, its `coef_` mapped back.
    best_params_, best_score_, best_index_ : of the lowest loss F met, or of the lowest sum of F
        and the prior where there is one; the score is −F.
    freedom_pays_ : with `nested`, where several numbers were asked for: whether they lose less
        than a shared one on unseen folds, by enough standard errors for `Auto` to take them; None
        if that is not known. `granularity_reason_` says it in words, with both losses.
    granularity_ : 'shared', 'grouped', 'per-class', 'per-layer', 'adaptive' or 'per-feature', under
        `Auto`, or where there is `freedom_pays_`, as all of these:
    granularity_reason_ : why, in words, with what it loses on unseen folds and what others do.
    prior_strength_ : how strongly the numbers of the columns were drawn together, infinite if
        they are one, see `argrad.sklearn.deciding.prior.WithPrior`.
    granularity_results_ : DataFrame of what was compared: `candidate`, `cv_loss`, `unseen_loss`
        on folds left out of the tuning, and its `standard_error` over these.
    optimism_ : unseen less CV loss of the candidate chosen; NaN if nothing could be left out.
    cv_results_ : a row per point, as in scikit-learn; `test_score` is minus F, and scores of
        `scoring` follow by their names. `rank_test_score` is 1 at the best point.
    history_ : DataFrame with a row per point and a column for each number tuned.
    bounds_ : dictionary from those columns to the bounds (low, high) of their numbers.
    choices_ : dictionary from discrete hyperparameters to the values of them that were searched.
    scorer_, multimetric_ : the scorers, as in scikit-learn.
    n_fits_ : fits of the model that led to the best estimator, of which an adaptive one is two in
        one: k a point, 2 k with `scoring`, those of the decision under `Auto`, and the one on all
        rows.
    n_fits_comparing_, comparing_time_ : fits and seconds of the comparison that `freedom_pays_`
        comes from, where there is one; `max_fits` and `timeout` bound it and the search together.
    n_splits_ : k.
    started_ : when `fit` began, a `datetime` of the local clock.
    interrupted_ : whether Ctrl-C ended the search; the best so far is kept.
    refit_time_ : seconds of the last fit.

    `set_callbacks` takes callbacks of scikit-learn 1.9, such as its `ProgressBar`: they see the
    tasks `search`, with an `evaluation` for each point, and `refit`, and may end the search.

    Raises ValueError, saying what to mend, for whatever cannot be tuned or learnt from, and
    `argrad.SolveError` where a fold has no finite solution at any point looked at, or with
    `error_score='raise'` at one.

    Source: gradients of a cross-validation criterion after Pedregosa 2016, arXiv:1602.02355.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from argrad.sklearn import GradientSearchCV, Shared
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    >>> search = GradientSearchCV(pipeline, {"logisticregression__C": Shared(1e-4, 1e4)})
    >>> round(search.fit(X, y).best_score_, 4)
    -0.0791
    >>> search.n_fits_ <= 25
    True
    """

    def __init__(
        self,
        estimator: Any,
        params: Any = None,
        *,
        cv: Any = 5,
        criterion: str | None = None,
        scoring: Any = None,
        tol: float | None = None,
        max_fits: int | None = None,
        timeout: float | None = None,
        refit: bool = True,
        error_score: Any = np.nan,
        n_jobs: int | None = None,
        random_state: Any = None,
        nested: bool = True,
        callback: Callable[[dict[str, Any]], Any] | None = None,
        verbose: int = 0,
    ):
        self.estimator = estimator
        self.params = params
        self.cv = cv
        self.criterion = criterion
        self.scoring = scoring
        self.tol = tol
        self.max_fits = max_fits
        self.timeout = timeout
        self.refit = refit
        self.error_score = error_score
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.nested = nested
        self.callback = callback
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: Any, y: Any = None, **metadata: Any) -> GradientSearchCV:
        """Search, and fit the best estimator on all rows.

        `X` (n, d) is an array, sparse or not, or a DataFrame, `y` (n,) the target, or (n, m) for
        an estimator of several. Of the metadata, `groups` (n,) goes to the splitter and
        `sample_weight` (n,) to the fits, the criterion and those scorers that take it; with
        scikit-learn's metadata routing switched on, whatever was requested.
        Ctrl-C ends the search with the best so far; before the first point is solved
        KeyboardInterrupt is raised.
        """
        begun, self.started_ = time.perf_counter(), datetime.now()
        self.__dict__.pop("best_estimator_", None)  # that of an earlier fit
        self._check_settings()
        scorers = scorers_of(self.estimator, self.scoring)
        searches = combinations(self.estimator, self.params)
        places = [find_place(each.estimator, each.params) for each in searches]
        X, y = checked(X, y, places[0])
        routed = route_fit(self, scorers, metadata)
        weights = as_weights(routed.sample_weight, len(y))
        classes = places[0].model.for_target(y)[1].classes
        for place in places:
            place.model.judged_by(self.criterion)  # raises for one that there is not
        splits = make_splits(self.cv, X, y, classes, routed.split, self.random_state, weights)
        data = Data(X, y, weights, splits)
        fits_each = len(splits) * (2 if scorers.reported else 1)
        limits = self.max_fits, self.timeout
        budget = Budget(*limits, begun, fits_each, int(bool(self.refit)), len(searches))
        scoring = FoldScoring(scorers, X, y, splits, routed.scorers, self.error_score, self.n_jobs)
        listener = Listener(self.callback, self.verbose > 0, begun)
        self.scorer_ = scorers.as_attribute()
        trail, tasks, self.interrupted_ = Trail(), Tasks(self, X=X, y=y, weights=weights), False
        ended = False
        try:
            for number, (combination, place) in enumerate(zip(searches, places, strict=True)):
                if trail.any_solved and budget.late:
                    warn_left_out(searches[number:])
                    break
                ended = self._search(
                    number, combination, place, data, budget, scoring, trail, tasks, listener
                )
                if ended:
                    break
        except KeyboardInterrupt:
            if not trail.any_solved:
                raise
            self.interrupted_ = True
        tasks.end_search()
        verdict = None
        if self.nested and not (ended or self.interrupted_):
            verdict = judge(trail, data, None if classes is None else y, budget, listener)
        if verdict is not None:
            self.interrupted_ = verdict.decision.interrupted
        self._report(trail, len(splits), verdict)
        if self.refit:
            task = tasks.begin_refit()
            before = time.perf_counter()
            self.best_estimator_ = trail.fit_best()
            self.refit_time_ = time.perf_counter() - before
            tasks.end_refit(task)
        tasks.end()
        return self

    def _search(
        self,
        number: int,
        combination: Combination,
        place: Place,
        data: Data,
        budget: Budget,
        scoring: FoldScoring,
        trail: Trail,
        tasks: Tasks,
        listener: Listener,
    ) -> bool:
        """Search within a combination of discrete values; whether all searching is to end."""
        model, encoded = place.model.for_target(data.y)
        model = model.judged_by(self.criterion)

        # What is tuned, and over which folds, is settled from here on.
        def stack(chosen: Sequence[Split], rows: np.ndarray | None = None) -> Folds:
            return data.folds(place, encoded, chosen, rows)

        part = partial(budget.part, number, trail.fits)
        told = listener.between(trail.fits)
        allowance = Allowance.half_of(part(0, sys.maxsize), budget.fits_each, told)
        strata = None if encoded.classes is None else data.y
        factors, on_rows = row_factors(place.weights, data.y, encoded.classes)
        settled = settle(
            place, model, stack, data.splits, strata, allowance, factors, encoded.outputs
        )
        place, criterion = settled.place, settled.criterion
        limits = part(settled.fits, 12 if criterion.shared else 100)
        if settled.ended:  # what is known is to be the result
            limits = replace(limits, evaluations=1)
        units = model.units(criterion.folds.features)
        space = Space({**place.searched, **on_rows}, units, encoded.outputs)
        record = Record(
            space,
            len(data.splits),
            budget.fits_each,
            self.error_score,
            trail.fits + settled.fits,
            trail.evaluations,
            combination.values,
        )
        fit = Fitting(combination.estimator, place, factors, data.X, data.y, data.weights)
        settled = trail.warmed(settled, space)
        trail.branches.append(Branch(record, settled, space, fit))
        # How many the searches after this one may take is known only when they come.
        tasks.begin_search(limits.evaluations if budget.parts == 1 else None)
        heard = listener.at_point
        run = Run(settled.objective, limits, record, scoring, fit, tasks, heard, trail.fit_best)
        try:
            ended = run.descend(
                descent_of(settled, space, self.tol), np.log(space.low), np.log(space.high)
            )
        except SolveError:
            last = number == budget.parts - 1
            if self.error_score == "raise" or (last and not trail.any_solved):
                raise
            return False
        if settled.decision is not None and settled.decision.interrupted:
            self.interrupted_ = True
        return ended or settled.ended

    def score(self, X: Any, y: Any = None, **metadata: Any) -> float:
        """The score of the best estimator: the first of `scoring`, else accuracy, R² or the like.

        `metadata` is for the scorer, with scikit-learn's metadata routing switched on.
        """
        best = self._best()
        several = isinstance(self.scorer_, dict)
        scorer = next(iter(self.scorer_.values())) if several else self.scorer_
        score = scorer(best, X, y, **route_score(self, metadata))
        return next(iter(score.values())) if isinstance(score, Mapping) else score

    def get_metadata_routing(self) -> MetadataRouter:
        """Who asks for which metadata, see scikit-learn's guide to metadata routing."""
        return router_of(self)

    def _check_settings(self) -> None:
        if self.tol is not None and not self.tol > 0:
            raise ValueError(f"tol must be positive, or None, got {self.tol!r}.")
        if not isinstance(self.refit, bool | np.bool_):
            raise ValueError(
                f"refit must be True or False, got {self.refit!r}: the best point is that of the "
                "lowest criterion, whatever `scoring` reports."
            )
        number = isinstance(self.error_score, Real) and not isinstance(self.error_score, bool)
        if not number and self.error_score != "raise":
            raise ValueError(f"error_score must be 'raise' or a number, got {self.error_score!r}.")

    def _report(self, trail: Trail, n_splits: int, verdict: Verdict | None) -> None:
        for name in (
            "granularity_", "granularity_reason_", "prior_strength_", "granularity_results_",
            "optimism_", "freedom_pays_", "n_fits_comparing_", "comparing_time_",
        ):  # fmt: skip
            self.__dict__.pop(name, None)  # that of an earlier fit
        record, decision = trail.best_branch.record, trail.best_branch.settled.decision
        if verdict is not None:
            decision, self.freedom_pays_ = verdict.decision, verdict.pays
            self.n_fits_comparing_, self.comparing_time_ = verdict.fits, verdict.seconds
        if decision is not None:
            self.granularity_ = decision.chosen.granularity
            self.granularity_reason_ = decision.reason
            self.prior_strength_ = decision.chosen.prior_strength
            self.granularity_results_ = decision.results
            self.optimism_ = decision.optimism
        self.n_splits_ = n_splits
        self.best_index_ = trail.best_index
        self.best_params_ = record.params(record.best.log_values)
        self.best_score_ = -float(np.mean(record.best.split_losses))
        self.cv_results_ = trail.cv_results()
        self.history_ = trail.history()
        self.bounds_ = trail.bounds()
        self.choices_ = trail.choices()
        self.n_fits_ = trail.fits + bool(self.refit)
        self.multimetric_ = isinstance(self.scorer_, dict) or record.several_scores

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.regressor_tags = deepcopy(inner.regressor_tags)
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.target_tags = deepcopy(inner.target_tags)
        tags.target_tags.required = True
        return tags
