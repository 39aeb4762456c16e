"""The models that a table can be tuned with: every one that the search by gradient has.

Imports neither JAX nor scikit-learn, so that `argrad models` answers at once; a test holds it
against `argrad.sklearn.models`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from argrad.report.errors import InputError, listed

Task = Literal["classification", "regression"]


class Range(NamedTuple):
    """Where a hyperparameter is looked for; `of_target` if that is in units of the target."""

    low: float
    high: float
    of_target: bool = False


_WIDE = Range(1e-4, 1e4)
# What `--granularity` may ask for: of most linear models, and of models with one penalty only.
OF_COLUMNS, OF_ALL = ("shared", "grouped", "per-feature"), ("shared",)
OF_CLASSES = ("shared", "grouped", "per-class", "per-feature")
OF_LAYERS = ("shared", "per-layer")


@dataclass(frozen=True)
class Choice:
    """A model by the name that `--model` takes.

    `estimator` is a class of scikit-learn's `module`, made with `settings`; `parameter` is its
    penalty, or, if `inverse`, the inverse of one, looked for in `range` in one of the
    `granularities`; `others` are tuned beside it, each as one number. `targets` says in words what
    can be learnt, `power` is that of the Tweedie deviance, where half of that is the loss; `judges`
    are losses beside its own, by name and in words, None for those that all models of the task
    have. A `linear` one has coefficients of the columns.
    """

    name: str
    estimator: str
    task: Task
    parameter: str
    targets: str
    loss_name: str
    score_name: str
    inverse: bool = False
    power: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    module: str = "linear_model"
    range: Range = _WIDE
    others: Mapping[str, Range] = field(default_factory=dict)
    granularities: tuple[str, ...] = OF_COLUMNS
    judges: Mapping[str, str] | None = None
    linear: bool = True

    @property
    def ranges(self) -> dict[str, Range]:
        """All that is tuned, and where it is looked for, the penalty first."""
        return {self.parameter: self.range, **self.others}

    @property
    def criteria(self) -> dict[str, str]:
        """What it can be tuned for, by name and in words: its own loss first."""
        own = {self.loss_name.lower().replace(" ", "_"): self.loss_name}
        return own | dict(_JUDGES[self.task] if self.judges is None else self.judges)

    def criterion(self, name: str | None) -> str:
        """The criterion of that name, its own for None. Raises `InputError` if there is none."""
        if name is None:
            return next(iter(self.criteria))
        if name in self.criteria:
            return name
        near = difflib.get_close_matches(name.casefold(), self.criteria, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise InputError(
            f"The model '{self.name}' has no criterion '{name}'.{hint} It can be tuned for "
            f"{listed(self.criteria)}."
        )

    def check_granularity(self, name: str, groups: bool = False) -> None:
        """Raise `InputError` for one that the model has no penalties for, or for `groups`."""
        if name != "auto" and name not in self.granularities:
            others = listed((e.name for e in CATALOGUE if name in e.granularities), limit=20)
            raise InputError(
                f"The model '{self.name}' has no {self.parameter} {_ASKED[name]}: --granularity "
                f"{name} is for {others}. Leave it out, or use "
                f"{' or '.join(map(repr, self.granularities))}."
            )
        if groups and "grouped" not in self.granularities:
            raise InputError(
                f"The model '{self.name}' has no {self.parameter} {_ASKED['grouped']}: leave out "
                "--groups."
            )

    def check_classes(self, count: int, granularity: str) -> None:
        """Raise `InputError` where a penalty for each of `count` classes is asked for, but two."""
        if granularity == "per-class" and count == 2:
            raise InputError(
                "The target has two classes, which share one set of coefficients: --granularity "
                "per-class needs three classes or more. Leave it out, or use 'per-feature'."
            )

    @property
    def meaning(self) -> str:
        """What the hyperparameter is, in words."""
        if self.inverse:
            return f"{self.parameter}, the inverse penalty (right: weaker)"
        return f"{self.parameter}, the penalty (right: stronger)"


_ASKED = {
    "grouped": "for each group of columns",
    "per-feature": "for each feature",
    "per-class": "for each class",
    "per-layer": "for each layer",
    "adaptive": "by the coefficients of a first fit",
}
_JUDGES: dict[Task, dict[str, str]] = {
    "classification": {"brier_score": "Brier score"},
    "regression": {"mean_squared_error": "mean squared error"},
}

# At scikit-learn's default tolerances L-BFGS stops so early that CV losses are off in the third
# digit, more than the searches differ by; and weak penalties need many iterations.
_EXACT = {"tol": 1e-6, "max_iter": 10_000}
_NEWTON = {"solver": "newton-cholesky", "tol": 1e-8, "max_iter": 1000}
_DEVIANCE = "half mean deviance"
_SIGNS = {"tol": 1e-6, "max_iter": 100_000}
_LIBLINEAR = {"tol": 1e-6, "max_iter": 100_000}
# Small enough for a Hessian, smooth, and trained to the end by grid search as well.
_NETWORK = {
    "hidden_layer_sizes": (10,), "activation": "tanh", "solver": "lbfgs", "max_iter": 5000,
    "random_state": 0,
}  # fmt: skip
# Columns are scaled first, targets are not.
_WIDTH, _TUBE = {"gamma": Range(1e-4, 10.0)}, {"epsilon": Range(1e-4, 1.0, of_target=True)}
_SMALL, _COST = Range(1e-5, 1.0, of_target=True), Range(1e-3, 1e3)
_MARGIN, _OF_MARGINS = "squared hinge loss", {"logistic_loss": "logistic loss"}

CATALOGUE = (
    Choice("ridge", "Ridge", "regression", "alpha", "numbers", "mean squared error", "R²"),
    Choice(
        "logistic", "LogisticRegression", "classification", "C", "classes", "log loss",
        "accuracy", inverse=True, settings=_EXACT, granularities=OF_CLASSES,
    ),
    Choice(
        "poisson", "PoissonRegressor", "regression", "alpha", "counts, 0 or more", _DEVIANCE,
        "D²", power=1.0, settings=_NEWTON,
    ),
    Choice(
        "gamma", "GammaRegressor", "regression", "alpha", "amounts above 0", _DEVIANCE, "D²",
        power=2.0, settings=_NEWTON,
    ),
    Choice(
        "tweedie", "TweedieRegressor", "regression", "alpha", "amounts, many of them 0",
        _DEVIANCE, "D²", power=1.5, settings={"power": 1.5, "link": "log", **_NEWTON},
    ),
    Choice(
        "huber", "HuberRegressor", "regression", "alpha", "numbers with outliers", "Huber loss",
        "R²", settings=_EXACT,
    ),
    Choice(
        "kernel_ridge", "KernelRidge", "regression", "alpha", "numbers", "mean squared error", "R²",
        settings={"kernel": "rbf"}, module="kernel_ridge", others=_WIDTH, linear=False,
        granularities=OF_ALL,
    ),
    Choice(
        "lasso", "Lasso", "regression", "alpha", "numbers", "mean squared error", "R²",
        settings=_SIGNS, range=_SMALL, granularities=(*OF_COLUMNS, "adaptive"), judges={},
    ),
    Choice(
        "elastic_net", "ElasticNet", "regression", "alpha", "numbers", "mean squared error", "R²",
        settings=_SIGNS, range=_SMALL, others={"l1_ratio": Range(0.05, 1.0)},
        granularities=OF_ALL, judges={},
    ),
    Choice(
        "svc", "SVC", "classification", "C", "classes", _MARGIN, "accuracy", inverse=True,
        settings={"decision_function_shape": "ovo"}, module="svm", range=_COST,
        others=_WIDTH, linear=False, granularities=OF_ALL, judges=_OF_MARGINS,
    ),
    Choice(
        "svr", "SVR", "regression", "C", "numbers", "mean squared error", "R²", inverse=True,
        module="svm", range=_COST._replace(of_target=True), others={**_WIDTH, **_TUBE},
        linear=False, granularities=OF_ALL, judges={},
    ),
    Choice(
        "linear_svc", "LinearSVC", "classification", "C", "classes", _MARGIN, "accuracy",
        inverse=True, settings=_LIBLINEAR, module="svm", range=_COST, granularities=OF_ALL,
        judges=_OF_MARGINS,
    ),
    Choice(
        "linear_svr", "LinearSVR", "regression", "C", "numbers", "mean squared error", "R²",
        inverse=True, settings=_LIBLINEAR, module="svm", range=_COST._replace(of_target=True),
        others=_TUBE, granularities=OF_ALL, judges={},
    ),
    Choice(
        "mlp_regressor", "MLPRegressor", "regression", "alpha", "numbers", "mean squared error",
        "R²", settings=_NETWORK, module="neural_network", linear=False,
        granularities=OF_LAYERS, judges={},
    ),
    Choice(
        "mlp_classifier", "MLPClassifier", "classification", "alpha", "classes", "log loss",
        "accuracy", settings=_NETWORK, module="neural_network", linear=False,
        granularities=OF_LAYERS, judges={},
    ),
)  # fmt: skip


def choice_of(name: str | None, task: Task) -> Choice:
    """The choice of that name, by default ridge or logistic regression.

    Raises `InputError` for an unknown name, or for a model of the other task.
    """
    if name is None:
        name = "logistic" if task == "classification" else "ridge"
    found = named(name)
    if found.task != task:
        others = listed(each.name for each in CATALOGUE if each.task == task)
        raise InputError(
            f"The model '{name}' is for {found.task}, not {task}: choose {others}, or leave out "
            "--task."
        )
    return found


def named(name: str) -> Choice:
    """The choice of that name. Raises `InputError`, with the nearest one, if there is none."""
    known = {each.name: each for each in CATALOGUE}
    if name in known:
        return known[name]
    by_estimator = {each.estimator.casefold(): each.name for each in CATALOGUE}
    candidates = {**{key: key for key in known}, **by_estimator}
    near = difflib.get_close_matches(name.casefold(), candidates, n=1, cutoff=0.5)
    hint = f" Did you mean '{candidates[near[0]]}'?" if near else ""
    raise InputError(f"There is no model '{name}'.{hint} There are {listed(known, limit=20)}.")
