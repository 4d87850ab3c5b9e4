"""This process and processes of this machine: what every engine owes, and what is particular to processes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import work
from contract import *  # noqa: F403

from fhir_adapter.engine import Engine, EngineName, opened
from fhir_adapter.engine.parcel import FailedElsewhere
from fhir_adapter.errors import WorkerLost


@pytest.fixture(scope="module", params=["serial", "processes"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with opened(request.param, 2) as one:
        yield one


@pytest.fixture(scope="module")
def processes() -> Iterator[Engine]:
    with opened("processes", 2) as one:
        yield one


def test_an_error_that_cannot_travel_is_told_by_its_kind_alone(processes: Engine) -> None:
    with pytest.raises(FailedElsewhere) as told:
        list(processes.map(work.fail_unpackably, range(4)))
    assert str(told.value) == "work.Unpackable"


def test_processes_do_the_work_elsewhere_and_on_several(processes: Engine) -> None:
    assert os.getpid() not in set(processes.map(work.where, range(8)))


def test_processes_that_were_expected_do_the_work_and_end_if_there_is_none() -> None:
    with opened("processes", 2) as engine:
        engine.expect(work.where)
        assert os.getpid() not in set(engine.map(work.where, range(8)))
    with opened("processes", 2) as engine:
        engine.expect(work.where)


def test_a_task_that_is_alone_is_done_here(processes: Engine) -> None:
    assert list(processes.map(work.where, [1])) == [os.getpid()]


def test_workers_import_nothing_that_the_work_does_not_need(processes: Engine) -> None:
    assert list(processes.map(work.imported, range(4))) == [[]] * 4


def test_a_worker_that_dies_ends_the_run_with_a_sentence_and_a_hint() -> None:
    with opened("processes", 2) as engine, pytest.raises(WorkerLost, match="came to an end from outside") as told:
        list(engine.map(work.die, range(10)))
    assert told.value.hint
    assert told.value.exit_code == 4


@pytest.mark.parametrize("name", ["serial", "processes"])
def test_answers_that_nobody_wants_any_more_hold_nothing_up(name: EngineName) -> None:
    with opened(name, 2) as engine:
        answers = engine.map(work.slowly, range(100))
        next(answers)
