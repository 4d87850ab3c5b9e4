"""Who the people are and how they were at baseline, as hospitals write it down; and how numbers are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zlib import crc32

import pytest
from mapping.hospital import ATC, ICD10CM, LOINC, SNOMED, Json, concept, record, study
from spec.edge_cases.chart import DIAGNOSIS, chart, done, given, left, lines, mapped, member, resource

from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.analysis.rounding import half_up, percent
from fhir_adapter.analysis.survival import kaplan_meier
from fhir_adapter.cohort.case import case_of
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.finding import Range
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.fhir import r4
from fhir_adapter.mapping.assemble import assemble
from fhir_adapter.mapping.patient import groups, survivors
from fhir_adapter.rules.judge import judge

GLOFITAMAB = concept((ATC, "L01FX28", "glofitamab"))
BSAB = given(GLOFITAMAB, "2024-01-22")
SCAN = "2024-02-20"


def born(on: str = "", **elements: Any) -> Json:
    return {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "2"}, "birthDate": on, **elements}


def result(code: str | Json, on: str = SCAN, **elements: Any) -> Json:
    named = code if isinstance(code, dict) else {"text": code}
    seen = {"status": "final", "code": named, "effectiveDateTime": on, **elements}
    return resource("Observation", f"obs {crc32(repr(seen).encode())}", **seen)


def lesion(**value: Any) -> Json:
    return result(concept((LOINC, "33728-7", "Size.maximum dimension in Tumor")), **value)


def ages(one: Judgement) -> tuple[int, int] | None:
    span = one.age.value
    return (span.shortest, span.longest) if span else None


def points(one: Judgement) -> tuple[int, int]:
    assert one.ipi.value is not None
    return one.ipi.value.points.lowest, one.ipi.value.points.highest


def bulky(*resources: Json, **parameters: str) -> bool | None:
    value = member(chart(BSAB, *resources), **parameters).bulk.value
    return value.bulky if value else None


def organs(*resources: Json) -> tuple[str, ...] | None:
    value = member(chart(BSAB, *resources)).sites.value
    return value.organs if value else None


# --------------------------------------------------------------------------------------------- 48 cells before


EARLIER_CELLS = [
    (given("CD19 CAR-T cells", "2022-09-01"), "cd19-cart-investigational"),
    (done("allogeneic hematopoietic stem cell transplantation", "2022-09-01"), "allogeneic-hct"),
    (done("异基因造血干细胞移植", "2022-09"), "allogeneic-hct"),
]


@pytest.mark.parametrize(("cells", "flag"), EARLIER_CELLS)
def test_edge_48_cells_before_the_bsab_are_a_line_and_keep_the_person(cells: Json, flag: str) -> None:
    """CAR-T cells or an allogeneic transplantation before the BsAb: the person stays, they count as a line, and the
    person is flagged.
    """
    one = member(chart(given("R-CHOP: doxorubicin", "2021-07-01"), cells, BSAB))
    assert one.lines.value is not None
    assert one.lines.value.count == Range(lowest=3, highest=3)
    assert one.lines.value.cells == (flag,)
    assert anchor(one) == "2024-04-01"


def anchor(one: Judgement) -> str:
    assert one.index.value is not None
    return one.index.value.infusion.iso


def test_edge_48_an_autologous_transplantation_is_no_line_of_its_own() -> None:
    """An autologous transplantation belongs to the line that led to it."""
    drugs = given("cisplatin", "2022-08-01")
    one = member(chart(drugs, done("autologous stem cell transplantation", "2022-09-01"), BSAB))
    assert lines(one) == [("cisplatin",), ("glofitamab",)]


# --------------------------------------------------------------------------------------------------- 49 age


def test_edge_49_a_year_of_birth_is_two_ages_and_at_60_or_61_the_ipi_says_so() -> None:
    """A birth date known to the year gives an age within one year; where 60 or 61 decides, the IPI is a range."""
    at_the_limit, far_above = member([*chart(BSAB), born("1963")]), member([*chart(BSAB), born("1950")])
    assert (ages(at_the_limit), ages(far_above)) == ((60, 61), (73, 74))
    assert at_the_limit.age.verdict == "undetermined"
    assert points(at_the_limit) == (0, 5)
    assert points(far_above) == (1, 5)
    assert "may score 0 or 1" in at_the_limit.ipi.sentence


@pytest.mark.parametrize(("at", "years"), [("infusion", 61), ("apheresis", 60)])
def test_edge_49_age_is_told_at_the_infusion_or_at_the_collection(at: str, years: int) -> None:
    """Age is that at the infusion, unless the study asks for the age at the collection."""
    assert ages(member([*chart(BSAB), born("1963-03-15")], ipi_age_at=at)) == (years, years)


@pytest.mark.parametrize("patient", [born(), born("1962", _birthDate={"extension": []}), born("02/03/1963")])
def test_edge_49_an_age_that_is_masked_or_unreadable_is_never_guessed(patient: Json) -> None:
    """Without a readable day of birth the age is an interval or unknown, never a number."""
    one = member([*chart(BSAB), patient])
    assert one.age.verdict == "undetermined"
    assert one.age.value is None or one.age.value.days is None


# ------------------------------------------------------------------------------------------------ several people


def person(id: str, *resources: Json, **patient: Any) -> list[Json]:
    """A candidate of the study with an id of their own."""
    about = {"subject": {"reference": f"Patient/{id}"}}
    own = [{**one, **about, "id": f"{one['id'][:40]}.{id}"} for one in chart(BSAB, *resources)]
    return [{"resourceType": "Patient", "id": id, "meta": {"versionId": "1"}, **patient}, *own]


def cohort(*people: Sequence[Json]) -> list[Judgement]:
    """Everybody who belongs to the study, merged as their Patients say."""
    records = [record(one) for some in people for one in some]
    patients = {one.id: r4.decode(one.body) for one in records if one.type == "Patient"}
    links = {id: one for id, one in patients.items() if isinstance(one, r4.Patient)}
    folder = study(data_cut="none")
    found = []
    for survivor, ids in groups(survivors(links)).items():
        own = [one for one in records if one.person in ids]
        subject = assemble(survivor, ids, own, folder.reader([]), folder.study.roles.car_t).subject
        assert subject is not None
        found.append(judge(subject, folder.study))
    assert all(isinstance(one, Judgement) for one in found), found
    return [one for one in found if isinstance(one, Judgement)]


def estimates(people: Sequence[Judgement]) -> dict[str, Estimate]:
    asked = study(data_cut="none").study
    times = [time for one in people for time in event_times(one, asked)[0]]
    return {one.id: one for one in estimate(list(map(case_of, people)), times, (), asked)}


def test_edge_50_a_person_whose_sex_is_not_known_is_counted_and_in_no_ratio() -> None:
    """Sex unknown or missing: the person stays, is counted as missing, and is in no ratio of the sexes."""
    genders: list[Json] = [{"gender": "male"}, {"gender": "female"}, {"gender": "unknown"}, {}]
    built = cohort(*(person(f"p{number}", **gender) for number, gender in enumerate(genders)))
    assert len(built) == 4
    male = estimates(built)["baseline.male"]
    assert (male.numerator, male.denominator, male.missing) == (1, 2, 2)


def test_edge_50_another_sex_has_a_row_of_its_own() -> None:
    """A person of another sex is neither counted as female nor as male, nor as missing."""
    built = cohort(person("p1", gender="other"), person("p2", gender="female"))
    found = estimates(built)
    rows = ("baseline.male", "baseline.female", "baseline.other_sex")
    told = [(found[name].numerator, found[name].denominator) for name in rows]
    assert told == [(0, 2), (1, 2), (1, 2)]
    assert [one.subject.sex for one in built] == ["other", "female"]


# ------------------------------------------------------------------------------------------------------ 51 bulk


SIZES = [
    ({"valueString": "7.5cm"}, False),
    ({"valueString": "7.6cm"}, True),
    ({"valueString": "75 x 62 mm"}, False),
    ({"valueString": "62 × 76 mm"}, True),
    ({"valueString": "7.6cm×4.1cm"}, True),
    ({"valueQuantity": {"value": 75, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}}, False),
    ({"valueQuantity": {"value": 7.51, "unit": "cm"}}, True),
]


@pytest.mark.parametrize(("value", "expected"), SIZES)
def test_edge_51_bulk_is_the_longest_single_dimension_however_it_is_written(value: Json, expected: bool) -> None:
    """The longest single dimension decides, in millimetres or centimetres, as number or text; 7.5 cm is not bulky."""
    assert bulky(lesion(**value)) is expected


RANGES = [
    ({"valueString": "7-8 cm"}, None),
    ({"valueString": "8～9cm"}, True),
    ({"valueString": "5 to 7 cm"}, False),
    ({"valueString": ">10 cm"}, True),
    ({"valueString": "≥7 cm"}, None),
    ({"valueQuantity": {"value": 100, "comparator": ">", "unit": "mm"}}, True),
    ({"valueQuantity": {"value": 3, "comparator": "<", "unit": "cm"}}, False),
]


@pytest.mark.parametrize(("value", "expected"), RANGES)
def test_edge_51_a_size_given_as_a_range_decides_only_when_both_ends_agree(value: Json, expected: bool | None) -> None:
    """ "7-8 cm" may or may not be bulky: undetermined. A range on one side of the limit is settled, without a size."""
    one = member(chart(BSAB, lesion(**value)))
    assert (one.bulk.value.bulky if one.bulk.value else None) is expected
    assert one.bulk.value is None or one.bulk.value.longest_mm is None


def test_edge_51_an_inexact_lesion_beside_an_exact_one_still_counts() -> None:
    """A lesion of more than 10 cm is bulky whatever was measured beside it."""
    assert bulky(lesion(valueString="3 cm"), lesion(valueString=">10 cm")) is True
    assert bulky(lesion(valueString="3 cm"), lesion(valueString="7-8 cm")) is None
    assert bulky(lesion(valueString="9 cm"), lesion(valueString="7-8 cm")) is True


def test_edge_51_the_lesions_of_a_conglomerate_are_not_added_up() -> None:
    """Neither several lesions nor a sum of diameters are a longest diameter."""
    assert bulky(lesion(valueString="40 mm"), lesion(valueString="51 x 20 mm")) is False
    assert bulky(result("Sum of target lesion diameters", valueString="120 mm"), lesion(valueString="4 cm")) is False
    assert bulky(result("靶病灶直径总和", valueString="120 mm"), lesion(valueString="4 cm")) is False


# ------------------------------------------------------------------------------------------------------ 52 sites


def site(text: str = "", *coded: tuple[str, str, str], on: str = SCAN) -> Json:
    return result("extranodal site", on, valueCodeableConcept=concept(*coded, text=text))


@pytest.mark.parametrize("lymphatic", ["spleen", "tonsil", "Waldeyer's ring", "thymus", "脾脏", "扁桃体", "appendix"])
def test_edge_52_lymphatic_organs_in_a_list_of_extranodal_sites_do_not_count(lymphatic: str) -> None:
    """Spleen, tonsils, Waldeyer's ring, thymus, appendix and Peyer's patches are lymphatic, whatever the list says."""
    assert organs(site(lymphatic), site("liver")) == ("liver",)


def test_edge_52_several_lesions_of_one_organ_are_one_site() -> None:
    """Organs count, not lesions: several bone lesions are one site, and marrow is another."""
    assert organs(site("multiple bone lesions"), site("", (SNOMED, "71341001", "Bone structure of femur"))) == ("bone",)
    assert organs(site("多发骨病灶"), site("骨髓")) == ("bone", "bone-marrow")


def test_edge_52_a_site_may_stand_at_the_diagnosis() -> None:
    """The body site of the diagnosis counts when its day lies in the window of the imaging."""
    diagnosed = {**DIAGNOSIS, "id": "dlbcl2", "recordedDate": SCAN, "bodySite": [concept(text="liver")]}
    assert organs(diagnosed) == ("liver",)


# ----------------------------------------------------------------------------------------------------- 53 merged


def linked(id: str, kind: str, other: str) -> list[Json]:
    return [{"resourceType": "Patient", "id": id, "link": [{"type": kind, "other": {"reference": other}}]}]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (linked("old", "replaced-by", "Patient/p1"), {}),
        ([{"resourceType": "Patient", "id": "old"}], {"link": linked("", "replaces", "Patient/old")[0]["link"]}),
    ],
)
def test_edge_53_two_numbers_of_one_person_are_one_person(old: list[Json], new: Json) -> None:
    """Records that were merged are one person, under the number that survives, with the records of both."""
    dose = given(GLOFITAMAB, "2024-02-05")
    former = [*old, {**dose, "subject": {"reference": "Patient/old"}}]
    built = cohort(former, person("p1", **new))
    assert [one.subject.patient_ids for one in built] == [("p1", "old")]
    assert built[0].washout.value is not None
    assert built[0].washout.value.days == 28


# ------------------------------------------------------------------------------------------------- 54 transformed


TRANSFORMED = ["Richter transformation", "transformed follicular lymphoma", "滤泡性淋巴瘤转化为弥漫性大B细胞淋巴瘤"]


@pytest.mark.parametrize("text", TRANSFORMED)
def test_edge_54_a_transformed_lymphoma_belongs_to_the_study_only_if_it_says_so(text: str) -> None:
    """DLBCL that came of an indolent lymphoma or of CLL is included only where the study includes it."""
    disease = {**DIAGNOSIS, "code": concept(text=text)}
    records = [disease, *(one for one in chart(BSAB) if one is not DIAGNOSIS)]
    assert left(records) == "other_disease"
    assert member(records, transformed="include").diagnosis.value == "transformed-lymphoma"


def test_edge_54_the_day_of_recording_is_not_the_onset() -> None:
    """When a diagnosis was written down says nothing about when the disease began."""
    disease = {name: value for name, value in DIAGNOSIS.items() if name != "onsetDateTime"} | {
        "code": concept((ICD10CM, "C83.30", "DLBCL")),
        "recordedDate": "2024-03-20",
    }
    subject = mapped([disease]).subject
    assert subject is not None
    assert [(one.on, one.recorded.iso if one.recorded else "") for one in subject.diagnoses] == [(None, "2024-03-20")]


# ---------------------------------------------------------------------------------------------- 55 nobody is named


def test_edge_55_nothing_that_is_counted_names_a_person() -> None:
    """Statistics hold counts and lengths of time; no id of a person stands in any of them."""
    built = cohort(person("a-person-with-a-name", gender="male"))
    told = "".join(one.model_dump_json() for one in estimates(built).values())
    assert "a-person-with-a-name" not in told
    assert built[0].subject.subject_id == "a-person-with-a-name"


# ------------------------------------------------------------------------------------------------------ 56 curves


@dataclass(frozen=True)
class Followed:
    days: tuple[int, ...]
    events: tuple[int, ...]
    survival: float
    median: float | None


CURVES = [
    Followed((100, 200, 300), (0, 0, 0), 1.0, None),
    Followed((0, 100), (1, 0), 0.5, 0),
    Followed((0,), (1,), 0.0, 0),
    Followed((5,), (0,), 1.0, None),
    Followed((30, 30, 60), (1, 0, 0), 2 / 3, None),
]


@pytest.mark.parametrize("one", CURVES)
def test_edge_56_a_curve_survives_every_small_cohort(one: Followed) -> None:
    """All censored, an event on day 0, a single person, an event and a censoring on one day (the event first)."""
    curve = kaplan_meier(one.days, one.events)
    assert curve.steps[-1].survival == pytest.approx(one.survival)
    assert curve.median() == one.median
    if one.survival in (0.0, 1.0):  # nothing varies, so there is nothing that an interval could be made of
        assert (curve.steps[-1].ci_low, curve.steps[-1].ci_high) == (None, None)


def test_edge_56_a_study_without_people_says_that_nothing_can_be_estimated() -> None:
    """An empty cohort has every statistic, and each says why it cannot be estimated."""
    found = estimates(cohort())
    assert found["response.orr"].not_estimable
    assert found["baseline.age"].not_estimable
    counted = [one for one in found.values() if one.method != "count"]
    assert all(one.value is None and one.not_estimable for one in counted)


# ---------------------------------------------------------------------------------------------------- 57, 58 print


ROUNDED = [
    (Fraction(25, 2), 0, "13"),
    (Fraction(1, 8), 2, "0.13"),
    (2.675, 2, "2.68"),
    (0.5, 0, "1"),
    (12.25, 1, "12.3"),
]


@pytest.mark.parametrize(("value", "digits", "printed"), ROUNDED)
def test_edge_57_numbers_are_rounded_half_up(value: float | Fraction, digits: int, printed: str) -> None:
    """Half is rounded up, as readers expect: 12.5 % is 13 %, not 12 %."""
    assert half_up(value, digits) == printed


def test_edge_57_the_median_of_an_even_number_of_people_may_be_a_half() -> None:
    """The median of an even number of people is the mean of the two in the middle, and may end in .5."""
    assert percent(1, 8, 0) == "13%"
    built = cohort(person("p1", birthDate="1960-01-01"), person("p2", birthDate="1963-01-01"))
    assert estimates(built)["baseline.age"].value == 62.5


def test_edge_58_cr_and_pr_add_up_to_the_overall_response_on_one_denominator() -> None:
    """CR, PR and overall response have one denominator, and the parts add up to the whole."""

    def responded(code: str) -> Json:
        answer = concept((LOINC, code))
        return result("Lugano response", "2024-05-01", valueCodeableConcept=answer)

    people = [responded("LA28366-5"), responded("LA28369-9"), responded("LA28371-5")]
    found = estimates(cohort(*(person(f"p{number}", one) for number, one in enumerate(people)), person("p9")))
    parts = [found[f"response.{name}"] for name in ("cr", "pr", "sd", "pd", "ne")]
    assert [one.numerator for one in parts] == [1, 1, 1, 0, 1]
    assert {one.denominator for one in (*parts, found["response.orr"])} == {4}
    assert found["response.orr"].numerator == 2
