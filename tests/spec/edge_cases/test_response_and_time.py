"""Response, and the time to an event: partial dates, deaths, contacts, progression that is told and that is seen."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import LOINC, NCIT, PERSON, SNOMED, Json, concept, study
from spec.edge_cases.chart import INFUSED, assessed, chart, done, given, infused, judged, mapped, member, resource, says

from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.analysis.outcomes import response as response_rates
from fhir_adapter.cohort.case import case_of
from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.finding import Response
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.rules.judge import judge

GLOFITAMAB = [given("glofitamab", "2024-01-22")]
Answer = tuple[int | None, str, str]

# ------------------------------------------------------------------------------------------ what an EHR sends


def answered(code: Json, on: str, **elements: Any) -> Json:
    """An Observation with its answer."""
    return resource(
        "Observation", f"obs {on} {sorted(elements)}", status="final", code=code, effectiveDateTime=on, **elements
    )


def seen_at(on: str, **elements: Any) -> Json:
    """A visit."""
    period = {"start": on, "end": on}
    whole = {"status": "finished", "class": {"code": "AMB"}, "period": period, **elements}
    return resource("Encounter", f"visit {on}", **whole)


def status(code: str, on: str) -> Json:
    """The disease status of mCODE."""
    asked = concept((LOINC, "97509-4", "Cancer disease progression"))
    return answered(asked, on, valueCodeableConcept=concept((SNOMED, code)))


def deauville(score: int | str, on: str, **elements: Any) -> Json:
    """A Deauville score, as mCODE records it: a number, or a code of the NCI Thesaurus."""
    value = {"valueInteger": score} if isinstance(score, int) else {"valueCodeableConcept": concept((NCIT, score))}
    return answered(concept((SNOMED, "708895006", "Deauville five point scale")), on, **value, **elements)


def compared(words: str) -> Json:
    return {"component": [{"code": {"text": "Comparison with previous PET"}, "valueString": words}]}


def stated(answer: str, on: str, **elements: Any) -> Json:
    """A category in the study's words."""
    return answered(elements.pop("code", {"text": "Overall response"}), on, valueString=answer, **elements)


# ------------------------------------------------------------------------------------------ what the study makes of it


def person(*resources: Json, patient: Json = PERSON, **parameters: str) -> Judgement:
    if patient == PERSON:
        return member(chart(*GLOFITAMAB, *resources), **parameters)
    records = [patient if one is PERSON else one for one in chart(*GLOFITAMAB, *resources)]
    asked = study(**{"data_cut": "none", **parameters})
    subject = mapped([*records, patient], **parameters).subject
    assert subject is not None
    found = judge(subject, asked.study)
    assert isinstance(found, Judgement)
    return found


def response(one: Judgement) -> Response:
    assert one.response.value is not None
    return one.response.value


def times(one: Judgement, **parameters: str) -> dict[str, EventTime]:
    asked = study(**{"data_cut": "none", **parameters}).study
    return {str(each.endpoint): each for each in event_times(one, asked)[0]}


def gone(one: Judgement, **parameters: str) -> dict[str, str]:
    """The endpoints that the person leaves, with the reason."""
    asked = study(**{"data_cut": "none", **parameters}).study
    return {str(each.endpoint): each.reason for each in event_times(one, asked)[1]}


def told(endpoint: str, *resources: Json, patient: Json = PERSON, **parameters: str) -> Answer:
    one = times(person(*resources, patient=patient, **parameters), **parameters)[endpoint]
    assert one.source
    return one.days, "event" if one.event else "censored", one.reason


def died(when: str | bool) -> Json:
    return {**PERSON, ("deceasedBoolean" if isinstance(when, bool) else "deceasedDateTime"): when}


# ------------------------------------------------------------------------------------------ dates and deaths


def test_edge_20_a_death_known_to_the_month_is_imputed_in_its_middle_and_never_before_the_last_contact() -> None:
    """A partial date keeps its precision: the middle of what is known counts, flagged, and after the last contact."""
    found = times(person(patient=died("2024-07")))["OS"]
    assert (found.days, found.days_min, found.days_max, found.imputed) == (105, 91, 121, True)  # 15 July
    seen = times(person(seen_at("2024-07-20"), patient=died("2024-07")))["OS"]
    assert (seen.days_min, seen.days_max, seen.imputed) == (110, 121, True)
    assert seen.days is not None
    assert seen.days >= 110


