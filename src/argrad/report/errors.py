"""What is raised when something the user gave cannot be used.

Every message names the offending value and the remedy, because the command prints it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what and how to mend it."""


class TableError(InputError):
    """A table, or the part of it that was asked for, cannot be used."""


class ModelError(InputError):
    """A model file cannot be used."""


class OutputError(InputError):
    """Results cannot be written where they were asked for."""


def listed(values: Iterable[object], limit: int = 6) -> str:
    """`'a', 'b' and 3 more`: values as a message names them, at most `limit` of them."""
    quoted = [repr(value) if isinstance(value, str) else str(value) for value in values]
    if len(quoted) > limit:
        return ", ".join(quoted[:limit]) + f" and {len(quoted) - limit} more"
    if len(quoted) > 1:
        return ", ".join(quoted[:-1]) + " and " + quoted[-1]
    return "".join(quoted)
