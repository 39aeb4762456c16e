"""Losses of validation rows by name, for models that are to be judged by another than their own.

They are functions of what a model predicts: μ = E[u | z], of shape (n, t), chances for classes.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any


def _brier(mean: Any, target: Any, xp: Any) -> Any:
    """Σ_c (μ_c − u_c)² over the classes; of two classes, which have one chance, that one alone."""
    return xp.sum((mean - target) ** 2, axis=-1)


def _squared(mean: Any, target: Any, xp: Any) -> Any:
    """(μ − u)², its mean over the targets."""
    return xp.mean((mean - target) ** 2, axis=-1)


Loss = Callable[[Any, Any, Any], Any]
OF_CLASSES: dict[str, Loss] = {"brier_score": _brier}
OF_NUMBERS: dict[str, Loss] = {"mean_squared_error": _squared}


def named(own: str, others: dict[str, Loss], name: str | None, kind: str) -> Loss | None:
    """The loss of that name, None if it is a model's `own`; ValueError, with those there are."""
    if name is None or name == own:
        return None
    if name in others:
        return others[name]
    known = list(dict.fromkeys([own, *others]))
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Do you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"criterion={name!r} is none that {kind} can be judged by.{hint} There is "
        f"{' and '.join(map(repr, known))}."
    )
