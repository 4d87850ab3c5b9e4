"""How a fetch differs from every other night's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Manner:
    """`full`: everything anew. `accept_deletions`: believed however many there are. `retry_quarantine`: what was set
    aside is looked at again.
    """

    full: bool = False
    accept_deletions: bool = False
    retry_quarantine: bool = False


AS_EVERY_NIGHT = Manner()
