"""An order for an export as it was sent, and which resources it means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.fhir.record import patient_id
from fhir_adapter.sandbox.exchange import Call
from fhir_adapter.sandbox.moments import Span, read_span
from fhir_adapter.sandbox.outcome import Refused
from fhir_adapter.sandbox.query import Pairs, read_query
from fhir_adapter.sandbox.repository import Repository, Version

_FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. With `filters` a type is narrowed to what any of its searches finds."""

    types: tuple[str, ...]
    since: Span | None = None
    filters: tuple[tuple[str, Pairs], ...] = ()


def read_order(call: Call, held: Sequence[str]) -> Order:
    """The order in a kick-off request to a server that holds these types; `Refused` for what it cannot do."""
    pairs = _parameters(call.payload) if call.method == "POST" else call.query
    lenient = "handling=lenient" in call.headers.get("prefer", "")
    types: list[str] = []
    filters: list[tuple[str, Pairs]] = []
    since: Span | None = None
    for name, text in pairs:
        match name:
            case "_type":
                types += text.split(",")
            case "_since":
                since = read_since(text)
            case "_typeFilter":
                type, _, query = text.partition("?")
                filters.append((type, parse_qsl(query, keep_blank_values=True)))
            case "_outputFormat" if text in _FORMATS:
                pass
            case _ if not lenient:
                raise Refused(400, "not-supported", f"the parameter {name} is not supported in this way")
    if not (lenient or set(types) <= set(held)):
        raise Refused(400, "not-supported", "a type in _type is not held here")
    known = [type for type in dict.fromkeys(types or held) if type in held]
    return Order(tuple(known), since, tuple(filters))


def _parameters(payload: Json) -> Pairs:
    parameters = payload.get("parameter") if isinstance(payload, dict) else None
    if not isinstance(parameters, list) or not all(isinstance(one, dict) for one in parameters):
        raise Refused(400, "structure", "an export is ordered with a Parameters resource")
    return [
        (str(parameter.get("name")), str(value))
        for parameter in parameters
        for name, value in parameter.items()
        if name.startswith("value")
    ]


def read_since(text: str) -> Span:
    """The moment that a `_since` names."""
    span = read_span(text)
    if span is None or "T" not in text:
        raise Refused(400, "value", "_since takes an instant")
    return span


class Selection:
    """The resources that an order at an address means: of the whole system, of all patients, or of a Group."""

    def __init__(self, order: Order, path: tuple[str, ...], repository: Repository, base: str) -> None:
        self._order, self._repository, self._base = order, repository, base
        self._people = self._people_at(path)
        self._pointed_to = self._targets() if self._people is not None else frozenset()

    def current(self, type: str) -> list[Version]:
        """What there is of a type, or has changed since."""
        since = self._order.since
        return [
            version
            for version in self._filtered(type)
            if version.reference in self._pointed_to
            or (self._concerns(version) and (since is None or version.moment >= since.start))
        ]

    def deleted(self) -> list[Version]:
        """What the resources had been that were deleted since."""
        since = self._order.since
        if since is None:
            return []
        gone = [version for type in self._order.types for version in self._repository.deleted(type, since.start)]
        return [version for version in gone if self._concerns(version)]

    def _people_at(self, path: tuple[str, ...]) -> frozenset[str] | None:
        """Patient ids; None for everything."""
        match path:
            case ("Patient", _):
                return frozenset(version.id for version in self._repository.find("Patient", ()))
            case ("Group", id, _):
                return frozenset(_members(self._repository.read("Group", id).resource or {}))
        return None

    def _concerns(self, version: Version) -> bool:
        return self._people is None or _person(version) in self._people

    def _filtered(self, type: str) -> list[Version]:
        queries = [pairs for filtered, pairs in self._order.filters if filtered == type]
        if not queries:
            return self._repository.find(type, ())
        criteria = [read_query(type, pairs, self._base).criteria for pairs in queries]
        found = [version for each in criteria for version in self._repository.find(type, each)]
        return list({version.id: version for version in found}.values())

    def _targets(self) -> frozenset[str]:
        """What is about nobody, but pointed to by what is about these people: their medicines, say."""
        keys = {
            str(key)
            for type in self._order.types
            for version in self._repository.find(type, ())
            if self._concerns(version)
            for found in version.keys.values()
            for key in found
        }
        places = [key.split("/") for key in keys if key.count("/") == 1]
        found = [self._repository.current(type, id) for type, id in places]
        return frozenset(version.reference for version in found if version and not _person(version))


def _members(group: dict[str, Json]) -> Iterator[str]:
    members = group.get("member")
    for member in members if isinstance(members, list) else ():
        if isinstance(member, dict) and member.get("inactive") is not True:
            yield _referred(member.get("entity"))


def _person(version: Version) -> str:
    """The id of the Patient a resource is about, empty if it is about nobody."""
    if version.type == "Patient":
        return version.id
    resource = version.resource or {}
    return next(filter(None, (_referred(resource.get(name)) for name in ("subject", "patient", "individual"))), "")


def _referred(reference: Json) -> str:
    text = reference.get("reference") if isinstance(reference, dict) else None
    return patient_id(text) if isinstance(text, str) else ""
