"""How codes and words become the study's vocabulary, on the real tables and on small ones."""

from __future__ import annotations

import unicodedata

import pytest
from mapping.hospital import study

from fhir_adapter.fhir.r4 import CodeableConcept, Coding
from fhir_adapter.mapping.terminology import ConceptMap, Target, Translation, describe, normalise

TABLES = study().terms


def meaning(table: str, text: str) -> str | None:
    return TABLES[table].translate_text(text).code


# --- drug names inside other names


LOOKALIKES = [
    ("莫妥珠单抗", "mosunetuzumab"),
    ("维泊妥珠单抗", "polatuzumab-vedotin"),
    ("奥妥珠单抗", "obinutuzumab"),
    ("托珠单抗", "tocilizumab"),
    ("曲妥珠单抗", "trastuzumab"),
    ("奥加伊妥珠单抗", "inotuzumab-ozogamicin"),
    ("奥法妥木单抗", "ofatumumab"),
    ("利妥昔单抗", "rituximab"),
    ("泰朗妥昔单抗", "loncastuximab-tesirine"),
    ("坦昔妥单抗", "tafasitamab"),
    ("维布妥昔单抗", "brentuximab-vedotin"),
    ("格菲妥单抗", "glofitamab"),
    ("艾可瑞妥单抗", "epcoritamab"),
    ("贝林妥欧单抗", "blinatumomab"),
    ("特立妥单抗", "teclistamab"),
    ("环磷酰胺", "cyclophosphamide"),
    ("异环磷酰胺", "ifosfamide"),
    ("泼尼松", "prednisone"),
    ("泼尼松龙", "prednisolone"),
    ("甲泼尼龙", "methylprednisolone"),
    ("甲基泼尼松龙", "methylprednisolone"),
    ("强的松龙", "prednisolone"),
    ("阿霉素", "doxorubicin"),
    ("表阿霉素", "epirubicin"),
    ("吡喃阿霉素", "pirarubicin"),
    ("门冬酰胺酶", "asparaginase"),
    ("培门冬酶", "pegaspargase"),
    ("高罗华", "glofitamab"),
    ("佳罗华", "obinutuzumab"),
    ("美罗华", "rituximab"),
    ("优罗华", "polatuzumab-vedotin"),
    ("mosunetuzumab", "mosunetuzumab"),
    ("obinutuzumab", "obinutuzumab"),
    ("polatuzumab vedotin", "polatuzumab-vedotin"),
    ("methylprednisolone", "methylprednisolone"),
    ("prednisolone", "prednisolone"),
    ("axicabtagene ciloleucel", "axicabtagene-ciloleucel"),
    ("brexucabtagene autoleucel", "brexucabtagene-autoleucel"),
    ("obecabtagene autoleucel", "obecabtagene-autoleucel"),
    ("阿基仑赛注射液", "axicabtagene-ciloleucel"),
    ("瑞基奥仑赛注射液", "relmacabtagene-autoleucel"),
    ("纳基奥仑赛注射液", "inaticabtagene-autoleucel"),
    ("伊基奥仑赛注射液", "equecabtagene-autoleucel"),
    ("西达基奥仑赛注射液", "ciltacabtagene-autoleucel"),
    ("泽沃基奥仑赛注射液", "zevorcabtagene-autoleucel"),
]


@pytest.mark.parametrize("frame", ["{}", "注射用{}", "{}注射液 10mg", "【{}】", "1. {} (第2周期)", "静滴 {} 100mg"])
@pytest.mark.parametrize(("name", "agent"), LOOKALIKES)
def test_a_name_means_its_own_drug_only(name: str, agent: str, frame: str) -> None:
    assert meaning("medication", frame.format(name)) == agent


NO_DRUGS = [
    "zumab",
    "单抗",
    "monoclonal antibody",
    "xmosunetuzumabx",
    "glofitamabum",
    "prerituximab",
    "CD20",
    "CD19",
    "polatu",
    "PD-1",
]


@pytest.mark.parametrize("text", NO_DRUGS)
def test_part_of_a_name_means_nothing(text: str) -> None:
    assert TABLES["medication"].translate_text(text) == Translation(None)


# --- spellings


