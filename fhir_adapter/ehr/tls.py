"""Whom we trust, and how we show who we are: certificates are always verified, there is no switch to turn that off."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi

from fhir_adapter.ehr.secret_file import check_private
from fhir_adapter.errors import UsageError


@dataclass(frozen=True)
class ClientCertificate:
    """Shown to a server that asks for one; the key may be in the file of the certificate."""

    certificate_file: Path
    key_file: Path | None = None


def trust(base_url: str, ca_file: Path | None, client_certificate: ClientCertificate | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, trusting exactly `ca_file` when it is given, else the machine's and the common
    authorities.
    """
    context = ssl.create_default_context(cafile=_readable(ca_file)) if ca_file else ssl.create_default_context()
    if ca_file is None and base_url.startswith("https:"):
        context.load_verify_locations(certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_certificate:
        _present(context, client_certificate)
    return context


def _readable(ca_file: Path) -> str:
    try:
        ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise UsageError(
            f"The certificate authority file {ca_file} cannot be read.",
            "It must be a PEM file with the certificate of the authority that signed the server's.",
        ) from None
    return str(ca_file)


def _present(context: ssl.SSLContext, ours: ClientCertificate) -> None:
    key_file = ours.key_file or ours.certificate_file
    check_private(key_file, "client key")

    def no_password() -> str:
        raise ValueError  # else OpenSSL would ask on the terminal

    try:
        context.load_cert_chain(ours.certificate_file, key_file, no_password)
    except (OSError, ssl.SSLError, ValueError):
        raise UsageError(
            f"The client certificate {ours.certificate_file} and its key {key_file} cannot be used together.",
            "Both must be PEM, the key must belong to the certificate and must not be encrypted.",
        ) from None


def verification_problem(error: BaseException | None) -> str:
    """A phrase saying what is wrong with the server's certificate or with ours, or an empty string if TLS is not
    the problem.
    """
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return _PROBLEMS.get(error.verify_code, "its certificate could not be verified")
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return ""  # a connection that broke, not one that was refused
        if isinstance(error, ssl.SSLError):
            return _ALERTS.get(error.reason or "", "no secure connection could be agreed on")
        error = error.__cause__ or error.__context__
    return ""


_PROBLEMS = {
    9: "its certificate is not valid yet by the clock of this machine",
    10: "its certificate has expired by the clock of this machine",
    18: "its certificate is self-signed",
    19: "its certificate comes from an unknown authority",
    20: "its certificate comes from an unknown authority",
    62: "its certificate belongs to another host name",
    64: "its certificate belongs to another address",
}
# What the server says about us, in OpenSSL's words.
_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a client certificate, and none is configured",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "no secure connection could be agreed on; perhaps it asks for a client certificate, or does not accept ours"
    ),
    "TLSV1_ALERT_UNKNOWN_CA": "it does not accept our client certificate: its authority is not known there",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept our client certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it does not accept our client certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our client certificate",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it does not accept our client certificate: it was revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it does not accept our client certificate: it has expired",
    "TLSV1_ALERT_ACCESS_DENIED": "it does not accept our client certificate",
    "WRONG_VERSION_NUMBER": "it does not speak TLS at this port (its address may be plain http)",
}
