"""Is what seems to be gone really gone?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fhir_adapter.pipeline.fetching.landing import Landing
from fhir_adapter.store import Store

# Losing a single resource is an everyday thing, however few of them there are.
_EVERYDAY = 1


class Doubts:
    """Refuses what is too much to be believed: more than `max_share` (0 to 1) of a type, unless that was `accepted`. A
    server that suddenly hides most of its records has more likely lost its mind, or we our permission.
    """

    def __init__(self, store: Store, landing: Landing, max_share: float, *, accepted: bool) -> None:
        self._store, self._landing = store, landing
        self._max_share, self._accepted = max_share, accepted

    def refuses(self, type: str, seen: Collection[str] | None) -> bool:
        """Would too much of this type disappear? Then its stream is incomplete."""
        gone = self._store.count_missing(self._landing.run, type, seen or ())
        held = self._store.count(type)
        if not self._is_too_much(gone, held):
            return False
        self._refuse(
            type,
            f"{type} is incomplete: {gone} of {held} resources are not on the server any more, more than the "
            f"{self._max_share:.0%} that are believed without asking; if they were really deleted, run "
            "`fhir-adapter fetch --accept-deletions`.",
        )
        return True

    def refuses_leaving(self, people: Sequence[str]) -> bool:
        """Do too many people leave at once? Then the stream of the Patients is incomplete."""
        held = len(self._store.person_keys())
        if not self._is_too_much(len(people), held):
            return False
        self._refuse(
            "Patient",
            f"Patient is incomplete: {len(people)} of {held} people are not asked for any more, more than the "
            f"{self._max_share:.0%} that are believed without asking; if they are really to leave, run "
            "`fhir-adapter fetch --accept-deletions`.",
        )
        return True

    def _refuse(self, stream: str, sentence: str) -> None:
        self._landing.fail(stream, sentence)
        self._landing.close(stream)

    def _is_too_much(self, gone: int, held: int) -> bool:
        return not self._accepted and gone > max(_EVERYDAY, self._max_share * held)
