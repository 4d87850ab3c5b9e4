"""What changes on a live server between two runs arrives, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from live import People
from whole_runs import command, succeed

from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.store import Store

HAEMOGLOBIN = "Observation/SYN-10-hgb-20241231"
PLATELETS = "Observation/SYN-10-plt-20241224"
COUNTS = ("received", "stored", "deleted", "swept")


@pytest.fixture(scope="module")
def night(two_people: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder after a first run."""
    out = tmp_path_factory.mktemp("night") / "out"
    run(two_people, out)
    return out


def run(people: People, out: Path) -> dict[str, int]:
    """One night: what was newly stored, and what was found to be gone, over all streams."""
    succeed("run", *people.source, "--no-publish", "--out", out)
    ledger = json.loads((out / "run.json").read_bytes())["ledger"]
    return {name: sum(row[name] for row in ledger) for name in COUNTS}


def gone(counts: dict[str, int]) -> int:
    return counts["deleted"] + counts["swept"]


def labs(out: Path) -> str:
    return (out / "cohort" / "labs.csv").read_text(encoding="utf-8")


def test_a_night_without_changes_stores_nothing(two_people: People, night: Path) -> None:
    before = labs(night)
    counts = run(two_people, night)
    assert (counts["stored"], gone(counts)) == (0, 0)
    assert labs(night) == before


def test_one_changed_value_is_one_stored_row(two_people: People, night: Path) -> None:
    changed = two_people.record(HAEMOGLOBIN)
    changed["valueQuantity"]["value"] = 7.9
    two_people.live.put(changed)
    counts = run(two_people, night)
    assert (counts["stored"], gone(counts)) == (1, 0)
    [row] = [line for line in labs(night).splitlines() if two_people.places[HAEMOGLOBIN] in line]
    assert "7.9 g/dL" in row


def test_a_deleted_value_is_gone_when_everything_is_compared(
    two_people: People, night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = two_people.places[PLATELETS]
    assert place in labs(night)
    two_people.live.delete(place)
    monkeypatch.setenv("FHIR_ADAPTER__SWEEP_EVERY", "1")
    counts = run(two_people, night)
    assert (counts["stored"], gone(counts)) == (0, 1)
    assert place not in labs(night)


def test_a_deletion_is_told_by_the_history_of_a_server_that_has_one(hospital: People, out: Path) -> None:
    """Where there is none, `check` says how long a deletion may go unnoticed."""
    live = hospital.live
    if not (live.is_ours and live.pages and live.keeps_history("Medication")):
        assert "sweep_every" in command("check", *live.source).out
        return
    extra = live.post({"resourceType": "Medication", "code": {"text": "of a live test"}})
    assert fetched_medications(hospital, out)["stored"] > 1
    live.delete(f"Medication/{extra['id']}")
    counts = fetched_medications(hospital, out)
    assert (counts["stored"], gone(counts)) == (0, 1)


def fetched_medications(people: People, out: Path) -> dict[str, int]:
    """One fetch of everybody, and what it did with this one type."""
    succeed("fetch", *people.widest_source, "--out", out)
    with Store.reopen(OutputFolder(out).store) as store:
        [row] = [row for row in store.ledger(store.last_run() or 0) if row.stream == "Medication"]
    return {name: getattr(row, name) for name in COUNTS}
