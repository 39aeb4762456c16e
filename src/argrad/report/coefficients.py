"""A picture of the recommended model's coefficients, and of the penalty it was tuned to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from argrad.report.penalties import EACH, by_name, draw_named, draw_penalties
from argrad.report.searches.outcome import IN_WORDS
from argrad.report.style import (
    COLOURS,
    MARKERS,
    literal,
    new_figure,
    quiet,
    save_figure,
    scale_losses,
)
from argrad.report.tuning import TuneResult

# More bars than this cannot be read.
_MOST_BARS = 20


def draw_coefficients(result: TuneResult, path: Path) -> None:
    """Write a PNG: the largest coefficients and, beside them, the penalties.

    One shared penalty is shown on the curve of CV loss against penalty that the searches
    traced; penalties per feature or group are shown feature by feature, others class by class.
    """
    names, coefficients = _coefficients(result)
    size = np.abs(coefficients).max(axis=0)
    largest = np.argsort(size, kind="stable")[-_MOST_BARS:]
    penalties = _penalties(result)
    figure = new_figure(11.0, 1.8 + 0.26 * max(len(largest), 10))
    left, right = figure.subplots(1, 2, sharey=penalties is not None)
    if len(coefficients) == 1:
        _draw_bars(left, coefficients[0, largest], _direction(result))
    else:
        _draw_classes(figure, left, coefficients[:, largest], result.best.estimator.classes_)
    left.set_yticks(range(len(largest)), [names[place] for place in largest])
    shown = f"the {len(largest)} largest of {len(names)}" if len(names) > len(largest) else "all"
    left.set_title(f"coefficients of scaled features ({shown})", fontsize=10)
    if penalties is not None:
        draw_penalties(right, penalties[largest], result.problem.choice.meaning, "feature")
    else:
        draw_tuning(right, result)
    figure.suptitle(f"{literal(result.target.name)}: the model of the {IN_WORDS[result.best.name]}")
    save_figure(figure, path)


def _coefficients(result: TuneResult) -> tuple[list[str], np.ndarray]:
    """Names of the prepared features and coefficients of shape (1 or classes, features)."""
    pipeline = result.best.estimator
    prepared = pipeline.named_steps["prepare"].get_feature_names_out()
    names = [literal(name.partition("__")[2]) for name in prepared]
    return names, np.atleast_2d(pipeline.named_steps["model"].coef_)


def _penalties(result: TuneResult) -> np.ndarray | None:
    """The penalties of the prepared features (features,), None where they do not differ in it."""
    best, penalty, groups = result.best, result.problem.penalty, result.problem.groups
    if best.granularity == "grouped" and groups is not None:
        of_group = by_name(best, penalty)
        return np.array([of_group[label] for label in groups])
    return np.asarray(best.params[penalty]) if best.granularity == "per-feature" else None


def _direction(result: TuneResult) -> str:
    """What the sign of a coefficient means."""
    if result.problem.task == "regression":
        return f"coefficient (right: higher {literal(result.target.name)})"
    negative, positive = (literal(str(label)) for label in result.best.estimator.classes_)
    return f"{negative}  ←  coefficient  →  {positive}"


def _draw_bars(axes: Any, coefficients: np.ndarray, meaning: str) -> None:
    colours = np.where(coefficients < 0, COLOURS["grid"], COLOURS["gradient"])
    axes.barh(range(len(coefficients)), coefficients, color=colours, height=0.7)
    axes.axvline(0.0, color="0.3", linewidth=0.8)
    axes.set_xlabel(meaning)
    axes.margins(y=0.02)
    quiet(axes)


def _draw_classes(figure: Any, axes: Any, coefficients: np.ndarray, classes: Any) -> None:
    limit = float(np.abs(coefficients).max()) or 1.0
    image = axes.imshow(coefficients.T, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    turned = {"rotation": 45, "ha": "right"} if len(classes) > 4 else {}
    axes.set_xticks(range(len(classes)), [literal(str(label)) for label in classes], **turned)
    axes.set_xlabel("class")
    axes.invert_yaxis()
    figure.colorbar(image, ax=axes, label="coefficient")


def draw_tuning(axes: Any, result: TuneResult) -> None:
    """What the penalty was tuned to: class by class or layer by layer, or one on its curve."""
    best, problem = result.best, result.problem
    if best.granularity in EACH:
        named = by_name(best, problem.penalty)
        draw_named(axes, named, problem.choice.meaning, EACH[best.granularity])
    else:
        _draw_curve(axes, result)


def _draw_curve(axes: Any, result: TuneResult) -> None:
    """The CV losses that the searches met against the shared penalty, all else being tuned too."""
    alone = len(result.problem.ranges) == 1
    penalty = result.problem.penalty
    for outcome in result.drawn:
        if penalty not in outcome.history:  # penalties per feature have no place on this axis
            continue
        history = outcome.history.sort_values(penalty)
        axes.plot(
            history[penalty],
            history["cv_loss"],
            linestyle="-" if outcome.name == "grid" and alone else "none",
            linewidth=1.0,
            marker=MARKERS[outcome.name],
            markersize=3 if outcome.name == "grid" else 5,
            color=COLOURS[outcome.name],
            label=IN_WORDS[outcome.name],
            zorder=3 if outcome.name == "gradient" else 2,
        )
    chosen = result.best.params[penalty]
    fits = chosen if isinstance(chosen, dict) else {"chosen": float(chosen)}
    for (name, value), style in zip(fits.items(), ("--", ":"), strict=False):
        axes.axvline(
            value, color="0.3", linestyle=style, linewidth=1.0, label=f"{name}: {value:.3g}"
        )
    axes.set_xscale("log")
    losses = np.concatenate([outcome.history["cv_loss"] for outcome in result.drawn])
    scale_losses(axes, losses.min(), losses.max())
    axes.set_xlabel(result.problem.choice.meaning)
    axes.set_ylabel(f"CV loss ({result.problem.loss_name})")
    axes.set_title("CV loss against the shared penalty", fontsize=10)
    axes.legend(frameon=False)
    quiet(axes)
