"""One small search, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fhir_adapter.ehr.bundle import Bundle, Malformed, NotABundle, is_outcome, read_bundle, read_entry
from fhir_adapter.ehr.failures import Exhausted, Forbidden
from fhir_adapter.ehr.outcome import codes_of
from fhir_adapter.ehr.transport import Answer, Transport
from fhir_adapter.errors import ServerRefused
from fhir_adapter.fhir.record import Unreadable

Params = Sequence[tuple[str, str]]
COUNT = (("_summary", "count"),)
ONE = (("_count", "1"),)
_STRICT = {"Prefer": "handling=strict", "Cache-Control": "no-cache"}
_NOT_DATA = ("outcome", "include")


class Reply(msgspec.Struct, frozen=True):
    """What came: a `bundle`, or a `refusal` (a phrase) with its HTTP `status` (200 for an answer of another kind)."""

    bundle: Bundle | None = None
    refusal: str = ""
    status: int = 200
    url: str = ""
    size: int = 0

    @property
    def total(self) -> int | None:
        return self.bundle.total if self.bundle else None

    @property
    def found(self) -> tuple[bytes, ...]:
        """The entries that match, as they came."""
        return tuple(raw for raw in self.bundle.entries if _is_match(raw)) if self.bundle else ()

    @property
    def at_least(self) -> int | None:
        """How many there are as far as this answer tells; None when it is no answer."""
        return None if self.bundle is None else max(self.total or 0, len(self.found))


def ask(transport: Transport, path: str, params: Params, *, post: bool = False) -> Reply:
    """Search once. A refusal is an answer; what makes any further question useless is raised."""
    try:
        answer = transport.search(path, tuple(params), post=post, headers=_STRICT)
        return _read(answer)
    except ServerRefused as refused:
        codes = ", ".join((f"HTTP {refused.status}", *refused.issues))
        return Reply(refusal=f"it was refused ({codes})", status=refused.status)
    except Forbidden:
        return Reply(refusal="it is not allowed (HTTP 403)", status=403)
    except Exhausted:
        return Reply(refusal="it was never answered with something usable", status=500)


def follow(transport: Transport, reply: Reply) -> Reply:
    """The page that the next link of an answer leads to; `ForeignUrl` when it leads away."""
    link = reply.bundle.next if reply.bundle else None
    if link is None:
        return Reply(refusal="there is no next link", status=404)
    return ask(transport, transport.policy.resolve(link, reply.url), ())


def _read(answer: Answer) -> Reply:
    try:
        return Reply(read_bundle(answer.body), url=answer.url, size=len(answer.body))
    except Malformed as malformed:
        return Reply(refusal=malformed.reason)
    except NotABundle as other:
        codes = f" ({', '.join(codes_of(other.issues))})" if other.issues else ""
        return Reply(refusal=f"{other.reason}{codes} came")


def _is_match(raw: bytes) -> bool:
    try:
        entry = read_entry(raw)
    except Unreadable:
        return True
    return entry.mode not in _NOT_DATA and not is_outcome(entry.resource)
