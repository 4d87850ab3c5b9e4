"""Death: a recorded cause of death says that the person died, and is no proof that they lived."""

from __future__ import annotations

import pytest
from mapping.hospital import ICD10CM, LOINC, Json, concept
from spec.edge_cases.chart import chart, given, mapped, resource
from spec.edge_cases.test_response_and_time import seen_at, told

CODED = concept((LOINC, "79378-6", "Cause of death"))
LYMPHOMA = concept((ICD10CM, "C83.30"))


def cause(on: str = "2024-07-03", code: Json = CODED, **elements: Json | str) -> Json:
    """The Observation of a cause of death; without other elements the cause is the lymphoma."""
    when = {"effectiveDateTime": on} if on else {}
    answer = elements or {"valueCodeableConcept": LYMPHOMA}
    return resource("Observation", "cause", status="final", code=code, **when, **answer)


def deaths(*resources: Json) -> list[str | None]:
    """The days of the deaths of a person with these records."""
    person = mapped(chart(given("glofitamab", "2024-01-22"), *resources)).subject
    assert person is not None
    return [one.on.iso if one.on else None for one in person.deaths]


@pytest.mark.parametrize("code", [CODED, {"text": "Cause of death"}, {"text": "死亡原因"}])
def test_a_cause_of_death_is_a_death_on_its_day(code: Json) -> None:
    """Nothing else tells of the death: it is an event of overall survival."""
    assert told("OS", cause(code=code)) == (93, "event", "death")


def test_a_cause_of_death_that_was_written_down_later_moves_no_date_of_death() -> None:
    """Discharged as deceased on 1 July, certified on the 3rd: the death was on the 1st, without contradiction."""
    died = seen_at("2024-07-01")
    died["hospitalization"] = {
        "dischargeDisposition": concept(("http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp"))
    }
    assert told("OS", died, cause()) == (91, "event", "death")


def test_a_cause_of_death_is_no_contact() -> None:
    """It proves that the person was dead, not alive."""
    person = mapped(chart(given("glofitamab", "2024-01-22"), cause())).subject
    assert person is not None
    assert "2024-07-03" not in [one.on.iso for one in person.contacts if one.on]


def test_a_cause_of_death_after_the_data_cut_proves_nothing_about_the_cut() -> None:
    """The death may have come before: follow-up ends at the last contact."""
    answer = told("OS", seen_at("2024-06-01"), cause(), data_cut="2024-06-20")
    assert answer == (61, "censored", "last contact")


def test_a_cause_of_death_without_a_day_is_a_death_without_a_day() -> None:
    assert deaths(cause(on="")) == [None]


@pytest.mark.parametrize(
    "record",
    [
        cause(code={"text": "Family member cause of death"}),
        cause(code={"text": "Cause of death of father"}),
        cause(dataAbsentReason=concept(("http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-applicable"))),
    ],
)
def test_a_cause_of_death_of_a_relative_or_without_an_answer_is_no_death(record: Json) -> None:
    assert deaths(record) == []
