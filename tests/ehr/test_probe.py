"""What a probe sees of a server that does what it says, and of one that lies in each way that is looked for."""

from __future__ import annotations

import httpx
import pytest
from fakehttp import transport_to
from lyingserver import READ, LyingServer

from fhir_adapter.ehr.bulk.order import ExportOrder
from fhir_adapter.ehr.capability import fetch_capability
from fhir_adapter.ehr.plan import StreamPlan, Wishes, plan
from fhir_adapter.ehr.probe.finding import Finding
from fhir_adapter.ehr.probe.offering import note_export, note_writing, probe_clock, probe_history
from fhir_adapter.ehr.probe.searching import probe_searches
from fhir_adapter.ehr.probe.trial import Trial, try_streams
from fhir_adapter.ehr.probe.writing import probe_export, probe_writes
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import AccessError, Unreachable

PAGE = 10


def lying(*lies: str, each: int = 4) -> tuple[Transport, LyingServer]:
    server = LyingServer({*lies}, each=each)
    return transport_to(server, max_tries=1)[0], server


def tried(*lies: str) -> dict[str, Trial]:
    transport, _ = lying(*lies)
    streams = plan(fetch_capability(transport), READ)
    return {trial.stream.type: trial for trial in try_streams(transport, streams, ())}


def probed(
    *lies: str, people: tuple[str, ...] = (), wishes: Wishes | None = None, each: int = 4
) -> dict[str, list[Finding]]:
    """The findings by their subject."""
    transport, server = lying(*lies, each=each)
    streams = plan(fetch_capability(transport), READ, people, wishes=wishes or Wishes())
    found: dict[str, list[Finding]] = {}
    for one in probe_searches(transport, try_streams(transport, streams, people), PAGE):
        found.setdefault(one.subject, []).append(one)
    assert server.changes == []
    return found


def verdict(subject: str, *lies: str, people: tuple[str, ...] = (), wishes: Wishes | None = None, each: int = 4) -> str:
    """The verdict on one subject, which must say what it means and, if it is bad, what to do."""
    (finding,) = probed(*lies, people=people, wishes=wishes, each=each)[subject]
    assert finding.seen
    assert finding.verdict == "OK" or finding.means
    assert finding.verdict != "FAIL" or (finding.todo and finding.exit_code in (3, 4, 5))
    return finding.verdict


def test_a_server_that_does_what_it_says_has_no_warnings() -> None:
    found = [one for some in probed().values() for one in some]
    assert {one.verdict for one in found} == {"OK"}
    assert len(found) == 5


def test_a_search_is_tried_for_every_type_and_counted() -> None:
    trials = tried()
    assert {type: trial.total for type, trial in trials.items()} == {
        **dict.fromkeys(READ, 12),
        "Patient": 3,
        "Medication": 4,
    }
    assert all(trial.answered and trial.size > 100 for trial in trials.values())


def test_a_type_that_is_not_offered_is_not_asked_for() -> None:
    assert not tried("no-AdverseEvent")["AdverseEvent"].answered


def test_a_type_that_is_listed_and_not_found_is_not_supported() -> None:
    trials = tried("lacks-AdverseEvent", "lacks-Patient")
    assert trials["AdverseEvent"].stream.how == "unsupported"
    assert "Adverse events are unknown" in trials["AdverseEvent"].stream.reason
    assert trials["Patient"].refusal == "it was refused (HTTP 404)"


def test_what_is_refused_for_everybody_is_tried_for_one_patient() -> None:
    trials = tried("needs-patient")
    assert {type for type, trial in trials.items() if trial.stream.how == "person"} == set(READ) - {
        "Patient",
        "Medication",
    }
    assert all(trial.answered for trial in trials.values())
    assert "A search over all patients is refused" in trials["Observation"].stream.reason


