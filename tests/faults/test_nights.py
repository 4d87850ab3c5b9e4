"""Numbers 93 and 100: clocks that change at night, and screens that show little."""

from __future__ import annotations

import csv
import os
import pty
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nightclock import Clock, Noted, live, started, wall_clock
from whole_runs import COMMAND, bundles, resources, run_process, write_ndjson

CHANGES = [
    ("America/New_York", "30 1 * * *", datetime(2026, 11, 1, tzinfo=UTC)),
    ("America/New_York", "30 2 * * *", datetime(2026, 3, 8, tzinfo=UTC)),
    ("Europe/Berlin", "30 2 * * *", datetime(2026, 10, 25, tzinfo=UTC)),
    ("Europe/Berlin", "30 2 * * *", datetime(2026, 3, 29, tzinfo=UTC)),
]


@pytest.mark.parametrize(("zone", "expression", "day"), CHANGES)
def test_93_the_nights_when_clocks_change(
    zone: str, expression: str, day: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run at 01:30 in the night that has it twice, or at 02:30 in the night that has it not: once each, in UTC."""
    clock = Clock(monkeypatch, day - timedelta(hours=24))
    nights = Noted(clock)
    with wall_clock(zone):
        live(started(expression, nights), clock, 72)
    minute, hour = map(int, expression.split()[:2])
    assert nights.began == [day.replace(hour=hour, minute=minute) + timedelta(days=days) for days in (-1, 0, 1)]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """The records of one person, in a file with a name in Chinese."""
    write_ndjson(tmp_path / "records" / "Patient.北京.ndjson", resources(bundles("SYN-12", "shared")))
    return tmp_path / "records"


def test_100a_the_c_locale_and_a_code_page_of_windows(records: Path, tmp_path: Path) -> None:
    """The C locale, and a screen with the code page 1252: what it lacks is shown as a number; files are UTF-8."""
    poor = {"LC_ALL": "C", "PYTHONIOENCODING": "cp1252", "TERM": "dumb", "NO_COLOR": "1"}
    ended = run_process("fetch", "--folder", records, "--out", tmp_path / "out", env=poor)
    assert ended.code == 0, ended.err
    assert "Patient.\\u5317\\u4eac.ndjson" in ended.err
    assert "Patient.\\u5317\\u4eac.ndjson" in ended.out
    ended = run_process("build", "--out", tmp_path / "out", env=poor)
    assert ended.code == 0, ended.err
    for table in (tmp_path / "out" / "cohort").glob("*.csv"):
        assert list(csv.reader(table.read_text(encoding="utf-8").splitlines()))


def on_terminal(records: Path, **environment: str) -> str:
    """What `fetch` shows on a real terminal."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FHIR_ADAPTER__")}
    words = [str(COMMAND), "fetch", "--folder", str(records), "--out", str(records.parent / "out")]
    process = subprocess.Popen(words, stdout=theirs, stderr=theirs, env=kept | environment)
    os.close(theirs)
    shown = b""
    while piece := _read(ours):
        shown += piece
    os.close(ours)
    assert process.wait(60) == 0
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # so Linux says that nobody holds the other end any more
        return b""


def test_100b_a_dumb_terminal(records: Path) -> None:
    """A terminal that can draw, and one that cannot (`TERM=dumb`): bars, and plain lines without control characters."""
    drawn = on_terminal(records, TERM="xterm", COLUMNS="100", LINES="30")
    assert "\x1b[9" in drawn  # a colour
    assert "Patient.北京.ndjson: " in drawn
    plain = on_terminal(records, TERM="dumb")
    assert "\x1b" not in plain
    assert "Patient.北京.ndjson: " in plain


def test_100c_no_colour(records: Path) -> None:
    """`NO_COLOR`: bars without colours."""
    drawn = on_terminal(records, TERM="xterm-256color", NO_COLOR="1", COLUMNS="100", LINES="30")
    assert "\x1b[" in drawn
    assert not any(colour in drawn for colour in ("\x1b[3", "\x1b[9"))


def test_100d_no_terminal(records: Path) -> None:
    """Standard error into a file: plain lines without any control character."""
    ended = run_process("fetch", "--folder", records, "--out", records.parent / "out", env={"TERM": "xterm"})
    assert ended.code == 0
    assert "Patient.北京.ndjson: " in ended.err
    assert all(letter.isprintable() or letter == "\n" for letter in ended.told)
