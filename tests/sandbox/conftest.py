"""A running sandbox and a client that speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sandbox_client import Fhir, Opened

from fhir_adapter.sandbox import Sandbox


@pytest.fixture
def opened() -> Opened:
    """Open a sandbox with options of one's own."""

    @contextmanager
    def open_sandbox(**options: Any) -> Iterator[Fhir]:
        with Sandbox(**options) as sandbox:
            fhir = Fhir(sandbox.base_url)
            with fhir.http:
                yield fhir

    return open_sandbox


@pytest.fixture(scope="session")
def server() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def fhir(server: Sandbox) -> Iterator[Fhir]:
    """An empty server with the options it has by itself."""
    server.clear()
    fhir = Fhir(server.base_url)
    with fhir.http:
        yield fhir
