"""A site for every test that wants one."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_of_ours import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
