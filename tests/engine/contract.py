"""What every engine owes, whoever does the work. Modules that import these tests have a fixture `engine`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
import work

from fhir_adapter.engine import Engine
from fhir_adapter.errors import ServerRefused, UsageError


def test_the_answers_come_in_the_order_of_the_tasks(engine: Engine) -> None:
    assert list(engine.map(work.slowly, range(40))) == list(range(40))


def test_no_task_and_one_task_are_answered_too(engine: Engine) -> None:
    assert list(engine.map(work.double, [])) == []
    assert list(engine.map(work.double, [21])) == [42]


def test_work_may_bring_arguments_along(engine: Engine) -> None:
    assert list(engine.map(partial(work.times, 3), [1, 2, 3])) == [3, 6, 9]
    assert list(engine.map(partial(work.times, 4), [1, 2, 3])) == [4, 8, 12]


def test_work_that_was_expected_is_done_like_any_other(engine: Engine) -> None:
    engine.expect(work.double, work.times)
    assert list(engine.map(work.double, range(4))) == [0, 2, 4, 6]


def test_an_engine_can_be_asked_again_and_for_two_things_at_once(engine: Engine) -> None:
    pairs = zip(engine.map(work.double, range(20)), engine.map(work.slowly, range(20)), strict=True)
    assert list(pairs) == [(2 * n, n) for n in range(20)]


def test_an_error_stands_where_its_answer_would(engine: Engine) -> None:
    answers = engine.map(work.refuse, range(10))
    assert [next(answers), next(answers), next(answers)] == [0, 1, 2]
    with pytest.raises(UsageError) as told:
        next(answers)
    assert (told.value.message, told.value.hint) == ("three is too many", "take two")


def test_an_error_comes_back_with_everything_it_knows(engine: Engine) -> None:
    with pytest.raises(ServerRefused) as told:
        list(engine.map(work.refuse_with_status, range(2)))
    assert (told.value.status, told.value.issues, told.value.types, told.value.hint) == (
        *(422, ("invalid",), ("Patient",)),
        "ask",
    )


def test_an_engine_goes_on_after_an_error(engine: Engine) -> None:
    with pytest.raises(UsageError):
        list(engine.map(work.refuse, range(10)))
    assert list(engine.map(work.double, [1, 2])) == [2, 4]


def test_an_error_of_the_tasks_themselves_is_raised_as_it_is(engine: Engine) -> None:
    def tasks() -> Iterator[int]:
        yield from (1, 2, 3)
        raise UsageError("no more tasks")

    with pytest.raises(UsageError, match="no more tasks"):
        list(engine.map(work.double, tasks()))


def test_only_a_bounded_number_of_tasks_is_taken_ahead_of_the_answers(engine: Engine) -> None:
    tasks = iter(range(1000))
    answers = engine.map(work.double, tasks)
    for _ in range(10):
        next(answers)
    assert next(tasks) < 100
