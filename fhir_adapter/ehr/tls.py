"""Whom we trust: certificates are always verified, there is no switch to turn that off."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi

from fhir_adapter.errors import UsageError


def trust(base_url: str, ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, trusting exactly `ca_file` when it is given, else the machine's and the common
    authorities.
    """
    context = ssl.create_default_context(cafile=_readable(ca_file)) if ca_file else ssl.create_default_context()
    if ca_file is None and base_url.startswith("https:"):
        context.load_verify_locations(certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
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


def verification_problem(error: BaseException | None) -> str:
    """A phrase saying what is wrong with the server's certificate, or an empty string if TLS is not the
    problem.
    """
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return _PROBLEMS.get(error.verify_code, "its certificate could not be verified")
        if isinstance(error, ssl.SSLError):
            return "no secure connection could be agreed on"
        error = error.__cause__ or error.__context__
    return ""


_PROBLEMS = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed",
    19: "its certificate comes from an unknown authority",
    20: "its certificate comes from an unknown authority",
    62: "its certificate belongs to another host name",
    64: "its certificate belongs to another address",
}
