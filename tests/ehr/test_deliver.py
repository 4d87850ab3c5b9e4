"""Writing documents to servers of several characters, once and only once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakefhir import FakeFhir, Resource, respond
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.ehr.capability import Capability, TypeCapability
from fhir_adapter.ehr.deliver import Delivery, deliver
from fhir_adapter.ehr.document import Document, key_of, meaning, spelled
from fhir_adapter.errors import AccessError, DeliveryError, NotReadyError, ServerRefused, UsageError

SYSTEM = "https://study.example/report-id"


def measure() -> Resource:
    return {"resourceType": "Measure", "id": "m-pfs", "url": "https://study.example/Measure/pfs", "status": "active"}


def report(id: str, score: object = Decimal("0.545")) -> Resource:
    return {
        "resourceType": "MeasureReport",
        "id": id,
        "identifier": [{"system": SYSTEM, "value": f"study.{id}"}],
        "text": {"status": "generated", "div": "<div>told</div>"},
        "meta": {"tag": [{"code": "run-1"}]},
        "group": [{"measureScore": {"value": score}, "population": [{"count": 12}]}],
    }


DOCUMENTS = [measure(), report("r-pfs"), report("r-os")]


class Clock:
    """A Provenance says when it was written, so no two are alike."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, changed: Sequence[Document]) -> Document:
        self.asked.append([key_of(document) for document in changed])
        return {
            "resourceType": "Provenance",
            "recorded": f"2026-11-01T00:00:{len(self.asked):02d}Z",
            "target": [{"reference": key_of(document)} for document in changed],
        }


def run(
    server: FakeFhir, documents: Sequence[Document] = DOCUMENTS, clock: Clock | None = None, journal: Path | None = None
) -> Delivery:
    transport, _ = server.connect()
    return deliver(transport, server.capability, documents, clock or Clock(), journal=journal)


def current(server: FakeFhir, key: str) -> Resource:
    return server.history[key][-1]


SERVERS: dict[str, Callable[[], FakeFhir]] = {
    "transactions": FakeFhir,
    "one by one": lambda: FakeFhir(transactions=False),
    "claims transactions": lambda: FakeFhir(transactions=False, claims_transactions=True),
    "server ids": lambda: FakeFhir(update_create=False),
    "server ids, unconditional": lambda: FakeFhir(update_create=False, conditional=False),
    "server ids, one by one": lambda: FakeFhir(update_create=False, transactions=False),
    "server ids, one by one, unconditional": lambda: FakeFhir(
        update_create=False, transactions=False, conditional=False
    ),
}


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> FakeFhir:
    """Each character of server in turn, empty."""
    return SERVERS[request.param]()


def test_everything_arrives_with_one_provenance_and_is_read_back(server: FakeFhir) -> None:
    clock = Clock()
    delivery = run(server, clock=clock)
    assert delivery.sent == ["Measure/m-pfs", "MeasureReport/r-pfs", "MeasureReport/r-os"]
    assert delivery.unchanged == []
    assert delivery.versions == dict.fromkeys(delivery.sent, "1")
    assert (server.count("Measure"), server.count("MeasureReport"), server.count("Provenance")) == (1, 2, 1)
    assert clock.asked == [delivery.sent]


def test_a_second_delivery_sends_nothing_and_writes_no_provenance(server: FakeFhir) -> None:
    run(server)
    transport, wire = server.connect()
    clock = Clock()
    again = deliver(transport, server.capability, DOCUMENTS, clock)
    assert again.sent == again.provenance == []
    assert again.unchanged == [key_of(document) for document in DOCUMENTS]
    assert {request.method for request in wire.requests} == {"GET"}
    assert (server.versions("MeasureReport"), server.versions("Provenance"), clock.asked) == (2, 1, [])


