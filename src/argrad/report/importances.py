"""A picture of how much a model without coefficients needs each column, and of its tuning."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from argrad.report.coefficients import draw_tuning
from argrad.report.losses import mean_loss
from argrad.report.searches.outcome import IN_WORDS
from argrad.report.style import COLOURS, literal, new_figure, quiet, save_figure
from argrad.report.tuning import TuneResult

# More bars than this cannot be read.
_MOST_BARS = 20
_REPEATS = 5


def importances(result: TuneResult) -> dict[str, float]:
    """By column of the table, by how much the held-out loss rises when its entries are shuffled.

    The mean of a few shuffles, drawn by the seed of the tuning. Columns that say the same as
    others are missed little.

    Source: Breiman 2001, Machine Learning 45:5-32, section 10; Fisher, Rudin and Dominici 2019.
    """
    problem, random = result.problem, np.random.default_rng(result.problem.seed)

    def loss(X) -> float:
        estimator, y, weights = result.best.estimator, problem.y_test, problem.weights_test
        return mean_loss(problem.choice, problem.criterion, estimator, X, y, weights)

    usual, rises = loss(problem.X_test), {}
    for name in problem.X_test.columns:
        shuffled = problem.X_test.copy()
        losses = []
        for _ in range(_REPEATS):
            order = random.permutation(len(shuffled))
            shuffled[name] = problem.X_test[name].iloc[order].to_numpy()
            losses.append(loss(shuffled))
        rises[name] = float(np.mean(losses)) - usual
    return rises


def draw_importances(result: TuneResult, path: Path) -> None:
    """Write a PNG: the most needed columns and, beside them, the penalties."""
    rises = importances(result)
    largest = sorted(rises, key=lambda name: rises[name])[-_MOST_BARS:]
    figure = new_figure(11.0, 1.8 + 0.26 * max(len(largest), 10))
    left, right = figure.subplots(1, 2)
    left.barh(range(len(largest)), [rises[name] for name in largest], color=COLOURS["gradient"])
    left.axvline(0.0, color="0.3", linewidth=0.8)
    left.set_yticks(range(len(largest)), [literal(str(name)) for name in largest])
    left.set_xlabel(f"rise of the held-out {result.problem.loss_name} when shuffled")
    shown = f"the {len(largest)} of {len(rises)} needed most" if len(rises) > len(largest) else ""
    left.set_title(f"columns {shown}".strip(), fontsize=10)
    quiet(left)
    draw_tuning(right, result)
    figure.suptitle(f"{literal(result.target.name)}: the model of the {IN_WORDS[result.best.name]}")
    save_figure(figure, path)
