"""Where tokens are given out: what the FHIR server says about that, and which addresses we accept for it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

import msgspec

from fhir_adapter.ehr.failures import Exhausted
from fhir_adapter.ehr.json_text import UNREADABLE, without_bom
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.url_policy import secure_origin
from fhir_adapter.errors import AccessError, ForeignUrl, ServerRefused, UsageError

Connect = Callable[[str], Transport]
"""A connection without credentials to an address, with this site's limits and trust."""

_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_HINT = "Ask the server's administrators for the token address and set `token_url` in the settings."


class SmartConfiguration(msgspec.Struct, frozen=True):
    """What a server says about tokens; empty where it says nothing."""

    token_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()


class _Extension(msgspec.Struct):
    url: str = ""
    valueUri: str = ""
    extension: list[_Extension] = []


class _Security(msgspec.Struct):
    extension: list[_Extension] = []


class _Rest(msgspec.Struct):
    security: _Security | None = None


class _Statement(msgspec.Struct):
    rest: list[_Rest] = []


def fetch_configuration(connect: Connect, base_url: str, token_url: str = "") -> SmartConfiguration:
    """What the server at `base_url` says; `token_url` of the settings wins over what it names.

    `AccessError` when no address for tokens can be found, `ForeignUrl` when the one named is not safe.
    """
    with connect(base_url) as transport:
        found = _well_known(transport)
        if not (token_url or found.token_endpoint):
            found = msgspec.structs.replace(found, token_endpoint=_stated(transport))
        base_url = transport.base_url
    if token_url:
        return msgspec.structs.replace(found, token_endpoint=token_url)
    if not found.token_endpoint:
        raise AccessError(f"{base_url} does not say where it gives out tokens.", _HINT)
    return msgspec.structs.replace(found, token_endpoint=_safe(found.token_endpoint, base_url))


def _well_known(transport: Transport) -> SmartConfiguration:
    body = _read(transport, ".well-known/smart-configuration", "application/json")
    try:
        return msgspec.json.decode(without_bom(body), type=SmartConfiguration)
    except UNREADABLE:
        return SmartConfiguration()


def _stated(transport: Transport) -> str:
    """The address in the CapabilityStatement, where servers before SMART 2 have it."""
    body = _read(transport, "metadata", "application/fhir+json")
    try:
        statement = msgspec.json.decode(without_bom(body), type=_Statement)
    except UNREADABLE:
        return ""
    securities = [rest.security for rest in statement.rest if rest.security]
    uris = [one for security in securities for one in security.extension if one.url == _OAUTH_URIS]
    return next((uri.valueUri for one in uris for uri in one.extension if uri.url == "token"), "")


def _read(transport: Transport, path: str, media_type: str) -> bytes:
    """What is said there, or nothing: a server need not say anything."""
    try:
        return transport.get(path, headers={"Accept": media_type}).body
    except (ServerRefused, AccessError, ForeignUrl, Exhausted):
        return b""


def _safe(token_url: str, base_url: str) -> str:
    """The address as an absolute one. A server elsewhere may not send us, with our assertion, into this machine."""
    absolute = urljoin(f"{base_url}/", token_url)
    try:
        secure_origin(absolute, "token address", named_by=base_url)
    except UsageError as unsafe:
        raise ForeignUrl(f"{base_url} names a token address that is not safe. {unsafe.message}", _HINT) from None
    return absolute
