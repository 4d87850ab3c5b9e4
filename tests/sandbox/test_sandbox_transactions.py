"""Transactions and batches: all or nothing, or each for itself."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sandbox_client import Fhir, FhirJson


def entry(method: str, url: str, resource: FhirJson | None = None, full_url: str = "", **more: str) -> FhirJson:
    built: FhirJson = {"request": {"method": method, "url": url, **more}}
    built |= {"fullUrl": full_url} if full_url else {}
    return built | ({"resource": resource} if resource else {})


def send(fhir: Fhir, *entries: FhirJson, kind: str = "transaction", prefer: str = "") -> Any:
    return fhir.post("", {"resourceType": "Bundle", "type": kind, "entry": list(entries)}, prefer=prefer)


def patient(**elements: object) -> FhirJson:
    return {"resourceType": "Patient", **elements}


def observation(subject: str, **elements: object) -> FhirJson:
    return {"resourceType": "Observation", "status": "final", "subject": {"reference": subject}, **elements}


def statuses(answer: Any) -> list[str]:
    return [each["response"]["status"][:3] for each in answer.json()["entry"]]


def test_references_inside_a_transaction_lead_to_what_was_stored(fhir: Fhir) -> None:
    answer = send(
        fhir,
        entry("POST", "Observation", observation("urn:uuid:p", hasMember=[{"reference": "urn:uuid:o"}])),
        entry("POST", "Observation", observation("urn:uuid:p"), "urn:uuid:o"),
        entry("POST", "Patient", patient(), "urn:uuid:p"),
    )
    places = [each["response"]["location"].partition("/_history")[0] for each in answer.json()["entry"]]

    assert answer.json()["type"] == "transaction-response"
    assert statuses(answer) == ["201", "201", "201"]
    first = fhir.get(places[0]).json()
    assert first["subject"]["reference"] == places[2]
    assert first["hasMember"] == [{"reference": places[1]}]


def test_a_reference_to_a_full_address_that_gets_a_new_id_follows(fhir: Fhir) -> None:
    old = "https://old.invalid/fhir/Patient/7"
    send(
        fhir,
        entry("POST", "Patient", patient(id="7"), old),
        entry("PUT", "Observation/absolute", observation(old, id="absolute")),
        entry("PUT", "Observation/relative", observation("Patient/7", id="relative")),
    )
    [new] = fhir.ids("Patient")
    for id in ("absolute", "relative"):
        assert fhir.get(f"Observation/{id}").json()["subject"]["reference"] == f"Patient/{new}"


def test_an_identifier_that_looks_like_a_reference_is_left_alone(fhir: Fhir) -> None:
    identifier = [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:p"}]
    send(fhir, entry("PUT", "Patient/p", patient(id="p", identifier=identifier), "urn:uuid:p"))

    assert fhir.get("Patient/p").json()["identifier"] == identifier


def test_a_conditional_reference_finds_its_target(fhir: Fhir) -> None:
    fhir.store(patient(id="p9", identifier=[{"system": "urn:mrn", "value": "9"}]))
    send(fhir, entry("PUT", "Observation/o", observation("Patient?identifier=urn:mrn|9", id="o")))

    assert fhir.get("Observation/o").json()["subject"]["reference"] == "Patient/p9"


def test_a_conditional_reference_finds_what_the_same_transaction_creates(fhir: Fhir) -> None:
    answer = send(
        fhir,
        entry("PUT", "Observation/o", observation("Patient?identifier=9", id="o")),
        entry("POST", "Patient", patient(identifier=[{"value": "9"}])),
    )
    [created] = fhir.ids("Patient")

    assert statuses(answer) == ["201", "201"]
    assert fhir.get("Observation/o").json()["subject"]["reference"] == f"Patient/{created}"


BAD = [
    entry("PUT", "Observation/x", observation("urn:uuid:nowhere", id="x")),
    entry("PUT", "Observation/x", observation("Patient?identifier=nobody", id="x")),
    entry("PUT", "Patient/old", patient(id="old", gender="male"), ifMatch='W/"7"'),
    entry("PUT", "Patient/other", patient(id="another")),
    entry("PUT", "Patient/new", patient(id="new", gender="male")),
    entry("POST", "Patient", {"resourceType": "Observation"}),
    entry("POST", "Nonsense", {"resourceType": "Nonsense"}),
    entry("PATCH", "Patient/old", patient(id="old")),
    entry("POST", "Patient/new", patient(id="new")),
    entry("POST", "", patient()),
    entry("GET", "Patient/nobody"),
    entry("PUT", "Patient?nonsense=1", patient()),
    {"resource": patient()},
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("first", [True, False])
def test_one_bad_entry_and_nothing_of_a_transaction_is_stored(fhir: Fhir, bad: FhirJson, first: bool) -> None:
    fhir.store(patient(id="old"), patient(id="gone"))
    good = [
        entry("PUT", "Patient/new", patient(id="new")),
        entry("DELETE", "Patient/gone"),
        entry("POST", "Patient", patient()),
    ]
    answer = send(fhir, *([bad, *good] if first else [*good, bad]))

    assert answer.status_code >= 400
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert answer.json()["issue"][0]["diagnostics"].startswith(f"entry {0 if first else 3}") or "/new" in str(bad)
    assert fhir.ids("Patient") == ["old", "gone"]
    assert fhir.get("Patient/old").headers["etag"] == 'W/"1"'
    assert fhir.get("Patient/new").status_code == 404


def test_the_same_transaction_again_changes_nothing(fhir: Fhir) -> None:
    person = patient(identifier=[{"value": "7"}])
    entries = [
        entry("POST", "Patient", person, "urn:uuid:p", ifNoneExist="identifier=7"),
        entry("PUT", "Observation/o", observation("urn:uuid:p", id="o")),
    ]

    assert statuses(send(fhir, *entries)) == ["201", "201"]
    assert statuses(send(fhir, *entries)) == ["200", "200"]
    assert fhir.get("Observation/o").headers["etag"] == 'W/"1"'
    assert fhir.get("Patient?_summary=count").json()["total"] == 1


def test_two_creations_under_one_condition_are_one(fhir: Fhir) -> None:
    create = entry("POST", "Patient", patient(identifier=[{"value": "7"}]), ifNoneExist="identifier=7")
    answer = send(
        fhir,
        create | {"fullUrl": "urn:uuid:1"},
        create | {"fullUrl": "urn:uuid:2"},
        entry("PUT", "Observation/o", observation("urn:uuid:2", id="o")),
    )
    [only] = fhir.ids("Patient")

    assert statuses(answer) == ["201", "200", "201"]
    assert fhir.get("Observation/o").json()["subject"]["reference"] == f"Patient/{only}"


def test_deletions_come_first_and_reads_last(fhir: Fhir) -> None:
    fhir.store(patient(id="old", identifier=[{"value": "7"}]))
    answer = send(
        fhir,
        entry("GET", "Patient?identifier=7"),
        entry("PUT", "Patient?identifier=7", patient(id="new", identifier=[{"value": "7"}])),
        entry("DELETE", "Patient/old"),
    )

    assert statuses(answer) == ["200", "201", "204"]
    assert [each["resource"]["id"] for each in answer.json()["entry"][0]["resource"]["entry"]] == ["new"]


def test_an_update_in_a_transaction_may_name_the_version_seen(fhir: Fhir) -> None:
    fhir.store(patient(id="p"))
    answer = send(fhir, entry("PUT", "Patient/p", patient(id="p", gender="male"), ifMatch='W/"1"'))

    assert answer.json()["entry"][0]["response"]["etag"] == 'W/"2"'
    assert "resource" not in answer.json()["entry"][0]


def test_the_resources_come_back_when_asked(fhir: Fhir) -> None:
    answer = send(fhir, entry("PUT", "Patient/p", patient(id="p")), prefer="return=representation")

    assert answer.json()["entry"][0]["resource"]["meta"]["versionId"] == "1"


def test_an_id_given_by_the_server_is_never_one_that_the_bundle_brings(fhir: Fhir) -> None:
    answer = send(fhir, entry("POST", "Patient", patient(gender="male")), entry("PUT", "Patient/1", patient(id="1")))

    assert statuses(answer) == ["201", "201"]
    assert len(fhir.ids("Patient")) == 2


def test_in_a_batch_each_entry_stands_for_itself(fhir: Fhir) -> None:
    answer = send(
        fhir,
        entry("PUT", "Patient/p", patient(id="p")),
        entry("GET", "Patient/nobody"),
        entry("GET", "Patient/p"),
        kind="batch",
    )
    entries = answer.json()["entry"]

    assert (answer.status_code, answer.json()["type"]) == (200, "batch-response")
    assert statuses(answer) == ["201", "404", "200"]
    assert entries[1]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert entries[2]["resource"]["id"] == "p"


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Patient"},
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Bundle", "type": "transaction", "entry": "x"},
        {"resourceType": "Bundle", "type": "transaction", "entry": [None]},
        [],
    ],
)
def test_only_a_transaction_or_batch_can_be_sent_to_the_base(fhir: Fhir, body: object) -> None:
    assert fhir.post("", body).status_code == 400


def test_an_empty_transaction_is_in_order(fhir: Fhir) -> None:
    assert send(fhir).json() == {"resourceType": "Bundle", "type": "transaction-response", "entry": []}


def test_several_thousand_entries_load_in_a_few_seconds(fhir: Fhir) -> None:
    people = [
        entry(
            "POST", "Patient", patient(identifier=[{"value": f"{n}"}]), f"urn:uuid:{n}", ifNoneExist=f"identifier={n}"
        )
        for n in range(200)
    ]
    results = [entry("PUT", f"Observation/o{n}", observation(f"urn:uuid:{n % 200}", id=f"o{n}")) for n in range(4000)]
    started = time.process_time()
    answer = send(fhir, *people, *results)

    assert answer.status_code == 200
    assert time.process_time() - started < 8
    assert fhir.get("Observation?_summary=count").json()["total"] == 4000
    [one] = fhir.get("Patient?identifier=7").json()["entry"]
    assert fhir.get(f"Observation?patient={one['resource']['id']}").json()["total"] == 20
