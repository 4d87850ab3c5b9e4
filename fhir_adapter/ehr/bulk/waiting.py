"""The time that one run gives to an export."""

from __future__ import annotations

from collections.abc import Callable

from fhir_adapter.errors import NotReadyError

_RESUMES = "Run the same command again later; it goes on with the same export."


class Waiting:
    """At most `max_wait_s` seconds of waiting. Waits count even when a test's `sleep` takes no time."""

    def __init__(self, max_wait_s: float, now: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.now, self._max_wait_s, self._sleep = now, max_wait_s, sleep
        self._started, self._slept_s = now(), 0.0

    def wait(self, seconds: float, why: str) -> None:
        """Sleep, but not beyond the limit; `NotReadyError` beginning with `why` when it is reached."""
        left = self._max_wait_s - max(self.now() - self._started, self._slept_s)
        if left <= 0:
            raise NotReadyError(f"{why} after {self._max_wait_s:.0f} s; the next run resumes it.", _RESUMES)
        seconds = min(seconds, left)
        self._sleep(seconds)
        self._slept_s += seconds
