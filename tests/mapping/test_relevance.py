"""Could an unknown code have mattered? What speaks for it, what rules it out, and whom it concerns."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hospital import ATC, LOINC, Json, about, concept, observation, read, record, study

from fhir_adapter.fhir.r4 import Observation, decode
from fhir_adapter.mapping.gaps import Gap, gaps_of, undecided_people
from fhir_adapter.mapping.reading import Unmapped
from fhir_adapter.mapping.relevance import Appraised, Relevance, read_relevance
from fhir_adapter.mapping.resemblance import Phrasebook
from fhir_adapter.mapping.study import common_folder

LOCAL = "https://hospital.example/codes"
ANYBODY = frozenset({"p1"})


@cache
def relevance() -> Relevance:
    folder = study()
    return read_relevance(common_folder(folder.folder) / "relevance.toml", folder.terms, folder.units)


def gap(table: str, code: str = "", text: str = "", system: str = LOCAL, *people: str) -> Gap:
    return Gap(table, system if code else "", code, text, frozenset(people or ("p1",)), ("X/1/_history/1",))


def appraised(one: Gap, *seen: Json) -> Appraised:
    observations = [found for found in (decode(record(each).body) for each in seen) if isinstance(found, Observation)]
    return relevance().appraise(one, ANYBODY, observations)


def verdict(one: Gap, *seen: Json) -> tuple[str, str, tuple[str, ...]]:
    found = appraised(one, *seen)
    return found.matters, found.why, found.candidates


def measured(value: float, unit: str, **quantity: str) -> Json:
    return observation(concept((LOCAL, "X")), valueQuantity={"value": value, "unit": unit, **quantity})


def test_a_local_drug_may_be_the_antibody() -> None:
    assert verdict(gap("medication", "4711", "GLF 10 mg")) == ("perhaps", "not-ruled-out", ())


def test_a_name_that_is_nearly_a_known_one_is_likely_it() -> None:
    assert verdict(gap("medication", text="Glofitamb 10 mg")) == ("likely", "looks-alike", ("glofitamab",))
    assert verdict(gap("observation", "A1", "Ferritine (ECLIA)")) == ("likely", "looks-alike", ("ferritin",))


def test_a_word_that_many_names_share_points_to_none_of_them() -> None:
    assert verdict(gap("condition", "LYM-07", "Lymphom, Typ 7")) == ("likely", "looks-alike", ())


def test_a_known_code_under_another_name_of_its_system_is_likely_that() -> None:
    assert verdict(gap("observation", "751-8", system="LN")) == ("likely", "known-in-another-system", ("neutrophils",))
    assert verdict(gap("medication", "L01FX28", system="urn:oid:1.2.3")) == (
        "likely",
        "known-in-another-system",
        ("glofitamab",),
    )


def test_a_short_number_is_not_taken_for_the_code_of_another_system() -> None:
    assert verdict(gap("observation", "12", system="LN"))[1] == "not-ruled-out"


def test_answers_that_are_known_tell_what_the_question_is() -> None:
    form = observation(concept((LOCAL, "F-210")), valueCodeableConcept={"text": "PR"})
    assert verdict(gap("observation", "F-210"), form) == ("likely", "answer-is-known", ("response",))


def test_a_long_text_that_holds_two_letters_is_no_answer() -> None:
    prose = "Patient feels well, walks the dog twice a day, and the PR interval in today's ECG was normal again"
    assert verdict(gap("observation", "N-1"), observation(concept((LOCAL, "N-1")), valueString=prose))[1] == (
        "not-ruled-out"
    )


def test_an_unknown_answer_to_a_known_question_is_likely_to_matter() -> None:
    assert verdict(gap("response", "R3", "deutlich besser")) == ("likely", "question-is-known", ())


def test_a_unit_tells_what_it_can_be() -> None:
    counted = verdict(gap("observation", "NEU#"), measured(3.1, "10*9/L"), measured(0.4, "10*9/L"))
    assert counted == ("perhaps", "unit-fits", ("leukocytes", "lymphocytes", "neutrophils", "platelets"))


def test_a_unit_nobody_knows_rules_nothing_out() -> None:
    assert verdict(gap("observation", "X1"), measured(3.1, "Tausend"))[:2] == ("perhaps", "not-ruled-out")


@pytest.mark.parametrize(("unit", "code"), [("mmHg", "mm[Hg]"), ("mmHg", ""), ("kg", "kg")])
def test_a_pressure_or_a_weight_is_none_of_the_study(unit: str, code: str) -> None:
    seen = measured(128, unit, **({"code": code} if code else {}))
    assert verdict(gap("observation", "RR"), seen) == ("no", "another-measurement", ())


RULED_OUT = [
    ("medication", ATC, "C09AA05"),
    ("medication", "urn:oid:2.16.840.1.113883.6.73", "C09AA05"),
    ("condition", "http://hl7.org/fhir/sid/icd-10-cm", "I10"),
    ("procedure", "http://www.cms.gov/Medicare/Coding/ICD10", "0DTJ4ZZ"),
]


@pytest.mark.parametrize(("table", "system", "code"), RULED_OUT)
def test_a_code_of_another_class_does_not_matter(table: str, system: str, code: str) -> None:
    assert verdict(gap(table, code, "", system)) == ("no", "another-class", ())


@pytest.mark.parametrize(
    ("table", "system", "code"),
    [
        ("medication", ATC, "L01ZZ99"),
        ("condition", "http://hl7.org/fhir/sid/icd-10-cm", "C99.9"),
        ("procedure", LOCAL, "0DTJ4ZZ"),
        ("observation", LOINC, "99999-9"),
    ],
)
def test_what_could_be_one_of_the_study_is_not_ruled_out(table: str, system: str, code: str) -> None:
    assert verdict(gap(table, code, "", system))[0] != "no"


def test_every_code_the_study_knows_could_have_mattered() -> None:
    """The list of beginnings never rules out what the maps themselves translate into something of the study."""
    for table in ("medication", "procedure", "condition", "adverse-event"):
        for (system, code), target in study().terms[table].codes.items():
            if target.code not in ("other", "biopsy", "imaging"):
                assert not relevance().ruled_out(gap(table, code, "", system)), (table, system, code, target.code)


def test_without_anybody_undecided_nothing_could_have_come_out_differently() -> None:
    other = gap("medication", "4711", "Glofitamb", LOCAL, "p2")
    assert relevance().appraise(other, ANYBODY).why == "nobody-undecided"


def test_people_wait_for_codes_of_the_step_at_which_they_left() -> None:
    drug, disease = gap("medication", "1", "", LOCAL, "p1", "p2", "p3"), gap("condition", "2", "", LOCAL, "p2")
    left_at = {"p1": "bsab", "p2": "diagnosis", "p3": "diagnosis"}
    assert undecided_people([drug, disease], frozenset({"p9"}), left_at) == {"p1", "p2", "p9"}
    assert undecided_people([drug], frozenset(), left_at) == {"p1"}


def test_gaps_are_counted_by_code_and_people() -> None:
    said = [
        Unmapped("medication", LOCAL, "4711", "GLF 10 mg", "M/1/_history/1", "p1"),
        Unmapped("medication", LOCAL, "4711", "GLF 30 mg", "M/2/_history/1", "p1"),
        Unmapped("medication", LOCAL, "4711", "GLF 30 mg", "M/3/_history/1", "p2"),
        Unmapped("medication", "", "", "Aqua  AD inj.", "M/4/_history/1", "p1"),
        Unmapped("medication", "", "", "aqua ad inj.", "M/5/_history/1", "p1"),
    ]
    coded, written = gaps_of(said)
    assert (coded.code, coded.text, coded.records, coded.people) == ("4711", "GLF 30 mg", 3, {"p1", "p2"})
    assert (written.code, written.records, written.people) == ("", 2, {"p1"})
    assert gaps_of(reversed(said)) == (coded, written)


def test_gaps_name_the_surviving_patient() -> None:
    dose = about(
        "MedicationAdministration",
        status="completed",
        effectiveDateTime="2024-05-01",
        medicationCodeableConcept=concept((LOCAL, "4711")),
    )
    assert [one.person for one in read(dose).unmapped] == ["p1"]


def test_likeness_is_of_whole_words_in_any_script() -> None:
    book = Phrasebook({"glofitamab": "glofitamab", "格菲妥单抗": "glofitamab", "莫妥珠单抗": "mosunetuzumab"})
    assert book.nearest("注射用格菲妥单抗x", "") == {"glofitamab"}
    assert book.nearest("帕博利珠单抗") == frozenset()
    assert book.nearest("rituximab", "GLF") == frozenset()


def test_without_the_file_nothing_is_ruled_out(tmp_path: Path) -> None:
    plain = read_relevance(tmp_path / "relevance.toml", study().terms, study().units)
    assert plain.ruled_out(gap("medication", "C09AA05", "", ATC)) is None


def test_an_unknown_part_of_a_panel_is_listed_beside_the_parts_that_are_known() -> None:
    parts = [
        {"code": concept((LOINC, "6690-2")), "valueQuantity": {"value": 4, "unit": "10*9/L"}},
        {"code": concept((LOCAL, "NEU#", "NEU-A")), "valueQuantity": {"value": 3, "unit": "10*9/L"}},
    ]
    panel = observation(concept((LOCAL, "CBC")), component=parts)
    found = read(panel)
    assert [(one.table, one.code) for one in found.unmapped] == [("observation", "NEU#")]
    assert found.subject is not None
    assert [lab.observable for lab in found.subject.labs] == ["leukocytes"]
    valued = read(panel | {"valueString": "see parts"})
    assert [one.code for one in valued.unmapped] == ["CBC", "NEU#"]


def test_an_unknown_unit_is_listed_and_has_no_map_to_go_to() -> None:
    local = observation(concept((LOINC, "751-8")), valueQuantity={"value": 3.1, "unit": "Tausend pro Mikroliter"})
    (unit,) = read(local).unmapped
    assert (unit.table, unit.system, unit.code, unit.text) == ("unit", "", "", "Tausend pro Mikroliter")
    assert verdict(gap("unit", text="Tausend pro Mikroliter")) == ("likely", "question-is-known", ())
    assert read(observation(concept((LOINC, "751-8")), valueString="3.1 see the note")).unmapped == ()
    assert read(observation(concept((LOINC, "751-8")), valueQuantity={"value": 3.1})).unmapped == ()
