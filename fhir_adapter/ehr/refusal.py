"""What to say when a server does not let us: who we are was not accepted (401), or what we asked for (403)."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from fhir_adapter.ehr.failures import Forbidden
from fhir_adapter.errors import AccessError
from fhir_adapter.fhir.resource_types import R4_TYPES


def not_accepted(request: httpx.Request, said: str) -> AccessError:
    """The error for a 401; `said` is the status with the server's codes."""
    if "authorization" in request.headers:
        return AccessError(f"The server did not accept the credentials ({said}).", "Check the authentication settings.")
    return AccessError(
        f"The server asks who we are, and no credentials are configured for it ({said}).",
        "Describe them in the section [auth] of the settings; `fhir-adapter init` writes one.",
    )


def not_allowed(request: httpx.Request, said: str, base_url: str) -> Forbidden:
    """The error for a 403, with the scope that would help where the address tells the resource type."""
    path = urlsplit(str(request.url)).path.removeprefix(urlsplit(base_url).path).strip("/").split("/")
    refused = f"The server accepted the credentials, but does not allow this request ({said})"
    if path[0] not in R4_TYPES:
        return Forbidden(f"{refused}.", "Ask the server's administrators which permission (scope) it needs.")
    reads = request.method == "GET" or path[-1] == "_search"
    deed, new, old = ("read", "rs", "read") if reads else ("write", "crus", "write")
    return Forbidden(
        f"{refused}: the permission to {deed} {path[0]} is missing, scope system/{path[0]}.{new}.",
        f"Ask the server's administrators for it (system/{path[0]}.{old} on older servers).",
    )
