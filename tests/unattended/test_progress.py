"""Progress: bars where they can be drawn, plain lines where not, and nothing that a terminal would obey."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from site_of_ours import Site
from whole_runs import COMMAND, run_process

from fhir_adapter.cli import telling
from fhir_adapter.cli.screen import Lines
from fhir_adapter.cli.telling import Bars


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def terminal() -> Iterator[Screen]:
    """Standard error as a terminal on which bars can be drawn."""
    environment = {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    with patch.object(sys, "stderr", Screen()) as screen, patch.dict(os.environ, environment):
        yield screen


def test_a_terminal_shows_a_bar_for_each_stream_at_work() -> None:
    with terminal() as screen, telling.telling("text") as say:
        assert isinstance(say, Bars)
        say.stream("Observation", 40, 100)
        say.stream("Condition", 7, None)
        say._bars.refresh()
        say.stream("Observation", 100, 100, "complete")
        say("all done")
    shown = screen.getvalue()
    assert "Observation" in shown
    assert "Condition" in shown
    assert "Observation: 100 received" in shown
    assert "all done" in shown


def test_a_bar_shows_how_far_an_export_is() -> None:
    with terminal(), Bars() as say:
        say.waiting("the export", 0.4)
        say._bars.refresh()
        (task,) = say._bars.tasks
        assert (task.completed, task.total) == (40, 100)
        say.stream("Patient", 1, None)
        assert [one.description for one in say._bars.tasks] == ["Patient"]


def test_markup_in_a_name_is_text() -> None:
    with terminal() as screen, Bars() as say:
        say.stream("[/red] [link=x]\x1b[31m", 1, 2)
        say("[/x] mg[iv] \x1b[31m")
        say._bars.refresh()
    assert "[/red] [link=x]?[31m" in screen.getvalue()
    assert "[/x] mg[iv] ?[31m" in screen.getvalue()


def test_bars_may_be_moved_from_any_thread() -> None:
    with terminal(), Bars() as say:
        threads = [
            threading.Thread(target=lambda: [say.stream("Patient", number, 100) for number in range(100)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(say._bars.tasks) == 1


@pytest.mark.parametrize(
    ("terminal", "kind", "draws"),
    [(True, "xterm-256color", True), (True, "dumb", False), (True, "", False), (False, "xterm", False)],
)
def test_bars_are_drawn_only_where_lines_can_be_drawn_again(terminal: bool, kind: str, draws: bool) -> None:
    assert telling._draws(terminal, kind) is draws


def test_elsewhere_there_is_a_line_for_each_stream_and_for_each_tenth_of_a_wait(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say = Lines()
    say.stream("Patient", 1, 2)
    say.stream("Patient", 2, 2, "complete")
    say.stream("Observation", 1, 2, "incomplete")
    for percent in range(0, 31, 2):
        say.waiting("the export", percent / 100)
    say.waiting("the export")
    say.waiting("the export")
    assert capsys.readouterr().err.splitlines() == [
        "Patient: 2 received",
        "Observation: incomplete",
        "waiting: the export, 0 % done",
        "waiting: the export, 10 % done",
        "waiting: the export, 20 % done",
        "waiting: the export, 30 % done",
        "waiting: the export",
    ]


def on_terminal(site: Site, **environment: str) -> str:
    """What `fetch` shows on a real terminal."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FHIR_ADAPTER__")}
    process = subprocess.Popen(
        [str(COMMAND), "fetch", "--config", str(site.settings)], stdout=theirs, stderr=theirs, env=kept | environment
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # Linux says so when nobody holds the other end any more
            piece = b""
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(60) == 0
    return shown.decode()


def test_a_real_terminal_gets_bars_and_a_dumb_one_lines(site: Site) -> None:
    drawn = on_terminal(site, TERM="xterm", COLUMNS="100", LINES="30")
    assert "\x1b[" in drawn
    assert "Patient.ndjson: " in drawn
    plain = on_terminal(site, TERM="dumb")
    assert "\x1b" not in plain
    assert "Patient.ndjson: " in plain


def test_a_terminal_that_wants_no_colour_gets_none(site: Site) -> None:
    drawn = on_terminal(site, TERM="xterm-256color", NO_COLOR="1", COLUMNS="100", LINES="30")
    assert "\x1b[3" not in drawn.replace("\x1b[33", "")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_letter_that_the_screen_lacks_ends_nothing(encoding: str, site: Site) -> None:
    (site.home / "records" / "Patient.ndjson").rename(site.home / "records" / "Patient.北京.ndjson")
    ended = run_process("fetch", "--config", site.settings, env={"PYTHONIOENCODING": encoding, "LC_ALL": "C"})
    assert ended.code == 0
    assert "Patient.\\u5317\\u4eac.ndjson" in ended.err
    assert "Patient.\\u5317\\u4eac.ndjson" in ended.out