def test_one_changed_document_makes_one_new_version_and_one_provenance_about_it(server: FakeFhir) -> None:
    first = run(server)
    clock = Clock()
    clock.asked.append([])
    delivery = run(server, [measure(), report("r-pfs", Decimal("0.583")), report("r-os")], clock)
    assert delivery.sent == ["MeasureReport/r-pfs"]
    assert delivery.versions == {"Measure/m-pfs": "1", "MeasureReport/r-pfs": "2", "MeasureReport/r-os": "1"}
    assert (server.versions("Measure"), server.versions("MeasureReport"), server.count("Provenance")) == (1, 3, 2)
    place = first.places.get("MeasureReport/r-pfs", "MeasureReport/r-pfs")
    newest = [versions[-1] for key, versions in server.history.items() if key.startswith("Provenance/")][-1]
    assert newest["target"] == [{"reference": place}]


def test_an_answer_that_was_lost_after_the_commit_leads_to_a_look_and_not_to_a_second_write(server: FakeFhir) -> None:
    def lose(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    server.after[:] = [lose]
    run(server)
    assert (server.versions("Measure"), server.versions("MeasureReport"), server.versions("Provenance")) == (1, 2, 1)


def test_a_write_that_was_lost_before_the_commit_is_repeated(server: FakeFhir) -> None:
    writes = 0

    def lose(request: httpx.Request) -> httpx.Response | None:
        nonlocal writes
        writes += request.method != "GET"
        if request.method != "GET" and writes == 1:
            raise httpx.ReadError("", request=request)
        return None

    server.before[:] = [lose] * 50
    run(server)
    assert (server.versions("Measure"), server.versions("MeasureReport"), server.versions("Provenance")) == (1, 2, 1)


@pytest.mark.parametrize("status", [409, 412])
def test_a_conflict_leads_to_another_look_and_another_try(server: FakeFhir, status: int) -> None:
    conflicts = 0

    def conflict(request: httpx.Request) -> httpx.Response | None:
        nonlocal conflicts
        if request.method != "GET" and not conflicts:
            conflicts += 1
            return respond(status)
        return None

    server.before[:] = [conflict] * 50
    run(server)
    assert conflicts == 1
    assert (server.versions("MeasureReport"), server.versions("Provenance")) == (2, 1)


def test_a_document_somebody_else_changed_meanwhile_is_looked_at_again_and_not_overwritten_blindly() -> None:
    server = FakeFhir()
    run(server)
    key = "MeasureReport/r-pfs"

    def meddle(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            server._store(key, {**current(server, key), "status": "pending"})
            server.before.clear()
        return None

    server.before[:] = [meddle] * 50
    delivery = run(server, [measure(), report("r-pfs", 0.6), report("r-os")])
    assert [version.get("status") for version in server.history[key]] == [None, "pending", None]
    assert (delivery.versions[key], server.versions("Provenance")) == ("3", 2)


def test_conflicts_without_end_end_with_exit_code_5() -> None:
    server = FakeFhir()
    server.before[:] = [lambda request: respond(412) if request.method == "POST" else None] * 500
    with pytest.raises(DeliveryError, match="1 Measure, 2 MeasureReport, 1 Provenance could not be written") as caught:
        run(server)
    assert caught.value.exit_code == 5
    assert server.history == {}


def drop_last(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    body = json.loads(answer.content)
    return respond(200, {**body, "entry": body["entry"][:-1]})


def test_an_answer_with_fewer_entries_is_settled_by_looking() -> None:
    server = FakeFhir()
    server.after[:] = [drop_last]
    run(server)
    assert (server.versions("Measure"), server.versions("MeasureReport"), server.versions("Provenance")) == (1, 2, 1)


def test_entries_the_server_dropped_are_sent_again() -> None:
    server = FakeFhir()

    def drop(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        del server.history["MeasureReport/r-os"]
        return drop_last(request, answer)

    server.after[:] = [drop]
    transport, wire = server.connect()
    deliver(transport, server.capability, DOCUMENTS, Clock())
    posts = [json.loads(request.content) for request in wire.requests if request.method == "POST"]
    assert [[entry["request"]["url"] for entry in post["entry"]] for post in posts][1] == ["MeasureReport/r-os"]
    assert (server.versions("MeasureReport"), server.versions("Provenance")) == (2, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html/>",
        b"[]",
        b'{"resourceType":"Bundle","type":"searchset"}',
        b'{"resourceType":"Bundle","type":"transaction-response","entry":[{},{},{},{}]}',
    ],
)
def test_a_strange_answer_to_a_transaction_is_settled_by_looking(answer: bytes) -> None:
    server = FakeFhir()
    server.after[:] = [lambda request, real: httpx.Response(200, content=answer)]
    assert len(run(server).sent) == 3
    assert server.versions("MeasureReport") == 2


def test_entries_in_another_order_are_noticed() -> None:
    server = FakeFhir()

    def shuffle(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        body = json.loads(answer.content)
        return respond(200, {**body, "entry": body["entry"][::-1]})

    server.after[:] = [shuffle]
    run(server)
    assert server.versions("MeasureReport") == 2


def test_a_server_that_keeps_something_else_than_was_sent_is_not_believed(server: FakeFhir) -> None:
    drops = FakeFhir(
        server.update_create,
        server.conditional,
        server.transactions,
        on_store=lambda resource: {k: v for k, v in resource.items() if k != "group"},
    )
    with pytest.raises(DeliveryError, match="acknowledged 2 MeasureReport, but holds something else") as caught:
        run(drops)
    assert caught.value.exit_code == 5
    assert drops.versions("MeasureReport") == 2


def test_a_server_that_reads_from_an_old_copy_is_given_time() -> None:
    server = FakeFhir()
    run(server)
    server.stale_reads = 0
    changed = [measure(), report("r-pfs", 0.6), report("r-os")]

    def stale(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        server.stale_reads = 2
        return answer

    server.after[:] = [stale]
    assert run(server, changed).versions["MeasureReport/r-pfs"] == "2"
    assert server.versions("MeasureReport") == 3


def test_existing_documents_are_written_with_the_version_that_was_seen() -> None:
    server = FakeFhir()
    run(server)
    transport, wire = server.connect()
    deliver(transport, server.capability, [report("r-pfs", 0.6), report("r-new")], Clock())
    (post,) = [json.loads(request.content) for request in wire.requests if request.method == "POST"]
    matches = {entry["request"]["url"]: entry["request"].get("ifMatch") for entry in post["entry"]}
    assert matches.pop("MeasureReport/r-pfs") == 'W/"1"'
    assert set(matches.values()) == {None}
    assert all(entry["fullUrl"].endswith(entry["request"]["url"]) for entry in post["entry"])


def test_looks_ask_for_what_is_there_now_and_not_for_a_cached_copy() -> None:
    server = FakeFhir()
    transport, wire = server.connect()
    deliver(transport, server.capability, DOCUMENTS, Clock())
    reads = [request for request in wire.requests if request.method == "GET"]
    assert {request.headers["cache-control"] for request in reads} == {"no-cache"}


def test_narrative_meta_order_and_the_spelling_of_numbers_are_not_a_change() -> None:
    server = FakeFhir()
    run(server)
    told = report("r-pfs", Decimal("0.5450"))
    again = {key: told[key] for key in reversed(list(told))} | {"meta": {"tag": [{"code": "run-2"}]}, "text": {}}
    assert run(server, [again]).unchanged == ["MeasureReport/r-pfs"]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_a_number_means_the_same_however_it_is_written(number: Decimal) -> None:
    spellings = [f"{number:f}", f"{number:f}000", f"{number:e}", f"{number:E}"]
    meanings = [meaning(b'{"value":%s}' % spelling.encode()) for spelling in spellings]
    assert all(each == meanings[0] for each in meanings)
    assert meanings[0] == meaning(spelled({"value": number}))


def test_true_is_not_one_and_text_is_not_a_number() -> None:
    assert meaning(b'{"a":true}') != meaning(b'{"a":1}')
    assert meaning(b'{"a":"1"}') != meaning(b'{"a":1}')
    assert meaning(b'{"a":1.0}') == meaning(b'{"a":1}')


def test_decimals_are_sent_with_the_digits_they_have() -> None:
    assert b'"value":0.5450}' in spelled(report("r", Decimal("0.5450")))


def test_two_copies_under_one_identifier_are_reported_and_none_is_picked() -> None:
    server = FakeFhir(update_create=False)
    for id in ("1", "2"):
        server._store(f"MeasureReport/{id}", report("r-pfs"))
    with pytest.raises(DeliveryError, match="2 copies"):
        run(server)
    assert server.versions("MeasureReport") == 2


def test_a_server_that_ignores_the_search_by_identifier_is_not_written_to() -> None:
    server = FakeFhir(update_create=False)
    server._store("MeasureReport/1", report("somebody-elses"))
    everything = server._search("MeasureReport", "")

    def ignore(request: httpx.Request) -> httpx.Response | None:
        return everything if "identifier" in str(request.url) else None

    server.before[:] = [ignore] * 50
    with pytest.raises(DeliveryError, match="does not search MeasureReport by identifier"):
        run(server, [report("r-pfs")])
    assert server.versions("MeasureReport") == 1


def test_documents_that_point_to_each_other_still_do_where_the_server_chooses_ids() -> None:
    for transactions in (True, False):
        server = FakeFhir(update_create=False, transactions=transactions)
        pointing = {**report("r-all"), "evaluatedResource": [{"reference": "Measure/m-pfs"}]}
        delivery = run(server, [measure(), pointing])
        assert current(server, delivery.places["MeasureReport/r-all"])["evaluatedResource"] == [
            {"reference": delivery.places["Measure/m-pfs"]}
        ]
        assert run(server, [measure(), pointing]).sent == []


@pytest.mark.parametrize("status", [400, 413])
def test_a_server_that_takes_no_transaction_as_big_as_ours_gets_one_document_after_the_other(status: int) -> None:
    """As Medplum does with conditional updates (400), and others with anything big (413)."""
    server = FakeFhir(update_create=False)
    server.before[:] = [lambda request: respond(status) if is_transaction(request) else None] * 50
    delivery = run(server)
    assert (len(delivery.sent), server.count("MeasureReport"), server.count("Provenance")) == (3, 2, 1)
    assert run(server).sent == []


def is_transaction(request: httpx.Request) -> bool:
    return request.method == "POST" and str(request.url).rstrip("/").endswith("/fhir")


@pytest.mark.parametrize("status", [400, 413])
def test_a_document_that_is_refused_alone_too_is_named_alone(status: int) -> None:
    server = FakeFhir()
    server.before[:] = [lambda request: None if request.method == "GET" else respond(status)] * 50
    with pytest.raises(ServerRefused, match=rf"refused 1 Measure .HTTP {status}"):
        run(server)


def test_a_refusal_is_reported_with_its_kind_and_nothing_is_repeated() -> None:
    server = FakeFhir()
    refusals: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET":
            return None
        refusals.append(request.method)
        body = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invariant"}]}
        return respond(422, body)

    server.before[:] = [refuse] * 50
    with pytest.raises(ServerRefused, match=r"2 MeasureReport, 1 Provenance .HTTP 422, invariant") as caught:
        run(server)
    assert (caught.value.status, caught.value.exit_code, len(refusals)) == (422, 4, 1)


def test_refused_credentials_and_a_server_that_is_down_keep_their_exit_codes() -> None:
    server = FakeFhir()
    server.before[:] = [lambda request: respond(401)] * 9
    with pytest.raises(AccessError):
        run(server)
    server.before[:] = [lambda request: httpx.Response(503, headers={"Retry-After": "9999"})] * 9
    with pytest.raises(NotReadyError):
        run(server)


def test_what_cannot_be_stored_is_said_before_anything_is_sent() -> None:
    server = FakeFhir()
    transport, wire = server.connect()
    nothing = Capability("4.0.1", "Fake", {"Measure": TypeCapability(read=True, search=True)}, True)
    with pytest.raises(UsageError, match="does not store Measure"):
        deliver(transport, nothing, DOCUMENTS, Clock())
    chooses = FakeFhir(update_create=False).capability
    unnamed = {"resourceType": "MeasureReport", "id": "x"}
    with pytest.raises(UsageError, match="no identifier or url"):
        deliver(transport, chooses, [*DOCUMENTS, unnamed], Clock())
    assert wire.requests == []


def test_a_server_without_provenance_gets_the_documents_and_a_note() -> None:
    server = FakeFhir(stores_provenance=False)
    delivery = run(server)
    assert (len(delivery.sent), delivery.provenance, len(delivery.notes)) == (3, [], 1)
    assert "Provenance" in delivery.notes[0]


def test_a_provenance_with_an_id_of_its_own_keeps_it() -> None:
    server = FakeFhir()
    transport, _ = server.connect()
    delivery = deliver(transport, server.capability, DOCUMENTS, lambda changed: {**Clock()(changed), "id": "prov-7"})
    assert delivery.provenance == ["Provenance/prov-7"]
    assert server.count("Provenance") == 1


def test_what_changed_since_a_killed_run_gets_a_provenance_of_its_own(tmp_path: Path) -> None:
    server = FakeFhir(transactions=False)
    journal = tmp_path / "delivery.json"

    def kill(request: httpx.Request) -> httpx.Response | None:
        if request.method != "GET" and server.count("MeasureReport"):
            raise Killed
        return None

    server.before[:] = [kill] * 50
    with pytest.raises(Killed):
        run(server, journal=journal)
    server.before.clear()
    clock = Clock()
    clock.asked.append([])
    run(server, [measure(), report("r-pfs"), report("r-os", 0.7)], clock, journal)
    assert clock.asked[1:] == [["MeasureReport/r-os"]]
    assert server.count("Provenance") == 2


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("update_create", [True, False])
@pytest.mark.parametrize("survived", range(5))
def test_killed_between_two_writes_the_next_run_writes_the_rest_and_one_provenance(
    tmp_path: Path, survived: int, update_create: bool
) -> None:
    server = FakeFhir(transactions=False, update_create=update_create)
    journal = tmp_path / "delivery.json"
    writes = 0

    def kill(request: httpx.Request) -> httpx.Response | None:
        nonlocal writes
        writes += request.method != "GET"
        if writes > survived:
            raise Killed
        return None

    server.before[:] = [kill] * 100
    try:
        run(server, journal=journal)
    except Killed:
        pass
    else:
        assert survived == 4, "every write was allowed"
    server.before.clear()
    run(server, journal=journal)
    run(server, journal=journal)
    assert (server.versions("Measure"), server.versions("MeasureReport")) == (1, 2)
    assert not journal.exists()
    assert server.count("Provenance") == server.versions("Provenance") == 1


def test_a_journal_that_was_damaged_is_not_believed(tmp_path: Path) -> None:
    journal = tmp_path / "delivery.json"
    for content in (
        b"",
        b"{",
        b"[1, 2]",
        b'{"a": 1}',
        b'[{"server": "https://ehr.example/fhir", "provenance": {}, "documents": {}}]',
    ):
        journal.write_bytes(content)
        server: Any = FakeFhir(transactions=False)
        assert len(run(server, journal=journal).provenance) == 1


def test_what_is_owed_to_another_server_is_neither_sent_here_nor_forgotten(tmp_path: Path) -> None:
    journal = tmp_path / "delivery.json"
    owed = {"resourceType": "Provenance", "id": "p-1", "target": [{"reference": "Measure/m-pfs"}]}
    elsewhere = [{"server": "https://other.example/fhir", "provenance": owed, "documents": {}}]
    journal.write_text(json.dumps(elsewhere))
    server = FakeFhir(transactions=False)
    run(server, journal=journal)
    assert "Provenance/p-1" not in server.history
    assert json.loads(journal.read_text()) == elsewhere


def test_the_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    journal = tmp_path / "delivery.json"
    server = FakeFhir(transactions=False)
    modes: list[int] = []

    def look(request: httpx.Request) -> httpx.Response | None:
        if request.method != "GET":
            modes.append(journal.stat().st_mode & 0o777)
        return None

    server.before[:] = [look] * 50
    run(server, journal=journal)
    assert set(modes) == {0o600}
