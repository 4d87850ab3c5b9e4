"""One run of the store: a fetch, from its beginning to its end or to its accident."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """`started_at` is an instant. One that was killed never `finished`; one that missed something is not `complete`."""

    run: int
    started_at: str
    finished: bool
    complete: bool
