"""float64 for the search alone: the user's setting of JAX is left as it is."""

from __future__ import annotations

from contextlib import AbstractContextManager

import jax
import jax.experimental


def double_precision() -> AbstractContextManager:
    """A context in which JAX computes in float64, in this thread only."""
    if hasattr(jax, "enable_x64"):  # its place since JAX 0.8
        return jax.enable_x64(True)
    return jax.experimental.enable_x64(True)  # type: ignore[attr-defined]
