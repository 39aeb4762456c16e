"""The folder of results: `result.json`, the model and two pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from argrad.report.coefficients import draw_coefficients
from argrad.report.convergence import draw_convergence
from argrad.report.importances import draw_importances
from argrad.report.model import MODEL_FILE, save_model
from argrad.report.penalties import EACH, by_name
from argrad.report.searches.outcome import finite, plain
from argrad.report.tuning import TuneResult
from argrad.report.writing import whole_folder

FILES = {"result": "result.json", "model": MODEL_FILE, "convergence": "convergence.png"}


def files_of(result: TuneResult) -> dict[str, str]:
    """The names of the files of a result, by what they hold: the last depends on the model."""
    last = "coefficients" if result.problem.choice.linear else "importances"
    return {**FILES, last: f"{last}.png"}


def summary(result: TuneResult, folder: str | Path) -> dict[str, Any]:
    """The JSON object of a result whose files are in `folder`; it holds no NaN."""
    best = result.best
    return {
        "data": {
            "table": result.table,
            "target": result.target.name,
            "rows": result.rows,
            "train_rows": len(result.problem.y),
            "test_rows": len(result.problem.y_test),
            "folds": len(result.problem.folds),
            "seed": result.problem.seed,
            "model": result.problem.choice.name,
            "criterion": result.problem.criterion,
            "loss": result.problem.loss_name,
            "numbers": len(result.columns.numbers),
            "categories": len(result.columns.categories),
            "dropped": result.columns.dropped,
            "notes": [*result.columns.notes, *result.notes],
        },
        "task": result.target.task,
        "recommended": {
            "search": best.name,
            "granularity": best.granularity,
            "params": _params(result),
        },
        "searches": [outcome.summary() for outcome in result.outcomes],
        "optimism": finite(result.optimism),
        "files": {what: str(Path(folder) / name) for what, name in files_of(result).items()},
    }


def save_results(result: TuneResult, folder: str | Path) -> dict[str, Any]:
    """Write the results into `folder`, all or none, and return what `result.json` holds."""
    content, names = summary(result, folder), files_of(result)
    with whole_folder(Path(folder)) as partial:
        save_model(result.best.estimator, partial / names["model"])
        draw_convergence(result, partial / names["convergence"])
        if "coefficients" in names:
            draw_coefficients(result, partial / names["coefficients"])
        else:
            draw_importances(result, partial / names["importances"])
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        (partial / names["result"]).write_text(text + "\n", encoding="utf-8")
    return content


def _params(result: TuneResult) -> dict[str, Any]:
    """The recommended parameters; one penalty a group, class or layer by the names of these."""
    best, penalty = result.best, result.problem.penalty
    params = plain(best.params)
    return params | {penalty: by_name(best, penalty)} if best.granularity in EACH else params
