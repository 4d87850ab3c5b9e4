"""A store and a server for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from changingserver import BASE, ChangingServer

from fhir_adapter.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "landing.sqlite", BASE) as opened:
        yield opened


@pytest.fixture
def server() -> ChangingServer:
    """A hospital with two patients and thirty results."""
    served = ChangingServer()
    served.put("Patient", "p1")
    served.put("Patient", "p2")
    for number in range(30):
        served.put("Observation", f"o{number}", subject={"reference": f"Patient/p{1 + number % 2}"})
    served.wait(3600)
    return served