def test_what_is_refused_for_one_patient_too_is_said() -> None:
    trial = tried("forbids-Observation")["Observation"]
    assert (trial.answered, trial.is_forbidden, trial.refusal) == (False, True, "it is not allowed (HTTP 403)")
    trial = tried("breaks-Observation")["Observation"]
    assert (trial.answered, trial.is_forbidden, trial.refusal) == (False, False, "it was refused (HTTP 422)")


def test_a_server_without_totals_is_counted_by_summary_or_not_at_all() -> None:
    assert tried("counts-nothing")["Observation"].total == 12
    assert tried("counts-nothing", "ignores-summary")["Observation"].total is None


@pytest.mark.parametrize(
    ("lies", "expected"),
    [
        ((), "OK"),
        (("has-no-next",), "FAIL"),
        (("has-no-next", "counts-nothing"), "FAIL"),
        (("next-leads-away",), "FAIL"),
        (("next-is-first",), "FAIL"),
        (("next-is-gone",), "FAIL"),
        (("ignores-count",), "WARN"),
    ],
)
def test_paging(lies: tuple[str, ...], expected: str) -> None:
    assert verdict("paging", *lies) == expected


def test_a_server_without_next_links_can_serve_what_fits_on_one_page() -> None:
    assert verdict("paging", "has-no-next", people=("p1",)) == "WARN"


def test_paging_cannot_be_seen_with_one_resource() -> None:
    assert verdict("paging", people=("p1",), each=1) == "WARN"


def test_a_next_link_that_leads_away_is_not_followed_and_the_way_out_is_told() -> None:
    transport, server = lying("next-leads-away")
    trials = try_streams(transport, plan(fetch_capability(transport), READ), ())
    (finding,) = [one for one in probe_searches(transport, trials, PAGE) if one.verdict == "FAIL"]
    assert {one.url.host for one in server.asked} == {"ehr.example"}
    assert "aliases" in finding.todo


@pytest.mark.parametrize(
    ("lies", "expected"),
    [((), "OK"), (("drops-unknown",), "OK"), (("ignores-unknown",), "WARN"), (("empties-unknown",), "WARN")],
)
def test_strict_handling(lies: tuple[str, ...], expected: str) -> None:
    assert verdict("strict searches", *lies) == expected


def test_what_changed_is_looked_at_for_each_type() -> None:
    heeded, ignored, empty = probed("ignores-since-Observation", "since-is-empty-Condition")["what changed"]
    assert (heeded.verdict, ignored.verdict, empty.verdict) == ("OK", "WARN", "FAIL")
    assert ignored.seen.endswith(": Observation")
    assert empty.seen.endswith(": Condition")
    assert "`in_full`" in empty.todo
    assert "Condition" not in heeded.seen + ignored.seen


def test_what_changed_is_not_looked_at_where_it_will_not_be_asked() -> None:
    assert "what changed" not in probed("lists-no-since", "since-is-empty-Condition")
    found = probed("since-is-empty-Condition", wishes=Wishes(in_full=("Condition",)))["what changed"]
    assert [one.verdict for one in found] == ["OK"]


@pytest.mark.parametrize(
    ("lies", "expected"),
    [
        ((), "OK"),
        (("counts-nothing",), "OK"),
        (("counts-nothing", "ignores-summary"), "WARN"),
        (("counts-too-much-Patient",), "FAIL"),
    ],
)
def test_totals(lies: tuple[str, ...], expected: str) -> None:
    assert verdict("totals", *lies) == expected


def test_totals_that_are_not_believed_are_not_compared() -> None:
    assert verdict("totals", "counts-too-much-Patient", wishes=Wishes(totals=False)) == "OK"


@pytest.mark.parametrize("lie", ["refuses-post", "post-finds-nothing"])
def test_a_search_by_post_matters_only_to_those_who_want_it(lie: str) -> None:
    assert verdict("search by POST") == "OK"
    assert verdict("search by POST", lie) == "WARN"
    transport, _ = lying(lie)
    by_get = plan(fetch_capability(transport), ["Patient"])
    (trial,) = try_streams(transport, by_get, ())
    wanting = plan(fetch_capability(transport), ["Patient"], wishes=Wishes(by_post=True))[0]
    wanted = Trial(wanting, trial.question, trial.total)
    (finding,) = [one for one in probe_searches(transport, [wanted], PAGE) if one.subject == "search by POST"]
    assert (finding.verdict, finding.exit_code) == ("FAIL", 4)


