"""What a server says it can do, and what that means for the extraction."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from fhir_adapter.ehr.failures import Exhausted
from fhir_adapter.ehr.json_text import looks_like_markup, without_bom
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


class Capability(msgspec.Struct, frozen=True):
    """What a server offers. A type that is not in `types` is not offered at all, which is not the same as
    empty.
    """

    fhir_version: str
    software: str
    types: Mapping[str, TypeCapability]
    transaction: bool


class _Code(msgspec.Struct):
    code: str = ""


class _Name(msgspec.Struct):
    name: str = ""
    version: str = ""


class _Resource(msgspec.Struct):
    type: str = ""
    interaction: list[_Code] | None = None
    updateCreate: bool = False
    conditionalCreate: bool = False
    conditionalUpdate: bool = False
    searchParam: list[_Name] | None = None
    searchInclude: list[str] | None = None


class _Rest(msgspec.Struct):
    mode: str = ""
    resource: list[_Resource] | None = None
    interaction: list[_Code] | None = None


class _Statement(msgspec.Struct):
    resourceType: str = ""
    fhirVersion: str = ""
    software: _Name | None = None
    rest: list[_Rest] | None = None


_statements = msgspec.json.Decoder(_Statement)


def fetch_capability(transport: Transport) -> Capability:
    """Ask the server what it can do.

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
    return read_capability(answer.body, transport.base_url)


def _is_whole(answer: Answer) -> str:
    """A body that was cut is worth asking again; a page in HTML is an answer."""
    if looks_like_markup(answer.body) or not answer.body.strip():
        return ""
    try:
        msgspec.json.decode(without_bom(answer.body), type=msgspec.Raw)
    except msgspec.DecodeError as error:
        return "the JSON is cut short" if "truncated" in str(error) else ""
    return ""


def read_capability(body: bytes, base_url: str) -> Capability:
    """The `Capability` in a CapabilityStatement as received; `NotFhir` or `UsageError` if it cannot serve."""
    text = without_bom(body)
    if looks_like_markup(text):
        raise _not_fhir(base_url, "with a web page (HTML or XML)")
    try:
        statement = _statements.decode(text)
    except msgspec.ValidationError:
        raise _not_fhir(base_url, "with JSON of another shape") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _not_fhir(base_url, "with something that is not JSON") from None
    if statement.resourceType == "Conformance":
        raise _other_release(base_url, "DSTU2", statement.fhirVersion)
    if statement.resourceType != "CapabilityStatement":
        raise _not_fhir(base_url, "with JSON that is not a CapabilityStatement")
    return _checked(statement, base_url)


def _checked(statement: _Statement, base_url: str) -> Capability:
    version = _VERSION.fullmatch(statement.fhirVersion)
    if version is None:
        raise _not_fhir(base_url, "with a CapabilityStatement that names no FHIR version")
    if version.group(1) not in _READABLE:
        raise _other_release(base_url, _RELEASES.get(version.group(1), "another release"), statement.fhirVersion)
    rest = next((rest for rest in statement.rest or [] if rest.mode in ("server", "")), _Rest())
    system = _codes(rest.interaction)
    return Capability(
        statement.fhirVersion,
        _software(statement.software),
        {resource.type: _offered(resource) for resource in rest.resource or []},
        "transaction" in system,
    )


def _codes(interactions: list[_Code] | None) -> frozenset[str]:
    return frozenset(interaction.code for interaction in interactions or [])


def _software(software: _Name | None) -> str:
    words = f"{software.name} {software.version}".strip() if software else ""
    return words if _WORD.fullmatch(words) else "unknown software"


def _offered(resource: _Resource) -> TypeCapability:
    """A type listed without any interaction is taken to offer reading: the statement is only a hint."""
    codes = _codes(resource.interaction) or frozenset({"read", "search-type"})
    return TypeCapability(
        search="search-type" in codes,
        read="read" in codes,
        history="history-type" in codes,
        create="create" in codes,
        update="update" in codes,
        update_create="update" in codes and resource.updateCreate,
        conditional_create="create" in codes and resource.conditionalCreate,
        conditional_update="update" in codes and resource.conditionalUpdate,
        search_params=frozenset(parameter.name for parameter in resource.searchParam or []),
        search_includes=frozenset(resource.searchInclude or []),
    )


def _not_fhir(base_url: str, how: str) -> NotFhir:
    return NotFhir(f"{base_url} answers, but not as a FHIR server: /metadata answered {how}.", _ADDRESS_HINT)


def _other_release(base_url: str, release: str, version: str) -> UsageError:
    shown = f" (fhirVersion {version})" if _VERSION.fullmatch(version) else ""
    return UsageError(
        f"{base_url} speaks {release}{shown}; fhir-adapter reads FHIR R4 and R4B.",
        "Many servers offer R4 under another address; ask for that one.",
    )
