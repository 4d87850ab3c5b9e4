"""What is worked out once and remembered must not change an answer, whatever came before."""

import pickle
from decimal import Decimal

import pytest
from mapping.hospital import observation, read, study

from fhir_adapter.cohort.events import Lab
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import Quantity, ReferenceRange

HEMOGLOBIN = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
LONG = Decimal("5." + "0" * 40)
RANGE = ReferenceRange(low=Quantity(value=Decimal(12)), high=Quantity(value=Decimal(16)))


def lab(value: object, *ranges: object, **person: object) -> Lab | None:
    sent = observation(HEMOGLOBIN, valueQuantity={"value": value, "unit": "g/dL"}, referenceRange=ranges)
    subject = read(sent, person={"resourceType": "Patient", "id": "1", **person}).subject
    return next(iter(subject.labs), None) if subject else None


def test_a_number_too_long_for_a_measurement_is_refused_after_an_equal_short_one() -> None:
    units, gram = study().units, Quantity(unit="g/dL")
    assert units.convert("hemoglobin", Decimal(5), gram) == 50
    assert units.convert("hemoglobin", LONG, gram) is None


@pytest.mark.parametrize("limit", ["NaN", "sNaN", "Infinity"])
def test_a_limit_that_is_no_number_is_no_limit(limit: str) -> None:
    reader = study().reader([])
    odd = ReferenceRange(low=Quantity(value=Decimal(limit)), high=Quantity(value=Decimal(16)))
    scale = reader.scale("hemoglobin", Quantity(unit="g/dL"), (odd,), None)
    assert (scale.lower_limit, scale.upper_limit) == (None, 160)


@pytest.mark.parametrize("limit", ["NaN", "sNaN", "Infinity"])
def test_no_unit_is_inferred_from_a_limit_that_is_no_number(limit: str) -> None:
    odd = ReferenceRange(low=Quantity(value=Decimal(limit)))
    assert study().reader([]).scale("hemoglobin", Quantity(), (odd,), None).unit == Quantity()


def test_limits_for_an_age_are_read_anew_for_the_next_person() -> None:
    old = {"low": {"value": 50, "unit": "a"}}
    ranges = [
        {"low": {"value": 11}, "high": {"value": 15}, "age": old},
        {"low": {"value": 12}, "high": {"value": 16}, "age": {"high": {"value": 49, "unit": "a"}}},
    ]
    found = [lab(13, *ranges, birthDate=born) for born in ("1950-01-01", "1990-01-01", "1950-01-01")]
    assert [one.lower_limit for one in found if one] == [110, 120, 110]


def test_limits_for_a_sex_are_read_anew_for_the_next_person() -> None:
    ranges = [{"text": "F: 12-15"}, {"text": "M: 13-17"}]
    found = [lab(14, *ranges, gender=sex) for sex in ("female", "male", "female")]
    assert [one.upper_limit for one in found if one] == [150, 170, 150]


def test_one_moment_is_another_day_in_another_zone() -> None:
    zones = [study(site_time_zone=name).study.parameters.zone for name in ("Asia/Shanghai", "UTC")]
    found = [PartialDate.parse("2024-05-01T20:00:00+00:00", zone) for zone in (*zones, None)]
    assert [one.iso for one in found if one] == ["2024-05-02", "2024-05-01", "2024-05-01"]


def test_tables_that_have_been_used_travel_to_another_process() -> None:
    reader = study().reader([])
    sent = observation(HEMOGLOBIN, valueQuantity={"value": 9, "unit": "g/dL"})
    assert read(sent).subject
    before = reader.scale("hemoglobin", Quantity(unit="g/dL"), (RANGE,), None)
    there = pickle.loads(pickle.dumps(reader))
    assert there.scale("hemoglobin", Quantity(unit="g/dL"), (RANGE,), None) == before
    assert there.terms["observation"].translate_text("hemoglobin") == reader.terms["observation"].translate_text(
        "hemoglobin"
    )