def test_whose_records_come_is_looked_at_when_patients_are_asked_for() -> None:
    assert "whose records come" not in probed()
    assert verdict("whose records come", people=("p1", "p2")) == "OK"
    (finding,) = probed("ignores-patient", people=("p1", "p2"))["whose records come"]
    assert finding.verdict == "FAIL"
    assert "Observation" in finding.seen


def test_medicines_that_should_come_along() -> None:
    assert "_include" not in probed()
    assert verdict("_include", people=("p1",)) == "OK"
    assert verdict("_include", "includes-nothing", people=("p1",)) == "WARN"


def test_nothing_is_probed_where_nothing_answers() -> None:
    assert probed(*(f"forbids-{type}" for type in READ)) == {}


def test_a_history_says_nothing_about_a_part_of_a_type() -> None:
    """With a list of patients deletions are found by comparing, whatever history the server has."""
    transport, _ = lying()
    finding = probe_history(transport, plan(fetch_capability(transport), READ, ["p1"]))
    assert finding.verdict == "WARN"
    assert "Observation" in finding.seen
    assert "sweep_every" in finding.means


@pytest.mark.parametrize(
    ("lies", "expected"),
    [((), "OK"), (("offers-no-history",), "WARN"), (("has-no-history",), "WARN"), (("history-is-a-search",), "WARN")],
)
def test_history(lies: tuple[str, ...], expected: str) -> None:
    transport, _ = lying(*lies)
    finding = probe_history(transport, plan(fetch_capability(transport), READ))
    assert finding.verdict == expected
    assert finding.verdict == "OK" or "sweep_every" in finding.means


def test_the_clocks_are_compared() -> None:
    server = LyingServer(headers={"Date": "Sun, 22 Nov 2026 12:00:00 GMT"})
    transport, _ = transport_to(server)
    capability, noon = fetch_capability(transport), 1795348800.0
    assert probe_clock(capability, noon + 20).verdict == "OK"
    behind = probe_clock(capability, noon - 100)
    assert (behind.verdict, behind.seen) == ("WARN", "this machine's clock is 100 s behind")
    assert "no harm" in behind.means
    assert "tokens may be refused" in probe_clock(capability, noon + 400).means
    transport, _ = transport_to(LyingServer())
    assert "does not tell the time" in probe_clock(fetch_capability(transport), noon).seen


def test_what_is_said_about_export_and_writing_is_told() -> None:
    rest = {"operation": [{"name": "export"}]}
    transport, _ = transport_to(LyingServer(rest=rest))
    capability = fetch_capability(transport)
    assert note_export(capability, "").verdict == "OK"
    assert note_export(capability, "system").verdict == "OK"
    assert note_export(capability, "group").verdict == "WARN"
    assert "cannot be written" in note_writing(capability).seen
    able = {"type": "MeasureReport", "interaction": [{"code": "update"}], "updateCreate": True}
    transport, _ = transport_to(LyingServer(rest={"resource": [able]}))
    assert note_writing(fetch_capability(transport)).seen == (
        "MeasureReports are written under ids of ours, all in one transaction, as far as the server says"
    )


