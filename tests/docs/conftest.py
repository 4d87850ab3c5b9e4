"""The server that the examples of the pages ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from whole_runs import bundles, server_with


@pytest.fixture
def server() -> Iterator[str]:
    """A server of one's own, with one person of the study."""
    with server_with(bundles("SYN-12")) as sandbox:
        yield sandbox.base_url