def test_edge_20_a_death_known_to_the_year_is_an_interval_and_not_the_first_of_january() -> None:
    """A death known to the year lies between the infusion and the end of that year."""
    found = times(person(patient=died("2024")))["OS"]
    assert (found.days_min, found.days_max, found.days, found.imputed) == (0, 274, 91, True)  # 1 July
    bounds = times(person(patient=died("2024"), partial_date_policy="bounds"), partial_date_policy="bounds")["OS"]
    assert (bounds.days, bounds.days_min, bounds.days_max) == (None, 0, 274)
    excluded = {"partial_date_policy": "exclude"}
    assert gone(person(patient=died("2024"), **excluded), **excluded)["OS"] == "date_not_exact"


def test_edge_21_records_that_cannot_both_be_true_take_the_person_out_of_that_endpoint_only() -> None:
    """A death before the last contact, a progression after the death: listed with both records, never put right."""
    seen = person(seen_at("2024-08-09"), patient=died("2024-08-01"))
    assert gone(seen)["OS"] == "contact_after_death"
    late = person(assessed("PR", "2024-04-29"), patient=died("2024-06-01"))
    assert "PFS" not in gone(late)
    progressed = person(stated("PD", "2024-06-20"), patient=died("2024-06-01"))
    assert gone(progressed)["PFS"] == "progression_after_death"
    asked = study(data_cut="none").study
    (left,) = [one for one in event_times(progressed, asked)[1] if one.endpoint == "PFS"]
    assert len(left.sources) == 2


def test_edge_21_an_infusion_before_the_birth_leaves_every_time() -> None:
    """Nobody is infused before being born."""
    unborn = person(seen_at("2024-08-01"), patient={**PERSON, "birthDate": "2025-01-01"})
    assert gone(unborn)["OS"] == "birth_after_infusion"


def test_edge_22_a_death_without_a_day_is_never_alive() -> None:
    """Dead, day unknown: censored at the last contact with a flag that cannot be overlooked, or left out."""
    assert told("OS", seen_at("2024-08-01"), patient=died(True)) == (
        122,
        "censored",
        "death without a date, last contact",
    )
    excluded = {"undated_death": "exclude"}
    one = person(seen_at("2024-08-01"), patient=died(True), **excluded)
    assert gone(one, **excluded)["OS"] == "death_without_date"


PLANNED = [
    seen_at("2024-12-01", status="planned"),
    seen_at("2024-12-02", status="cancelled"),
    resource(
        "MedicationRequest",
        "order",
        status="active",
        intent="order",
        authoredOn="2024-12-03",
        medicationCodeableConcept={"text": "glofitamab"},
    ),
    answered({"text": "Hemoglobin"}, "2024-12-04", dataAbsentReason={"text": "not performed"}),
    done("bone marrow biopsy", "2024-12-05", status="preparation"),
]


@pytest.mark.parametrize(
    "contact",
    [
        seen_at("2024-08-01"),
        answered(
            concept((LOINC, "718-7", "Hemoglobin")),
            "2024-08-01",
            valueQuantity={"value": 98, "unit": "g/L", "system": "http://unitsofmeasure.org", "code": "g/L"},
        ),
        answered(concept((LOINC, "8310-5", "Body temperature")), "2024-08-01", valueQuantity={"value": 36.6}),
        given("aciclovir", "2024-08-01"),
    ],
    ids=["visit", "laboratory", "vital-sign", "administration"],
)
def test_edge_23_the_last_contact_is_something_that_happened_to_the_patient(contact: Json) -> None:
    """Visits, laboratory values, vital signs, drugs that were given; not orders, appointments or what was not done."""
    later = {**contact, "meta": {"versionId": "9", "lastUpdated": "2025-06-01T00:00:00Z"}}
    assert told("OS", later, *PLANNED) == (122, "censored", "last contact")


