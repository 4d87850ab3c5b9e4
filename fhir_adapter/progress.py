"""How a run tells that it goes on: counts and names of streams, never anything about a person."""

from __future__ import annotations

from typing import Literal

State = Literal["running", "complete", "incomplete"]


class Progress:
    """Silent; whoever wants to see something overrides what it needs. Methods are called from any thread."""

    def __call__(self, text: str) -> None:
        """A sentence for the user."""

    def stream(self, stream: str, received: int, announced: int | None, state: State = "running") -> None:
        """So far `received` of `announced` things (None: not known) of this stream were landed."""

    def people(self, done: int, of: int) -> None:
        """So far `done` of the people among the data were judged."""

    def waiting(self, what: str, share: float | None = None) -> None:
        """The server works on `what`; `share` is how much of it is done, from 0 to 1 (None: not known)."""
