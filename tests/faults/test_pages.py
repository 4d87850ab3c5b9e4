"""Numbers 21 to 37: results and pages that are not what a server should give."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from front import FHIR, Exchange, Json, Trick, changed, ignores, renamed_next, says, tells_the_truth, with_next
from served_hospital import Hospital
from whole_runs import resource

PATIENT = resource("Patient/SYN-12")


def outcome(severity: str, code: str, text: str = "") -> Json:
    issue = {"severity": severity, "code": code, "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def adds(*entries: Any) -> Trick:
    """The true page with entries more."""
    return changed(lambda bundle: bundle["entry"].extend(entries))


def test_21_an_operation_outcome_instead_of_results(hospital: Hospital) -> None:
    """Status 200 with a fatal OperationOutcome: incomplete, with the issue code; its text is not repeated."""
    fatal = says("200 OK", FHIR, body=outcome("fatal", "exception", "Wang Xiaoming"))
    hospital.front.on("Observation", fatal, page=2, for_ever=True)
    night = hospital.fetch()
    assert "Xiaoming" not in night.ended.told
    hospital.is_incomplete(night, "Observation", "an OperationOutcome (exception) came instead of search results")


def test_22a_a_warning_among_the_results(hospital: Hospital) -> None:
    """An OperationOutcome entry with a warning: the data are kept, the remark is told and not counted as data."""
    remark = {"resource": outcome("warning", "not-supported", "Wang Xiaoming"), "search": {"mode": "outcome"}}
    hospital.front.on("Observation", adds(remark), page=1)
    night = hospital.fetch()
    hospital.is_whole(night)
    assert night.ledger["Observation"].received == 120
    assert "the server warned in its results: not-supported" in night.ledger["Observation"].reason
    assert "Xiaoming" not in night.ended.told


def test_22b_an_error_among_the_results(hospital: Hospital) -> None:
    """An OperationOutcome entry with an error: the data are kept, and the stream is incomplete with the issue code."""
    hospital.front.on("Observation", adds({"resource": outcome("error", "timeout")}), page=1)
    night = hospital.fetch()
    assert night.ledger["Observation"].received == 120
    hospital.is_incomplete(night, "Observation", "the server reported an error in its results (timeout)")


def test_22c_pages_that_shifted(hospital: Hospital) -> None:
    """The server remarks that its pages have shifted: the window is read again from its beginning."""
    remark = {"resource": outcome("warning", "processing", "HFS: pages have shifted"), "search": {"mode": "outcome"}}
    hospital.front.on("Observation", adds(remark), page=3)
    hospital.is_whole(hospital.fetch())
    assert hospital.front.pages("Observation") == [1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("bundle", [{}, {"entry": []}, {"entry": None}, {"total": 0}])
def test_23_a_bundle_without_entries(bundle: Json, hospital: Hospital) -> None:
    """A searchset without `entry`, or with an empty one: 0 rows, complete."""
    nothing = {"resourceType": "Bundle", "type": "searchset", **bundle}
    hospital.front.on("AdverseEvent", says("200 OK", FHIR, body=nothing))
    night = hospital.fetch()
    assert night.ended.code == 0, night.ended.told
    ledger = night.ledger["AdverseEvent"]
    assert (ledger.received, ledger.complete) == (0, True)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"fullUrl": "https://ehr.example/Observation/1"}, "no-resource"),
        ({"resource": {"resourceType": "Observation", "status": "final"}}, "no-id"),
        (None, "not-a-json-object"),
        ({"resource": None}, "no-resource"),
        ({"resource": ["Wang Xiaoming"]}, "not-a-json-object"),
        ("Wang Xiaoming", "not-a-json-object"),
    ],
)
def test_24_an_entry_that_holds_no_resource(entry: Any, reason: str, hospital: Hospital) -> None:
    """An entry without resource, a resource without id, a null entry: quarantined with the reason and counted."""
    hospital.front.on("Observation", adds(entry), page=2)
    night = hospital.fetch()
    hospital.is_whole(night)
    ledger = night.ledger["Observation"]
    assert (ledger.received, ledger.stored, ledger.quarantined) == (121, 120, 1)
    assert night.reasons == [reason]
    assert "Xiaoming" not in night.ended.told


def test_25_one_bad_resource_among_fifty(hospital: Hospital) -> None:
    """One bad resource in a Bundle of 50: 49 are stored, one is quarantined."""

    def spoilt(bundle: Json) -> None:
        bundle["entry"][7]["resource"]["status"] = ["Wang Xiaoming"]

    hospital.front.on("Observation", changed(spoilt), page=2)
    night = hospital.fetch(page_size=50)
    assert night.ended.code == 0, night.ended.told
    ledger = night.ledger["Observation"]
    assert (ledger.received, ledger.stored, ledger.quarantined) == (120, 119, 1)
    assert "Xiaoming" not in night.ended.told


def test_26_a_next_link_to_itself(hospital: Hospital) -> None:
    """A next link to the page itself: incomplete at the second visit."""
    itself = with_next(lambda exchange: f"{exchange.front.origin}{exchange.asked.request.target}")
    hospital.front.on("Observation", itself, page=2, for_ever=True)
    night = hospital.fetch()
    assert hospital.front.pages("Observation") in ([1, 2], [1, 2, 2])
    hospital.is_incomplete(night, "Observation", "the server's pages go round in a circle")


def test_27a_next_links_in_a_circle(hospital: Hospital) -> None:
    """Next links from A to B to A: incomplete."""
    seen: dict[int, str] = {}

    def remembers(exchange: Exchange) -> None:
        seen[exchange.asked.page] = f"{exchange.front.origin}{exchange.asked.request.target}"
        tells_the_truth(exchange)

    hospital.front.on("Observation", remembers, page=2)
    hospital.front.on("Observation", with_next(lambda _: seen[2]), page=3, for_ever=True)
    night = hospital.fetch()
    assert hospital.front.pages("Observation") in ([1, 2, 3], [1, 2, 3, 2])
    hospital.is_incomplete(night, "Observation", "the server's pages go round in a circle")


@pytest.mark.parametrize("seed", range(5))
def test_27b_next_links_at_random(seed: int, hospital: Hospital) -> None:
    """Next links that lead to any page at random: the run ends, whole or incomplete, never with less in silence."""
    chance = random.Random(seed)
    targets: dict[int, str] = {}

    def leads_anywhere(exchange: Exchange) -> None:
        targets[exchange.asked.page] = f"{exchange.front.origin}{exchange.asked.request.target}"
        if chance.random() < 0.5:
            with_next(lambda _: chance.choice(list(targets.values())))(exchange)
        else:
            tells_the_truth(exchange)

    hospital.front.on("Observation", leads_anywhere, for_ever=True)
    night = hospital.fetch()
    if night.ended.code == 0:
        hospital.is_whole(night)
    else:
        hospital.is_incomplete(night, "Observation", "")


def test_28_fresh_next_links_without_end(hospital: Hospital) -> None:
    """Fresh next links without data and without end: incomplete at `max_pages`."""

    def goes_on(exchange: Exchange) -> None:
        link = {"relation": "next", "url": f"{exchange.front.base_url}?more={len(hospital.front.asked)}"}
        says("200 OK", FHIR, body={"resourceType": "Bundle", "type": "searchset", "link": [link]})(exchange)

    hospital.front.on("Observation", goes_on, for_ever=True)
    night = hospital.fetch(max_pages=60)
    assert len(hospital.front.pages("Observation")) <= 61
    hospital.is_incomplete(night, "Observation", "the server still had pages after 60")


@pytest.mark.parametrize(
    "link", [lambda query: f"?{query}", lambda query: f"/fhir?{query}", lambda query: f"../fhir/Observation?{query}"]
)
def test_32_a_relative_next_link(link: Callable[[str], str], hospital: Hospital) -> None:
    """A next link `?page=2` or `/fhir?page=2`: followed."""
    hospital.front.on("Observation", renamed_next(link), page=1)
    hospital.is_whole(hospital.fetch())
    assert hospital.front.pages("Observation") == list(range(1, 9))


@pytest.mark.parametrize("status", ["410 Gone", "404 Not Found"])
def test_33a_results_that_expired(status: str, hospital: Hospital) -> None:
    """The next link answers 410 (or 404) on page 7: the window is read again once, nothing is lost or doubled."""
    hospital.front.on("Observation", says(status, FHIR, body=outcome("error", "expired")), page=7)
    night = hospital.fetch()
    hospital.is_whole(night)
    assert hospital.front.pages("Observation") == [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 8]
    ledger = night.ledger["Observation"]
    assert (ledger.received, ledger.stored, ledger.duplicate) == (90 + 120, 120, 90)


def test_33b_results_that_always_expire(hospital: Hospital) -> None:
    """The next link answers 410 on page 7 every time: incomplete after two more attempts."""
    hospital.front.on("Observation", says("410 Gone", FHIR), page=7, for_ever=True)
    night = hospital.fetch()
    assert hospital.front.pages("Observation").count(7) == 3
    hospital.is_incomplete(night, "Observation", "the server forgot its search results")


def test_34_the_same_patient_on_two_pages(hospital: Hospital) -> None:
    """The same Patient on pages 1 and 2: stored once."""
    first: list[Any] = []
    hospital.front.on("Patient", changed(lambda bundle: first.extend(bundle["entry"])), page=1)
    hospital.front.on("Patient", changed(lambda bundle: bundle["entry"].extend(first)), page=2)
    hospital.front.on("Observation", tells_the_truth)
    night = hospital.fetch(page_size=1, concurrency=8)
    hospital.is_whole(night)
    ledger = night.ledger["Patient"]
    assert (ledger.received, ledger.stored, ledger.duplicate) == (3, 2, 1)


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_35_another_order_on_every_page(seed: int, total: bool, hospital: Hospital) -> None:
    """The server shuffles its order for each page, and says or does not say how many there are: every id arrives or the
    stream is incomplete, never a silent loss.
    """
    chance = random.Random(seed)
    everything: list[Any] = []

    def from_another_order(exchange: Exchange) -> None:
        if not everything:
            everything.extend(all_observations(exchange))
        chance.shuffle(everything)
        start = (exchange.asked.page - 1) * 15

        def reordered(bundle: Json) -> None:
            bundle["entry"] = everything[start : start + 15]
            if not total:
                bundle.pop("total")

        changed(reordered)(exchange)

    # One or two windows in disorder, then a server that stands still.
    hospital.front.on("Observation", *[from_another_order] * (8 + 2 * seed))
    night = hospital.fetch()
    assert len(hospital.front.pages("Observation")) > 8
    if night.ended.code == 0:
        hospital.is_whole(night)
    else:
        hospital.is_incomplete(night, "Observation", "more than it gave")


def all_observations(exchange: Exchange) -> list[Any]:
    whole = replace(exchange.asked.request, target="/fhir/Observation?_count=500")
    return list(json.loads(exchange.front.ask(whole)[2])["entry"])


def test_36_a_server_that_ignores_the_patient_asked_for(hospital: Hospital, tmp_path: Path) -> None:
    """The server ignores `patient=`: incomplete, "returned other patients"."""
    (tmp_path / "patients.txt").write_text("nobody-else\n", encoding="utf-8")
    hospital.front.on("Procedure", ignores("patient", "subject"), for_ever=True)
    night = hospital.asks("fetch", patients=tmp_path / "patients.txt")
    assert night.ended.code == 5, night.ended.told
    assert "returned other patients" in night.ledger["Procedure"].reason
    assert not any(key.startswith("Procedure/") for key in night.held)


def test_37_a_server_that_ignores_since_when(hospital: Hospital) -> None:
    """The server ignores `_lastUpdated`: nothing is lost or doubled, and the stream says that it was ignored."""
    hospital.is_whole(hospital.fetch())
    hospital.front.on("Observation", ignores("_lastUpdated"), for_ever=True)
    night = hospital.fetch()
    hospital.is_whole(night)
    assert night.ledger["Observation"].stored == 0
    assert "_lastUpdated" in night.ledger["Observation"].reason
