"""What a server says it can do, and what that means for the extraction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from fhir_adapter.ehr.failures import Exhausted
from fhir_adapter.ehr.json_text import UNREADABLE, looks_like_markup, without_bom
from fhir_adapter.ehr.retry import parse_http_date
from fhir_adapter.ehr.statement import Node, codes, export_levels, operations
from fhir_adapter.ehr.transport import Answer, Transport
from fhir_adapter.errors import NotFhir, ServerRefused, UsageError

_RELEASES = {
    "1.0": "DSTU2",
    "3.0": "STU3",
    "4.0": "R4",
    "4.1": "R4B",
    "4.3": "R4B",
    "4.6": "R5",
    "5.0": "R5",
    "6.0": "R6",
}
_READABLE = ("4.0", "4.3")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()/+-]{0,60}")
_VERSION = re.compile(r"([0-9]+\.[0-9]+)\.[0-9]+(?:-[0-9A-Za-z.-]{1,30})?")
_ADDRESS_HINT = "Give the FHIR base address: the one where /metadata answers, such as https://fhir.hospital.example/r4"


class TypeCapability(msgspec.Struct, frozen=True):
    """What a server offers for one resource type."""

    search: bool = False
    read: bool = False
    history: bool = False
    create: bool = False
    update: bool = False
    update_create: bool = False
    conditional_create: bool = False
    conditional_update: bool = False
    search_params: frozenset[str] = frozenset()
    search_includes: frozenset[str] = frozenset()
    search_rev_includes: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()


class Capability(msgspec.Struct, frozen=True):
    """What a server offers. A type that is not in `types` is not offered at all, which is not the same as
    empty.

    `export_levels` are `system`, `group` and `patient`. `answered_at` is the server's clock when it answered, None
    when it does not tell.
    """

    fhir_version: str
    software: str
    types: Mapping[str, TypeCapability]
    transaction: bool
    batch: bool = False
    search_system: bool = False
    publisher: str = ""
    export_levels: frozenset[str] = frozenset()
    answered_at: float | None = None

    def of(self, type: str) -> TypeCapability | None:
        """What is offered for one type, None if nothing."""
        return self.types.get(type)


def fetch_capability(transport: Transport, releases: Sequence[str] = _READABLE) -> Capability:
    """Ask the server what it can do; it has to speak one of the `releases` of FHIR.

    Raises `NotFhir` when something else than a FHIR server answers, `UsageError` when it speaks another
    release, `Unreachable` and its siblings when nothing useful answers.
    """
    try:
        answer = transport.get("metadata", headers={"Cache-Control": "no-cache"}, judge=_is_whole)
    except ServerRefused as refused:
        raise NotFhir(
            f"{transport.base_url} answers, but not as a FHIR server: /metadata gave HTTP {refused.status}.",
            _ADDRESS_HINT,
        ) from None
    except Exhausted as exhausted:
        raise Exhausted(f"{transport.base_url}: {exhausted.message}", exhausted.hint) from None
    capability = read_capability(answer.body, transport.base_url, releases)
    return msgspec.structs.replace(capability, answered_at=parse_http_date(answer.headers.get("date")))


def _is_whole(answer: Answer) -> str:
    """A body that was cut is worth asking again; a page in HTML is an answer."""
    if looks_like_markup(answer.body) or not answer.body.strip():
        return ""
    try:
        msgspec.json.decode(without_bom(answer.body), type=msgspec.Raw)
    except msgspec.DecodeError as error:
        return "the JSON is cut short" if "truncated" in str(error) else ""
    return ""


def read_capability(body: bytes, base_url: str, releases: Sequence[str] = _READABLE) -> Capability:
    """The `Capability` in a CapabilityStatement as received; `NotFhir` or `UsageError` if it cannot serve."""
    text = without_bom(body)
    if looks_like_markup(text):
        raise _not_fhir(base_url, "with a web page (HTML or XML)")
    try:
        value = msgspec.json.decode(text)
    except UNREADABLE:
        raise _not_fhir(base_url, "with something that is not JSON") from None
    if not isinstance(value, dict):
        raise _not_fhir(base_url, "with JSON of another shape")
    statement = Node(value)
    if statement.text("resourceType") == "Conformance":
        raise _other_release(base_url, "DSTU2", statement.text("fhirVersion"))
    if statement.text("resourceType") != "CapabilityStatement":
        raise _not_fhir(base_url, "with JSON that is not a CapabilityStatement")
    return _checked(statement, base_url, releases)


def _checked(statement: Node, base_url: str, releases: Sequence[str]) -> Capability:
    written = statement.text("fhirVersion")
    version = _VERSION.fullmatch(written)
    if version is None:
        raise _not_fhir(base_url, "with a CapabilityStatement that names no FHIR version")
    if version.group(1) not in releases:
        raise _other_release(base_url, _RELEASES.get(version.group(1), "another release"), written)
    rest = next((rest for rest in statement.each("rest") if rest.text("mode") in ("server", "")), Node(None))
    system = codes(rest.each("interaction"))
    software = statement.one("software")
    return Capability(
        written,
        _words(f"{software.text('name')} {software.text('version')}") or "unknown software",
        _types(rest),
        "transaction" in system,
        "batch" in system,
        "search-system" in system,
        _words(statement.text("publisher")),
        export_levels(rest),
    )


def _words(text: str) -> str:
    """A plain name as it is; empty for anything that is not one."""
    return text.strip() if _WORD.fullmatch(text.strip()) else ""


def _types(rest: Node) -> dict[str, TypeCapability]:
    """What is offered by type. Parameters of the whole server count for every type; a type may be listed twice."""
    everywhere = frozenset(parameter.text("name") for parameter in rest.each("searchParam"))
    listed: dict[str, list[Node]] = {}
    for resource in rest.each("resource"):
        listed.setdefault(resource.text("type"), []).append(resource)
    return {type: _offered(nodes, everywhere) for type, nodes in listed.items() if type}


def _offered(listed: list[Node], everywhere: frozenset[str]) -> TypeCapability:
    """A type listed without any interaction is taken to offer reading, as the statement is only a hint; not so if it is
    listed for its export alone.
    """
    named = operations(_all(listed, "operation"))
    only_exported = bool(named) and all("export" in name.lower() for name in named)
    offered = codes(_all(listed, "interaction")) or frozenset(() if only_exported else {"read", "search-type"})
    return TypeCapability(
        search="search-type" in offered,
        read="read" in offered,
        history="history-type" in offered,
        create="create" in offered,
        update="update" in offered,
        update_create="update" in offered and any(one.flag("updateCreate") for one in listed),
        conditional_create="create" in offered and any(one.flag("conditionalCreate") for one in listed),
        conditional_update="update" in offered and any(one.flag("conditionalUpdate") for one in listed),
        search_params=(everywhere | {parameter.text("name") for parameter in _all(listed, "searchParam")}) - {""},
        search_includes=frozenset().union(*(one.texts("searchInclude") for one in listed)),
        search_rev_includes=frozenset().union(*(one.texts("searchRevInclude") for one in listed)),
        operations=named,
    )


def _all(nodes: list[Node], key: str) -> list[Node]:
    return [inner for node in nodes for inner in node.each(key)]


def _not_fhir(base_url: str, how: str) -> NotFhir:
    return NotFhir(f"{base_url} answers, but not as a FHIR server: /metadata answered {how}.", _ADDRESS_HINT)


def _other_release(base_url: str, release: str, version: str) -> UsageError:
    shown = f" (fhirVersion {version})" if _VERSION.fullmatch(version) else ""
    return UsageError(
        f"{base_url} speaks {release}{shown}; fhir-adapter reads FHIR R4 and R4B.",
        "Many servers offer R4 under another address; ask for that one.",
    )
