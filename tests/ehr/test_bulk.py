"""A bulk export that goes well, and everything that is asked of a server on the way."""

from __future__ import annotations

import gzip
import json
import socket
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from exports import PATIENTS_AND_OBSERVATIONS, Night, read, read_deletions
from exportserver import TRANSACTION_TIME, ExportServer, deletion, ndjson, outcome, refuses, resource, running
from faultserver import answer

from fhir_adapter.ehr.bulk import ExportOrder
from fhir_adapter.ehr.bulk.job import recall_job
from fhir_adapter.errors import AccessError, NotReadyError, ServerRefused


def test_every_resource_comes_once_and_the_last_page_says_from_when_to_go_on(night: Night) -> None:
    export = night.export()
    assert export.transaction_time == TRANSACTION_TIME
    assert dict(export.announced) == {"Patient": 2, "Observation": 3}
    assert (export.missing, export.problems) == ((), ())
    patients = read(export, "Patient")
    assert (patients.ids, patients.incomplete) == (["p1", "p2"], None)
    assert [page.cursor for page in patients.pages] == [("", TRANSACTION_TIME)]
    assert [page.announced for page in patients.pages] == [2]
    assert read_deletions(export).pages[0].received == 0


def test_long_files_come_in_pages_and_only_the_last_has_the_cursor(server: ExportServer, night: Night) -> None:
    server.files = {
        "Patient.1": ndjson([resource("Patient", "p1")]),
        "Observation.1": ndjson(resource("Observation", f"a{n}") for n in range(1_500)),
        "Observation.2": ndjson(resource("Observation", f"b{n}") for n in range(700)),
    }
    observations = read(night.export(), "Observation")
    assert [page.received for page in observations.pages] == [1_000, 1_000, 200]
    assert [page.number for page in observations.pages] == [1, 2, 3]
    assert [page.cursor for page in observations.pages] == [None, None, ("", TRANSACTION_TIME)]
    assert {page.announced for page in observations.pages} == {2_200}


def test_the_order_names_types_instant_and_filters(server: ExportServer, night: Night) -> None:
    night.export(
        ExportOrder(
            "group",
            ("Patient", "Observation"),
            group="g/1",
            since="2026-11-21T00:00:00+01:00",
            type_filters=("Observation?code=a,b&status=final",),
        )
    )
    (asked,) = server.kickoffs
    parts = urlsplit(asked.target)
    assert (asked.method, parts.path) == ("GET", "/fhir/Group/g%2F1/$export")
    assert parse_qs(parts.query) == {
        "_type": ["Patient,Observation"],
        "_since": ["2026-11-21T00:00:00+01:00"],
        "_typeFilter": ["Observation?code=a,b&status=final"],
    }
    assert asked.headers["prefer"] == "respond-async"
    assert asked.headers["accept"] == "application/fhir+json"


@pytest.mark.parametrize(("level", "path"), [("system", "/fhir/$export"), ("patient", "/fhir/Patient/$export")])
def test_each_level_has_its_address(level: str, path: str, server: ExportServer, night: Night) -> None:
    night.export(ExportOrder(level, ("Patient", "Observation")))  # type: ignore[arg-type]
    assert urlsplit(server.kickoffs[0].target).path == path


@pytest.mark.parametrize("status", ["400 Bad", "404 Not Found", "405 Not Allowed"])
def test_a_server_that_takes_no_get_is_sent_parameters(status: str, server: ExportServer, night: Night) -> None:
    server.instead["kickoff"] = [refuses(status, outcome("error", "not-supported"))]
    night.export(ExportOrder("system", ("Patient", "Observation"), since="2026-01-01T00:00:00Z"))
    get, post = server.kickoffs
    assert (get.method, post.method) == ("GET", "POST")
    assert post.headers["prefer"] == "respond-async"
    sent = json.loads(post.body)
    assert sent["resourceType"] == "Parameters"
    assert [tuple(one.values()) for one in sent["parameter"]] == [
        ("_outputFormat", "application/fhir+ndjson"),
        ("_type", "Patient"),
        ("_type", "Observation"),
        ("_since", "2026-01-01T00:00:00Z"),
    ]
    assert "valueInstant" in sent["parameter"][-1]


