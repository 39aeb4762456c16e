"""One thread for products of small matrices: several mostly wait for each other."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> ThreadpoolController:
    """The linear algebra libraries that are loaded; to look for them takes milliseconds."""
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """A context in which NumPy's and SciPy's linear algebra use a single thread."""
    return _libraries().limit(limits=1, user_api="blas")
