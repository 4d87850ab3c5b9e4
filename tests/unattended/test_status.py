"""`status`: what it says and how it ends, as people, programs and health checks read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from site_of_ours import Site
from whole_runs import Ended, command, resource, tree, write_ndjson

from fhir_adapter.errors import DiskError, UsageError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.store import Store
from fhir_adapter.unattended.record import NextRun, Success, forget_next_run, read_ending, write_ending, write_next_run
from fhir_adapter.unattended.status import health, parse_age, read_status, told

DAY = timedelta(days=1)


def status(site: Site, *arguments: object) -> Ended:
    return command("status", "--out", site.out, *arguments)


def soon(site: Site, age: timedelta) -> datetime:
    """A moment at which the last success is so old."""
    ending = read_ending(OutputFolder(site.out))
    assert ending
    assert ending.last_success
    return datetime.fromisoformat(ending.last_success.started_at) + age


def verdict(site: Site, age: timedelta, max_age: timedelta = 26 * timedelta(hours=1)) -> tuple[bool, str]:
    found = health(read_status(OutputFolder(site.out)), soon(site, age), max_age)
    return found.good, found.sentence


# For people


def test_after_a_good_run_it_says_so_and_how_each_stream_went(site: Site) -> None:
    site.run("fetch")
    shown = status(site)
    assert shown.code == 0
    assert f"source       folder:{site.home}/records" in shown.out
    assert "last run     1, began " in shown.out
    assert "UTC, less than a minute ago: complete" in shown.out
    assert "`fetch` with exit code 0 after" in shown.out
    assert "Patient.ndjson " in shown.out
    assert "quarantined: 0" in shown.out


def test_it_says_which_stream_is_incomplete_how_many_came_and_what_to_do(site: Site) -> None:
    site.run("fetch")
    site.damage()
    site.run("fetch")
    shown = status(site).out
    assert "last run     2," in shown
    assert "last good    1," in shown
    assert "`fetch` with exit code 5 (IncompleteError)" in shown
    assert "last good Observation.json: never" in shown
    assert "incomplete: Observation.json, 0 received; run it again, what was fetched is kept" in shown


def test_it_counts_what_is_set_aside_by_stream_and_reason(site: Site) -> None:
    lab = resource("Observation/SYN-12-hgb-20250207") | {"modifierExtension": [{"url": "https://x.example/unknown"}]}
    write_ndjson(site.home / "records" / "Observation.ndjson", [lab | {"id": "a"}, lab | {"id": "b"}])
    site.run("fetch")
    shown = status(site).out
    assert "quarantined: 2" in shown
    (line,) = (line for line in shown.splitlines() if line.strip().startswith("2  "))
    assert line.split()[1:] == ["Observation.ndjson,", "Observation:", *line.split()[3:]]
    assert "modifier" in line
    assert "x.example" not in shown


def test_it_says_when_the_next_run_is_due_if_a_scheduler_is_running(site: Site) -> None:
    site.run("fetch")
    assert "next run     not known here" in status(site).out
    due = datetime.now(UTC) + timedelta(hours=3, minutes=30, seconds=30)
    write_next_run(OutputFolder(site.out), NextRun(due.isoformat(timespec="seconds"), "0 2 * * *"))
    assert f"next run     {due:%Y-%m-%d %H:%M} UTC, in 3 h 30 min, by `0 2 * * *` in UTC" in status(site).out
    forget_next_run(OutputFolder(site.out))
    assert "next run     not known here" in status(site).out


def test_a_file_named_to_play_tricks_on_the_terminal_is_shown_plainly(site: Site) -> None:
    (site.home / "records" / "Patient.ndjson").rename(site.home / "records" / "Patient.\x1b[31mred\x07.ndjson")
    assert "\x1b" not in site.run("fetch").told + status(site).told


# While a run is at work


def test_it_can_be_asked_while_a_run_holds_the_folder(site: Site) -> None:
    site.run("fetch")
    out = OutputFolder(site.out)
    with out.locked(), Store.open(out.store, f"folder:{site.home}/records") as store:
        store.begin_run("2026-11-22T02:00:00Z")
        shown = status(site)
        fresh = status(site, "--max-age", "1d")
    assert shown.code == 0
    assert "last run     2, began 2026-11-22 02:00 UTC" in shown.out
    assert ": still going\n" in shown.out
    assert ": was interrupted; run it again" in status(site).out
    assert (fresh.code, fresh.out.startswith("fresh: ")) == (0, True)


def test_it_changes_nothing(site: Site) -> None:
    site.run("fetch")
    before = tree(site.out)
    for arguments in ((), ("--json",), ("--max-age", "1d")):
        assert status(site, *arguments).code == 0
    assert tree(site.out) == before


def test_a_run_at_work_does_not_hide_that_the_one_before_was_incomplete(site: Site) -> None:
    site.run("fetch")
    site.damage()
    site.run("fetch")
    out = OutputFolder(site.out)
    with Store.reopen(out.store) as store:
        store.begin_run("2026-11-22T02:00:00Z")
    ended = status(site, "--max-age", "26h")
    assert (ended.code, ended.out) == (5, "incomplete: Observation.json\n")


# As a health check


def test_fresh_is_0_and_one_line(site: Site) -> None:
    site.run("fetch")
    ended = status(site, "--max-age", "26h")
    assert (ended.code, ended.out, ended.err) == (0, "fresh: the last good run began less than a minute ago\n", "")


def test_nothing_fetched_is_2(site: Site) -> None:
    ended = status(site, "--max-age", "26h")
    assert (ended.code, ended.out) == (2, "")
    assert "nothing was fetched" in ended.err
    assert not site.out.exists()


def test_incomplete_is_5_and_names_the_stream(site: Site) -> None:
    site.run("fetch")
    site.damage()
    site.run("fetch")
    ended = status(site, "--max-age", "26h")
    assert (ended.code, ended.out) == (5, "incomplete: Observation.json\n")
    site.mend()
    site.run("fetch")
    assert status(site, "--max-age", "26h").code == 0


def test_a_fetch_that_is_incomplete_as_a_whole_is_5(site: Site) -> None:
    """Every stream came, and yet something was wrong: too much would have been deleted, for example."""
    site.run("fetch")
    with Store.reopen(OutputFolder(site.out).store) as store:
        store.finish_run(store.begin_run("2026-11-22T02:00:00Z"), complete=False)
    ended = status(site, "--max-age", "26h")
    assert (ended.code, ended.out) == (5, "incomplete: the last fetch\n")


def test_stale_is_5_and_says_since_when(site: Site) -> None:
    site.run("fetch")
    assert verdict(site, timedelta(hours=26)) == (True, "fresh: the last good run began 1 d 2 h ago")
    assert verdict(site, timedelta(hours=26, seconds=1))[0] is False
    stale = "stale: the last good run began 2 d ago, more than 1 d 2 h"
    assert verdict(site, 2 * DAY) == (False, stale)


def let_the_last_success_be_long_ago(site: Site) -> None:
    out = OutputFolder(site.out)
    ending = read_ending(out)
    assert ending
    long_ago = Success("2026-01-01T02:00:00Z", "2026-01-01T02:09:00Z")
    write_ending(out, msgspec.structs.replace(ending, last_success=long_ago))


def test_a_stale_folder_ends_with_5(site: Site) -> None:
    site.run("fetch")
    let_the_last_success_be_long_ago(site)
    ended = status(site, "--max-age", "26h")
    assert (ended.code, ended.out.startswith("stale: ")) == (5, True)


def test_a_run_that_failed_after_its_fetch_does_not_count_as_fresh(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data are new, the results are not: whoever reads results has to know."""
    site.run("fetch")
    let_the_last_success_be_long_ago(site)

    def full(*_: object, **__: object) -> None:
        raise DiskError("no space is left")

    monkeypatch.setattr(OutputFolder, "renewal", full)
    assert site.run("run").code == 7
    assert "complete" in status(site).out
    ended = status(site, "--max-age", "26h")
    assert (ended.code, ended.out.startswith("stale: ")) == (5, True)