# ------------------------------------------------------------------------------------------ progression


CLINICAL = answered({"text": "Clinical progression"}, "2024-07-01", valueString="new pain, not imaged")


def test_edge_24_progression_that_is_only_told_is_no_progression_unless_the_study_says_so() -> None:
    """Told in a letter or by a change of therapy: not PD by default; by parameter, on the day of the document."""
    resources = [assessed("PR", "2024-04-29"), CLINICAL]
    assert told("PFS", *resources) == (28, "censored", "last assessment")
    assert says(person(*resources).response, "clinical progression is not counted")
    assert told("PFS", *resources, clinical_progression="event") == (91, "event", "progression")
    noted = stated("PR", "2024-04-29", note=[{"text": "clinically progressive since last week"}])
    assert told("PFS", noted) == (28, "censored", "last assessment")
    changed = [assessed("PR", "2024-04-29"), given("polatuzumab vedotin", "2024-06-01")]
    assert told("PFS", *changed) == (28, "censored", "last assessment")


def test_edge_24_a_clinical_progression_that_is_denied_is_none() -> None:
    """No clinical progression is no progression under any parameter."""
    denied = answered({"text": "Clinical progression"}, "2024-07-01", valueBoolean=False)
    answer = told("PFS", assessed("PR", "2024-04-29"), denied, clinical_progression="event")
    assert answer == (28, "censored", "last assessment")


WORSENED, STABLE, IMPROVED = "271299001", "359746009", "268910001"
WORSE_IS_PD = "improved,worsened"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("nonevent_until_confirmed", (28, "censored", "last assessment")),
        ("as_pd", (7, "event", "progression")),
        ("as_sd", (28, "censored", "last assessment")),
    ],
)
def test_edge_25_worsened_before_the_first_planned_assessment_may_be_a_flare(policy: str, expected: Answer) -> None:
    """A disease that is said to be worse on day 7 is an indeterminate response, by the study's policy."""
    resources = [status(WORSENED, "2024-04-08"), assessed("PR", "2024-04-29")]
    assert told("PFS", *resources, ir_policy=policy, trend_as_response=WORSE_IS_PD) == expected


def test_edge_25_a_flare_that_is_confirmed_is_a_progression_of_its_first_day() -> None:
    """Progression within the time to confirm it dates from the indeterminate response."""
    resources = [status(WORSENED, "2024-04-08"), assessed("PD", "2024-04-29")]
    assert told("PFS", *resources, trend_as_response=WORSE_IS_PD) == (7, "event", "progression")
    assert told("PFS", *resources) == (28, "event", "progression")


def test_a_disease_status_is_a_trend_and_no_category() -> None:
    """Improved is a response of unknown depth; stable is SD, and worsened PD, only if the study takes them for it."""
    assert response(person(status(IMPROVED, "2024-04-29"))).best == "responded-unspecified"
    stable = person(status(STABLE, "2024-04-29"))
    assert response(stable).best == "NE"
    assert says(stable.response, "a trend is not a response")
    assert response(person(status(STABLE, "2024-04-29"), trend_as_response="stable")).best == "SD"
    worse = status(WORSENED, "2024-06-01")
    assert told("PFS", worse) == (0, "censored", "not assessed")
    assert says(person(worse).response, "a trend is not a response")
    assert told("PFS", worse, trend_as_response=WORSE_IS_PD) == (61, "event", "progression")


def test_a_remission_by_disease_status_is_a_category() -> None:
    """The older answers of mCODE name the remission itself."""
    assert response(person(status("550991000124107", "2024-04-29"))).best == "CR"
    assert response(person(status("551001000124108", "2024-04-29"))).best == "PR"


def test_worsened_under_the_bispecific_antibody_does_not_settle_its_failure() -> None:
    """Worse before the collection: refractory only where the study takes the trend for progression."""
    resources = chart(*GLOFITAMAB, status(WORSENED, "2024-02-12"), without=("pd",))
    assert member(resources, trend_as_response=WORSE_IS_PD).failure.verdict == "refractory"
    untold = member(resources)
    assert untold.failure.verdict == "undetermined"
    assert says(untold.failure, "a trend is not a response")


