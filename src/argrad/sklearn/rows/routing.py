"""Which metadata goes where: weights to the folds and scorers, groups to the splitter.

With scikit-learn's metadata routing switched on it is asked for and passed as its guide says;
otherwise as `GridSearchCV` passes it then.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

import sklearn
from argrad.sklearn.reporting.scoring import Scorers, scorers_of, takes_weights


@dataclass(frozen=True)
class Routed:
    """`sample_weight` (n,) of the fits or None, what the splitter is given, and each scorer."""

    sample_weight: Any
    split: Mapping[str, Any]
    scorers: Mapping[str, Mapping[str, Any]]


def routing_enabled() -> bool:
    """Whether the user has switched scikit-learn's metadata routing on."""
    return bool(sklearn.get_config()["enable_metadata_routing"])


def router_of(search: Any) -> MetadataRouter:
    """Who may ask a search for metadata: its estimator, its splitter and its scorers."""
    scorers = scorers_of(search.estimator, search.scoring)
    fit = MethodMapping().add(caller="fit", callee="fit")
    split = MethodMapping().add(caller="fit", callee="split")
    score = MethodMapping().add(caller="score", callee="score")
    report = MethodMapping().add(caller="fit", callee="score")
    router = MetadataRouter(owner=type(search).__name__)
    router.add(estimator=search.estimator, method_mapping=fit)
    router.add(splitter=search.cv, method_mapping=split)
    router.add(scorer=scorers.score, method_mapping=score)
    for name, scorer in scorers.reported.items():
        router.add(**{_key(name): scorer}, method_mapping=report)
    return router


def route_fit(search: Any, scorers: Scorers, metadata: Mapping[str, Any]) -> Routed:
    """Where the metadata given to `fit` goes; TypeError or ValueError for what has no place."""
    metadata = {name: value for name, value in metadata.items() if value is not None}
    if routing_enabled():
        routed = process_routing(search, "fit", **metadata)
        return Routed(
            _fit_weights(search.estimator, routed.estimator.fit),
            routed.splitter.split,
            {name: routed[_key(name)].score for name in scorers.reported},
        )
    unknown = sorted(set(metadata) - {"sample_weight", "groups"})
    if unknown:
        raise TypeError(
            f"fit() takes sample_weight and groups beside X and y, but got {unknown[0]!r}: leave "
            "it out, or have it routed with sklearn.set_config(enable_metadata_routing=True)."
        )
    weights = metadata.get("sample_weight")
    given = {name: _weights_for(scorer, name, weights) for name, scorer in scorers.reported.items()}
    return Routed(weights, {"groups": metadata.get("groups")}, given)


def route_score(search: Any, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the scorer is given of the metadata of `score`."""
    if not metadata:
        return {}
    if not routing_enabled():
        raise TypeError(
            f"score() takes X and y, but got {sorted(metadata)[0]!r}: leave it out, or have it "
            "routed with sklearn.set_config(enable_metadata_routing=True)."
        )
    return process_routing(search, "score", **metadata).scorer.score


def _key(name: str) -> str:
    return f"scorer {name}"


def _weights_for(scorer: Any, name: str, weights: Any) -> dict[str, Any]:
    if weights is None:
        return {}
    if takes_weights(scorer):
        return {"sample_weight": weights}
    warnings.warn(
        f"The scorer {name!r} does not take sample_weight, so its scores count all rows alike.",
        UserWarning,
        stacklevel=4,
    )
    return {}


def _fit_weights(estimator: Any, routed: Mapping[str, Any]) -> Any:
    """The weights for the model's fit, which is the only metadata that folds can honour."""
    given = {"": routed}
    final = ""
    if isinstance(estimator, Pipeline) and routed:
        steps = process_routing(estimator, "fit", **routed)
        given = {name: _merged(steps[name]) for name, step in estimator.steps if name in steps}
        final = estimator.steps[-1][0]
    for step, metadata in given.items():
        for name in metadata:
            if step != final or name != "sample_weight":
                at = f"the step {step!r}" if step else type(estimator).__name__
                raise ValueError(
                    f"{at} requests {name!r}, or holds what has not been told, but a search by "
                    "gradient passes sample_weight to the model's fit alone: say "
                    f"set_fit_request({name}=False) there, and of each transformer inside."
                )
    return given.get(final, {}).get("sample_weight")


def _merged(methods: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for metadata in methods.values() for name, value in metadata.items()}