def test_a_server_that_refuses_part_of_an_order_is_asked_to_leave_it_out(server: ExportServer, night: Night) -> None:
    """Some refuse the whole order for one type that they do not export; then that type is missing, and noticed."""
    del server.files["Observation.1"]
    server.instead["kickoff"] = [refuses("400 Bad"), refuses("400 Bad")]
    assert night.export().missing == ("Observation",)
    assert server.kickoffs[-1].headers["prefer"] == "respond-async, handling=lenient"


def test_types_that_a_server_says_it_does_not_export_are_left_out(server: ExportServer, night: Night) -> None:
    """As a bulk server in the field does: it refuses the order, and names the first type that it does not have."""
    types = ("Patient", "MedicationAdministration", "Observation", "AdverseEvent", "Medication")
    said = 'The requested resource type "{}" is not available on this server'
    named = [outcome("error", "processing", said.format(type)) for type in ("MedicationAdministration", "AdverseEvent")]
    server.instead["kickoff"] = [refuses("400 Bad", one) for one in named]
    export = night.export(ExportOrder("patient", types))
    assert export.refused == ("MedicationAdministration", "AdverseEvent")
    assert export.missing == ("MedicationAdministration", "AdverseEvent", "Medication")
    asked = [parse_qs(urlsplit(one.target).query)["_type"] for one in server.kickoffs]
    assert asked[-1] == ["Patient,Observation,Medication"]
    assert read(export, "Observation").incomplete is None


def test_what_a_server_does_not_export_is_remembered_with_the_export(server: ExportServer, night: Night) -> None:
    order = ExportOrder("patient", ("Patient", "Observation", "AdverseEvent"))
    server.instead["kickoff"] = [refuses("400 Bad", outcome("error", "processing", "no AdverseEvent here"))]
    server.polls = 9
    night.error(order=order, max_wait_s=1)
    server.alive["/fhir/jobs/1"] = 0
    assert night.export(order).refused == ("AdverseEvent",)


def test_a_server_that_does_not_understand_types_is_asked_for_all(server: ExportServer, night: Night) -> None:
    server.files["Device.1"] = ndjson([resource("Device", "d")])
    server.instead["kickoff"] = [refuses("400 Bad")] * 3
    export = night.export()
    assert "_type" not in server.kickoffs[-1].target
    assert dict(export.announced) == {"Patient": 2, "Observation": 3}
    assert server.downloads("Device") == []


def test_a_server_that_takes_no_order_says_why(server: ExportServer, night: Night) -> None:
    server.instead["kickoff"] = [refuses("400 Bad", outcome("error", "not-supported", "MARIA MUSTER"))] * 4
    refused = night.error()
    assert isinstance(refused, ServerRefused)
    assert (refused.status, refused.issues) == (400, ("not-supported",))
    assert "MARIA" not in refused.message
    assert night.memory == {}


def test_who_may_not_export_is_told_so_at_once(server: ExportServer, night: Night) -> None:
    server.instead["kickoff"] = [refuses("403 Forbidden")]
    assert isinstance(night.error(), AccessError)
    assert len(server.kickoffs) == 1


def test_a_server_that_runs_another_export_is_waited_for(server: ExportServer, night: Night) -> None:
    busy = refuses("429 Too Many", outcome("error", "throttled"), headers=["Retry-After: 7200"])
    server.instead["kickoff"] = [busy, busy]
    night.export()
    assert night.slept[:2] == [7200, 7200]
    assert len(server.kickoffs) == 3


def test_a_server_that_is_always_busy_with_another_export_ends_the_wait(server: ExportServer, night: Night) -> None:
    server.instead["kickoff"] = [refuses("429 Too Many", headers=["Retry-After: 7200"])] * 20
    busy = night.error(max_wait_s=10_000)
    assert isinstance(busy, NotReadyError)
    assert sum(night.slept) == 10_000


