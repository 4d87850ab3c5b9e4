"""Whose records these are: a Patient on another server is somebody else, whatever the id."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from fhir_adapter.ehr.url_policy import UrlPolicy
from fhir_adapter.errors import ForeignUrl
from fhir_adapter.fhir.record import Record, home_of_patient
from fhir_adapter.store import Store, View

_ALIASES = "server-aliases"


def remember_aliases(store: Store, aliases: Sequence[str]) -> None:
    """Keep the other names of the server with what came from it."""
    store.remember(_ALIASES, " ".join(aliases))


class Homes:
    """Tells which addresses are those of the server with the records. A folder knows none, so all of them may be."""

    def __init__(self, base_url: str = "", aliases: Sequence[str] = ()) -> None:
        self._policy = UrlPolicy(base_url, aliases) if base_url else None

    @classmethod
    def of(cls, view: View) -> Homes:
        """As the last fetch has known them."""
        if view.source.startswith("folder:"):
            return cls()
        return cls(view.source, (view.recall(_ALIASES) or "").split())

    @property
    def base_url(self) -> str:
        """The server, empty for a folder."""
        return self._policy.base if self._policy else ""

    def holds_patient_of(self, record: Record) -> bool:
        """Is the record about a Patient of its own server, or about nobody?"""
        return self._policy is None or self.is_own(home_of_patient(record.body))

    def is_own(self, home: str) -> bool:
        """Is an address, as it stands before `/Patient/id` in a reference, the server with the records?"""
        return not home or self._policy is None or _leads_to(self._policy, home)


@cache
def _leads_to(policy: UrlPolicy, home: str) -> bool:
    try:
        return policy.check(home) == policy.base
    except ForeignUrl:
        return False
