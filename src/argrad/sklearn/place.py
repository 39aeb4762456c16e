"""Where in an estimator the tuned hyperparameter lives: in itself, or in a Pipeline's last step."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from argrad.sklearn.deciding.auto import Auto
from argrad.sklearn.fixed import Fixed
from argrad.sklearn.hyperparameters import Grouped, Hyperparameter
from argrad.sklearn.models import Model, Tunable, model_of
from argrad.sklearn.row_weights import ClassWeights, RowWeights

_DECIDED = (Auto, Fixed)


@dataclass(frozen=True)
class Place:
    """`tuned` are the hyperparameters by name as the user writes it, `final` has them.

    `preprocess` is the unfitted Pipeline before that estimator, or None; `prefix` is what its
    step puts before the names. `weights` are those of rows that are tuned as well, by name.
    """

    tuned: Mapping[str, Hyperparameter]
    final: Any
    preprocess: Pipeline | None
    model: Tunable
    prefix: str = ""
    weights: Mapping[str, RowWeights] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the first hyperparameter, which linear models have no other than."""
        return next(iter(self.tuned))

    @property
    def own_names(self) -> dict[str, Hyperparameter]:
        """`tuned` by the names that `final` has for them."""
        return {name.removeprefix(self.prefix): kind for name, kind in self.tuned.items()}

    @property
    def searched(self) -> dict[str, Hyperparameter]:
        """`tuned` without what stays at one value, beside weights of rows that are tuned."""
        return {name: kind for name, kind in self.tuned.items() if not isinstance(kind, Fixed)}

    @property
    def hyperparameter(self) -> Hyperparameter:
        """The first hyperparameter."""
        return self.tuned[self.name]


def find_place(estimator: Any, params: Any) -> Place:
    """What `params` says is to be tuned in `estimator`; ValueError if that cannot be.

    Without `params` it is what can be tuned, in the granularity that is decided to be best.
    """
    final, prefix, preprocess = estimator, "", None
    if isinstance(estimator, Pipeline):
        step, final = estimator.steps[-1]
        prefix = f"{step}__"
        preprocess = estimator[:-1] if len(estimator.steps) > 1 else None
    params, weights, final = _apart(params, final, prefix)
    model = model_of(final)
    kinds = {prefix + name: each for name, each in model.kinds.items()}
    tunable = next(iter(kinds))
    example = f'{{"{tunable}": Shared(1e-4, 1e4)}}'
    if params is None:
        declared = {name: Auto() for name in model.kinds} | dict(model.declared)
        params = {prefix + name: kind for name, kind in declared.items()}
    if weights and not isinstance(model, Model):
        raise ValueError(
            f"weights of rows cannot be tuned for {type(final).__name__}: leave "
            f"{next(iter(weights))!r} out."
        )
    if weights and not params:
        params = {tunable: Fixed.at(final.get_params()[tunable.removeprefix(prefix)])}
    if not isinstance(params, Mapping):
        raise TypeError(
            f"params must be None, or a dictionary such as {example}, got {type(params).__name__}."
        )
    if not params:
        raise ValueError(f"params is empty: say what to tune, for example {example}.")
    for name, hyperparameter in params.items():
        if name not in kinds:
            raise ValueError(_unknown(name, list(kinds), estimator))
        if not isinstance(hyperparameter, (*kinds[name], *_DECIDED)):
            raise TypeError(
                f"params[{name!r}] must be {_written(kinds[name])} or Auto(), got "
                f"{hyperparameter!r}: write for example {example}."
            )
        in_groups = isinstance(hyperparameter, Auto) and hyperparameter.groups is not None
        if in_groups and Grouped not in kinds[name]:
            raise ValueError(
                f"params[{name!r}] is Auto with groups, but {type(final).__name__} has no {name} a "
                "group: leave them out."
            )
        given = model.declared.get(name.removeprefix(prefix))
        if isinstance(hyperparameter, Auto) and given is not None:
            raise TypeError(
                f"params[{name!r}] is Auto(), which finds no range for it: give one, such as "
                f"{given!r}."
            )
    return Place(dict(params), final, preprocess, model, prefix, weights)


def _apart(params: Any, final: Any, prefix: str) -> tuple[Any, dict[str, RowWeights], Any]:
    """`params` without weights of rows, these, and the estimator without those that they replace.

    ValueError for weights under another name, for ones that the estimator has no use for or that
    cannot be tuned together with what else is.
    """
    if not isinstance(params, Mapping):
        return params, {}, final
    weights = {name: kind for name, kind in params.items() if isinstance(kind, RowWeights)}
    if not weights:
        return params, {}, final
    rest = {name: kind for name, kind in params.items() if name not in weights}
    for name, kind in weights.items():
        what = type(kind).__name__
        if name != prefix + kind.parameter:
            raise ValueError(
                f"params[{name!r}] is {what}, which is tuned under the name "
                f"{prefix + kind.parameter!r}: write it so."
            )
        takes = has_fit_parameter(final, "sample_weight")
        if kind.parameter not in final.get_params() and (
            isinstance(kind, ClassWeights) or not takes
        ):
            raise ValueError(f"{type(final).__name__} takes no {kind.parameter}: leave {what} out.")
    if any(isinstance(kind, Auto) for kind in rest.values()):
        raise ValueError(
            "Auto decides on penalties alone: tune weights of rows beside Shared(low, high), "
            "Grouped(groups, low, high) or PerFeature(low, high)."
        )
    if prefix + ClassWeights.parameter in weights:
        final = clone(final).set_params(class_weight=None)
    elif getattr(final, "class_weight", None) == "balanced":
        raise ValueError(
            "class_weight='balanced' follows the weights of rows, and cannot be held while "
            "SampleWeights tunes these: set class_weight=None, or tune ClassWeights as well."
        )
    return rest, weights, final


def _written(kinds: tuple[type[Hyperparameter], ...]) -> str:
    first = {"Grouped": "groups, ", "PerEntry": "count, "}
    return ", ".join(f"{k.__name__}({first.get(k.__name__, '')}low, high)" for k in kinds)


def _unknown(name: Any, tunable: list[str], estimator: Any) -> str:
    kind, can = type(estimator).__name__, " and ".join(map(repr, tunable))
    known = estimator.get_params()
    if name in known:
        return (
            f"{name!r} of {kind} cannot be tuned by gradient: {can} can. Leave it out, and "
            f"set it in the estimator, or give a list of values to be tried."
        )
    near = difflib.get_close_matches(str(name), tunable, n=1, cutoff=0.0)
    near = difflib.get_close_matches(str(name), [*tunable, *known], n=1) or near
    hint = f"do you mean {near[0]!r}?"
    if near[0] not in tunable:
        hint += f" Only {can} can be tuned by gradient."
    return f"{kind} has no parameter {name!r}: {hint}"
