"""A site's own ConceptMaps: read on top of the study's, checked entry by entry, and never silently against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hospital import about, concept, read

from fhir_adapter.errors import StudyError
from fhir_adapter.fhir.r4 import CodeableConcept, Coding
from fhir_adapter.mapping.study import StudyFolder, read_study

STUDY = "bsab-cart-dlbcl"
CANON = "https://fhir-adapter.example.org/fhir"
LOCAL = "https://hospital.example/drugs"
ATC = "http://www.whocc.no/atc"

Json = dict[str, Any]


def element(code: str, *targets: str, **target: Any) -> Json:
    """One element; without targets it is not decided, like in a draft."""
    told = [{"code": one, "equivalence": "equivalent", **target} for one in targets]
    return {"code": code, "target": told or [{"equivalence": "unmatched", **target}]}


def replacing(*codes: str) -> list[Json]:
    return [{"url": f"{CANON}/StructureDefinition/replaces", "valueCode": code} for code in codes]


def group(source: str, *elements: Json, target: str = "agent") -> Json:
    return {"source": source, "target": f"{CANON}/CodeSystem/{target}", "element": list(elements)}


def texts(*elements: Json, target: str = "agent") -> Json:
    return group(f"{CANON}/CodeSystem/text", *elements, target=target)


def site(folder: Path, *groups: Json, name: str = "medication") -> StudyFolder:
    """The reference study with one ConceptMap of the site."""
    folder.mkdir(exist_ok=True)
    resource = {"resourceType": "ConceptMap", "status": "draft", "group": list(groups)}
    (folder / f"{name}.json").write_text(json.dumps(resource, ensure_ascii=False), encoding="utf-8")
    return read_study(STUDY, {}, folder)


def refused(folder: Path, *groups: Json, name: str = "medication") -> str:
    with pytest.raises(StudyError) as caught:
        site(folder, *groups, name=name)
    assert caught.value.exit_code == 2
    assert f"{name}.json" in caught.value.message
    return f"{caught.value.message}\n{caught.value.hint}"


def meaning(study: StudyFolder, code: str = "", text: str = "", system: str = LOCAL) -> str | None:
    coding = (Coding(system, code),) if code else ()
    return study.terms["medication"].translate(CodeableConcept(coding, text)).code


def test_codes_and_words_of_the_site_are_understood_beside_those_of_the_study(tmp_path: Path) -> None:
    study = site(tmp_path, group(LOCAL, element("4711", "glofitamab")), texts(element("ＧＬＦ", "glofitamab")))
    assert meaning(study, "4711") == "glofitamab"
    assert meaning(study, text="GLF 10 mg infusion") == "glofitamab"
    assert meaning(study, text="glfx") is None
    assert meaning(study, text="Epcoritamab") == "epcoritamab"
    (known,) = study.site_maps
    assert (known.name, known.decided, known.replacing, len(known.sha256)) == ("medication", 2, 0, 64)
    assert study.inputs == {"conceptmap-medication": known.sha256}


def test_a_code_that_is_not_decided_yet_says_nothing(tmp_path: Path) -> None:
    study = site(tmp_path, group(LOCAL, element("4711"), {"code": "4712"}), group(ATC, element("L01FX28")))
    assert meaning(study, "4711") is None
    assert meaning(study, "L01FX28", system=ATC) == "glofitamab"
    assert study.site_maps[0].decided == 0


def test_what_is_none_of_ours_is_no_longer_listed_and_nothing_else_changes(tmp_path: Path) -> None:
    decided = {"code": "777", "target": [{"equivalence": "disjoint"}]}
    water = {"code": "Water for injection", "target": [{"equivalence": "disjoint"}]}
    study = site(tmp_path, group(LOCAL, decided), texts(water))
    reader = study.reader([])
    for known in (CodeableConcept((Coding(LOCAL, "777"),), "Aqua"), CodeableConcept(text="WATER for  injection")):
        assert study.terms["medication"].is_none_of_ours(known)
        assert list(reader.translate("medication", known, None)[1]) == []  # type: ignore[arg-type]
    unknown = CodeableConcept(text="Water for injection, glucose 5 %")
    assert not study.terms["medication"].is_none_of_ours(unknown)
    named = CodeableConcept((Coding(LOCAL, "777"),), "Glofitamab 10 mg")
    assert study.terms["medication"].translate(named).code == "glofitamab"


def test_a_target_that_does_not_exist_is_named_with_the_nearest(tmp_path: Path) -> None:
    told = refused(tmp_path, group(LOCAL, element("4711", "glofitamabb")))
    assert "group.element `4711`" in told
    assert "did you mean `glofitamab`?" in told


def test_one_code_cannot_have_two_targets(tmp_path: Path) -> None:
    told = refused(tmp_path, group(LOCAL, element("4711", "glofitamab", "epcoritamab")))
    assert "`4711` has two targets" in told
    twice = (group(LOCAL, element("4711", "glofitamab")), group(f"{LOCAL}/", element(" 4711", "epcoritamab")))
    assert "has a second target" in refused(tmp_path, *twice)
    phrases = texts(element("GLF", "glofitamab"), element("ｇｌｆ", "epcoritamab"))
    assert "group[0].element[1] has a second target" in refused(tmp_path, phrases)


def test_the_same_answer_twice_is_no_contradiction(tmp_path: Path) -> None:
    same = (group(LOCAL, element("4711", "glofitamab")), group(f"{LOCAL}/", element("4711", "glofitamab")))
    assert meaning(site(tmp_path, *same), "4711") == "glofitamab"
    assert meaning(site(tmp_path, group(ATC, element("L01FX28", "glofitamab"))), "L01FX28", system=ATC) == "glofitamab"


def test_what_contradicts_the_study_is_refused(tmp_path: Path) -> None:
    told = refused(tmp_path, group(ATC, element("L01FX28", "epcoritamab")))
    assert "`L01FX28` is `epcoritamab` here and `glofitamab` there" in told
    assert "/StructureDefinition/replaces" in told
    alias = "urn:oid:2.16.840.1.113883.6.73"
    assert "and `glofitamab` there" in refused(tmp_path, group(alias, element("L01FX28", "epcoritamab")))
    none = {"code": "L01FX28", "target": [{"equivalence": "disjoint"}]}
    assert "is `none of ours` here and `glofitamab` there" in refused(tmp_path, group(ATC, none))
    assert "group[0].element[0] is `epcoritamab`" in refused(tmp_path, texts(element("Columvi", "epcoritamab")))


def test_many_contradictions_are_counted_in_one_message(tmp_path: Path) -> None:
    codes = ("L01FX28", "L01FX27", "L01FX25", "L01FX34", "L01FX07")
    told = refused(tmp_path, group(ATC, *(element(code, "rituximab") for code in codes)))
    assert "2 more contradict it" in told
    assert len(told.splitlines()) == 2


def test_a_contradiction_that_is_meant_says_what_it_replaces(tmp_path: Path) -> None:
    study = site(tmp_path, group(ATC, element("L01FX28", "epcoritamab", extension=replacing("glofitamab"))))
    assert meaning(study, "L01FX28", system=ATC) == "epcoritamab"
    assert study.site_maps[0].replacing == 1
    none = {"code": "L01FX28", "target": [{"equivalence": "disjoint", "extension": replacing("glofitamab")}]}
    assert meaning(site(tmp_path, group(ATC, none)), "L01FX28", system=ATC) is None


def test_what_is_replaced_must_be_what_the_study_says(tmp_path: Path) -> None:
    """So that a choice does not outlive the reason for it when the study's maps change."""
    stale = element("L01FX28", "epcoritamab", extension=replacing("odronextamab"))
    assert "and `glofitamab` there" in refused(tmp_path, group(ATC, stale))
    needless = element("4711", "epcoritamab", extension=replacing("glofitamab"))
    assert "replaces `glofitamab`, which the study's own maps do not say" in refused(tmp_path, group(LOCAL, needless))