def test_an_address_relative_to_the_order_is_understood(server: ExportServer, night: Night) -> None:
    server.alive["/fhir/jobs/7"] = 0
    server.instead["kickoff"] = [answer(b"", "Content-Location: jobs/7", status="202 Accepted")]
    assert read(night.export(), "Patient").ids == ["p1", "p2"]


# Waiting


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("Retry-After: 120", 120),
        ("Retry-After: 18000", 300),
        ("Retry-After: 0", 1),
        ("Retry-After: -3", 1),
        ("Retry-After: soon", 1),
        ("Retry-After: Sun, 22 Nov 2026 02:00:45 GMT", 45),
        ("Retry-After: Sun, 22 Nov 2026 01:00:00 GMT", 1),
        ("Retry-After: 1795312830000", 30),  # the instant of the next question in epoch milliseconds
        ("Retry-After: 1795176697", 300),
        ("Retry-After: 179532817669712", 300),
    ],
)
def test_questions_come_as_often_as_the_server_wants_within_reason(
    asked: str, waits: float, server: ExportServer, night: Night
) -> None:
    server.instead["status"] = [running(asked)]
    server.polls = 0
    night.export()
    assert night.slept == [waits]


def test_questions_come_less_often_the_longer_it_takes(server: ExportServer, night: Night) -> None:
    server.instead["status"] = [running()] * 9
    server.polls = 0
    night.export()
    assert night.slept == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ("40%", 0.4),
        ("Build in progress - Status set to BUILDING at 12.5 % complete", 0.125),
        ("processed 3 of 12 patients", 0.25),
        ("7/28", 0.25),
        ("in progress", None),
        ("Maria Muster, born 1960-05-04", None),
        ("400%", None),
        ("9 of 3", None),
        ("", None),
    ],
)
def test_progress_is_a_share_and_never_the_words_of_the_server(
    said: str, share: float | None, server: ExportServer, night: Night
) -> None:
    server.instead["status"] = [running(f"X-Progress: {said}")]
    server.polls = 0
    night.export()
    assert night.told.waits[0] == ("the export", share)


def test_a_passing_trouble_while_waiting_does_no_harm(server: ExportServer, night: Night) -> None:
    server.instead["status"] = [
        refuses("503 Unavailable"),
        refuses("500 Error", outcome("error", "transient")),
        answer(b"<html>sign in</html>", "Content-Type: text/html"),
        lambda connection: connection.close(),
    ]
    assert read(night.export(), "Patient").ids == ["p1", "p2"]
    assert len(server.kickoffs) == 1


def test_a_server_that_is_asked_too_often_is_left_alone_as_long_as_it_wants(server: ExportServer, night: Night) -> None:
    server.instead["status"] = [refuses("429 Too Many", headers=["Retry-After: 3600"])]
    night.export()
    assert night.slept[0] == 3600


@pytest.mark.parametrize(
    "failed",
    [
        refuses("400 Bad", outcome("fatal", "exception", "MARIA")),
        answer(json.dumps(outcome("fatal", "exception")).encode(), "X-Export-Status: 500 Internal Server Error"),
        answer(json.dumps(outcome("fatal", "exception")).encode()),
    ],
    ids=["as the answer", "apart from the answer", "without saying so"],
)
def test_an_export_that_failed_is_given_up_and_forgotten(failed: bytes, server: ExportServer, night: Night) -> None:
    server.instead["status"] = [failed]
    error = night.error()
    assert isinstance(error, ServerRefused)
    assert error.issues == ("exception",)
    assert "MARIA" not in error.message
    assert (night.memory, len(server.deletes)) == ({}, 1)


def test_an_export_that_fails_with_500_is_asked_for_again_before_it_is_given_up(
    server: ExportServer, night: Night
) -> None:
    server.instead["status"] = [refuses("500 Error", outcome("fatal", "exception"))] * 6
    assert isinstance(night.error(), ServerRefused)
    assert len(server.asked_for("/jobs/", "GET")) == 6
    assert night.memory == {}


