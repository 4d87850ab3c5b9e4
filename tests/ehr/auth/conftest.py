"""A client and its key; connections that trust nobody."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from client_site import Site

from fhir_adapter.ehr import transport as transport_module


@pytest.fixture(autouse=True)
def nobody_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here speaks TLS, and reading the authorities of this machine for each connection takes its time."""
    monkeypatch.setattr(transport_module, "trust", lambda *_: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
