"""`check` and `fetch --dry-run`: what is told before anything is fetched, and that nothing is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lyingserver import READ, LyingServer, on_loopback
from whole_runs import Ended, Served, command, succeed

from fhir_adapter.output_folder import OutputFolder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, so that everything that is left behind is seen."""
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def checked(*lies: str, flags: tuple[object, ...] = (), verb: tuple[str, ...] = ("check",), **more: Any) -> Ended:
    """A command against a server that tells these lies; it must not be able to change anything there."""
    server = LyingServer({*lies}, **more)
    with on_loopback(server) as address:
        ended = command(*verb, "--server", address, *flags)
    assert server.changes == []
    return ended


def data(*lies: str, flags: tuple[object, ...] = (), **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(checked(*lies, flags=("--json", *flags), **more).out)
    return found


def test_a_server_that_can_serve_ends_with_0_and_leaves_nothing(home: Path) -> None:
    ended = checked()
    assert ended.code == 0
    assert "FHIR 4.0.1, Some Server 1.0" in ended.out
    assert "12 resources, 1 request. Observation is searched as a whole." in ended.out
    assert list(home.iterdir()) == []


def test_the_sandbox_does_what_it_says(served: Served) -> None:
    told = succeed("check", "--server", served.sandbox.base_url, "--out", served.out).out
    assert "WARN" not in told
    assert "FAIL" not in told


def test_what_is_missing_is_told_with_what_it_means_for_the_study() -> None:
    ended = checked("no-AdverseEvent")
    assert ended.code == 0
    assert "WARN  AdverseEvent" in ended.out
    assert "Adverse events are unknown from this source, which is not the same as none." in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ("has-no-next", 5),
        ("next-leads-away", 5),
        ("next-is-first", 5),
        ("since-is-empty-Observation", 5),
        ("counts-too-much-Patient", 5),
        ("breaks-Procedure", 5),
        ("forbids-Condition", 3),
        ("no-Patient", 2),
    ],
)
def test_a_server_that_cannot_serve_ends_with_the_code_of_a_fetch(lie: str, code: int, home: Path) -> None:
    (home / "site.toml").write_text("page_size = 5\n", encoding="utf-8")
    ended = checked(lie, flags=("--config", "site.toml"))
    assert ended.code == code
    assert "FAIL" in ended.out or code == 2
    assert "Traceback" not in ended.told
    assert [path.name for path in home.iterdir()] == ["site.toml"]


def test_a_server_that_is_not_there_ends_with_4() -> None:
    assert command("check", "--server", "http://127.0.0.1:1/fhir").code == 4


def test_each_bad_finding_says_what_to_do() -> None:
    found = data("next-leads-away", "since-is-empty-Observation", "forbids-Condition", "counts-too-much-Patient")
    bad = [one for one in found["findings"] if one["verdict"] == "FAIL"]
    assert len(bad) == 4
    assert all(one["seen"] and one["means"] and one["todo"] for one in bad)
    assert found["exit_code"] == 3


def test_the_same_as_data() -> None:
    found = data()
    assert {stream["type"] for stream in found["streams"]} == {*READ, "Encounter"}
    observation = next(stream for stream in found["streams"] if stream["type"] == "Observation")
    assert (observation["how"], observation["resources"], observation["incremental"]) == ("search", 12, True)
    assert found["population"] == {"kind": "everybody", "people": None, "left": 0, "others": 0}
    assert found["exit_code"] == 0
    assert set(data("no-AdverseEvent")) == set(found)


def test_nobody_is_named(home: Path) -> None:
    (home / "patients.txt").write_text("p1\np2\n", encoding="utf-8")
    ended = checked(flags=("--patients", "patients.txt"))
    assert ended.code == 0
    assert "The patients of the file are asked for: 2." in ended.out
    assert "p1" not in ended.told
    assert json.dumps("p1") not in checked(flags=("--patients", "patients.txt", "--json")).out


def test_facts_about_the_maker_of_a_server_are_told_with_their_date() -> None:
    told = " ".join(checked(statement={"software": {"name": "Epic"}}).out.split())
    assert "Taken for Epic" in told
    assert "2021-08 Bulk export is by Group only." in told
    assert "not verified, so only a hint: Clinical types are searched for one patient at a time." in told
    assert data(statement={"software": {"name": "Epic"}})["vendor"]["key"] == "epic"


def test_a_run_that_is_at_work_is_seen_and_not_disturbed(tmp_path: Path) -> None:
    out = OutputFolder(tmp_path / "out")
    with out.locked():
        ended = checked(flags=("--out", out.path))
        assert out.is_locked()
    assert ended.code == 0
    assert "Another run is working in it." in ended.out
    assert not out.is_locked()
    assert "Another run" not in checked(flags=("--out", out.path)).out


def test_hostile_words_of_a_server_are_not_commands_to_a_terminal() -> None:
    told = checked(statement={"software": {"name": "\x1b[2JServer"}, "publisher": "a\nok    Observation"}).out
    assert "\x1b" not in told
    assert told.count("ok    Observation") == 1


def test_a_folder_is_not_checked(home: Path) -> None:
    ended = command("check", "--folder", home)
    assert ended.code == 2


# A dry run


def test_a_dry_run_tells_the_plan_and_does_not_even_make_the_output_folder(home: Path) -> None:
    ended = checked(verb=("fetch", "--dry-run"), flags=("--out", home / "results"))
    assert ended.code == 0
    assert "A fetch of everything takes 7 requests." in ended.out
    assert "paging" not in ended.out
    assert list(home.iterdir()) == []


def test_a_dry_run_leaves_a_store_as_it_is(served: Served) -> None:
    from whole_runs import tree

    before = tree(served.out)
    succeed("fetch", "--dry-run", "--server", served.sandbox.base_url, "--out", served.out)
    assert tree(served.out) == before


def test_a_dry_run_of_a_folder_counts_its_files(home: Path) -> None:
    (home / "export").mkdir()
    (home / "export" / "Patient.ndjson").write_text('{"resourceType":"Patient","id":"a"}\n', encoding="utf-8")
    ended = command("fetch", "--dry-run", "--folder", "export")
    assert ended.code == 0
    assert "1 files of export would be read" in ended.out
    assert [path.name for path in home.iterdir()] == ["export"]


def test_a_dry_run_of_a_server_that_cannot_be_planned_ends_as_the_fetch_would() -> None:
    assert checked("no-Patient", verb=("fetch", "--dry-run")).code == 2
    assert command("fetch", "--dry-run", "--server", "http://127.0.0.1:1/fhir").code == 4
