"""Numbers 91 and 92: settings that cannot be used. Nothing is asked and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from front import Front
from served_hospital import Hospital
from whole_runs import command

TEN_MEGABYTES = b"# nothing\n" * 1_000_000


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site.toml"


def is_refused(site: Path, front: Front, *says: str) -> None:
    """Exit 2 with one sentence; no request, no output folder."""
    out = site.parent / "out"
    ended = command("fetch", "--config", site, "--server", front.base_url, "--out", out)
    assert ended.code == 2, ended.told
    assert "Traceback" not in ended.told
    for words in says:
        assert words in ended.err
    assert front.asked == []
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"page_sze = 5\n", ("page_sze", "page_size")),
        (b"xyz = 1\n", ("xyz", "server")),
        (b'page_size = "many"\n', ("page_size", "site.toml")),
        (b"concurrency = 0\n", ("concurrency",)),
        (b"base_url_aliases = 7\n", ("base_url_aliases",)),
        (b"page_size = 5\n\npage_size = 6\n", ("site.toml", "line 3")),
        (b"page_size = \n", ("site.toml", "line 1")),
        (b"\xff\xfe\x00", ("site.toml",)),
        (b"[[[", ("site.toml",)),
        (b"timeout_s = nan\n", ("timeout_s",)),
        (b"deadline_s = inf\n", ("deadline_s",)),
        (b"deadline_s = -1\n", ("deadline_s",)),
    ],
    ids=str,
)
def test_91a_a_settings_file_with_a_mistake(text: bytes, says: tuple[str, ...], site: Path, hospital: Hospital) -> None:
    """A settings file with an unknown key, a wrong type, a key twice, no TOML: exit 2, names the key or the line, and
    the nearest key.
    """
    site.write_bytes(text)
    is_refused(site, hospital.front, *says)


@pytest.mark.parametrize(
    "text",
    [b"", b"\r\n# none\r\n", b"\xef\xbb\xbfpage_size = 15\r\n", TEN_MEGABYTES],
    ids=["empty", "CRLF", "a byte order mark", "10 MB"],
)
def test_91b_a_settings_file_that_is_odd_but_right(text: bytes, site: Path, hospital: Hospital) -> None:
    """A settings file that is empty, has 10 MB, CRLF or a byte order mark: read."""
    site.write_bytes(text)
    out = site.parent / "out"
    ended = command("fetch", "--config", site, "--server", hospital.front.base_url, "--out", out)
    assert ended.code == 0, ended.told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FHIR_ADAPTER__PAGE_SIZE", "canary-value"),
        ("FHIR_ADAPTER__PAGE_SIZE", ""),
        ("FHIR_ADAPTER__CONCURRENCY", "1e9"),
        ("FHIR_ADAPTER__BASE_URL_ALIASES", "canary-value"),
        ("FHIR_ADAPTER__SET", "canary-value"),
        ("FHIR_ADAPTER__PAGE_SZE", "5"),
        ("FHIR_ADAPTER__NOTHING__LIKE__THIS", "canary-value"),
    ],
)
def test_92a_a_bad_value_in_the_environment(
    name: str, value: str, site: Path, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment variable with a bad value or a name that is no setting: exit 2, the value is not repeated."""
    site.write_text("", encoding="utf-8")
    monkeypatch.setenv(name, value)
    is_refused(site, hospital.front)
    ended = command("fetch", "--server", hospital.front.base_url, "--out", site.parent / "out")
    assert "canary" not in ended.told
