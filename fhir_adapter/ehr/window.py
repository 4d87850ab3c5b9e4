"""Since when a source is asked, and from when the next run has to ask again.

A server answers from an index that lags behind its records, and commits what it stamped a while ago. So every run asks
again for a while that it has asked before (the overlap), and never believes the newest while (the horizon). What comes
twice is known by its id and version. All times are the server's; the clock of this machine plays no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from fhir_adapter import instant


class Window(msgspec.Struct, frozen=True):
    """What is known from before: `cursors` are instants by person (empty: everybody).

    Without `param` the source cannot be asked what changed: everything is asked for, and there are no cursors.
    `overlap_s` and `horizon_s` are seconds.
    """

    param: str = ""
    cursors: Mapping[str, str] = {}
    overlap_s: float = 0.0
    horizon_s: float = 0.0

    def cursor(self, person: str) -> str:
        """The instant up to which this person's records (empty: everybody's) were read, or an empty string."""
        return self.cursors.get(person, "") if self.param else ""

    def since(self, person: str) -> str:
        """The instant to ask from; empty for everything."""
        cursor = self.cursor(person)
        return written(read_instant(cursor) - self.overlap_s) if cursor else ""

    def next_cursor(self, asked_at: float | None) -> str:
        """The cursor after a whole answer to what was asked at this moment of the server; empty if there is none."""
        return written(asked_at - self.horizon_s) if self.param and asked_at is not None else ""


def written(seconds: float) -> str:
    """The instant that many seconds after the beginning of 1970, in whole seconds."""
    return instant.written(datetime.fromtimestamp(max(seconds, 0.0), UTC))


def read_instant(text: str) -> float:
    """Seconds since the beginning of 1970 of an instant; `ValueError` if it is none."""
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
