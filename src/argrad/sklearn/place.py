"""Where in an estimator the tuned hyperparameter lives: in itself, or in a Pipeline's last step."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from argrad.sklearn.auto import Auto
from argrad.sklearn.hyperparameters import Hyperparameter
from argrad.sklearn.models import Model, model_of


@dataclass(frozen=True)
class Place:
    """`tuned` are the hyperparameters by name as the user writes it, `final` has them.

    `preprocess` is the unfitted Pipeline before that estimator, or None; `prefix` is what its
    step puts before the names.
    """

    tuned: Mapping[str, Hyperparameter]
    final: Any
    preprocess: Pipeline | None
    model: Model
    prefix: str = ""

    @property
    def name(self) -> str:
        """The name of the first hyperparameter, which linear models have no other than."""
        return next(iter(self.tuned))

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
    model = model_of(final)
    tunable = prefix + model.parameter
    example = f'{{"{tunable}": Shared(1e-4, 1e4)}}'
    if params is None:
        params = {tunable: Auto()}
    if not isinstance(params, Mapping):
        raise TypeError(
            f"params must be None, or a dictionary such as {example}, got {type(params).__name__}."
        )
    if not params:
        raise ValueError(f"params is empty: say what to tune, for example {example}.")
    for name, hyperparameter in params.items():
        if name != tunable:
            raise ValueError(_unknown(name, tunable, estimator))
        if not isinstance(hyperparameter, Hyperparameter):
            raise TypeError(
                f"params[{name!r}] must be Shared(low, high), Grouped(groups, low, high), "
                f"PerFeature(low, high), PerClass(low, high) or Auto(), got {hyperparameter!r}: "
                f"write for example {example}."
            )
    return Place(dict(params), final, preprocess, model, prefix)


def _unknown(name: Any, tunable: str, estimator: Any) -> str:
    kind = type(estimator).__name__
    known = estimator.get_params()
    if name in known:
        return (
            f"{name!r} of {kind} cannot be tuned by gradient: {tunable!r} can. Leave it out, and "
            f"set it in the estimator, or search for it by a grid outside."
        )
    near = difflib.get_close_matches(str(name), [tunable], n=1, cutoff=0.0)
    near = difflib.get_close_matches(str(name), [tunable, *known], n=1) or near
    hint = f"do you mean {near[0]!r}?"
    if near[0] != tunable:
        hint += f" Only {tunable!r} can be tuned by gradient."
    return f"{kind} has no parameter {name!r}: {hint}"