# ------------------------------------------------------------------------------------------ response


def test_a_stated_category_counts_over_a_score_or_a_trend_of_its_day() -> None:
    """What a physician concluded is stronger than what can be derived; the derived one is shown."""
    one = person(assessed("PR", "2024-04-29"), deauville(5, "2024-04-29", **compared("new lesions")))
    assert response(one).best == "PR"
    assert says(one.response, "PD is not counted: gives way to stated category")
    assert response(person(assessed("SD", "2024-04-29"), status(IMPROVED, "2024-04-29"))).best == "SD"


@pytest.mark.parametrize(
    ("record", "best"),
    [
        (deauville(1, "2024-04-29"), "CR"),
        (deauville("C99747", "2024-04-29"), "CR"),
        (deauville(3, "2024-04-29"), "CR"),
        (deauville("C136879", "2024-04-29"), "NE"),
        (deauville(4, "2024-04-29"), "NE"),
        (deauville(4, "2024-04-29", note=[{"text": "no change"}]), "NE"),
        (deauville(4, "2024-04-29", **compared("reduced uptake")), "PR"),
        (deauville(5, "2024-04-29", **compared("no change")), "SD"),
        (deauville(5, "2024-04-29", **compared("new lesions")), "PD"),
    ],
)
def test_edge_26_a_deauville_score_of_4_or_5_is_a_category_only_beside_a_comparison(record: Json, best: str) -> None:
    """1 to 3 is CR; 4 and 5 are PR, SD or PD by what the uptake did; X and a score without comparison are none."""
    assert response(person(record)).best == best


def test_edge_26_a_study_may_take_deauville_3_for_positive() -> None:
    """De-escalation studies do: then 3 needs a comparison as 4 and 5 do."""
    positive = {"deauville_3": "positive"}
    assert response(person(deauville(3, "2024-04-29"), **positive)).best == "NE"
    assert response(person(deauville(3, "2024-04-29", **compared("decreased")), **positive)).best == "PR"
    assert response(person(deauville(2, "2024-04-29"), **positive)).best == "CR"


def test_edge_27_pet_governs_over_a_residual_mass_on_ct() -> None:
    """Complete on PET with 3 cm left on CT is CR in a lymphoma that takes up FDG; both records are shown."""
    residual = answered(concept((LOINC, "33728-7")), "2024-04-29", valueQuantity={"value": 3, "unit": "cm"})
    ct = stated("PR", "2024-04-29", code={"text": "Overall response (CT)"})
    for pet in (
        stated("CMR", "2024-04-29", method={"text": "PET-CT"}),
        deauville(2, "2024-04-29"),
    ):
        one = person(pet, ct, residual)
        assert response(one).best == "CR"
        assert says(one.response, "PR is not counted: gives way to pet")


def test_edge_28_a_response_before_the_infusion_is_not_the_best_response() -> None:
    """The answer to bridging is not the answer to CAR-T; a CR at baseline is flagged, and may leave the denominator."""
    before = assessed("CR", "2024-03-25")
    one = person(before)
    assert response(one).best == "NE"
    after = person(before, assessed("SD", "2024-04-29"))
    assert (response(after).best, response(after).complete_before) == ("SD", True)
    assert says(after.response, "in complete remission before the infusion already")
    assert told("PFS", before, assessed("PD", "2024-06-01")) == (61, "event", "progression")
    other = person(assessed("PR", "2024-04-29"))
    assert not response(other).complete_before


@pytest.mark.parametrize(("denominator", "rate"), [("infused", (1, 2)), ("not_in_cr", (1, 1))])
def test_edge_28_who_was_in_cr_before_may_leave_the_response_rate(denominator: str, rate: tuple[int, int]) -> None:
    """By parameter, the response rate is that of people with disease left to respond."""
    people = [
        person(assessed("CR", "2024-03-25"), assessed("SD", "2024-04-29")),
        person(assessed("PR", "2024-04-29")),
    ]
    asked = study(data_cut="none", orr_denominator=denominator).study
    (overall,) = [one for one in response_rates(list(map(case_of, people)), asked) if one.id == "response.orr"]
    assert (overall.numerator, overall.denominator) == rate