def test_a_clock_that_was_wrong_is_named(site: Site) -> None:
    site.run("fetch")
    assert verdict(site, timedelta(minutes=-4))[0] is True
    assert verdict(site, timedelta(hours=-1)) == (False, "the last good run lies in the future: a clock was wrong")


def test_a_folder_of_which_no_ending_is_remembered_is_judged_by_its_fetches(site: Site) -> None:
    site.run("fetch")
    (site.out / "store" / "last-run.json").write_text("{", encoding="utf-8")
    assert status(site, "--max-age", "26h").code == 0


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("90m", timedelta(minutes=90)),
        ("26h", timedelta(hours=26)),
        ("2d", 2 * DAY),
        ("1d12h", timedelta(hours=36)),
        ("45s", timedelta(seconds=45)),
    ],
)
def test_ages_as_people_write_them(text: str, age: timedelta) -> None:
    assert parse_age(text) == age


@pytest.mark.parametrize("text", ["", "26", "h", "26 h", "-1h", "1.5h", "26hours", "1w", "٣h"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an age"):
        parse_age(text)


def test_an_age_that_cannot_be_read_is_2(site: Site) -> None:
    site.run("fetch")
    assert status(site, "--max-age", "26").code == 2


def test_lengths_of_time_in_words() -> None:
    lengths = [0, 59, 60, 5_400, 86_400, 2 * 86_400 + 3_700]
    words = ["less than a minute", "less than a minute", "1 min", "1 h 30 min", "1 d", "2 d 1 h"]
    assert [told(timedelta(seconds=length)) for length in lengths] == words


# For programs


def test_the_same_as_data(site: Site) -> None:
    site.run("fetch")
    site.damage()
    site.run("fetch")
    ended = status(site, "--json", "--max-age", "26h")
    assert ended.code == 5
    found = json.loads(ended.out)
    assert found["health"] == {"good": False, "sentence": "incomplete: Observation.json"}
    assert (found["status"]["last"]["run"], found["status"]["last_good"]["run"]) == (2, 1)
    assert [one["stream"] for one in found["status"]["incomplete"]] == ["Observation.json"]
    assert found["status"]["ending"]["exit_code"] == 5
    by_name = {one["ledger"]["stream"]: one["last_good_at"] for one in found["status"]["streams"]}
    assert by_name["Observation.json"] is None
    assert by_name["Patient.ndjson"]
