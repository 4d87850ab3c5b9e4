"""A wish to end is heard at once, or as soon as what was begun is done as a whole."""

from __future__ import annotations

import threading

import pytest

from fhir_adapter.interruption import end_with, undisturbed


class End(BaseException):
    """Somebody wants to stop."""


def test_an_end_comes_at_once_when_nothing_has_to_be_finished() -> None:
    with pytest.raises(End):
        end_with(End())


def test_an_end_waits_for_what_has_to_be_done_as_a_whole() -> None:
    done: list[str] = []
    with pytest.raises(End):
        _interrupted_work(done)
    assert done == ["begun", "finished"]
    with undisturbed():
        pass  # it is heard once


def _interrupted_work(done: list[str]) -> None:
    with undisturbed():
        done.append("begun")
        with undisturbed():
            end_with(End())
        done.append("finished")


def test_an_end_is_not_lost_when_what_was_begun_fails() -> None:
    with pytest.raises(End) as ended:
        _failing_work()
    assert isinstance(ended.value.__context__, ZeroDivisionError)
    with pytest.raises(End):
        end_with(End())


def _failing_work() -> None:
    with undisturbed():
        end_with(End())
        raise ZeroDivisionError


def test_what_another_thread_does_keeps_nobody_waiting() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def work() -> None:
        with undisturbed():
            inside.set()
            go_on.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(10)
    with pytest.raises(End):
        end_with(End())
    go_on.set()
    thread.join()
