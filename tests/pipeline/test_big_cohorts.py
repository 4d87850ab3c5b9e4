"""Any number of people: judged some at a time, wherever the work is done, with the same results to the last byte."""

from __future__ import annotations

import gc
import json
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from whole_runs import ROOT, files

from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.engine import Engine, Serial, opened
from fhir_adapter.errors import WorkerLost
from fhir_adapter.fhir.record import Record, read_record
from fhir_adapter.judging.batch import Asked, judge_people
from fhir_adapter.judging.person import Chart
from fhir_adapter.mapping.study import StudyFolder, read_study
from fhir_adapter.pipeline import charts, continue_from_store
from fhir_adapter.pipeline.build import build, find_person
from fhir_adapter.pipeline.charts import Charts
from fhir_adapter.progress import Progress
from fhir_adapter.publish import parquet_tables
from fhir_adapter.publish.parquet_tables import ParquetTable, cells, parquet_table
from fhir_adapter.publish.places import InMemory
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

T = TypeVar("T")
R = TypeVar("R")

STORIES = {"bsab-cart-dlbcl": ("study12", "background"), "bsab-cart-myeloma": ("myeloma/bundles",)}
NIGHT = "2026-06-01T02:00:00Z"
WORKER = """
import pickle, sys
work, *given = pickle.load(open(sys.argv[1], "rb"))
work(*given)
print(*sys.modules)
"""
HEAVY = ("pandas", "lifelines", "matplotlib", "httpx", "pyarrow", "scipy")


def landed(path: Path, *folders: str) -> Store:
    """A store with every resource of some folders of fixtures."""
    store = Store.open(path, "folder:/fixtures")
    paths = [path for folder in folders for path in sorted((ROOT / "fixtures" / folder).glob("*.json"))]
    found = [entry["resource"] for path in paths for entry in json.loads(path.read_bytes())["entry"]]
    records = {(one["resourceType"], one["id"]): read_record(json.dumps(one).encode()) for one in found}
    run = store.begin_run(NIGHT)
    store.land(run, "everything", list(records.values()), [])
    store.finish_stream(run, "everything", announced=len(records), complete=True)
    store.finish_run(run, complete=True)
    return store


@pytest.fixture(scope="module", params=STORIES)
def study(request: pytest.FixtureRequest) -> StudyFolder:
    return read_study(request.param)


