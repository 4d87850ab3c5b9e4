"""Threads that ask, so that the next page is under way while the last one is checked and stored.

Every thread has one request at a time, so there are never more in flight than threads. Their pages come back to the one
thread that lands them: only that one writes, and a signal to it ends the work between two pages.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from types import TracebackType

from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.search import Part

_AHEAD = 2  # whole pages that may wait to be landed, besides the one that each thread holds

Take = Callable[[Hashable, Page], None]
Event = Page | Exception | None


@dataclass(eq=False)
class Step:
    """Things to ask for one stream, in any order and at the same time.

    `take` is called with each part's own key and each of its pages, in the thread that lands. `problems` are how parts
    ended that did not end well; all of them are there once the step is done.
    """

    stream: str
    parts: Iterator[Part]
    take: Take
    problems: list[Exception] = field(default_factory=list)
    under_way: int = 0
    handed_out: bool = False


class Crew:
    """`size` threads that work off steps, for the time of a `with` block."""

    def __init__(self, size: int) -> None:
        self._steps: deque[Step] = deque()
        self._done: deque[tuple[Step, Hashable, Event]] = deque()
        self._open = 0
        self._closed = False
        self._changed = threading.Condition()
        # They are daemons: whoever ends the program does not wait for a server's answer.
        self._threads = [threading.Thread(target=self._work, name=f"fetch-{n}", daemon=True) for n in range(size)]

    def __enter__(self) -> Crew:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def add(self, step: Step) -> None:
        """Let this be done as soon as threads are free."""
        with self._changed:
            self._steps.append(step)
            self._open += 1
            self._changed.notify_all()

    def events(self) -> Iterator[tuple[Step, Hashable, Event]]:
        """What comes in until every step is done: a part with its page or problem, at last None for the step."""
        while self._open:
            with self._changed:
                self._changed.wait_for(lambda: self._done)
                step, part, event = self._done.popleft()
                self._open -= event is None
                self._changed.notify_all()
            yield step, part, event

    def _work(self) -> None:
        while taken := self._next():
            step, part = taken
            try:
                for page in part():
                    if not self._hand_over(step, part, page):
                        return
            except Exception as problem:  # raised again where the pages are read
                self._hand_over(step, part, problem)
            self._end(step)

    def _next(self) -> tuple[Step, Part] | None:
        """A part that nobody works on yet; None when the work is over."""
        with self._changed:
            while not self._closed:
                while self._steps:
                    step = self._steps[0]
                    if part := next(step.parts, None):
                        step.under_way += 1
                        return step, part
                    self._steps.popleft()
                    step.handed_out = True
                    self._conclude(step)
                self._changed.wait()
            return None

    def _hand_over(self, step: Step, part: Part, what: Page | Exception) -> bool:
        """Wait for room, and put it there; False when nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._done) < _AHEAD or self._closed)
            self._done.append((step, part, what))
            self._changed.notify_all()
            return not self._closed

    def _end(self, step: Step) -> None:
        with self._changed:
            step.under_way -= 1
            self._conclude(step)

    def _conclude(self, step: Step) -> None:
        if step.handed_out and not step.under_way:
            self._done.append((step, None, None))
            self._changed.notify_all()
