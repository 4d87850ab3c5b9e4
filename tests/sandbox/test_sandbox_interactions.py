"""Create, read, update, delete, history: as FHIR R4's RESTful API has them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sandbox_client import Fhir, Opened

from fhir_adapter.errors import UsageError
from fhir_adapter.sandbox import Sandbox

PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female"}


def test_a_created_resource_gets_an_id_a_version_and_a_place(fhir: Fhir) -> None:
    answer = fhir.post("Patient", {"resourceType": "Patient", "id": "mine", "gender": "female"})

    stored = answer.json()
    assert answer.status_code == 201
    assert stored["id"] != "mine"
    assert stored["meta"]["versionId"] == "1"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["location"] == f"{fhir.base_url}/Patient/{stored['id']}/_history/1"


def test_a_client_may_choose_the_id_by_put(fhir: Fhir) -> None:
    assert fhir.put("Patient/p1", PATIENT).status_code == 201
    assert fhir.get("Patient/p1").json()["gender"] == "female"


def test_a_change_makes_a_new_version_and_the_old_one_stays(fhir: Fhir) -> None:
    fhir.store(PATIENT)
    answer = fhir.put("Patient/p1", PATIENT | {"gender": "male"})

    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert fhir.get("Patient/p1").json()["gender"] == "male"
    assert fhir.get("Patient/p1/_history/1").json()["gender"] == "female"


def test_the_same_content_makes_no_new_version(fhir: Fhir) -> None:
    fhir.store(PATIENT)
    stored = fhir.get("Patient/p1").json()
    answer = fhir.put("Patient/p1", dict(reversed(stored.items())))

    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"1"')


def test_a_trailing_zero_is_a_change_because_it_says_how_exactly_something_was_measured(fhir: Fhir) -> None:
    for digits in ("5.4", "5.40"):
        text = '{"resourceType":"Observation","id":"o1","status":"final","code":{},"valueQuantity":{"value":%s}}'
        fhir.http.put("Observation/o1", content=text % digits, headers={"content-type": "application/json"})

    assert fhir.get("Observation/o1").headers["etag"] == 'W/"2"'
    assert '"value":5.40}' in fhir.get("Observation/o1").text


@pytest.mark.parametrize("number", ["5.40", "0.10", "1E-7", "-0.0", "123456789012345678901234567890", "1E+2"])
def test_numbers_come_back_with_the_digits_they_came_with(fhir: Fhir, number: str) -> None:
    text = f'{{"resourceType":"Observation","id":"o1","valueQuantity":{{"value":{number}}}}}'
    fhir.http.put("Observation/o1", content=text, headers={"content-type": "application/fhir+json"})

    assert f'"value":{number}}}' in fhir.get("Observation/o1").text
    assert f'"value":{number}}}' in fhir.get("Observation").text


def test_a_server_keeps_what_it_does_not_know(fhir: Fhir) -> None:
    odd = PATIENT | {"vendorElement": {"a": [1, None]}, "meta": {"tag": [{"code": "x"}]}, "name": []}
    fhir.store(odd)

    stored = fhir.get("Patient/p1").json()
    assert stored["vendorElement"] == {"a": [1, None]}
    assert stored["meta"]["tag"] == [{"code": "x"}]
    assert stored["meta"]["lastUpdated"].endswith("Z")


def test_what_was_deleted_is_gone_but_its_past_can_be_read(fhir: Fhir) -> None:
    fhir.store(PATIENT)
    assert fhir.http.delete("Patient/p1").status_code == 204

    assert fhir.get("Patient/p1").status_code == 410
    assert fhir.get("Patient/p1/_history/1").status_code == 200
    assert fhir.ids("Patient") == []


def test_a_deleted_resource_can_come_back_as_the_next_version(fhir: Fhir) -> None:
    fhir.store(PATIENT)
    fhir.http.delete("Patient/p1")
    answer = fhir.put("Patient/p1", PATIENT)

    assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"3"')


def test_deleting_what_is_not_there_is_no_error(fhir: Fhir) -> None:
    assert fhir.http.delete("Patient/nobody").status_code == 204


def test_the_history_of_a_resource_is_newest_first_and_says_what_was_done(fhir: Fhir) -> None:
    fhir.store(PATIENT, PATIENT | {"gender": "male"})
    fhir.http.delete("Patient/p1")

    history = fhir.get("Patient/p1/_history").json()
    assert (history["type"], history["total"]) == ("history", 3)
    assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE", "PUT", "PUT"]
    assert [entry["response"]["etag"] for entry in history["entry"]] == ['W/"3"', 'W/"2"', 'W/"1"']
    assert "resource" not in history["entry"][0]


def test_the_history_of_a_type_holds_every_version_and_comes_in_pages(fhir: Fhir) -> None:
    fhir.store(PATIENT, PATIENT | {"gender": "male"}, PATIENT | {"id": "p2"})

    pages = list(fhir.pages("Patient/_history?_count=2"))
    assert [len(page["entry"]) for page in pages] == [2, 1]
    assert pages[0]["total"] == 3


def test_an_update_with_the_version_seen_goes_through_and_a_stale_one_does_not(fhir: Fhir) -> None:
    fhir.store(PATIENT)

    assert fhir.put("Patient/p1", PATIENT | {"gender": "male"}, if_match='W/"1"').status_code == 200
    assert fhir.put("Patient/p1", PATIENT | {"gender": "other"}, if_match='W/"1"').status_code == 412
    assert fhir.get("Patient/p1").json()["gender"] == "male"


def test_an_update_of_a_version_of_something_that_is_not_there_is_refused(fhir: Fhir) -> None:
    assert fhir.put("Patient/p1", PATIENT, if_match='W/"1"').status_code == 412
    assert fhir.get("Patient/p1").status_code == 404


def test_a_conditional_create_makes_one_resource_however_often_it_is_sent(fhir: Fhir) -> None:
    resource = {"resourceType": "Patient", "identifier": [{"system": "urn:mrn", "value": "7"}]}
    answers = [fhir.post("Patient", resource, if_none_exist="identifier=urn:mrn|7") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_conditional_update_creates_then_updates_and_stops_at_two_matches(fhir: Fhir) -> None:
    report = {"resourceType": "MeasureReport", "identifier": [{"system": "urn:r", "value": "a|b"}]}
    address = "MeasureReport?identifier=urn:r%7Ca%5C%7Cb"

    first = fhir.put(address, report)
    second = fhir.put(address, report | {"status": "complete"})
    assert (first.status_code, second.status_code, second.headers["etag"]) == (201, 200, 'W/"2"')

    fhir.store(report | {"id": "other"})
    assert fhir.put(address, report | {"status": "error"}).status_code == 412


@pytest.mark.parametrize("address", ["Patient", "Patient?nonsense=1", "Patient?_count=1"])
def test_a_condition_that_is_not_understood_in_full_changes_nothing(fhir: Fhir, address: str) -> None:
    assert fhir.put(address, {"resourceType": "Patient"}).status_code == 400
    assert fhir.ids("Patient") == []


def test_a_conditional_read_of_the_version_known_sends_nothing(fhir: Fhir) -> None:
    fhir.store(PATIENT)

    assert fhir.get("Patient/p1", if_none_match='W/"1"').status_code == 304
    assert fhir.get("Patient/p1", if_none_match='W/"0"').status_code == 200


@pytest.mark.parametrize(
    ("wish", "received"), [("return=minimal", b""), ("return=OperationOutcome", b"OperationOutcome")]
)
def test_a_client_says_how_much_of_an_answer_it_wants(fhir: Fhir, wish: str, received: bytes) -> None:
    answer = fhir.put("Patient/p1", PATIENT, prefer=wish)

    assert answer.headers["location"].endswith("Patient/p1/_history/1")
    assert (received in answer.content) if received else answer.content == b""


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "Patient/p1", {"resourceType": "Patient", "id": "p2"}, 400),
        ("PUT", "Patient/p1", {"resourceType": "Patient"}, 400),
        ("PUT", "Patient/p1", {"resourceType": "Observation", "id": "p1"}, 400),
        ("PUT", "Patient/p_1", {"resourceType": "Patient", "id": "p_1"}, 400),
        ("PUT", "Patient/" + "a" * 65, {"resourceType": "Patient", "id": "a" * 65}, 400),
        ("POST", "Patient", ["not", "a", "resource"], 400),
        ("POST", "Patient", {"resourceType": "Patient", "id": 7}, 400),
        ("POST", "Nonsense", {"resourceType": "Nonsense"}, 404),
        ("GET", "Nonsense", None, 404),
        ("GET", "Patient/nobody", None, 404),
        ("GET", "Patient/nobody/_history", None, 404),
        ("GET", "Patient/p0/_history/9", None, 404),
        ("GET", "", None, 405),
        ("PATCH", "Patient/p0", {}, 405),
        ("DELETE", "Patient?identifier=a", None, 405),
        ("POST", "Patient/$everything", {}, 405),
    ],
)
def test_a_wrong_request_is_refused_with_an_operation_outcome(
    fhir: Fhir, method: str, path: str, body: object, status: int
) -> None:
    fhir.store({"resourceType": "Patient", "id": "p0"})
    answer = fhir.http.request(method, path, json=body)

    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert answer.json()["issue"][0]["severity"] == "error"
    assert fhir.ids("Patient") == ["p0"]


@pytest.mark.parametrize("body", [b"{", b'{"resourceType": NaN}', b"\xff", b"[" * 100_000 + b"]" * 100_000])
def test_what_is_not_json_is_refused(fhir: Fhir, body: bytes) -> None:
    answer = fhir.http.post("Patient", content=body, headers={"content-type": "application/fhir+json"})

    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_only_json_is_spoken(fhir: Fhir) -> None:
    assert fhir.get("Patient", accept="application/fhir+xml").status_code == 406
    assert fhir.get("Patient?_format=xml").status_code == 406
    assert fhir.get("Patient?_format=json").status_code == 200
    sent = fhir.http.post("Patient", content=b"<Patient/>", headers={"content-type": "application/fhir+xml"})
    assert sent.status_code == 415
    assert fhir.get("Patient").headers["content-type"] == "application/fhir+json; charset=utf-8"


def test_answers_are_compressed_when_asked(fhir: Fhir) -> None:
    fhir.store(*({"resourceType": "Patient", "id": f"p{number}"} for number in range(20)))

    assert fhir.get("Patient", accept_encoding="gzip").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in fhir.get("Patient", accept_encoding="identity").headers


def test_many_clients_at_once_lose_nothing(fhir: Fhir) -> None:
    def create(number: int) -> str:
        body = json.dumps({"resourceType": "Patient", "identifier": [{"value": str(number)}]})
        return str(fhir.http.post("Patient", content=body).json()["id"])

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(create, range(200)))

    assert len(set(ids)) == 200
    assert fhir.get("Patient?_summary=count").json()["total"] == 200


def test_two_servers_at_once_know_nothing_of_each_other(opened: Opened) -> None:
    with opened() as one, opened() as other:
        one.store(PATIENT)
        assert one.base_url != other.base_url
        assert other.ids("Patient") == []


def test_a_server_is_gone_after_its_block(opened: Opened) -> None:
    with opened() as fhir:
        base_url = fhir.base_url
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url + "/metadata", trust_env=False)


def test_a_port_that_is_taken_is_a_clear_error(fhir: Fhir) -> None:
    port = httpx.URL(fhir.base_url).port
    assert port is not None
    with pytest.raises(UsageError, match="cannot be used"):
        Sandbox(port=port)


def test_the_clock_of_the_server_can_be_given(opened: Opened) -> None:
    from datetime import UTC, datetime

    with opened(clock=lambda: datetime(2024, 2, 29, 12, 0, 0, 123_456, UTC)) as fhir:
        fhir.store(PATIENT)
        answer = fhir.get("Patient/p1")
        assert answer.json()["meta"]["lastUpdated"] == "2024-02-29T12:00:00.123Z"
        assert answer.headers["last-modified"] == "Thu, 29 Feb 2024 12:00:00 GMT"


def test_the_history_of_a_type_may_be_asked_for_since_a_moment(fhir: Fhir) -> None:
    fhir.store({"resourceType": "Patient", "id": "p1"})
    assert fhir.get("Patient/_history?_since=2020-01-01T00:00:00Z").json()["total"] == 1
    assert fhir.get("Patient/_history?_since=2999-01-01T00:00:00Z").json()["total"] == 0
    assert fhir.get("Patient/_history?_since=yesterday").status_code == 400