def test_credentials_that_are_refused_and_a_server_that_is_gone_end_it() -> None:
    transport, _ = transport_to(lambda _: httpx.Response(401))
    with pytest.raises(AccessError):
        try_streams(transport, plan_of_everything(), ())

    def gone(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("")

    transport, _ = transport_to(gone)
    with pytest.raises(Unreachable):
        try_streams(transport, plan_of_everything(), ())


def plan_of_everything() -> list[StreamPlan]:
    transport, _ = transport_to(LyingServer())
    return plan(fetch_capability(transport), READ)


# Probes that change something for a moment


class Writable:
    """Keeps Basic resources; what it refuses is named by method and kind."""

    def __init__(self, *refusals: str) -> None:
        self.refusals, self.held, self.jobs = {*refusals}, set[str](), 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/fhir").strip("/")
        kind = {"": "transaction", "Basic": "conditional" if request.url.query else "collection"}.get(path, "id")
        if f"{request.method} {kind}" in self.refusals:
            return httpx.Response(405)
        if path.endswith("$export"):
            self.jobs += 1
            place = {} if "no place" in self.refusals else {"Content-Location": "/fhir/job/1"}
            return httpx.Response(202, headers=place)
        if path == "job/1":
            self.jobs -= 1
            return httpx.Response(202)
        if request.method == "DELETE":
            self.held.discard(path)
            return httpx.Response(204)
        if request.method == "POST" and kind == "collection":
            self.held.add("Basic/server-1")
            return httpx.Response(201, headers={"Location": "https://ehr.example/fhir/Basic/server-1/_history/1"})
        if kind == "id":
            self.held.add(path)
        return httpx.Response(200, content=b"{}")


def test_a_probe_of_writing_leaves_nothing() -> None:
    server = Writable()
    transport, wire = transport_to(server)
    found = probe_writes(transport)
    assert [(one.subject, one.verdict) for one in found] == [
        ("update creates", "OK"),
        ("conditional update", "OK"),
        ("transaction", "OK"),
        ("taken away again", "OK"),
    ]
    assert server.held == set()
    assert all(b'"code":"probe"' in one.content for one in wire.requests if one.method == "PUT")


def test_a_server_that_chooses_ids_is_probed_too() -> None:
    server = Writable("PUT id", "PUT conditional", "POST transaction")
    transport, _ = transport_to(server)
    found = {one.subject: one.verdict for one in probe_writes(transport)}
    assert found == {
        "update creates": "WARN",
        "conditional update": "WARN",
        "transaction": "WARN",
        "taken away again": "OK",
    }
    assert server.held == set()


def test_what_could_not_be_taken_away_is_said() -> None:
    transport, _ = transport_to(Writable("DELETE id"))
    assert probe_writes(transport)[-1].seen == "the probe's Basic resource could not be deleted"


def test_a_server_that_takes_nothing_is_left_alone() -> None:
    transport, wire = transport_to(Writable("PUT id", "POST collection"))
    assert [one.verdict for one in probe_writes(transport)] == ["WARN", "WARN"]
    assert [one.method for one in wire.requests] == ["PUT", "POST"]


def test_a_resource_whose_creation_was_not_confirmed_is_taken_away() -> None:
    server = Writable()

    def losing_answers_to_put(request: httpx.Request) -> httpx.Response:
        answer = server(request)
        return httpx.Response(502) if request.method == "PUT" else answer

    transport, _ = transport_to(losing_answers_to_put)
    found = probe_writes(transport)
    assert (found[0].verdict, found[-1].verdict) == ("WARN", "OK")
    assert server.held == set()


ORDER = ExportOrder("patient", ("Patient",))


def test_an_export_is_ordered_and_cancelled_at_once() -> None:
    server = Writable()
    transport, wire = transport_to(server)
    assert probe_export(transport, ORDER).verdict == "OK"
    assert [one.method for one in wire.requests] == ["GET", "DELETE"]
    assert server.jobs == 0


@pytest.mark.parametrize(("refusal", "told"), [("GET id", "refused a request"), ("no place", "without an address")])
def test_an_export_that_is_not_taken_is_said(refusal: str, told: str) -> None:
    transport, _ = transport_to(Writable(refusal))
    finding = probe_export(transport, ORDER)
    assert (finding.verdict, finding.exit_code) == ("FAIL", 4)
    assert told in finding.seen
