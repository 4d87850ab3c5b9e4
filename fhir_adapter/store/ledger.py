"""The account of one stream in one run: everything received went somewhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamLedger:
    """Counts of one stream in one run.

    `announced` is what the source said it would send (None if it did not say). `deleted` are deletions that
    the stream itself reported; `swept` are resources that a complete fetch did not show any more, no part of
    `received`. `conflicts` counts contents that came under a version number of another content,
    `retries` requests that had to be repeated.
    """

    stream: str
    announced: int | None
    received: int
    stored: int
    duplicate: int
    quarantined: int
    deleted: int
    swept: int
    conflicts: int
    retries: int
    complete: bool
    unverified: bool
    reason: str

    @property
    def balances(self) -> bool:
        return self.received == self.stored + self.duplicate + self.quarantined + self.deleted
