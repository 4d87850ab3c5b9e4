"""What a delivery would do, entry by entry. The server is asked, and nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from fhir_adapter.ehr.capability import Capability
from fhir_adapter.ehr.deliver import check_possible
from fhir_adapter.ehr.difference import differences
from fhir_adapter.ehr.document import Document, key_of, meaning, spelled, with_references
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.whereabouts import Whereabouts
from fhir_adapter.fhir.canonical import NotJson

Change = Literal["new", "changed", "unchanged"]


class Foreseen(msgspec.Struct, frozen=True):
    """What would become of one document, by our own name (`Type/id`).

    `version` is the one that the server holds now, `elements` those that would change.
    """

    name: str
    change: Change
    version: str = ""
    elements: tuple[str, ...] = ()


def foresee(transport: Transport, capability: Capability, documents: Sequence[Document]) -> tuple[Foreseen, ...]:
    """What `deliver` would do with these documents. Raises what `deliver` raises before it sends."""
    for document in documents:
        check_possible(capability, document)
    where = Whereabouts(transport, capability)
    return tuple(_foreseen(where, document) for document in documents)


def _foreseen(where: Whereabouts, document: Document) -> Foreseen:
    name, found = key_of(document), where.look(document)
    if found is None:
        return Foreseen(name, "new")
    if where.says_the_same(document):
        return Foreseen(name, "unchanged", found.version)
    ours = meaning(spelled(with_references(document, where.places)))
    try:
        elements = tuple(differences(meaning(found.body), ours))
    except NotJson:
        elements = ()
    return Foreseen(name, "changed", found.version, elements)