def test_the_status_of_the_export_may_stand_apart_from_that_of_the_answer(server: ExportServer, night: Night) -> None:
    server.instead["status"] = [answer(b"", "X-Export-Status: 202 Accepted", "Retry-After: 7")]
    server.polls = 0
    server.manifest_headers = ("X-Export-Status: 200 OK",)
    assert read(night.export(), "Patient").ids == ["p1", "p2"]
    assert night.slept == [7]


# What becomes of the job


def test_the_export_is_remembered_before_its_status_is_asked(server: ExportServer, night: Night) -> None:
    seen: list[object] = []

    def notes(connection: socket.socket) -> None:
        seen.append(recall_job(night.memory))

    server.instead["status"] = [notes]
    night.export()
    assert len(seen) == 1
    assert seen[0] is not None


def test_a_finished_export_is_taken_back_on_the_server_and_here(server: ExportServer, night: Night) -> None:
    export = night.export()
    read(export, "Patient")
    assert server.deletes == []
    export.finish()
    assert [one.target for one in server.deletes] == ["/fhir/jobs/1"]
    assert night.memory == {}
    assert not night.folder.exists()


def test_a_server_that_cannot_take_an_export_back_does_not_matter(server: ExportServer, night: Night) -> None:
    export = night.export()
    server.instead["status"] = [refuses("405 Not Allowed")]
    export.finish()
    assert night.memory == {}


def test_an_order_that_changed_does_not_go_on_with_the_old_export(server: ExportServer, night: Night) -> None:
    server.polls = 9
    night.error(max_wait_s=1)
    server.polls = 0
    night.export(ExportOrder("system", ("Patient", "Observation"), since="2026-01-01T00:00:00Z"))
    assert len(server.kickoffs) == 2
    assert [one.target for one in server.deletes] == ["/fhir/jobs/1"]


def test_the_order_of_its_types_does_not_make_it_another_export(server: ExportServer, night: Night) -> None:
    server.polls = 9
    night.error(max_wait_s=1)
    server.alive["/fhir/jobs/1"] = 0
    night.export(ExportOrder("system", ("Observation", "Patient")))
    assert len(server.kickoffs) == 1


def test_a_remembered_export_that_gives_no_sensible_answer_any_more_is_ordered_anew(
    server: ExportServer, night: Night
) -> None:
    server.polls = 9
    night.error(max_wait_s=1)
    server.polls = 0
    server.instead["status"] = [refuses("502 Bad Gateway")] * 6
    assert read(night.export(), "Patient").ids == ["p1", "p2"]
    assert len(server.kickoffs) == 2


def test_a_new_export_that_gives_no_sensible_answer_is_kept_for_the_next_run(
    server: ExportServer, night: Night
) -> None:
    server.instead["status"] = [refuses("502 Bad Gateway")] * 6
    assert isinstance(night.error(), NotReadyError)
    assert recall_job(night.memory) is not None
    night.export()
    assert len(server.kickoffs) == 1


def test_an_export_that_is_lost_twice_ends_the_run(server: ExportServer, night: Night) -> None:
    server.instead["status"] = [
        refuses("404 Not Found"),
        refuses("404 Not Found"),
        refuses("410 Gone"),
        refuses("404 Not Found"),
    ]
    assert night.error().exit_code == 5
    assert len(server.kickoffs) == 2
    assert night.memory == {}


# Files


def test_files_may_be_compressed_by_http_or_be_gzip_themselves_or_both(server: ExportServer, night: Night) -> None:
    patients, observations = server.files.values()
    twice = gzip.compress(gzip.compress(observations))
    server.instead["Patient.1"] = [answer(gzip.compress(patients))]
    server.instead["Observation.1"] = [answer(twice, "Content-Encoding: gzip")]
    export = night.export()
    assert (read(export, "Patient").ids, read(export, "Observation").ids) == (["p1", "p2"], ["o0", "o1", "o2"])


