"""What is asked of a server, in the spellings in which it can be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Literal
from urllib.parse import quote

import msgspec

Level = Literal["system", "group", "patient"]
Pairs = tuple[tuple[str, str], ...]

NDJSON = "application/fhir+ndjson"


class ExportOrder(msgspec.Struct, frozen=True):
    """One export.

    `level` says of whom: everything on the server, the members of the Group with the id `group`, or all patients.
    `types` are resource types, `since` an instant of the server's clock (empty: everything), `type_filters` searches
    such as `Observation?code=1234-5` that narrow a type.
    """

    level: Level
    types: tuple[str, ...]
    group: str = ""
    since: str = ""
    type_filters: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where it is ordered, below the server's base."""
        of_group = f"Group/{quote(self.group, safe='')}/$export"
        return {"system": "$export", "patient": "Patient/$export", "group": of_group}[self.level]

    @property
    def query(self) -> Pairs:
        """As the parameters of a GET."""
        return (("_type", ",".join(self.types)), *self.query_of_all_types)

    @property
    def query_of_all_types(self) -> Pairs:
        """The same for a server that does not let us choose: everything that it exports."""
        since = (("_since", self.since),) if self.since else ()
        return (*since, *(("_typeFilter", text) for text in self.type_filters))

    @property
    def parameters(self) -> bytes:
        """As a Parameters resource, for a POST."""
        pairs = (("_outputFormat", NDJSON), *(("_type", type) for type in self.types), *self.query_of_all_types)
        return msgspec.json.encode(
            {
                "resourceType": "Parameters",
                "parameter": [
                    {"name": name, "valueInstant" if name == "_since" else "valueString": value}
                    for name, value in pairs
                ],
            }
        )

    def without(self, types: Collection[str]) -> ExportOrder:
        """The same order for less."""
        return msgspec.structs.replace(self, types=tuple(type for type in self.types if type not in types))

    def fingerprint(self, base_url: str) -> str:
        """The same for the same order at the same server, whatever the order of its parts."""
        parts = (base_url, self.path, sorted(self.types), self.since, sorted(self.type_filters))
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