def test_a_code_that_changed_its_meaning_needs_both_to_be_named(tmp_path: Path) -> None:
    german = "http://fhir.de/CodeSystem/bfarm/atc"
    told = refused(tmp_path, group(german, element("L01FX24", "mosunetuzumab")))
    assert "`mosunetuzumab or teclistamab` there" in told
    meant = element("L01FX24", "mosunetuzumab", extension=replacing("mosunetuzumab", "teclistamab"))
    assert meaning(site(tmp_path, group(german, meant)), "L01FX24", system=german) == "mosunetuzumab"


def test_a_map_translates_into_the_vocabulary_of_its_kind(tmp_path: Path) -> None:
    told = refused(tmp_path, group(LOCAL, element("4711", "platelets"), target="observable"))
    assert "CodeSystem/observable" in told
    assert f"{CANON}/CodeSystem/agent" in told


SLIPS = [
    ({"code": "glofitamab", "equivalence": "unmatched"}, "says that there is none", "write `equivalent`"),
    ({"code": "glofitamab", "equivalence": "disjoint"}, "says that there is none", "write `equivalent`"),
    ({"equivalence": "equivalent"}, "no target code", "fill in the code"),
    ({"code": "", "equivalence": "equivalent"}, "no target code", "fill in the code"),
    ({"code": "glofitamab", "equivalence": "equivalant"}, "FHIR R4 does not have", "did you mean `equivalent`?"),
    ("glofitamab", "has not the shape of its resource type", ""),
]