SPELLINGS = [
    "CD3xCD20双抗",
    "CD3×CD20双抗",
    "CD3ⅩCD20双抗".replace("Ⅹ", "X"),
    "cd3⨯cd20双抗",
    "ＣＤ３×ＣＤ２０双抗",
    "抗CD3xCD20双抗注射液",
    "CD20xCD3双抗",
    "CD3✕CD20双抗",
    "CD3✖CD20双抗",
    "CD3╳CD20双抗",
    "CD3хCD20双抗",  # the Cyrillic letter
    "CD3*CD20双抗",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_crosses_letters_and_widths_are_the_same_name(text: str) -> None:
    assert meaning("medication", text) == "cd3xcd20-bispecific-unspecified"


@pytest.mark.parametrize(
    "text",
    ["Columvi™", "Columvi™ 10 mg", "COLUMVI® i.v.", "Columvi℠", "©Columvi", "高罗华®10mg", "Columvi(R)"],
)
def test_a_trade_mark_is_no_letter_of_a_name(text: str) -> None:
    assert meaning("medication", text) == "glofitamab"


@pytest.mark.parametrize("hidden", ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u202c"])
def test_letters_that_nobody_sees_are_no_letters(hidden: str) -> None:
    assert meaning("medication", f"格菲{hidden}妥单抗") == "glofitamab"
    assert meaning("medication", f"{hidden}Glo{hidden}fitamab") == "glofitamab"
    assert meaning("observation", f"D-{hidden}二聚体") == "d-dimer"


@pytest.mark.parametrize("dose", ["10mg", "2.5mg", "2,5mg", "10 mg", "10MG/10ml", "30ｍｇ", "100ug", "100μg", "100µg"])
def test_an_amount_may_stick_to_a_name(dose: str) -> None:
    assert meaning("medication", f"Columvi{dose}") == "glofitamab"
    assert meaning("medication", f"注射用利妥昔单抗{dose}") == "rituximab"


@pytest.mark.parametrize("text", ["columvi10", "columvi10x", "columvi10mgx", "columvia", "columvi2go", "xcolumvi10mg"])
def test_other_letters_and_numbers_at_a_name_make_it_another_one(text: str) -> None:
    assert meaning("medication", text) is None


HYPHENS = ["-", "‐", "‑", "‒", "–", "—", "−", "－", "﹣"]


@pytest.mark.parametrize("hyphen", HYPHENS)
def test_hyphens_are_one_hyphen(hyphen: str) -> None:
    assert meaning("medication", f"axi{hyphen}cel") == "axicabtagene-ciloleucel"
    assert meaning("procedure", f"CAR{hyphen}T细胞回输") == "car-t-infusion"
    assert meaning("observation", f"D{hyphen}二聚体") == "d-dimer"


@pytest.mark.parametrize("space", [" ", "  ", "\t", "\n", "\u3000", "\u00a0", "\u2009"])
def test_spaces_are_one_space(space: str) -> None:
    assert meaning("procedure", f"Stem{space}Cell{space}Collection") == "stem-cell-collection"


def test_roman_numerals_are_letters() -> None:
    assert meaning("stage", "Ⅳ期") == meaning("stage", "ⅳ期") == meaning("stage", "IV期") == "4"
    assert meaning("grade", "CRS Ⅲ级") == meaning("grade", "CRS III级") == "3"


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("", ""),
        ("  ", ""),
        ("Ａ－Ｂ\u3000ｃ", "a-b c"),
        ("CD3×CD20", "cd3xcd20"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("10⁹", "109"),
    ],
)
def test_the_form_in_which_texts_are_compared(raw: str, plain: str) -> None:
    assert normalise(raw) == plain
    assert normalise(unicodedata.normalize("NFKC", raw)) == plain


# --- rules of translation, on a small table


ONE, TWO, SOME = Target("one"), Target("two"), Target("some", wider=True)
SMALL = ConceptMap(
    name="small",
    codes={("urn:a", "1"): ONE, ("urn:a", "2"): TWO, ("urn:b", "x"): ONE, ("urn:a", "n"): SOME},
    phrases={"eins": ONE, "zwei": TWO, "eins und eins": TWO, "zahl": SOME},
    aliases={"urn:alias": "urn:a"},
)


def of(*codings: tuple[str, str, str], text: str = "") -> CodeableConcept:
    return CodeableConcept(tuple(Coding(system, code, display) for system, code, display in codings), text)


def test_a_code_is_looked_up_under_the_canonical_name_of_its_system() -> None:
    for system in ("urn:a", "urn:a/", " urn:a ", "urn:alias", "urn:alias/"):
        assert SMALL.translate(of((system, "1", ""))) == Translation("one", by="code")
    assert SMALL.translate(of(("urn:c", "1", ""))).code is None
    assert SMALL.translate(of(("", "1", ""))).code is None


EVERYDAY = [
    ("http://loinc.org", "http://loinc.org|2.77"),
    ("http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"),
    ("http://loinc.org", "URN:OID:2.16.840.1.113883.6.1"),
    ("http://loinc.org", "2.16.840.1.113883.6.1"),
    ("http://snomed.info/sct", "http://snomed.info/sct/731000124108"),
    ("http://snomed.info/sct", "http://snomed.info/sct/900000000000207008/version/20240101"),
    ("http://snomed.info/sct", "http://snomed.info/sct|http://snomed.info/sct/731000124108/version/20240301"),
    ("http://www.whocc.no/atc", "2.16.840.1.113883.6.73"),
    ("http://www.nlm.nih.gov/research/umls/rxnorm", "urn:oid:2.16.840.1.113883.6.88"),
]


@pytest.mark.parametrize(("canonical", "written"), EVERYDAY)
def test_versions_editions_and_bare_oids_name_the_same_system(canonical: str, written: str) -> None:
    assert TABLES["observation"].canonical(written) == canonical


@pytest.mark.parametrize(
    "other", ["http://snomed.info/sctx", "http://snomed.info/xsct/1", "2.16.840.1.113883.6.999", "1"]
)
def test_another_system_stays_another_system(other: str) -> None:
    assert TABLES["observation"].canonical(other).removeprefix("urn:oid:") == other


def test_codes_beat_words_and_say_when_they_disagree() -> None:
    assert SMALL.translate(of(("urn:a", "1", "Eins"))).flags == ()
    assert SMALL.translate(of(("urn:a", "1", ""), text="Eins")).flags == ()
    assert SMALL.translate(of(("urn:a", "1", "Zwei"))).flags == ("code-and-text-disagree",)
    assert SMALL.translate(of(("urn:a", "1", ""), text="zwei")).code == "one"
    assert SMALL.translate(of(("urn:a", "1", "etwas anderes"))).flags == ()


def test_words_are_used_when_no_code_is_known() -> None:
    for concept in (of(("urn:c", "9", "Eins")), of(text="eins"), of(("", "", "EINS!"))):
        assert SMALL.translate(concept) == Translation("one", by="text")
        assert SMALL.translate(concept).flags == ("matched-by-text",)


def test_what_means_two_things_means_nothing() -> None:
    assert SMALL.translate(of(("urn:a", "1", ""), ("urn:a", "2", ""))) == Translation(None, by="code", ambiguous=True)
    assert SMALL.translate(of(text="eins, zwei")) == Translation(None, by="text", ambiguous=True)
    assert SMALL.translate(of(("", "", "eins"), ("", "", "zwei"))) == Translation(None, by="text", ambiguous=True)
    assert SMALL.translate(of(("urn:a", "1", ""), ("urn:b", "x", ""))).code == "one"


def test_a_wider_meaning_gives_way_to_an_exact_one() -> None:
    assert SMALL.translate_text("eine zahl").code == "some"
    assert SMALL.translate_text("die zahl eins").code == "one"
    assert SMALL.translate(of(("urn:a", "n", ""), ("urn:a", "2", ""))).code == "two"
    assert SMALL.translate_text("eine zahl, eins oder zwei").ambiguous


def test_the_longest_phrase_wins_and_only_whole_words_do() -> None:
    assert SMALL.translate_text("eins und eins").code == "two"
    assert SMALL.translate_text("einstein").code is None
    assert SMALL.translate_text("keins").code is None
    assert SMALL.translate_text("(eins)").code == "one"


def test_nothing_comes_of_nothing() -> None:
    assert SMALL.translate(None) == SMALL.translate(of()) == SMALL.translate_text("") == Translation(None)
    assert ConceptMap("empty", {}, {}).translate_text("eins") == Translation(None)


def test_an_unmapped_concept_is_listed_by_its_first_code_and_its_words() -> None:
    assert describe(of(("urn:c", "9", "Neun"), text="neun")) == ("urn:c", "9", "neun")
    assert describe(of(("urn:c", "9", "Neun"))) == ("urn:c", "9", "Neun")
    assert describe(of(text="neun")) == ("", "", "neun")
    assert describe(None) == ("", "", "")


# --- what the study adds


def test_the_studys_own_phrases_are_added_to_the_common_ones() -> None:
    assert meaning("medication", "CD3xCD19 bispecific antibody, trial drug 2") == "cd3xcd19-investigational-2"
    assert meaning("medication", "CD3xCD19 bispecific antibody") == "cd3xcd19-bispecific-unspecified"


def test_unverified_codes_are_loaded_only_on_request() -> None:
    coding = of(("http://fdasis.nlm.nih.gov", "06P3KLK2J8", ""))
    assert TABLES["medication"].translate(coding).code is None
    assert study(unverified_codes="true").terms["medication"].translate(coding).code == "glofitamab"


def test_targets_of_the_antibodies_are_known() -> None:
    known = study().study
    assert known.targets("glofitamab") == ("CD3", "CD20")
    assert known.targets("blinatumomab") == ("CD3", "CD19")
    assert known.targets("unknown-study-drug") == known.targets("car-t-unspecified") == ()
    assert known.targets("cd19-cd22-cart-investigational") == ("CD19", "CD22")