@pytest.fixture(scope="module")
def store(study: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with landed(tmp_path_factory.mktemp("store") / "landing.sqlite", *STORIES[study.study.id]) as store:
        yield store


def built(store: Store, study: StudyFolder, engine: Engine) -> dict[str, Any]:
    """The files of the cohort, and what all other files are made of."""
    place = InMemory()
    cohort = build(store, study, engine=engine, place=place)
    return {"rows": (cohort.people, cohort.courses, cohort.times, cohort.flow, cohort.tallies), **place.files}


@pytest.fixture(scope="module")
def expected(store: Store, study: StudyFolder) -> dict[str, Any]:
    return built(store, study, Serial())


def test_processes_leave_the_same_bytes(
    store: Store, study: StudyFolder, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(expected["subjects.csv"].splitlines()) > 10
    monkeypatch.setattr(charts, "_PEOPLE", 4)
    with opened("processes", 2) as engine:
        assert built(store, study, engine) == expected


def test_processes_tell_as_much_of_everybody(store: Store, study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    here = build(store, study, whole=True, gaps=True)
    monkeypatch.setattr(charts, "_PEOPLE", 4)
    with opened("processes", 2) as engine:
        there = build(store, study, engine=engine, whole=True, gaps=True)
    assert [one.unpacked() for one in there.told] == [one.unpacked() for one in here.told]
    assert (there.unmapped, there.left_at) == (here.unmapped, here.left_at)
    assert len(there.left_at) == there.tallies.excluded > 0


@pytest.mark.parametrize("people", [1, 1000])
def test_it_does_not_matter_how_many_people_are_judged_at_once(
    people: int, store: Store, study: StudyFolder, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "_PEOPLE", people)
    monkeypatch.setattr(charts, "_BYTES", 10**9)
    assert built(store, study, Serial()) == expected


def test_a_person_who_is_asked_for_is_told_as_in_the_cohort(store: Store, study: StudyFolder) -> None:
    whole = build(store, study, whole=True)
    assert len(whole.told) > 10
    for told in (packed.unpacked() for packed in whole.told[::7]):
        for patient in told.subject.patient_ids:
            assert find_person(store, study, patient) == told


# Bounded memory


class Looking(Progress):
    """Counts, after every batch, who is held as a whole."""

    def __init__(self) -> None:
        self.alive: list[int] = []
        self.done: list[tuple[int, int]] = []

    def people(self, done: int, of: int) -> None:
        self.done.append((done, of))
        self.alive.append(sum(isinstance(one, Judgement) for one in gc.get_objects()))


@pytest.mark.parametrize("whole", [False, True])
def test_nobody_is_held_as_a_whole_after_their_batch(
    whole: bool, store: Store, study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "_PEOPLE", 3)
    gc.collect()
    before = sum(isinstance(one, Judgement) for one in gc.get_objects())
    look = Looking()
    cohort = build(store, study, say=look, place=InMemory(), whole=whole)
    assert len(cohort.people) >= 10
    assert max(look.alive) - before <= 3
    assert look.done[-1] == (cohort.tallies.included + cohort.tallies.excluded,) * 2
    assert [done for done, _ in look.done] == sorted({done for done, _ in look.done})


def test_batches_are_read_when_they_are_asked_for(
    store: Store, study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "_PEOPLE", 2)
    read: list[str] = []
    chart = Charts._chart

    def noted(self: Charts, person: str, own: list[Record]) -> Chart:
        read.append(person)
        return chart(self, person, own)

    monkeypatch.setattr(Charts, "_chart", noted)
    everybody = Charts(store, study)
    batches = everybody.batches(everybody.tallies())
    for number in (2, 4, 6):
        assert len(next(batches)) == 2
        assert len(read) == number
    assert read == sorted(read)


def test_a_big_batch_is_one_of_few_people(store: Store, study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "_BYTES", 1)
    everybody = Charts(store, study)
    assert {len(batch) for batch in everybody.batches(everybody.tallies())} == {1}


def test_a_parquet_table_does_not_depend_on_how_its_rows_come(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"subject_id": f"P{number}", "patient_ids": [f"P{number}"] * (number % 3)} for number in range(50)]
    whole = parquet_table("subjects", rows)
    monkeypatch.setattr(parquet_tables, "_AT_ONCE", 7)
    grown = ParquetTable("subjects")
    for row in rows:
        grown.add(cells("subjects", [row]))
    assert grown.finished() == whole


# Other processes


class Killing(Progress):
    """Kills whoever works for the run as soon as the first people are judged."""

    def __init__(self) -> None:
        self.killed = 0

    def people(self, done: int, of: int) -> None:
        for worker in [] if self.killed else multiprocessing.active_children():
            worker.kill()
            self.killed += 1


def test_workers_killed_in_the_middle_leave_the_last_good_results_and_the_next_run_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(out=tmp_path, publish=False, engine="processes", workers=2)
    monkeypatch.setattr(charts, "_PEOPLE", 1)
    (tmp_path / "store").mkdir()
    landed(tmp_path / "store" / "landing.sqlite", "study12").close()
    continue_from_store(settings, NIGHT, "build", Progress())
    before, killing = files(tmp_path), Killing()
    with pytest.raises(WorkerLost, match="came to an end from outside"):
        continue_from_store(settings, NIGHT, "build", killing)
    assert killing.killed
    assert files(tmp_path) == before
    assert not list((tmp_path / ".generations").glob("*.part"))
    continue_from_store(settings, NIGHT, "build", Progress())
    assert files(tmp_path, "cohort") == {name: file for name, file in before.items() if name.startswith("cohort/")}


def test_a_worker_imports_nothing_that_is_big(store: Store, study: StudyFolder, tmp_path: Path) -> None:
    everybody = Charts(store, study)
    batch = next(everybody.batches(everybody.tallies()))
    task = tmp_path / "task"
    task.write_bytes(pickle.dumps((judge_people, Asked(study, everybody.reader(), written=True), batch)))
    ran = subprocess.run([sys.executable, "-c", WORKER, str(task)], capture_output=True, text=True, check=True)
    assert "fhir_adapter.rules.judge" in ran.stdout.split()
    assert not set(HEAVY) & set(ran.stdout.split())
