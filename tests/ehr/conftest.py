"""A server that exports, and a site that asks it to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from exports import Night
from exportserver import ExportServer


@pytest.fixture
def server() -> Iterator[ExportServer]:
    with ExportServer() as started:
        yield started


@pytest.fixture
def night(server: ExportServer, tmp_path: Path) -> Night:
    return Night(server, tmp_path / "files")
