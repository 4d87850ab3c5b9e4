"""How a command tells that it goes on: bars on a terminal, plain lines elsewhere, or one JSON object a line.

All of it goes to standard error; standard output is for results.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fhir_adapter.cli.screen import PEOPLE, Lines, plain
from fhir_adapter.fhir.resource_types import kind_of
from fhir_adapter.progress import Progress, State
from fhir_adapter.unattended.logs import Format, start_logs, tell

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


@contextmanager
def telling(format: Format, quiet: bool = False, verbose: bool = False) -> Iterator[Progress]:
    """Log in this format, and show progress as the terminal, and whoever sits before it, want it."""
    start_logs(format, _level(format, quiet, verbose))
    if format == "json":
        yield Events()
    elif quiet:
        yield Progress()
    elif _draws(sys.stderr.isatty(), os.environ.get("TERM", "")):
        with Bars() as bars:
            yield bars
    else:
        yield Lines()


def _level(format: Format, quiet: bool, verbose: bool) -> int:
    """Events are the only progress there is in JSON; as text they come on top of it."""
    if quiet:
        return logging.WARNING
    if verbose:
        return logging.DEBUG
    return logging.INFO if format == "json" else logging.WARNING


def _draws(terminal: bool, kind: str) -> bool:
    """Whether lines on this terminal can be drawn again."""
    return terminal and kind not in ("", "dumb", "unknown")


class Events(Progress):
    """Progress as log events; what is going on within a stream only for those who want to know everything."""

    def __call__(self, text: str) -> None:
        tell("said", text)

    def stream(self, stream: str, received: int, announced: int | None, state: State = "running") -> None:
        level = {"running": logging.DEBUG, "complete": logging.INFO, "incomplete": logging.WARNING}[state]
        tell(f"stream_{state}", level=level, type=kind_of(stream), received=received, announced=announced)

    def people(self, done: int, of: int) -> None:
        tell("people_judged", level=logging.INFO if done == of else logging.DEBUG, done=done, of=of)

    def waiting(self, what: str, share: float | None = None) -> None:
        tell("waiting", what=what, share=share)


class Bars(Lines):
    """A bar for each stream at work, on a terminal; a stream that has ended becomes a line above them."""

    def __init__(self) -> None:
        super().__init__()
        self._bars = _bars()
        self._tasks: dict[str, TaskID] = {}
        self._waited_for = ""
        self._guard = threading.Lock()

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, text: str) -> None:
        self._bars.console.print(plain(text), markup=False, highlight=False, soft_wrap=True)

    def stream(self, stream: str, received: int, announced: int | None, state: State = "running") -> None:
        self._end(self._waited_for)
        if state == "running":
            self._show(stream, received, announced)
        else:
            self._end(stream)
            super().stream(stream, received, announced, state)

    def waiting(self, what: str, share: float | None = None) -> None:
        if what != self._waited_for:
            self._end(self._waited_for)
        self._waited_for = what
        self._show(what, round(100 * (share or 0)), None if share is None else 100)

    def people(self, done: int, of: int) -> None:
        self._end(self._waited_for)
        self._show(PEOPLE, done, of)
        if done == of:
            self._end(PEOPLE)

    def _show(self, name: str, done: int, total: int | None) -> None:
        with self._guard:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(plain(name), total=None)
            self._bars.update(self._tasks[name], completed=done, total=total)

    def _end(self, name: str) -> None:
        with self._guard:
            if name in self._tasks:
                self._bars.remove_task(self._tasks.pop(name))


def _bars() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr, markup=False, highlight=False),
        redirect_stdout=False,  # results stay results
    )
