"""Connections to a site's servers: each with the site's limits and with the credentials that belong to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit

from fhir_adapter.credentials import AuthSettings
from fhir_adapter.ehr.auth import Wanted, authentication
from fhir_adapter.ehr.tls import ClientCertificate
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.url_policy import normalise_base
from fhir_adapter.errors import UsageError
from fhir_adapter.pipeline.types_read import types_read
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings

PUBLISHING = Wanted(read=(), write=("Measure", "MeasureReport", "Provenance"))
PUBLISHING_EVIDENCE = Wanted(read=(), write=(*PUBLISHING.write, "Evidence"))


@contextmanager
def connected(
    base_url: str, settings: Settings, wanted: Wanted | None = None, say: Progress | None = None
) -> Iterator[Transport]:
    """A transport to a server; `wanted` is what has to be allowed there (None: reading what studies read).

    What is not allowed is told to `say` and known as `denied_types` of the transport.
    """
    section, ours = credentials_for(base_url, settings)
    connect = partial(
        Transport,
        timeout_s=settings.timeout_s,
        deadline_s=settings.deadline_s,
        max_tries=settings.max_tries,
        ca_file=settings.ca_file,
        client_certificate=_certificate(section, ours),
    )
    auth = authentication(ours, base_url, wanted or _reading(settings), connect, say=say or Progress(), section=section)
    with connect(
        base_url,
        auth=auth,
        max_connections=settings.concurrency,
        aliases=settings.base_url_aliases,
        download_hosts=settings.download_hosts,
    ) as transport:
        yield transport


def credentials_for(base_url: str, settings: Settings) -> tuple[str, AuthSettings]:
    """The section of the settings with the credentials for a server, and its name. Another origin than that of
    `server` never gets those of `server`.
    """
    publishes_elsewhere = settings.publish_to and normalise_base(base_url) == normalise_base(settings.publish_to)
    if publishes_elsewhere and settings.publish_auth != AuthSettings():
        return "publish_auth", settings.publish_auth
    if settings.server and _origin(base_url) == _origin(settings.server):
        return "auth", settings.auth
    return "publish_auth" if publishes_elsewhere else "auth", AuthSettings()


def _origin(url: str) -> str:
    parts = urlsplit(normalise_base(url))
    return f"{parts.scheme}://{parts.netloc}"


def _reading(settings: Settings) -> Wanted:
    """Reading what the study reads, and where it says whom to ask for."""
    asked = (("Group", settings.group), ("List", settings.list))
    return Wanted((*types_read(settings), *(type for type, id in asked if id)))


def _certificate(section: str, ours: AuthSettings) -> ClientCertificate | None:
    if ours.client_certificate_file:
        return ClientCertificate(ours.client_certificate_file, ours.client_key_file)
    if ours.client_key_file:
        raise UsageError(
            f"[{section}] has a `client_key_file` and no `client_certificate_file`.", "Name the certificate too."
        )
    return None
