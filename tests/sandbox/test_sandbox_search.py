"""Searches: what is found, in which order, in which pages, and what is said about what is not understood."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sandbox_client import Fhir, FhirJson, Opened, ids_of

from fhir_adapter.sandbox import Sandbox
from fhir_adapter.sandbox.exchange import Call

LOINC = "http://loinc.org"


def observation(id: str, **elements: object) -> FhirJson:
    return {"resourceType": "Observation", "id": id, "status": "final", **elements}


OBSERVATIONS = (
    observation(
        "a",
        code={"coding": [{"system": LOINC, "code": "2160-0"}, {"system": "urn:local", "code": "CREA"}]},
        subject={"reference": "Patient/1"},
        effectiveDateTime="2021-03-05T10:00:00+02:00",
        identifier=[{"system": "urn:lab", "value": "x,y|z"}],
    ),
    observation(
        "b",
        code={"coding": [{"system": LOINC, "code": "751-8"}]},
        subject={"reference": "Patient/2/_history/4"},
        effectivePeriod={"start": "2021-03", "end": "2021-04-10"},
    ),
    observation("c", code={"coding": [{"code": "2160-0"}]}, subject={"reference": "Group/1"}, effectiveDateTime="2021"),
    observation("d", code={"text": "no code"}, subject={"reference": "https://elsewhere.invalid/Patient/1"}),
)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("_id=a", "a"),
        ("_id=a,c", "a c"),
        ("code=2160-0", "a c"),
        (f"code={LOINC}|2160-0", "a"),
        ("code=|2160-0", "c"),
        (f"code={LOINC}|", "a b"),
        ("code=CREA,751-8", "a b"),
        ("code=2160-0&code=CREA", "a"),
        ("code:not=2160-0", "b d"),
        ("code:missing=true", "d"),
        ("code:missing=false", "a b c"),
        ("status=final", "a b c d"),
        ("status=amended", ""),
        ("patient=1", "a"),
        ("patient=Patient/1", "a"),
        ("patient=Patient/2", "b"),
        ("patient=Group/1", ""),
        ("patient:missing=true", "c"),
        ("subject=1", "a c"),
        ("subject:Patient=1", "a"),
        ("subject=Group/1", "c"),
        ("subject=https://elsewhere.invalid/Patient/1", "d"),
        ("identifier=urn:lab|x%5C,y%5C|z", "a"),
        ("date=2021", "a b c"),
        ("date=2021-03", "a"),
        ("date=2021-03-05T08:00:00Z", "a"),
        ("date=2021-03-05T10:00:00Z", ""),
        ("date=ge2021-04", "c"),
        ("date=gt2021-04-11", "c"),
        ("date=lt2021-03-01", "c"),
        ("date=le2021-03-05", "a b c"),
        ("date=sa2020", "a b c"),
        ("date=eb2021-04", "a"),
        ("date=ap2021-04", "b c"),
        ("date=ne2021-03", "b c"),
        ("date=ge2021-03&date=lt2021-03-02", "b c"),
        ("date:missing=true", "d"),
        ("_lastUpdated=ge2020", "a b c d"),
        ("_lastUpdated=lt2020", ""),
    ],
)
def test_a_search_finds_what_the_specification_says(fhir: Fhir, search: str, expected: str) -> None:
    fhir.store(*OBSERVATIONS)

    assert sorted(fhir.ids(f"Observation?{search}", prefer="handling=strict")) == expected.split()


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("family=van", "1"),
        ("family:exact=Van Dyk", "1"),
        ("family:exact=van dyk", ""),
        ("family:contains=DYK", "1"),
        ("name=an", "1"),
        ("name=ber", "2"),
        ("active=true", "2"),
        ("birthdate=1960-05", "1"),
        ("birthdate=lt1961", "1"),
        ("death-date:missing=false", "2"),
    ],
)
def test_people_are_found_by_what_is_known_of_them(fhir: Fhir, search: str, expected: str) -> None:
    fhir.store(
        {
            "resourceType": "Patient",
            "id": "1",
            "birthDate": "1960-05-04",
            "name": [{"family": "Van Dyk", "given": ["An"]}],
        },
        {
            "resourceType": "Patient",
            "id": "2",
            "active": True,
            "deceasedDateTime": "2022",
            "name": [{"family": "Li", "given": ["Bo", "Berta"]}],
        },
    )
    assert fhir.ids(f"Patient?{search}", prefer="handling=strict") == expected.split()


def test_a_search_can_be_sent_as_a_form(fhir: Fhir) -> None:
    fhir.store(*OBSERVATIONS)
    answer = fhir.http.post("Observation/_search?code=2160-0", data={"patient": "1"})

    assert ids_of(answer.json()) == ["a"]


def test_a_resource_is_found_by_what_it_says_now(fhir: Fhir) -> None:
    fhir.store(OBSERVATIONS[0], OBSERVATIONS[0] | {"subject": {"reference": "Patient/9"}})

    assert fhir.ids("Observation?patient=1") == []
    assert fhir.ids("Observation?patient=9") == ["a"]


@pytest.mark.parametrize(
    "search",
    ["nonsense=1", "patient.identifier=7", "_has:Observation:patient:code=1", "_contained=true", "_sort=nonsense"],
)
def test_what_is_not_supported_is_refused_when_strict_and_said_when_lenient(fhir: Fhir, search: str) -> None:
    fhir.store(*OBSERVATIONS)
    assert fhir.get(f"Observation?{search}", prefer="handling=strict").status_code == 400

    lenient = fhir.get(f"Observation?code=2160-0&{search}").json()
    outcomes = [entry for entry in lenient["entry"] if entry["search"]["mode"] == "outcome"]
    assert ids_of(lenient) == ["a", "c"]
    assert [outcome["resource"]["issue"][0]["severity"] for outcome in outcomes] == ["warning"]
    assert search.partition("=")[0] not in lenient["link"][0]["url"]


@pytest.mark.parametrize(
    "search",
    ["code:nonsense=1", "date=yesterday", "date=2021-13", "_count=many", "_count=-1", "code:missing=perhaps"],
)
def test_what_makes_no_sense_is_refused_in_any_case(fhir: Fhir, search: str) -> None:
    answer = fhir.get(f"Observation?{search}")

    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_results_come_in_the_order_in_which_they_were_first_stored(fhir: Fhir) -> None:
    fhir.store(*(observation(id) for id in "zbmac"))
    fhir.store(observation("b", status="amended"))

    assert fhir.ids("Observation") == list("zbmac")


@pytest.mark.parametrize(
    ("order", "expected"),
    [("_id", "abcd"), ("-_id", "dcba"), ("date", "cbad"), ("-date", "cbad"), ("status,-_id", "dcba")],
)
def test_results_can_be_sorted_and_what_lacks_the_value_comes_last(fhir: Fhir, order: str, expected: str) -> None:
    fhir.store(*OBSERVATIONS)

    assert fhir.ids(f"Observation?_sort={order}") == list(expected)


def test_pages_hold_every_match_once_and_lead_to_each_other(fhir: Fhir) -> None:
    fhir.store(*(observation(f"o{number:02}") for number in range(25)))

    pages = list(fhir.pages("Observation?_count=10"))
    assert [len(ids_of(page)) for page in pages] == [10, 10, 5]
    assert [id for page in pages for id in ids_of(page)] == [f"o{number:02}" for number in range(25)]
    assert {page["total"] for page in pages} == {25}


def test_a_next_link_stays_on_the_server_and_tells_nothing(fhir: Fhir) -> None:
    fhir.store(*(observation(id, code={"coding": [{"code": "secret-code"}]}) for id in "abc"))

    page = next(fhir.pages("Observation?code=secret-code&_count=1"))
    link = next(link["url"] for link in page["link"] if link["relation"] == "next")
    assert link.startswith(fhir.base_url + "?")
    assert "secret-code" not in link


def test_pages_show_what_was_found_when_the_search_began(fhir: Fhir) -> None:
    fhir.store(*(observation(id) for id in "abc"))

    pages = fhir.pages("Observation?_count=2")
    first = next(pages)
    fhir.http.delete("Observation/c")
    fhir.store(observation("d"))
    assert ids_of(first) + ids_of(next(pages)) == ["a", "b", "c"]


@pytest.mark.parametrize("token", ["nonsense", "00000000000000000000000000000000.10", "a.b.c"])
def test_a_page_that_is_no_longer_kept_is_gone(fhir: Fhir, token: str) -> None:
    answer = fhir.get(f"?_page={token}")

    assert answer.status_code == 410
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_old_searches_expire_when_there_are_many_newer_ones(fhir: Fhir, server: Sandbox) -> None:
    fhir.store(*(observation(id) for id in "abc"))
    page = fhir.get("Observation?_count=1").json()
    for _ in range(1000):
        server.service.answer(Call("GET", ("Observation",), [("_count", "1")]))

    link = next(link["url"] for link in page["link"] if link["relation"] == "next")
    assert fhir.get(link).status_code == 410


@pytest.mark.parametrize("overlap", [1, 2, 50])
def test_with_overlap_a_page_begins_with_the_end_of_the_one_before(opened: Opened, overlap: int) -> None:
    with opened(page_size=4, overlap=overlap) as fhir:
        fhir.store(*(observation(f"o{number}") for number in range(9)))
        pages = [ids_of(page) for page in fhir.pages("Observation")]

    repeated = min(overlap, 3)
    assert all(after[:repeated] == before[-repeated:] for before, after in pairwise(pages))
    assert sorted({id for page in pages for id in page}) == [f"o{number}" for number in range(9)]


def test_shuffled_results_are_the_same_in_another_order_that_repeats(opened: Opened) -> None:
    ids = [f"o{number:02}" for number in range(20)]
    orders = []
    for seed in (7, 7, 8):
        with opened(shuffle_seed=seed) as fhir:
            fhir.store(*(observation(id) for id in ids))
            orders.append(fhir.ids("Observation"))

    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != ids
    assert sorted(orders[0]) == sorted(orders[2]) == ids


def test_a_page_is_never_longer_than_the_server_allows(opened: Opened) -> None:
    with opened(page_size=3, max_page_size=5) as fhir:
        fhir.store(*(observation(f"o{number}") for number in range(9)))

        assert len(fhir.ids("Observation")) == 3
        assert len(fhir.ids("Observation?_count=9999")) == 5


@pytest.mark.parametrize("search", ["_count=0", "_summary=count"])
def test_a_client_can_ask_for_the_number_only(fhir: Fhir, search: str) -> None:
    fhir.store(*OBSERVATIONS)

    answer = fhir.get(f"Observation?code=2160-0&{search}").json()
    assert answer["total"] == 2
    assert "entry" not in answer


def test_a_client_can_do_without_the_total(fhir: Fhir) -> None:
    fhir.store(*OBSERVATIONS)

    assert fhir.get("Observation").json()["total"] == 4
    assert "total" not in fhir.get("Observation?_total=none").json()


def test_medications_are_sent_along_when_asked(fhir: Fhir) -> None:
    administration = {"resourceType": "MedicationAdministration", "status": "completed"}
    fhir.store(
        {"resourceType": "Medication", "id": "m1"},
        {"resourceType": "Medication", "id": "m2"},
        administration | {"id": "x", "medicationReference": {"reference": "Medication/m1"}},
        administration | {"id": "y", "medicationReference": {"reference": "Medication/m1"}},
        administration | {"id": "z", "medicationReference": {"reference": "Medication/missing"}},
    )
    bundle = fhir.get(
        "MedicationAdministration?_include=MedicationAdministration:medication", prefer="handling=strict"
    ).json()

    assert ids_of(bundle) == ["x", "y", "z"]
    assert ids_of(bundle, "include") == ["m1"]
    assert bundle["total"] == 3


def test_the_capability_statement_promises_what_is_kept(fhir: Fhir) -> None:
    """Every search parameter it names is served under strict handling, for every type it names."""
    statement = fhir.get("metadata").json()
    values = {"date": "2021", "token": "a", "reference": "Patient/1", "string": "a", "uri": "urn:a"}

    assert statement["fhirVersion"] == "4.0.1"
    assert {"code": "transaction"} in statement["rest"][0]["interaction"]
    for resource in statement["rest"][0]["resource"]:
        search = "&".join(f"{each['name']}={values[each['type']]}" for each in resource["searchParam"])
        includes = "".join(f"&_include={name}" for name in resource.get("searchInclude", ()))
        answer = fhir.get(f"{resource['type']}?{search}{includes}", prefer="handling=strict")
        assert answer.status_code == 200, resource["type"]


@pytest.mark.parametrize(
    ("type", "absent"),
    [("AdverseEvent", "patient"), ("AdverseEvent", "identifier"), ("MedicationAdministration", "date")],
)
def test_it_offers_no_parameter_that_r4_does_not_have(fhir: Fhir, type: str, absent: str) -> None:
    statement = fhir.get("metadata").json()
    offered = next(each for each in statement["rest"][0]["resource"] if each["type"] == type)["searchParam"]

    assert absent not in {each["name"] for each in offered}
    assert fhir.get(f"{type}?{absent}=1", prefer="handling=strict").status_code == 400


def test_a_server_may_hold_fewer_types_and_says_so(opened: Opened) -> None:
    with opened(types=("Patient", "Observation")) as fhir:
        statement = fhir.get("metadata").json()
        assert [each["type"] for each in statement["rest"][0]["resource"]] == ["Observation", "Patient"]
        assert fhir.get("AdverseEvent").status_code == 404


def test_a_search_may_ask_for_some_elements_alone(fhir: Fhir) -> None:
    """What comes says that it is a part: nobody may take it for the whole."""
    fhir.store(OBSERVATIONS[0])
    found = fhir.get("Observation?_elements=id,status").json()["entry"][0]["resource"]
    assert set(found) == {"resourceType", "id", "meta", *({"status"} & set(OBSERVATIONS[0]))}
    assert [tag["code"] for tag in found["meta"]["tag"]] == ["SUBSETTED"]
