"""A server of one patient, a front that misbehaves, and waits that take no time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served_hospital import Hospital, content_of, hospital_with
from whole_runs import bundles, server_with

from fhir_adapter.ehr.transport import Transport
from fhir_adapter.sandbox import Sandbox


@pytest.fixture(scope="session")
def one_patient() -> Iterator[Sandbox]:
    """A server that holds one person of the study and what belongs to them. Nobody may change it."""
    with server_with(bundles("SYN-12", "shared")) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def undisturbed(one_patient: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content of that server."""
    return content_of(one_patient, tmp_path_factory.mktemp("undisturbed") / "out")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every wait of a `Transport` that was not given a `sleep`: noted, not waited. Seconds, in order."""
    noted: list[float] = []
    monkeypatch.setitem(Transport.__init__.__kwdefaults__, "sleep", noted.append)
    return noted


@pytest.fixture
def hospital(one_patient: Sandbox, undisturbed: str, tmp_path: Path, waits: list[float]) -> Iterator[Hospital]:
    with hospital_with(one_patient, tmp_path, undisturbed, waits) as found:
        yield found
