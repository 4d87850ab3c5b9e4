"""How long to wait before asking again."""

from __future__ import annotations

import email.utils
import random
import re
from datetime import UTC, datetime

SHORTEST_S = 1.0
_DAY_S = 86_400.0
_SECONDS = re.compile(r"[0-9]{1,15}")
_LONGEST_DATE = 64
# A server in the field sends its Retry-After as an instant in epoch milliseconds: such numbers lie near
# "now".
_EPOCH_BEFORE_S, _EPOCH_AFTER_S = _DAY_S, 30 * _DAY_S


def parse_http_date(text: str | None) -> float | None:
    """Seconds since 1970 of an HTTP date in any of its three spellings; without a zone it is UTC. None for
    junk.
    """
    if not text or len(text) > _LONGEST_DATE or not text.isascii():
        return None
    try:
        moment = email.utils.parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None


def parse_retry_after(text: str | None, now: float) -> float | None:
    """Seconds to wait as the server asks (at least 1), or None when it says nothing that can be understood.

    `now` is the server's own clock (its Date header), so that a skewed clock on either side does no harm.
    """
    text = (text or "").strip()
    if _SECONDS.fullmatch(text):
        return max(SHORTEST_S, _seconds(float(text), now))
    moment = parse_http_date(text)
    return None if moment is None else max(SHORTEST_S, moment - now)


def _seconds(value: float, now: float) -> float:
    for instant in (value, value / 1000):
        if now - _EPOCH_BEFORE_S <= instant <= now + _EPOCH_AFTER_S:
            return instant - now
    return value


class Backoff:
    """Our own waits: exponential with full jitter, never below a floor, never above a cap. Seconds."""

    def __init__(self, base_s: float = 1.0, cap_s: float = 60.0, rng: random.Random | None = None) -> None:
        self._base_s, self._cap_s = base_s, cap_s
        self._rng = rng or random.SystemRandom()

    def wait(self, failures: int) -> float:
        """Seconds to wait after the `failures`-th failure in a row (1 is the first)."""
        ceiling = min(self._cap_s, self._base_s * 2.0 ** min(failures, 32))
        return self._rng.uniform(min(self._base_s, ceiling) / 2, ceiling)

    def obey(self, asked_s: float) -> float:
        """The server's own wait plus a little jitter, so that not all clients come back at one instant."""
        return asked_s + self._rng.uniform(0.0, min(asked_s * 0.1, 5.0))