def test_files_have_names_of_ours_and_nobody_else_may_read_them(server: ExportServer, night: Night) -> None:
    server.files = {"Patient.x": server.files["Patient.1"], "Observation.1": b"", "Patient.y": b"", "error.1": b""}
    night.export()
    there = {path.name: path.stat().st_mode & 0o777 for path in night.folder.iterdir()}
    assert set(there) == {
        "Patient.0001.ndjson",
        "Patient.0002.ndjson",
        "Observation.0001.ndjson",
        "error.0001.ndjson",
        "arrived.ndjson",
    }
    assert set(there.values()) == {0o600}
    assert night.folder.stat().st_mode & 0o777 == 0o700


def test_types_that_were_not_asked_for_stay_on_the_server(server: ExportServer, night: Night) -> None:
    server.files["Device.1"] = ndjson([resource("Device", "d")])
    export = night.export(PATIENTS_AND_OBSERVATIONS)
    assert "Device" not in export.announced
    assert server.downloads("Device") == []


def test_deletions_are_handed_on_as_of_the_transaction_time(server: ExportServer, night: Night) -> None:
    absolute = f"{server.base_url}/Observation/o7"
    server.files["deleted.1"] = ndjson([deletion("Patient/p9"), deletion("Observation/o8", absolute)])
    deletions = read_deletions(night.export())
    assert deletions.deleted == ["Patient/p9", "Observation/o8", "Observation/o7"]
    assert {one.at for page in deletions.pages for one in page.deleted} == {TRANSACTION_TIME}
    assert deletions.incomplete is None
    assert deletions.pages[-1].announced == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"resourceType": "Bundle", "entry": [{"request": {"method": "PUT", "url": "Patient/p1"}}]},
        deletion("Patient?identifier=7"),
        deletion("https://elsewhere.example/fhir/Patient/p1"),
        deletion("FooBar/p1"),
        resource("Patient", "p1"),
    ],
)
def test_a_deletion_that_cannot_be_read_is_kept_and_noticed(wrong: object, server: ExportServer, night: Night) -> None:
    server.files["deleted.1"] = ndjson([wrong, deletion("Patient/p9")])
    deletions = read_deletions(night.export())
    assert deletions.deleted == ["Patient/p9"]
    assert deletions.reasons == ["not-a-deletion"]
    assert deletions.incomplete is not None


def test_what_was_fetched_before_a_kill_is_not_fetched_again(server: ExportServer, night: Night) -> None:
    server.instead["Observation.1"] = [refuses("503 Unavailable", headers=["Retry-After: 99999999999"])]
    assert isinstance(night.error(), NotReadyError)
    assert read(night.export(), "Observation").ids == ["o0", "o1", "o2"]
    assert (len(server.kickoffs), len(server.downloads("Patient.1"))) == (1, 1)


def test_what_was_changed_on_the_disk_is_fetched_again(server: ExportServer, night: Night) -> None:
    server.instead["Observation.1"] = [refuses("503 Unavailable", headers=["Retry-After: 99999999999"])]
    night.error()
    (night.folder / "Patient.0001.ndjson").write_bytes(b"{}")
    assert read(night.export(), "Patient").ids == ["p1", "p2"]


def test_files_of_another_export_are_not_taken_for_those_of_this_one(server: ExportServer, night: Night) -> None:
    server.instead["Observation.1"] = [refuses("503 Unavailable", headers=["Retry-After: 99999999999"])]
    night.error()
    server.transaction_time = "2026-11-23T00:00:00Z"
    server.files["Patient.1"] = ndjson([resource("Patient", "p1"), resource("Patient", "p3")])
    export = night.export()
    assert read(export, "Patient").ids == ["p1", "p3"]
    assert export.transaction_time == server.transaction_time


def test_a_full_disk_leaves_the_export_as_it_is(server: ExportServer, night: Night) -> None:
    night.folder.parent.joinpath("files").symlink_to("/dev/null")
    error = night.error()
    assert error.exit_code == 7
    assert recall_job(night.memory) is not None
    assert Path("/dev/null").exists()
