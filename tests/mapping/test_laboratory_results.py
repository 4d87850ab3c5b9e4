"""Laboratory results as laboratories write them: codes, units, limits, comparators, panels, statuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mapping.hospital import LOINC, PERSON, Json, about, concept, nothing_but, observation, read, reasons, seen

from fhir_adapter.cohort.events import Lab


def result(code: str, value: Any, unit: str = "", on: str = "2024-05-01", **elements: Any) -> Json:
    return observation(concept((LOINC, code)), on, valueQuantity={"value": value, "unit": unit}, **elements)


def only(*resources: Json) -> Lab:
    labs = seen(*resources).labs
    assert len(labs) == 1
    return labs[0]


def test_a_result_keeps_value_unit_limits_day_and_source() -> None:
    lab = only(
        about(
            "Observation",
            id="anc-7",
            status="final",
            code={"coding": [{"system": "http://loinc.org", "code": "751-8"}], "text": "Neutrophils #/volume in Blood"},
            effectiveDateTime="2024-05-01T07:30:00-05:00",
            issued="2024-05-01T09:00:00-05:00",
            valueQuantity={
                "value": 480,
                "unit": "cells/uL",
                "system": "http://unitsofmeasure.org",
                "code": "{cells}/uL",
            },
            referenceRange=[
                {
                    "low": {"value": 1800, "unit": "cells/uL", "code": "{cells}/uL"},
                    "high": {"value": 7700, "unit": "cells/uL", "code": "{cells}/uL"},
                }
            ],
        )
    )
    assert (lab.observable, lab.value, lab.unit, lab.comparator) == ("neutrophils", Decimal("0.48"), "10*9/L", "")
    assert (lab.lower_limit, lab.upper_limit) == (Decimal("1.8"), Decimal("7.7"))
    assert lab.on is not None
    assert lab.on.iso == "2024-05-01"
    assert (lab.source.reference, lab.source.version, lab.source.element) == ("Observation/anc-7", "3", "value[x]")
    assert lab.as_reported == "480 cells/uL"
    assert lab.flags == ()


CODINGS = [
    ("urn:oid:2.16.840.1.113883.6.1", "777-3", "platelets"),
    ("https://loinc.org", "777-3", "platelets"),
    ("http://loinc.org/", "777-3", "platelets"),
    ("http://loinc.org", " 777-3 ", "platelets"),
    ("https://hospital.example.org/fhir/CodeSystem/lab", "LAB-PLT", "platelets"),
    ("http://loinc.org", "26464-8", "leukocytes"),
    ("http://loinc.org", "26474-7", "lymphocytes"),
]


@pytest.mark.parametrize(("system", "code", "observable"), CODINGS)
def test_a_code_is_known_by_every_name_of_its_system(system: str, code: str, observable: str) -> None:
    found = only(observation(concept((system, code)), valueQuantity={"value": 20, "unit": "10*9/L"}))
    assert found.observable == observable
    assert found.flags == ()


NAMES = [
    ("中性粒细胞绝对值", "neutrophils", 0.4, "×10⁹/L"),
    ("血小板计数", "platelets", 44, "10^9/L"),
    ("血红蛋白测定", "hemoglobin", 79, "g/L"),
    ("丙氨酸氨基转移酶", "alt", 61, "U/L"),
    ("天门冬氨酸氨基转移酶", "ast", 61, "U/L"),
    ("乳酸脱氢酶", "ldh", 412, "U/L"),
    ("纤维蛋白原", "fibrinogen", 1.2, "g/L"),
    ("D-二聚体", "d-dimer", 0.9, "mg/L"),
    ("铁蛋白", "ferritin", 1022.4, "ng/mL"),
    ("C反应蛋白", "crp", 31, "mg/L"),
    ("白介素-6", "il-6", 31, "pg/mL"),
    ("ABSOLUTE NEUTROPHIL COUNT", "neutrophils", 0.4, "K/uL"),
    ("Ｐｌａｔｅｌｅｔｓ", "platelets", 44, "K/uL"),
]


@pytest.mark.parametrize(("name", "observable", "value", "unit"), NAMES)
def test_a_result_without_code_is_known_by_its_name_and_says_so(
    name: str, observable: str, value: float, unit: str
) -> None:
    lab = only(observation({"text": name}, valueQuantity={"value": value, "unit": unit}))
    assert lab.observable == observable
    assert lab.flags == ("matched-by-text",)


OTHERS = ["糖化血红蛋白", "尿肌酐", "前白蛋白", "转铁蛋白", "Creatinine clearance", "Hemoglobin A1c", "LDH isoenzymes"]


@pytest.mark.parametrize("name", OTHERS)
def test_a_test_whose_name_contains_another_is_not_that_other(name: str) -> None:
    found = read(observation({"text": name}, valueQuantity={"value": 5, "unit": "g/L"}))
    assert found.subject is not None
    assert found.subject.labs == ()
    assert len(found.set_aside) == 1


SHARES = [("26508-2", "bands"), ("764-1", "bands"), ("769-0", "segments"), ("35332-6", "bands")]


@pytest.mark.parametrize(("code", "kind"), SHARES)
def test_bands_and_segments_are_not_the_share_of_neutrophils(code: str, kind: str) -> None:
    assert only(result(code, 4, "%")).observable == f"neutrophil-{kind}-percent"


# --- time


DAYS = [
    ({"effectiveDateTime": "2024-05-01T20:00:00Z"}, "2024-05-02"),  # 04:00 of the next day at the site
    ({"effectiveDateTime": "2024-05-01T20:00:00+08:00"}, "2024-05-01"),
    ({"effectiveInstant": "2024-05-01T16:00:00.000Z"}, "2024-05-02"),
    ({"effectiveInstant": "2024-05-01T15:59:59.999Z"}, "2024-05-01"),
    ({"effectivePeriod": {"start": "2024-05-01T08:00:00+08:00", "end": "2024-05-03T08:00:00+08:00"}}, "2024-05-01"),
    ({"effectiveDateTime": "2024-05"}, "2024-05"),
    ({"effectiveDateTime": "2024"}, "2024"),
    ({"effectiveDateTime": "2024-05-01T20:00"}, "2024-05-01"),  # neither seconds nor zone: kept by the gate
]


@pytest.mark.parametrize(("moment", "day"), DAYS)
def test_the_day_is_the_sites_own_and_as_exact_as_written(moment: Json, day: str) -> None:
    found = about("Observation", status="final", code=concept((LOINC, "718-7")), **moment)
    lab = only(found | {"valueQuantity": {"value": 9.1, "unit": "g/dL"}})
    assert lab.on is not None
    assert lab.on.iso == day


@pytest.mark.parametrize(
    "moment", [{}, {"effectiveDateTime": "yesterday"}, {"effectiveDateTime": "0001-01-01"}, {"issued": "2024-05-01"}]
)
def test_a_result_without_a_day_is_set_aside(moment: Json) -> None:
    found = about("Observation", status="final", code=concept((LOINC, "718-7")), **moment)
    nothing_but("no-usable-date", read(found | {"valueQuantity": {"value": 9.1, "unit": "g/dL"}}))


# --- values


@pytest.mark.parametrize("comparator", ["<", "<=", ">", ">="])
def test_a_comparator_stays_with_its_value(comparator: str) -> None:
    quantity = {"value": 0.1, "comparator": comparator, "unit": "10*9/L"}
    lab = only(observation(concept((LOINC, "751-8")), valueQuantity=quantity))
    assert (lab.comparator, lab.value, lab.as_reported) == (comparator, Decimal("0.1"), f"{comparator}0.1 10*9/L")


def test_zero_is_a_value() -> None:
    assert only(result("751-8", 0, "10*9/L")).value == 0


@pytest.mark.parametrize(("text", "comparator"), [("< 0.1", "<"), ("≤0.1", "<="), (">=0.1", ">="), (" 0.10 ", "")])
def test_a_number_sent_as_text_takes_the_unit_of_its_range(text: str, comparator: str) -> None:
    limits = [{"low": {"value": 1.8, "unit": "10*9/L"}, "high": {"value": 6.3, "unit": "10*9/L"}}]
    lab = only(observation(concept((LOINC, "751-8")), valueString=text, referenceRange=limits))
    assert (lab.comparator, lab.value, lab.lower_limit) == (comparator, Decimal("0.1"), Decimal("1.8"))


@pytest.mark.parametrize("text", ["see comment", "clumped", "0.1-0.3", "++", "阳性", "-3"])
def test_a_text_that_is_no_number_is_no_result(text: str) -> None:
    nothing_but("lab-without-number", read(observation(concept((LOINC, "777-3")), valueString=text)))


def test_a_result_that_is_absent_with_a_reason_is_no_result() -> None:
    why = concept(("http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-performed"))
    found = read(observation(concept((LOINC, "777-3")), dataAbsentReason=why))
    assert found.subject is not None
    assert found.subject.labs == ()
    assert len(found.set_aside) == 1


def test_a_value_without_unit_is_not_guessed() -> None:
    nothing_but("unit-missing", read(result("751-8", 2.1)))


@pytest.mark.parametrize(
    ("code", "value", "unit"), [("718-7", 2100, "g/L"), ("718-7", 9.1, "g/L"), ("777-3", 100000, "10*9/L")]
)
def test_a_value_no_living_person_has_is_set_aside_and_not_corrected(code: str, value: float, unit: str) -> None:
    nothing_but("value-not-plausible", read(result(code, value, unit)))


def test_a_unit_of_another_quantity_is_refused() -> None:
    nothing_but("unit-not-known", read(result("48065-7", 0.4, "ng/mL{DDU}")))
    nothing_but("unit-not-known", read(result("3255-7", 2.4, "s")))


def test_the_code_of_a_unit_decides_and_its_print_helps_when_the_code_is_no_ucum() -> None:
    wrong_code = {"value": 9.1, "unit": "g/dL", "code": "GDL", "system": "urn:local"}
    assert only(observation(concept((LOINC, "718-7")), valueQuantity=wrong_code)).value == 91
    coded = {"value": 9.1, "unit": "grams per decilitre", "code": "g/dL"}
    assert only(observation(concept((LOINC, "718-7")), valueQuantity=coded)).value == 91


# --- limits


RANGES: list[tuple[list[Json], tuple[str | None, str | None]]] = [
    ([{"text": "3.5-9.5"}], ("3.5", "9.5")),
    ([{"text": "3.5 – 9.5"}], ("3.5", "9.5")),
    ([{"text": "3.5~9.5"}], ("3.5", "9.5")),
    ([{"text": "3.5 to 9.5"}], ("3.5", "9.5")),
    ([{"text": "<9.5"}], (None, "9.5")),
    ([{"text": "≤ 9.5"}], (None, "9.5")),
    ([{"text": "see report"}], (None, None)),
    ([], (None, None)),
    ([{"low": {"value": 3500, "unit": "/uL"}}], ("3.5", None)),
    ([{"high": {"value": 9.5}}], (None, "9.5")),  # a limit without unit has the unit of the value
    ([{"low": {"value": 3.5, "unit": "furlongs"}, "high": {"value": 9.5}}], (None, "9.5")),
    # male and female: the person is a woman
    (
        [
            {"low": {"value": 4.0}, "appliesTo": [{"text": "male"}]},
            {"low": {"value": 3.5}, "appliesTo": [{"text": "female"}]},
        ],
        ("3.5", None),
    ),
    # two ranges, and nobody says which applies: no limit is better than a wrong one
    ([{"low": {"value": 4.0}}, {"low": {"value": 3.5}}], (None, None)),
    ([{"text": "男：4.0-9.5；女：3.5-9.5"}], ("3.5", "9.5")),
    ([{"text": "M: 4.0-9.5; F: 3.5-9.5"}], ("3.5", "9.5")),
    (
        [
            {
                "low": {"value": 3.5},
                "type": concept(("http://terminology.hl7.org/CodeSystem/referencerange-meaning", "normal")),
            },
            {
                "low": {"value": 1.0},
                "type": concept(("http://terminology.hl7.org/CodeSystem/referencerange-meaning", "treatment")),
            },
        ],
        ("3.5", None),
    ),
]


@pytest.mark.parametrize(("ranges", "limits"), RANGES)
def test_limits_are_the_laboratorys_own_or_none(ranges: list[Json], limits: tuple[str | None, str | None]) -> None:
    lab = only(result("6690-2", 2, "10*9/L", referenceRange=ranges))
    assert (lab.lower_limit, lab.upper_limit) == tuple(Decimal(one) if one else None for one in limits)


def test_of_the_ranges_of_both_sexes_none_is_taken_for_a_person_of_unknown_sex() -> None:
    limits = [{"low": {"value": low}, "appliesTo": [{"text": sex}]} for low, sex in ((4.0, "male"), (3.5, "female"))]
    (lab,) = seen(result("6690-2", 2, "10*9/L", referenceRange=limits), person=PERSON | {"gender": "unknown"}).labs
    assert lab.lower_limit is None


def test_a_single_range_for_this_persons_sex_is_taken() -> None:
    limits = [{"low": {"value": 11.5, "unit": "g/dL"}, "appliesTo": [{"text": "female"}], "text": "11.5-15"}]
    assert only(result("718-7", 79, "g/L", referenceRange=limits)).lower_limit == 115


# --- panels


def test_a_panel_gives_one_result_for_each_component_it_knows() -> None:
    panel = observation(
        concept((LOINC, "58410-2"), text="CBC panel"),
        "2024-05-01T06:00:00Z",
        component=[
            {"code": concept((LOINC, "6690-2")), "valueQuantity": {"value": 0.8, "unit": "K/uL"}},
            {"code": {"text": "血小板计数"}, "valueQuantity": {"value": 21, "unit": "10^9/L"}},
            {"code": {"text": "MCV"}, "valueQuantity": {"value": 90, "unit": "fL"}},
        ],
    )
    labs = seen(panel).labs
    assert [(lab.observable, lab.value, lab.source.element, lab.flags) for lab in labs] == [
        ("leukocytes", Decimal("0.8"), "component[0].value[x]", ()),
        ("platelets", Decimal(21), "component[1].value[x]", ("matched-by-text",)),
    ]
    assert {str(lab.source) for lab in labs} == {"Observation/r1/_history/3"}


def test_a_panel_of_unknown_things_is_set_aside_and_listed() -> None:
    found = read(observation(concept((LOINC, "24326-1", "Electrolytes")), component=[{"code": {"text": "Na"}}]))
    nothing_but("observation-not-in-study", found)
    assert [(one.table, one.system, one.code, one.text) for one in found.unmapped if one.code] == [
        ("observation", "http://loinc.org", "24326-1", "Electrolytes")
    ]


# --- status


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "registered", "unknown"])
def test_what_is_not_a_result_is_set_aside_and_no_contact(status: str) -> None:
    found = read(result("751-8", 0.4, "10*9/L") | {"status": status})
    nothing_but(f"status-{status}", found)
    assert found.subject is not None
    assert found.subject.contacts == ()


@pytest.mark.parametrize(
    ("status", "flags"), [("final", ()), ("amended", ()), ("corrected", ()), ("preliminary", ("preliminary",))]
)
def test_final_and_corrected_results_count_and_preliminary_ones_say_so(status: str, flags: tuple[str, ...]) -> None:
    assert only(result("751-8", 0.4, "10*9/L") | {"status": status}).flags == flags


def test_a_result_is_a_contact_on_its_day() -> None:
    contacts = seen(result("751-8", 0.4, "10*9/L", "2024-05-01T20:00:00Z")).contacts
    assert [(one.kind, one.on.iso if one.on else "") for one in contacts] == [("observation", "2024-05-02")]


def test_a_code_that_contradicts_its_display_wins_and_is_flagged() -> None:
    lab = only(
        observation(concept((LOINC, "777-3", "Hemoglobin [Mass/volume]")), valueQuantity={"value": 44, "unit": "K/uL"})
    )
    assert (lab.observable, lab.flags) == ("platelets", ("code-and-text-disagree",))


def test_two_codes_of_different_tests_are_no_test() -> None:
    found = read(observation(concept((LOINC, "777-3"), (LOINC, "718-7")), valueQuantity={"value": 44, "unit": "K/uL"}))
    nothing_but("observation-ambiguous", found)
    assert len(found.unmapped) == 1


def test_an_unreadable_resource_is_set_aside_and_the_person_stays() -> None:
    found = read(about("Observation", status="final", code="751-8"), result("751-8", 0.4, "K/uL") | {"id": "r2"})
    assert reasons(found) == ["unexpected-shape"]
    assert found.subject is not None
    assert len(found.subject.labs) == 1