RADIOLOGY = {"category": [concept(("http://terminology.hl7.org/CodeSystem/observation-category", "imaging"))]}
READERS = [
    (RADIOLOGY, {"performer": [{"reference": "Practitioner/7", "display": "Dr. Chen, treating physician"}]}),
    (
        {"performer": [{"reference": "Organization/9", "display": "Department of Radiology"}]},
        {"method": {"text": "investigator assessment"}},
    ),
    ({"code": {"text": "Radiology overall response"}}, {}),
]


@pytest.mark.parametrize(("radiologist", "clinician"), READERS)
def test_edge_29_the_investigator_decides_over_radiology_on_one_day(radiologist: Json, clinician: Json) -> None:
    """Two answers of one day: the investigator's counts, the other is shown; which one is a parameter."""
    answers = [stated("SD", "2024-04-29", **radiologist), stated("PR", "2024-04-29", **clinician)]
    # Two records of one day.
    answers[0]["id"] += "a"
    one = person(*answers)
    assert response(one).best == "PR"
    assert says(one.response, "SD is not counted: gives way to investigator")
    assert response(person(*answers, preferred_assessor="radiology")).best == "SD"
    assert response(person(*answers, preferred_assessor="none")).best == ""


def test_edge_29_answers_of_one_day_from_nobody_in_particular_contradict_each_other() -> None:
    """Nobody can say which counts: undetermined where it matters."""
    answers = [stated("SD", "2024-04-29"), {**stated("PR", "2024-04-29"), "id": "other"}]
    assert response(person(*answers)).best == ""


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ignore", (123, "censored", "last assessment")),
        ("censor", (90, "censored", "allogeneic transplantation")),
        ("event", (90, "event", "allogeneic transplantation")),
    ],
)
def test_edge_30_an_allogeneic_transplantation_in_remission_is_never_a_progression(rule: str, expected: Answer) -> None:
    """By parameter it is nothing, censors on its day, or is an event of its own name."""
    graft = done("allogeneic hematopoietic stem cell transplantation", "2024-06-30")
    scans = [assessed("CR", "2024-04-29"), assessed("CR", "2024-08-02")]
    assert told("PFS", *scans, graft, allo_hct_in_cr=rule) == expected
    assert response(person(*scans, graft, allo_hct_in_cr=rule)).progressed_on is None


def test_edge_31_a_death_on_day_14_without_progression_is_an_event_and_counts_in_the_rate() -> None:
    """Death is an event of PFS; the best response was never seen, and the person stays in the denominator."""
    one = person(patient=died("2024-04-15"))
    assert response(one).best == "NE"
    event = times(one)["PFS"]
    assert (event.days, event.event, event.reason) == (14, True, "death")
    (overall,) = [found for found in response_rates([case_of(one)], study().study) if found.id == "response.orr"]
    assert (overall.numerator, overall.denominator) == (0, 1)


def test_nobody_needs_a_response_assessment_to_be_judged() -> None:
    """Without one the best response is not evaluable and PFS is censored on day 0."""
    assert isinstance(judged(chart(*GLOFITAMAB)), Judgement)
    assert told("PFS", infused(INFUSED)) == (0, "censored", "not assessed")


def test_time_may_begin_at_the_decision_for_car_t() -> None:
    """The last decision before the infusion; one against it is none, and without one the times cannot be counted."""
    origin = {"time_origin": "decision_date"}
    decided = [
        answered({"text": "CAR-T decision"}, "2024-02-20", valueString="indicated"),
        answered({"text": "CAR-T decision"}, "2024-03-20", valueBoolean=False),
    ]
    assert told("OS", *decided, seen_at("2024-08-01"), **origin) == (163, "censored", "last contact")
    assert gone(person(seen_at("2024-08-01"), **origin), **origin)["OS"] == "no_decision_date"
    assert told("OS", *decided, seen_at("2024-08-01")) == (122, "censored", "last contact")
