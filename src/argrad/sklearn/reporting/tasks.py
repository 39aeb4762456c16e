"""The tasks of a fit as scikit-learn's callbacks see them: search, each evaluation, refit.

The protocol is part of scikit-learn since 1.9. With an older one searches have no callbacks of
that kind, and say so to whoever sets one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sklearn

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """In place of scikit-learn's, which this release does not have."""

        def set_callbacks(self, *callbacks: Any) -> Any:
            """Refuse scikit-learn's callbacks, which need scikit-learn 1.9."""
            if callbacks:
                raise ImportError(
                    f"scikit-learn {sklearn.__version__} has no callbacks: install "
                    "scikit-learn>=1.9, or use the parameter `callback`."
                )
            return self

        def _init_callback_context(self, *args: Any, **kwargs: Any) -> _Untold:
            return _Untold()

    def with_callbacks(method: Any) -> Any:
        """Nobody to tell: the method as it is."""
        return method


class _Untold:
    """A task that nobody listens to."""

    def subcontext(self, *args: Any, **kwargs: Any) -> _Untold:
        return self

    def call_on_fit_task_begin(self, **kwargs: Any) -> _Untold:
        return self

    def call_on_fit_task_end(self, **kwargs: Any) -> bool:
        return False


class Tasks:
    """`fit` of a search with its subtasks `search`, with an `evaluation` each, and `refit`.

    Callbacks that ask for a fitted estimator are given the search as it would be if it ended
    there; that is a fit on all rows, made only for those that ask.
    """

    def __init__(self, search: Any, X: Any, y: Any, weights: Any):
        metadata = None if weights is None else {"sample_weight": weights}
        self._search, self._data = search, {"X": X, "y": y, "metadata": metadata}
        self._root = search._init_callback_context(max_subtasks=1 + bool(search.refit))
        self._begin(self._root)
        self._descent: Any = None

    def begin_search(self, evaluations: int | None) -> None:
        """Begin the descent of at most so many evaluations, if that is known, unless it has."""
        if self._descent is None:
            self._descent = self._root.subcontext("search", max_subtasks=evaluations)
            self._begin(self._descent)

    def begin_evaluation(self) -> Any:
        """The task of one evaluation, begun."""
        return self._begin(self._descent.subcontext("evaluation"))

    def end_evaluation(self, task: Any, so_far: Callable[[], dict[str, Any]]) -> bool:
        """Whether a callback wants the search to end; `so_far` gives its fitted attributes."""
        return task.call_on_fit_task_end(
            estimator=self._search, reconstruction_attributes=so_far, **self._data
        )

    def end_search(self) -> None:
        """The descent is over."""
        self._end(self._descent)

    def begin_refit(self) -> Any:
        """The task of fitting on all rows, begun."""
        return self._begin(self._root.subcontext("refit"))

    def end_refit(self, task: Any) -> None:
        """The best estimator is fitted."""
        self._end(task, {})

    def end(self) -> None:
        """The search is fitted."""
        self._end(self._root, {})

    def _begin(self, task: Any) -> Any:
        return task.call_on_fit_task_begin(estimator=self._search, **self._data)

    def _end(self, task: Any, attributes: dict[str, Any] | None = None) -> None:
        """`attributes` are those that a fitted search still lacks; None if it is not fitted."""
        task.call_on_fit_task_end(
            estimator=self._search, reconstruction_attributes=attributes, **self._data
        )
