"""Names by which resources of a Bundle point to each other, beside the ids under which they are held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from fhir_adapter.fhir.record import Record
from fhir_adapter.store import Store, View

_FACT = "urn-aliases"
_URN = "urn:uuid:"
_decoder = msgspec.json.Decoder(dict[str, str])


def remember_urns(store: Store, pairs: Iterable[tuple[str, str]]) -> None:
    """Keep what a `urn:uuid:...` stands for (`Type/id`), where the id is another one than that in the name."""
    told = {urn: target for urn, target in pairs if urn.removeprefix(_URN) != target.partition("/")[2]}
    if told and not told.items() <= (known := recall_urns(store)).items():
        store.remember(_FACT, msgspec.json.encode(known | told).decode())


def recall_urns(view: View) -> dict[str, str]:
    """What was kept: `Type/id` by `urn:uuid:...`."""
    return _decoder.decode(view.recall(_FACT) or "{}")


def under_other_names(shared: Iterable[Record], urns: Mapping[str, str]) -> Iterator[Record]:
    """The resources once more, under every other name that something may point to them by."""
    names: dict[str, list[str]] = {}
    for urn, target in urns.items():
        names.setdefault(target, []).append(urn.removeprefix(_URN))
    for record in shared:
        yield from (msgspec.structs.replace(record, id=name) for name in names.get(record.reference, ()))
