"""Writing documents to a FHIR server so that doing it twice is doing it once.

Look what is there, send only what says something else, look again. The looking decides: a lost answer, a
conflict or a strange response leads to another look, never to sending blindly. What was sent is described by
one Provenance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fhir_adapter.ehr.capability import Capability
from fhir_adapter.ehr.document import Document, key_of, name_of, type_of, with_own_id
from fhir_adapter.ehr.failures import Unconfirmed
from fhir_adapter.ehr.journal import Journal, Owed, owed_for
from fhir_adapter.ehr.sending import NotTogether, send_one, send_together
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.whereabouts import Whereabouts
from fhir_adapter.errors import DeliveryError, ServerRefused, UsageError

_MAX_RETRIES = 3
_CONFLICTS = frozenset({409, 412})
_HINT = "Run the same command again: it looks first and sends only what is missing."
_ELSEWHERE = "Publish to another server, or to files only."


class Delivery(msgspec.Struct, frozen=True):
    """What happened, by our own names (`Type/id`).

    `versions` holds the server's version of every document, `places` its name there where that differs from
    ours, `provenance` the names of the Provenances written, `notes` sentences for the user.
    """

    sent: list[str]
    unchanged: list[str]
    versions: dict[str, str]
    provenance: list[str]
    places: dict[str, str]
    notes: list[str]


def deliver(
    transport: Transport,
    capability: Capability,
    documents: Sequence[Document],
    provenance: Callable[[Sequence[Document]], Document],
    *,
    journal: Path | None = None,
) -> Delivery:
    """Bring the server to hold `documents`, and one Provenance about those that had to be sent.

    `provenance` is called with the documents that have to be sent; without an id it gets one that follows
    from its content. `journal` is a file for what is owed to a server without transactions when we are
    interrupted. Raises `UsageError` when the server cannot take these documents, `DeliveryError` when reading
    back does not confirm them, and what `Transport` raises.
    """
    for document in documents:
        check_possible(capability, document)
    return _Work(transport, capability, Journal(journal, transport.base_url)).done(documents, provenance)


def check_possible(capability: Capability, document: Document) -> None:
    """Whatever must fail is said before anything is sent."""
    type = type_of(document)
    offered = capability.types.get(type)
    if offered is None or not (offered.update or offered.create):
        raise UsageError(f"This server does not store {type}.", _ELSEWHERE)
    if not offered.update_create and name_of(document) is None:
        raise UsageError(
            f"This server chooses ids itself, and a {type} has no identifier or url to find it by.",
            _ELSEWHERE,
        )


class _Work:
    """One delivery on its way."""

    def __init__(self, transport: Transport, capability: Capability, journal: Journal) -> None:
        self._transport, self._capability, self._journal = transport, capability, journal
        self._where = Whereabouts(transport, capability)
        self._together = capability.transaction
        self._notes: list[str] = []

    def done(
        self, documents: Sequence[Document], make_provenance: Callable[[Sequence[Document]], Document]
    ) -> Delivery:
        """Look and send until a look finds nothing left to send."""
        changed = self._differing(documents)
        owed = self._journal.read_owed()
        new = [document for document in changed if not any(one.covers(document) for one in owed)]
        if new and self._takes_provenance():
            owed.append(owed_for(self._transport.base_url, with_own_id(make_provenance(new)), new))
        provenances = [one.provenance for one in owed]
        self._bring([*changed, *self._differing(provenances)], owed)
        self._journal.close()
        sent = [key_of(document) for document in changed]
        return Delivery(
            sent,
            [key for document in documents if (key := key_of(document)) not in sent],
            {key_of(document): self._version(document) for document in documents},
            [key_of(provenance) for provenance in provenances],
            dict(self._where.places),
            self._notes,
        )

    def _takes_provenance(self) -> bool:
        offered = self._capability.types.get("Provenance")
        if offered and (offered.create or offered.update_create):
            return True
        self._notes.append("This server does not store Provenance, so none was written.")
        return False

    def _version(self, document: Document) -> str:
        found = self._where.found(key_of(document))
        return found.version if found else ""

    def _differing(self, documents: Iterable[Document]) -> list[Document]:
        """Those that the server does not hold, or holds with other content. Asks the server."""
        return [document for document in documents if not self._is_there(document)]

    def _is_there(self, document: Document) -> bool:
        self._where.look(document)
        return self._where.says_the_same(document)

    def _bring(self, missing: list[Document], owed: list[Owed]) -> None:
        trouble = ""
        for failures in range(_MAX_RETRIES + 1):
            if not missing:
                return
            if failures:
                self._transport.pause(failures)
            trouble = self._send(missing, owed)
            missing = self._differing(missing) if trouble else self._read_back(missing)
        if missing:
            raise DeliveryError(f"{_listed(missing)} could not be written: {trouble}", _HINT)

    def _read_back(self, sent: list[Document]) -> list[Document]:
        """Sent and acknowledged: all that may help now is patience, because some servers answer from an old
        copy.
        """
        differing = self._differing(sent)
        for failures in range(1, _MAX_RETRIES + 1):
            if not differing:
                return []
            self._transport.pause(failures)
            differing = self._differing(differing)
        if differing:
            raise DeliveryError(
                f"The server acknowledged {_listed(differing)}, but holds something else than was sent.",
                "Compare the published files with what it holds; it may drop elements it does not know.",
            )
        return []

    def _send(self, documents: list[Document], owed: list[Owed]) -> str:
        """One round. A sentence about what went wrong and another look may settle, or nothing."""
        try:
            if self._together:
                with _naming(documents):
                    send_together(self._transport, self._capability, self._where, documents)
            else:
                self._send_one_by_one(documents, owed)
        except NotTogether:
            self._together = False
            return self._send(documents, owed)
        except Unconfirmed as unconfirmed:
            return unconfirmed.message
        except ServerRefused as refused:
            if refused.status not in _CONFLICTS:
                raise
            return f"Somebody else keeps changing them (HTTP {refused.status})."
        return ""

    def _send_one_by_one(self, documents: list[Document], owed: list[Owed]) -> None:
        self._journal.write_owed(owed)
        for document in documents:
            with _naming([document]):
                send_one(self._transport, self._capability, self._where, document)
            self._where.look(document)  # where it is now: the Provenance at the end points to it


@contextmanager
def _naming(documents: Sequence[Document]) -> Iterator[None]:
    """A refusal that no other look can settle says what was refused."""
    try:
        yield
    except ServerRefused as refused:
        if refused.status in _CONFLICTS:
            raise
        said = ", ".join([f"HTTP {refused.status}", *refused.issues])
        raise ServerRefused(
            f"The server refused {_listed(documents)} ({said}).",
            "The server's own log says which element it did not like.",
            status=refused.status,
            issues=refused.issues,
        ) from None


def _listed(documents: Sequence[Document]) -> str:
    """How many of which types: identifiers stay out of messages."""
    counts: dict[str, int] = {}
    for document in documents:
        counts[type_of(document)] = counts.get(type_of(document), 0) + 1
    return ", ".join(f"{count} {type}" for type, count in counts.items())
