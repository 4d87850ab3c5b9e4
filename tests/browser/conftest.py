"""Pages as a reader sees them: made once, looked at in Chromium in every way, asked about by the tests.

pytest tests/browser                    what `make test-browser` runs
pytest tests/browser --keep-shots DIR   the same, and keep pictures of all pages there
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from chromium import WAYS, CannotLook, Look, Seen, find_browser, get_driver, look_at
from looked_at import write_pages


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("browser").addoption("--keep-shots", metavar="DIR", type=Path, help="keep pictures of all pages")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say at once what is missing; a browser that is not there is no reason to leave its tests out."""
    try:
        find_browser()
        get_driver()
    except CannotLook as missing:
        pytest.exit(str(missing), returncode=2)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The pages by name."""
    return write_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="session")
def seen(pages: Mapping[str, Path], request: pytest.FixtureRequest) -> Mapping[tuple[str, str], Seen]:
    """What was seen, by page and way of looking."""
    folder: Path | None = request.config.getoption("--keep-shots")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    keys = [(page, way) for page in pages for way in WAYS]
    looks = [
        Look(str(pages[page]), **WAYS[way], shot=str(folder / f"{page}-{way}.png") if folder else "")
        for page, way in keys
    ]
    return dict(zip(keys, look_at(looks, find_browser()), strict=True))
