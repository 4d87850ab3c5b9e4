"""CRS and ICANS however they are written down: AdverseEvent, Condition or Observation; graded, ungraded, denied."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import (
    AE_GRADE,
    ICD10CM,
    MEDDRA,
    NCIT,
    SNOMED,
    Json,
    about,
    concept,
    nothing_but,
    observation,
    read,
    reasons,
    seen,
)

from fhir_adapter.cohort.events import AdverseEvent

BACKPORT = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition"
FORM = "https://hospital.example.org/fhir/CodeSystem/form"
CRS = concept((MEDDRA, "10052015", "Cytokine release syndrome"))


def happened(event: Json, **elements: Any) -> Json:
    return about("AdverseEvent", **{"actuality": "actual", "event": event, "date": "2024-06-05"} | elements)


def graded(grade: Json, url: str = AE_GRADE) -> list[Json]:
    return [{"url": url, "valueCodeableConcept": grade}]


def only(*resources: Json, **named: Any) -> AdverseEvent:
    events = seen(*resources, **named).adverse_events
    assert len(events) == 1
    return events[0]


def bounds(event: AdverseEvent) -> tuple[int, int]:
    return event.grade_min, event.grade_max


# --- AdverseEvent


NCIT_GRADES = [("C41338", 1), ("C41339", 2), ("C41340", 3), ("C41337", 4), ("C48275", 5)]


@pytest.mark.parametrize(("code", "grade"), NCIT_GRADES)
def test_a_coded_grade_is_read_and_the_codes_are_not_in_order(code: str, grade: int) -> None:
    found = only(happened(CRS, id="ae-9", extension=graded(concept((NCIT, code), text="ASTCT 2019"))))
    assert (found.term, found.grade, found.scale, found.carrier) == ("crs", grade, "astct-2019", "adverse-event")
    assert (str(found.source), found.source.element, found.flags) == ("AdverseEvent/ae-9/_history/3", "event", ())
    assert found.on is not None
    assert found.on.iso == "2024-06-05"


@pytest.mark.parametrize(
    ("system", "url"),
    [
        ("urn:oid:2.16.840.1.113883.3.26.1.1", AE_GRADE),
        (NCIT, f"{BACKPORT}/severity-or-grade"),
    ],
)
def test_a_grade_is_found_under_other_names(system: str, url: str) -> None:
    assert only(happened(CRS, extension=graded(concept((system, "C41340")), url))).grade == 3


def test_a_grade_as_a_number_is_read() -> None:
    assert only(happened(CRS, extension=[{"url": AE_GRADE, "valueInteger": 2}])).grade == 2


TEXTS = [
    ("CRS 2级", 2, ""),
    ("CRS Ⅱ级", 2, ""),
    ("CRS G1", 1, ""),
    ("Cytokine release syndrome, grade III (Lee 2014)", 3, "lee-2014"),
    ("细胞因子释放综合征 2级 (ASTCT)", 2, "astct-2019"),
    ("ＣＲＳ　１级", 1, ""),
    ("CRS grade 0", 0, ""),
]


@pytest.mark.parametrize(("text", "grade", "scale"), TEXTS)
def test_a_grade_in_the_text_is_read(text: str, grade: int, scale: str) -> None:
    found = only(happened({"text": text}))
    assert (found.term, found.grade, found.scale) == ("crs", grade, scale)
    assert "matched-by-text" in found.flags


def test_the_worse_of_two_grades_counts() -> None:
    assert only(happened({"text": "CRS G2-3"})).grade_max == 3
    assert only(happened({"text": "CRS 2~3级"})).grade_max == 3


UNGRADED: list[Json] = [
    {},
    {"severity": concept(("http://terminology.hl7.org/CodeSystem/adverse-event-severity", "severe"))},
    {"seriousness": concept(("http://terminology.hl7.org/CodeSystem/adverse-event-seriousness", "serious"))},
    {"extension": graded(concept((SNOMED, "24484000", "Severe")), f"{AE_GRADE}-not")},
    {"extension": graded(concept(text="moderate"))},
]


@pytest.mark.parametrize("elements", UNGRADED)
def test_without_a_grade_any_grade_is_possible_and_severity_is_none(elements: Json) -> None:
    found = only(happened(CRS, **elements))
    assert (bounds(found), found.grade) == ((1, 5), None)


DENIED = [
    "无CRS",
    "CRS: none",
    "no CRS",
    "未发生细胞因子释放综合征",
    "No evidence of cytokine release syndrome",
    "排除CRS",
]


@pytest.mark.parametrize("text", DENIED)
def test_a_denied_event_was_assessed_and_was_none(text: str) -> None:
    assert bounds(only(happened({"text": text}))) == (0, 0)


@pytest.mark.parametrize("text", ["rule out CRS", "疑似CRS", "? CRS", "CRS待排"])
def test_a_suspected_event_is_neither_an_event_nor_the_absence_of_one(text: str) -> None:
    nothing_but("denied-or-only-suspected", read(happened({"text": text})))


@pytest.mark.parametrize(
    "text", ["CRS 3级，未见好转", "CRS 2级，未见缓解", "CRS grade 2, blood cultures negative", "CRS 2级，无低血压"]
)
def test_a_no_about_something_else_denies_nothing(text: str) -> None:
    assert only(happened({"text": text})).grade_min >= 2


def test_a_potential_event_did_not_happen() -> None:
    nothing_but("actuality-potential", read(happened(CRS, actuality="potential")))


@pytest.mark.parametrize(
    "value", [{"valueCode": "entered-in-error"}, {"valueCodeableConcept": concept(("", "entered-in-error"))}]
)
def test_an_event_entered_in_error_did_not_happen(value: Json) -> None:
    wrong = happened(CRS, modifierExtension=[{"url": f"{BACKPORT}/status", **value}])
    nothing_but("status-entered-in-error", read(wrong))
    assert only(wrong | {"modifierExtension": [{"url": f"{BACKPORT}/status", "valueCode": "completed"}]}).term == "crs"


def test_the_onset_is_the_date_then_the_detection_then_the_record_which_is_flagged() -> None:
    days = {"date": "2024-06-05", "detected": "2024-06-06", "recordedDate": "2024-06-09"}
    without = happened(CRS)
    del without["date"]
    for leave, day, flags in [
        ((), "05", ()),
        (("date",), "06", ()),
        (("date", "detected"), "09", ("onset-from-recorded-date",)),
    ]:
        found = only(without | {name: text for name, text in days.items() if name not in leave})
        assert found.on is not None
        assert (found.on.iso, found.flags) == (f"2024-06-{day}", flags)
    assert only(without).on is None


def test_crs_and_icans_in_one_entry_are_neither() -> None:
    nothing_but("adverse-event-ambiguous", read(happened({"text": "CRS and ICANS"})))


def test_an_event_the_study_does_not_follow_is_listed() -> None:
    found = read(happened(concept((MEDDRA, "10019211", "Cephalalgia"))))
    nothing_but("adverse-event-not-in-study", found)
    assert [(one.table, one.code, one.text) for one in found.unmapped] == [("adverse-event", "10019211", "Cephalalgia")]


@pytest.mark.parametrize("code", ["10083347", "10083507"])
def test_icans_has_one_code_and_its_neighbour_is_not_it(code: str) -> None:
    terms = [one.term for one in seen(happened(concept((MEDDRA, code)))).adverse_events]
    assert terms == (["icans"] if code == "10083347" else [])


@pytest.mark.parametrize("system", ["https://www.meddra.org", "urn:oid:2.16.840.1.113883.6.163"])
def test_meddra_has_several_names(system: str) -> None:
    assert only(happened(concept((system, "10052015")))).flags == ()


# --- Condition


def suffered(code: Json, **elements: Any) -> Json:
    return about("Condition", code=code, **elements)


def test_crs_as_a_condition_is_an_adverse_event_and_no_diagnosis() -> None:
    subject = seen(suffered({"text": "CRS grade 2"}, onsetDateTime="2024-06-05T01:00:00+08:00"))
    (found,) = subject.adverse_events
    assert (found.term, found.grade, found.carrier, found.source.element) == ("crs", 2, "condition", "code")
    assert found.on is not None
    assert found.on.iso == "2024-06-05"
    assert subject.diagnoses == ()


@pytest.mark.parametrize(
    ("code", "term", "grade"), [("D89.832", "crs", 2), ("D89.839", "crs", None), ("G92.01", "icans", 1)]
)
def test_grades_in_diagnosis_codes_count_only_when_unverified_codes_do(code: str, term: str, grade: int | None) -> None:
    coded = suffered(concept((ICD10CM, code)), onsetDateTime="2024-06-05")
    nothing_but("condition-not-in-study", read(coded))
    found = only(coded, unverified_codes="true")
    assert (found.term, found.grade) == (term, grade)


def test_severity_of_a_condition_is_no_grade() -> None:
    assert bounds(only(suffered({"text": "CRS"}, severity=concept((SNOMED, "24484000"))))) == (1, 5)


@pytest.mark.parametrize("status", ["refuted", "entered-in-error", "unconfirmed", "provisional", "differential"])
def test_a_condition_that_is_not_confirmed_is_set_aside(status: str) -> None:
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    nothing_but(f"verification-{status}", read(suffered({"text": "CRS"}, verificationStatus=concept((system, status)))))


# --- Observation


def crs_grade(**value: Any) -> Json:
    return observation(concept((FORM, "CRSG")), "2024-06-06", **value)


VALUES: list[tuple[Json, int]] = [
    ({"valueInteger": 2}, 2),
    ({"valueQuantity": {"value": 2.0}}, 2),
    ({"valueString": "2"}, 2),
    ({"valueString": "CRS 2级"}, 2),
    ({"valueString": "grade I"}, 1),
    ({"valueCodeableConcept": concept((NCIT, "C41340"))}, 3),
    ({"valueInteger": 0}, 0),
    ({"valueString": "未发生"}, 0),
    ({"valueString": "none"}, 0),
    ({"valueCodeableConcept": {"text": "无CRS"}}, 0),
]


@pytest.mark.parametrize(("value", "grade"), VALUES)
def test_a_grade_as_an_observation_is_an_adverse_event(value: Json, grade: int) -> None:
    found = only(crs_grade(**value))
    assert (found.term, found.grade, found.carrier) == ("crs", grade, "observation")


def test_the_name_alone_makes_a_graded_observation() -> None:
    found = only(observation({"text": "ICANS分级"}, valueString="1级 (ASTCT 2019)"))
    assert (found.term, found.grade, found.scale) == ("icans", 1, "astct-2019")
    assert "matched-by-text" in found.flags


@pytest.mark.parametrize(
    "value", [{}, {"valueInteger": 7}, {"valueString": "severe"}, {"valueQuantity": {"value": 1.5}}]
)
def test_a_grade_that_is_none_is_set_aside(value: Json) -> None:
    assert reasons(read(crs_grade(**value))) == ["grade-not-read"]


def test_what_is_not_final_counts_no_grade() -> None:
    nothing_but("status-cancelled", read(crs_grade(valueInteger=2) | {"status": "cancelled"}))
