"""Pictures of a fitted search: Matplotlib axes in, axes out."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

_COLOUR, _OTHER = "#c1440e", "#4a6d8c"
# More names than this cannot be read along an axis, nor told apart in a legend.
_MOST_NAMES, _MOST_LINES = 40, 10


def plot_history(search: Any, *, ax: Any = None) -> Any:
    """CV loss of every point of a fitted search, and the lowest so far, against fits.

    Draws into `ax`, or into new axes; returns them. Raises NotFittedError before `fit`, and
    ImportError without Matplotlib, as all plots here.

    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from argrad.sklearn import GradientSearchCV, Shared
    >>> search = GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)})
    >>> axes = plot_history(search.fit(*load_diabetes(return_X_y=True)))
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('fits of the model', 'CV loss')
    """
    history = _history(search)
    ax = _axes(ax)
    loss = history["cv_loss"].to_numpy(dtype=float)
    ax.plot(history["fits"], loss, "o", color=_OTHER, markersize=4, label="CV loss")
    ax.plot(
        history["fits"],
        np.fmin.accumulate(loss),
        drawstyle="steps-post",
        color=_COLOUR,
        label="lowest so far",
    )
    best = search.best_index_
    ax.plot(history["fits"].iloc[best], loss[best], "*", color=_COLOUR, markersize=11)
    ax.set_xlabel("fits of the model")
    ax.set_ylabel("CV loss")
    ax.legend(frameon=False)
    return _quiet(ax)


def plot_path(search: Any, *, ax: Any = None) -> Any:
    """Every number tuned, on a logarithmic scale, from evaluation to evaluation.

    The best evaluation is marked by a line. Up to ten numbers are named.

    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from argrad.sklearn import GradientSearchCV, PerFeature
    >>> search = GradientSearchCV(Ridge(), {"alpha": PerFeature(1e-4, 1e4)}, max_fits=51)
    >>> axes = plot_path(search.fit(*load_diabetes(return_X_y=True)))
    >>> len(axes.get_legend().get_texts())  # one a column, and the best evaluation
    11
    """
    history = _history(search)
    names = list(search.bounds_)
    ax = _axes(ax)
    for name in names:
        # A shade each where there are few, one where they cannot be told apart.
        one = {} if len(names) <= _MOST_LINES else {"color": _OTHER, "alpha": 0.4}
        ax.plot(
            history["evaluation"], history[name], "-o", markersize=3, label=_literal(name), **one
        )
    best = history["evaluation"].iloc[search.best_index_]
    line = ax.axvline(best, color=_COLOUR, linewidth=1, linestyle="--", label="best")
    ax.set_yscale("log")
    ax.set_xlabel("evaluation")
    ax.set_ylabel(_literal(names[0]) if len(names) == 1 else "hyperparameters")
    handles = [*ax.get_lines()] if len(names) <= _MOST_LINES else [line]
    ax.legend(handles=handles, frameon=False, fontsize="small")
    return _quiet(ax)


def plot_penalties(search: Any, *, ax: Any = None) -> Any:
    """The best hyperparameters, a dot for each number, between the bounds that they were given.

    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from argrad.sklearn import GradientSearchCV, PerFeature
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> search = GradientSearchCV(Ridge(), {"alpha": PerFeature(1e-4, 1e4)}, max_fits=51)
    >>> axes = plot_penalties(search.fit(X, y))
    >>> [label.get_text() for label in axes.get_yticklabels()][:2]
    ['alpha[age]', 'alpha[sex]']
    """
    history = _history(search)
    best = history[list(search.bounds_)].iloc[search.best_index_]
    best = best[best.notna()]  # of other discrete values there may be other numbers
    names, values = list(best.index), best.to_numpy(dtype=float)
    ax = _axes(ax)
    places = np.arange(len(names))
    ax.plot(values, places, "o", color=_COLOUR, markersize=5)
    for bound in sorted({bound for name in names for bound in search.bounds_[name]}):
        ax.axvline(bound, color="0.6", linewidth=0.8, linestyle=":")
    ax.set_xscale("log")
    shown = names if len(names) <= _MOST_NAMES else []
    ax.set_yticks(places[: len(shown)], [_literal(name) for name in shown])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel("best value")
    return _quiet(ax)


def plot_optimism(search: Any, *, ax: Any = None) -> Any:
    """What each candidate promised in tuning, and what it was worth on folds it had not seen.

    For a search that compared granularities: a row per candidate of
    `granularity_results_`, from its CV loss to its loss on unseen folds with the standard error
    of that; the longer the line, the more the tuning deceived itself.

    Raises ValueError for a search that had nothing to choose between.
    """
    check_is_fitted(search, "history_")
    results = getattr(search, "granularity_results_", None)
    if results is None:
        raise ValueError(
            "this search did not compare granularities, so nothing is known of its optimism: leave "
            "`params` out, write Auto() for the penalty, or ask for several with nested=True."
        )
    ax = _axes(ax)
    places = np.arange(len(results))
    ax.hlines(places, results["cv_loss"], results["unseen_loss"], color="0.7", linewidth=2)
    ax.plot(results["cv_loss"], places, "o", color=_OTHER, label="CV loss, tuned on")
    ax.errorbar(
        results["unseen_loss"],
        places,
        xerr=results["standard_error"],
        fmt="s",
        color=_COLOUR,
        capsize=3,
        label="loss on unseen folds ± standard error",
    )
    ax.set_yticks(places, [str(name) for name in results["candidate"]])
    ax.set_ylim(len(results) - 0.5, -0.5)
    ax.set_xlabel("loss")
    ax.set_title(f"optimism of the candidate chosen: {search.optimism_:.3g}", fontsize="medium")
    ax.legend(frameon=False, fontsize="small")
    return _quiet(ax)


def _history(search: Any) -> Any:
    check_is_fitted(search, "history_")
    return search.history_


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'plots of a search need Matplotlib: pip install "argrad[report]"'
        ) from error
    return plt.subplots(layout="constrained")[1]


def _literal(name: str) -> str:
    """A name whose dollars are not taken for formulas."""
    return name.replace("$", r"\$")


def _quiet(ax: Any) -> Any:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
