"""What a long computation tells while it runs."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives what is being done (`stage`) and how far it has come (`step`)."""

    def stage(self, text: str) -> None:
        """A new part of the work has begun."""

    def step(self, text: str) -> None:
        """The current part of the work has moved on."""


class Silent:
    """Tells nothing."""

    def stage(self, text: str) -> None:
        """Say nothing of a new part."""

    def step(self, text: str) -> None:
        """Say nothing of a step."""
