"""Progress: bars where they can be drawn, plain lines where not, and nothing that a terminal would obey."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

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
    assert "40/100" in shown
    assert "7/?" in shown
    assert "Observation: 100 received" in shown
    assert "all done" in shown


def test_a_bar_shows_how_far_an_export_is() -> None:
    with terminal(), Bars() as say:
        say.waiting("the export", 0.4)
        say._bars.refresh()
        (task,) = say._bars.tasks
        assert (task.completed, task.total) == (40, 100)
        say.waiting("the files of the export", 0.1)
        assert [one.description for one in say._bars.tasks] == ["the files of the export"]
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
