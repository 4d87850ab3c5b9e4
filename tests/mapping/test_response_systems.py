"""A system of response categories is a table of the study: read with its order, and refused when it is not whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from spec.edge_cases.chart import chart, given, member, resource

from fhir_adapter.cohort.response_system import ALWAYS_THERE
from fhir_adapter.errors import StudyError
from fhir_adapter.fhir.r4 import CodeableConcept
from fhir_adapter.mapping.study import read_study

MAPPINGS = Path(__file__).parents[2] / "mappings"
STUDY = "bsab-cart-dlbcl"
TABLE = MAPPINGS / "common" / "response" / "lugano-2014.csv"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the reference study with a response system of its own, to be written by the test."""
    shutil.copytree(MAPPINGS, tmp_path / "mappings")
    folder = tmp_path / "mappings" / STUDY
    (folder / "response").mkdir()
    return folder


def write(folder: Path, old: str, new: str) -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert old in text
    (folder / "response" / "ours.csv").write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("study", ["bsab-cart-dlbcl", "bsab-cart-myeloma"])
def test_every_system_has_what_trends_and_scores_are_read_as(study: str) -> None:
    system = read_study(study).study.responses
    assert ALWAYS_THERE.items() <= {one.code: one.kind for one in system.categories}.items()


def test_the_categories_of_imwg_amount_to_what_the_imwg_says() -> None:
    imwg = read_study("bsab-cart-myeloma").study.responses
    assert imwg.complete == {"sCR", "CR"}
    assert imwg.responded == {"sCR", "CR", "VGPR", "PR", "responded-unspecified"}
    assert imwg.improved - imwg.responded == {"MR"}
    assert imwg.stable == {"SD"}
    assert imwg.at_least("VGPR") == {"sCR", "CR", "VGPR"}
    assert [imwg.best(found) for found in (["SD", "MR"], ["NE"], ["IR", "NE"], [])] == ["MR", "NE", "NE", "NE"]


@pytest.mark.parametrize("system", ["lugano-2014", "lyric-2016", "recil-2017"])
def test_a_study_of_lymphoma_may_choose_its_system(system: str) -> None:
    """RECIL has a minor response, which is none in the overall response rate; LYRIC's indeterminate one is in each."""
    chosen = read_study(STUDY, {"response_system": system}).study.responses
    assert chosen.responded == {"CR", "PR", "responded-unspecified"}
    assert chosen.improved - chosen.responded == ({"MR"} if system == "recil-2017" else set())


def test_a_minor_response_is_a_category_of_recil_only() -> None:
    def best(**parameters: str) -> str:
        told = resource(
            "Observation",
            "minor",
            status="final",
            code={"text": "Overall response"},
            effectiveDateTime="2024-05-01",
            valueString="Minor response",
        )
        return member(chart(given("glofitamab", "2024-01-22"), told), **parameters).response.verdict

    assert best(response_system="recil-2017") == "MR"
    assert best() == "NE"


def test_a_study_may_bring_a_system_of_its_own(own: Path) -> None:
    write(own, "SD,stable,yes,", "MR,minor,no,\nSD,stable,yes,Stable or better")
    system = read_study(own, {"response_system": "ours"}).study.responses
    assert system.improved - system.responded == {"MR"}
    assert read_study(own).study.responses.name == "lugano-2014"


MISTAKES = [
    ("category,kind", "category,sort", "has other columns"),
    ("CR,complete", "CRR,complete", "`CRR`"),
    ("CR,complete", "CR,whole", "line 2 is not a response category"),
    ("SD,stable,yes", "SD,stable,perhaps", "line 5 is not a response category"),
    ("PD,progression,yes,\n", "", "lacks the category `PD`"),
    ("SD,stable", "SD,minor", "lacks the category `SD` of the kind `stable`"),
    ("CR,complete,yes,\nPR,response,yes,", "PR,response,yes,\nCR,complete,yes,", "is not in order"),
    ("SD,stable,yes,", "SD,stable,yes,\nSD,stable,yes,", "has a category twice"),
]


@pytest.mark.parametrize(("old", "new", "says"), MISTAKES)
def test_a_mistake_names_the_file_and_the_place(own: Path, old: str, new: str, says: str) -> None:
    write(own, old, new)
    with pytest.raises(StudyError) as caught:
        read_study(own, {"response_system": "ours"})
    assert "ours.csv" in str(caught.value)
    assert says in str(caught.value)


def test_a_system_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(StudyError) as caught:
        read_study(STUDY, {"response_system": "imwg"})
    assert str(caught.value).startswith("--set: `response_system`")
    assert caught.value.hint == "did you mean `imwg-2016`?"


def test_only_roles_that_may_be_empty_may_be_none(own: Path) -> None:
    toml = own / "study.toml"
    written = toml.read_text(encoding="utf-8")
    toml.write_text(written.replace('"bsab-pretreatment"', '"none"'), encoding="utf-8")
    assert read_study(own).study.roles.pretreatment == frozenset()
    toml.write_text(written.replace('bsab = "bispecific-antibody"', 'bsab = "none"'), encoding="utf-8")
    with pytest.raises(StudyError, match="`bsab` names the value set `none`"):
        read_study(own)


WORDS = [
    ("stringent complete response", "sCR", "CR"),
    ("very good partial response (VGPR)", "VGPR", "PR"),
    ("非常好的部分缓解", "VGPR", "PR"),
    ("严格意义的完全缓解", "sCR", "CR"),
    ("MR", "MR", None),
    ("WB-MR: no new lesion", "NE", None),
    ("partial response", "PR", "PR"),
    ("VGPR not confirmed", "NE", None),
    ("relapse from CR", "NE", None),
]


@pytest.mark.parametrize(("text", "myeloma", "lymphoma"), WORDS)
def test_the_same_words_are_read_as_the_study_means_them(text: str, myeloma: str, lymphoma: str | None) -> None:
    def read(study: str) -> str | None:
        return read_study(study).terms["response"].translate(CodeableConcept(text=text)).code

    assert read("bsab-cart-myeloma") == myeloma
    if lymphoma:
        assert read("bsab-cart-dlbcl") == lymphoma
