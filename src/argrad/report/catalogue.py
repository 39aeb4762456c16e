"""The models that a table can be tuned with: every one that the search by gradient has.

Imports neither JAX nor scikit-learn, so that `argrad models` answers at once; a test holds it
against `argrad.sklearn.models`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from argrad.report.errors import InputError, listed

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Choice:
    """A model by the name that `--model` takes.

    `estimator` is a class of `sklearn.linear_model`, made with `settings`; `parameter` is its
    penalty, or, if `inverse`, the inverse of one. `targets` says in words what can be learnt,
    `power` is that of the Tweedie deviance, where half of that is the loss.
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

    @property
    def criteria(self) -> dict[str, str]:
        """What it can be tuned for, by name and in words: its own loss first."""
        own = {self.loss_name.lower().replace(" ", "_"): self.loss_name}
        return own | _JUDGES[self.task]

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

    @property
    def meaning(self) -> str:
        """What the hyperparameter is, in words."""
        if self.inverse:
            return f"{self.parameter}, the inverse penalty (right: weaker)"
        return f"{self.parameter}, the penalty (right: stronger)"


_JUDGES: dict[Task, dict[str, str]] = {
    "classification": {"brier_score": "Brier score"},
    "regression": {"mean_squared_error": "mean squared error"},
}

# At scikit-learn's default tolerances L-BFGS stops so early that CV losses are off in the third
# digit, more than the searches differ by; and weak penalties need many iterations.
_EXACT = {"tol": 1e-6, "max_iter": 10_000}
_NEWTON = {"solver": "newton-cholesky", "tol": 1e-8, "max_iter": 1000}
_DEVIANCE = "half mean deviance"

CATALOGUE = (
    Choice("ridge", "Ridge", "regression", "alpha", "numbers", "mean squared error", "R²"),
    Choice(
        "logistic", "LogisticRegression", "classification", "C", "classes", "log loss",
        "accuracy", inverse=True, settings=_EXACT,
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
)  # fmt: skip

# The models that a search tunes in Python alone: by estimator, what is tuned in which granularity.
IN_PYTHON: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "KernelRidge": {"alpha": ("Shared", "PerClass"), "gamma": ("Shared",)},
    "Lasso": {"alpha": ("Shared", "Grouped", "PerFeature")},
    "ElasticNet": {"alpha": ("Shared",), "l1_ratio": ("Shared",)},
    "SVC": {"C": ("Shared",), "gamma": ("Shared",)},
    "SVR": {"C": ("Shared",), "gamma": ("Shared",), "epsilon": ("Shared",)},
    "LinearSVC": {"C": ("Shared",)},
    "LinearSVR": {"C": ("Shared",), "epsilon": ("Shared",)},
    "MLPRegressor": {"alpha": ("Shared", "PerLayer", "Grouped")},
    "MLPClassifier": {"alpha": ("Shared", "PerLayer", "Grouped")},
}


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
