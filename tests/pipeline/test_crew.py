"""Threads that ask and one that lands: how many requests there are, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator

from fhir_adapter.ehr.page import Page
from fhir_adapter.pipeline.fetching.crew import Crew, Step


def ignore(part: Hashable, page: Page) -> None:
    """Nothing is landed here."""


def pages(count: int) -> Iterator[Page]:
    return (Page("Observation", number, ()) for number in range(1, count + 1))


def test_every_page_of_every_part_comes_and_then_the_end_of_the_step() -> None:
    steps = [Step(name, iter([lambda: pages(3), lambda: pages(2)]), ignore) for name in ("a", "b")]
    with Crew(4) as crew:
        for step in steps:
            crew.add(step)
        seen = [(step.stream, event is None) for step, _, event in crew.events()]
    for name in ("a", "b"):
        assert [ended for stream, ended in seen if stream == name] == [False] * 5 + [True]


def test_a_step_without_parts_ends() -> None:
    with Crew(1) as crew:
        crew.add(Step("a", iter([]), ignore))
        assert [event for _, _, event in crew.events()] == [None]


def test_never_more_requests_than_threads_are_under_way() -> None:
    lock, under_way, most = threading.Lock(), 0, 0

    def part() -> Iterator[Page]:
        nonlocal under_way, most
        for page in pages(3):
            with lock:
                under_way += 1
                most = max(most, under_way)
            threading.Event().wait(0.001)
            with lock:
                under_way -= 1
            yield page

    with Crew(3) as crew:
        crew.add(Step("a", iter([part] * 12), ignore))
        assert sum(isinstance(event, Page) for _, _, event in crew.events()) == 36
    assert 1 < most <= 3


def test_the_next_page_is_asked_for_while_the_last_is_landed_and_not_many_more() -> None:
    asked = 0
    ahead = threading.Event()

    def part() -> Iterator[Page]:
        nonlocal asked
        for page in pages(50):
            asked += 1
            if asked == 4:
                ahead.set()
            yield page

    with Crew(1) as crew:
        crew.add(Step("a", iter([part]), ignore))
        events = crew.events()
        next(events)
        assert ahead.wait(5), "nothing is asked for while a page is landed"
        threading.Event().wait(0.05)
        assert asked == 4  # one is landed, two wait, one is in hand
        assert sum(isinstance(event, Page) for _, _, event in events) == 49


def test_a_problem_of_one_part_does_not_stop_the_others() -> None:
    def broken() -> Iterator[Page]:
        yield from pages(1)
        raise ValueError

    with Crew(2) as crew:
        crew.add(Step("a", iter([broken, lambda: pages(2)]), ignore))
        events = [event for _, _, event in crew.events()]
    assert sum(isinstance(event, Page) for event in events) == 3
    assert [type(event) for event in events if isinstance(event, Exception)] == [ValueError]
    assert events[-1] is None


def test_whoever_leaves_early_does_not_wait_for_an_answer_and_leaves_no_thread_asking() -> None:
    asked = threading.Event()
    answered = threading.Event()

    def slow() -> Iterator[Page]:
        asked.set()
        answered.wait(10)
        yield from pages(1000)

    with Crew(1) as crew:
        crew.add(Step("a", iter([slow]), ignore))
        asked.wait(5)
    answered.set()
    for thread in threading.enumerate():
        if thread.name.startswith("fetch-"):
            thread.join(5)
            assert not thread.is_alive()