@pytest.mark.parametrize(("target", "says", "hint"), SLIPS, ids=str)
def test_a_slip_in_filling_in_is_told_with_its_place(target: object, says: str, hint: str, tmp_path: Path) -> None:
    told = refused(tmp_path, group(LOCAL, {"code": "4711", "target": [target]}))
    assert says in told
    assert hint in told


def test_a_file_of_another_name_is_not_ignored(tmp_path: Path) -> None:
    assert "did you mean `medication`?" in refused(tmp_path, group(LOCAL), name="medications")


@pytest.mark.parametrize("content", ["{", "[]", '{"resourceType": "ValueSet"}'])
def test_a_file_that_is_no_concept_map(content: str, tmp_path: Path) -> None:
    (tmp_path / "medication.json").write_text(content, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        read_study(STUDY, {}, tmp_path)
    assert "medication.json" in caught.value.message


def test_a_folder_without_maps_is_a_mistake(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StudyError) as caught:
            read_study(STUDY, {}, folder)
        assert str(folder) in caught.value.message


def test_words_of_the_site_do_not_stand_in_messages(tmp_path: Path) -> None:
    """A phrase of a draft came out of somebody's record."""
    for told in (
        refused(tmp_path, texts(element("Frau Muster, GLF", "glofitamabb"))),
        refused(tmp_path, texts(element("Frau Muster, GLF", "glofitamab", "epcoritamab"))),
        refused(tmp_path, texts({"code": "Frau Muster, GLF", "target": [{"equivalence": "equivalent"}]})),
    ):
        assert "Muster" not in told


def test_without_the_site_nothing_is_different(tmp_path: Path) -> None:
    dose = about(
        "MedicationAdministration",
        status="completed",
        effectiveDateTime="2024-05-01",
        medicationCodeableConcept=concept((LOCAL, "4711")),
    )
    (unknown,) = read(dose).unmapped
    assert (unknown.table, unknown.system, unknown.code) == ("medication", LOCAL, "4711")
    study = site(tmp_path, group(LOCAL, element("4711", "glofitamab")))
    assert study.study.fingerprint == read_study(STUDY).study.fingerprint


def test_a_notebook_reads_the_maps_of_the_site_too(tmp_path: Path) -> None:
    import fhir_adapter as fa

    site(tmp_path, group(LOCAL, element("4711", "glofitamab")))
    assert meaning(fa.load_study(STUDY, conceptmaps=str(tmp_path)), "4711") == "glofitamab"
    assert meaning(fa.load_study(STUDY), "4711") is None


def test_the_extension_of_a_choice_is_defined() -> None:
    from fhir.resources.R4B.structuredefinition import StructureDefinition

    path = Path(__file__).parents[2] / "mappings/common/fhir/StructureDefinition-replaces.json"
    defined = json.loads(path.read_bytes())
    StructureDefinition.model_validate(defined)
    assert defined["url"] == replacing("x")[0]["url"]
