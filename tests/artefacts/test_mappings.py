"""The artefacts under mappings/ hold together: valid FHIR, no dangling target, one meaning a phrase, exact units."""

from __future__ import annotations

import csv
import itertools
import json
import re
import tomllib
import unicodedata
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

MAPPINGS = Path(__file__).parents[2] / "mappings"
CANON = "https://fhir-adapter.example.org/fhir"
TEXT = f"{CANON}/CodeSystem/text"
KINDS = ("codesystems", "conceptmaps", "valuesets")
FILES = sorted(path for kind in KINDS for path in MAPPINGS.glob(f"**/{kind}/*.json"))
MAPS = [path for path in FILES if path.parent.name == "conceptmaps"]
SETS = [path for path in FILES if path.parent.name == "valuesets"]


def name_of(path: Path) -> str:
    return str(path.relative_to(MAPPINGS))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def codes_of(url: str) -> set[str]:
    system = read(MAPPINGS / "common/codesystems" / f"{url.rsplit('/', 1)[-1]}.json")
    assert system["url"] == url
    return {concept["code"] for concept in system["concept"]}


def plain(phrase: str) -> str:
    """The form in which phrases and texts are compared."""
    folded = unicodedata.normalize("NFKC", phrase).casefold()
    folded = re.sub("[‐‑‒–—―−]", "-", folded).replace("×", "x")
    return re.sub(r"\s+", " ", folded).strip()


def phrases(path: Path) -> list[tuple[str, str]]:
    groups = [group for group in read(path)["group"] if group["source"] == TEXT]
    return [(plain(e["code"]), e["target"][0]["code"]) for group in groups for e in group["element"]]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_artefact_is_valid_r4_and_says_what_it_is(path: Path) -> None:
    artefact = read(path)
    get_fhir_model_class(artefact["resourceType"]).model_validate(artefact)
    assert artefact["status"] == "active"
    assert artefact["experimental"] is False
    assert artefact["url"].startswith(f"{CANON}/{artefact['resourceType']}/")
    assert artefact["url"].endswith(artefact["id"])
    assert all(artefact[key] for key in ("version", "name", "title", "description", "copyright"))


@pytest.mark.parametrize("path", [*MAPS, *SETS], ids=name_of)
def test_every_map_and_value_set_names_its_sources_and_its_licence(path: Path) -> None:
    artefact = read(path)
    assert len(artefact["purpose"]) >= len("Our own.")
    assert len(artefact["copyright"]) > 20


def test_codes_of_a_licensed_system_come_with_its_licence() -> None:
    """Who owns each code system that a map holds codes of is said in that map."""
    owners = {
        "http://snomed.info/sct": "SNOMED",
        "http://loinc.org": "LOINC",
        "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
        "http://www.whocc.no/atc": "ATC",
        "http://www.ama-assn.org/go/cpt": "CPT",
        "http://terminology.hl7.org/CodeSystem/mdr": "MedDRA",
        "http://terminology.hl7.org/CodeSystem/HCPCS-all-codes": "HCPCS",
        "http://www.cms.gov/Medicare/Coding/ICD10": "ICD-10-PCS",
        "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
        "http://hl7.org/fhir/sid/icd-10": "World Health Organization",
        "http://terminology.hl7.org/CodeSystem/icd-o-3": "ICD-O",
        "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl": "NCI",
    }
    silent = [
        (name_of(path), group["source"])
        for path in MAPS
        for group in read(path)["group"]
        if owners.get(group["source"], "") not in read(path)["copyright"]
    ]
    assert silent == []


def test_no_two_artefacts_share_a_url() -> None:
    urls = [read(path)["url"] for path in FILES]
    assert len(set(urls)) == len(urls) > 40


@pytest.mark.parametrize("path", MAPS, ids=name_of)
def test_every_target_exists_and_no_code_has_two(path: Path) -> None:
    for group in read(path)["group"]:
        known = codes_of(group["target"])
        assert group["target"].endswith(TARGETS[path.stem])
        sources = [e["code"] for e in group["element"]]
        assert len(set(sources)) == len(sources)
        for element in group["element"]:
            targets = element["target"]
            assert len(targets) == 1 or all(one.get("dependsOn") for one in targets)
            assert {one["code"] for one in targets} <= known, element["code"]


TARGETS = {
    "medication": "/agent",
    "procedure": "/procedure-kind",
    "condition": "/disease",
    "observation": "/observable",
    "response": "/response-category",
    "adverse-event": "/adverse-event-term",
    "grade": "/grade",
    "grading-scale": "/grading-scale",
    "stage": "/ann-arbor-stage",
    "body-site": "/body-site",
    "negation": "/negation",
    "outcome": "/outcome",
    "stop-reason": "/stop-reason",
    "route": "/route",
    "sample": "/sample",
    "range-audience": "/range-audience",
    "disease-trend": "/disease-trend",
    "uptake-change": "/uptake-change",
    "assessor": "/assessor",
    "deauville-score": "/deauville-score",
    "ecog-score": "/ecog-score",
}


@pytest.mark.parametrize("path", SETS, ids=name_of)
def test_every_member_of_a_value_set_exists_once(path: Path) -> None:
    for include in read(path)["compose"]["include"]:
        members = [concept["code"] for concept in include["concept"]]
        assert set(members) <= codes_of(include["system"])
        assert len(set(members)) == len(members)


@pytest.mark.parametrize("name", sorted({path.stem for path in MAPS}))
def test_no_phrase_means_two_things(name: str) -> None:
    meanings: dict[str, set[str]] = {}
    for path in MAPS:
        if path.stem == name:
            for phrase, target in phrases(path):
                meanings.setdefault(phrase, set()).add(target)
    assert {phrase: found for phrase, found in meanings.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", MAPS, ids=name_of)
def test_no_phrase_is_written_twice(path: Path) -> None:
    written = [phrase for phrase, _ in phrases(path)]
    assert len(set(written)) == len(written)
    assert "" not in written


GIVES_WAY = {"wider", "inexact"}


def translated(name: str, text: str) -> set[str]:
    """The meanings of the phrases in a text: whole words, from the left, the longest first; what is wider gives way."""
    finder, table, exactness = reading_of(name)
    found = {hit.group() for hit in finder.finditer(plain(text))}
    exact = {phrase for phrase in found if exactness[phrase] not in GIVES_WAY}
    return {table[phrase] for phrase in exact or found}


@cache
def reading_of(name: str) -> tuple[re.Pattern[str], dict[str, str], dict[str, str]]:
    """The phrases of all maps of a name as one pattern, with their targets and equivalences."""
    paths = [path for path in MAPS if path.stem == name]
    table = dict(pair for path in paths for pair in phrases(path))
    exactness = dict(pair for path in paths for pair in equivalences(path))
    words = {phrase: ("(?<![0-9a-z])" * bool(re.match("[0-9a-z]", phrase))) + re.escape(phrase) for phrase in table}
    whole = [
        words[p] + "(?![0-9a-z]|-l?[0-9])" * bool(re.search("[0-9a-z]$", p))
        for p in sorted(table, key=len, reverse=True)
    ]
    return re.compile("|".join(whole)), table, exactness


def equivalences(path: Path) -> list[tuple[str, str]]:
    groups = [group for group in read(path)["group"] if group["source"] == TEXT]
    return [(plain(e["code"]), e["target"][0]["equivalence"]) for group in groups for e in group["element"]]


@pytest.mark.parametrize("path", MAPS, ids=name_of)
def test_what_a_code_is_called_never_says_something_else(path: Path) -> None:
    for group in read(path)["group"]:
        for element in group["element"] if group["source"] != TEXT else []:
            said = translated(path.stem, element.get("display", ""))
            assert said <= {element["target"][0]["code"]}, element


TEXTS = [
    ("medication", "格菲妥单抗注射液 10mg", {"glofitamab"}),
    ("medication", "高罗华 10mg", {"glofitamab"}),
    ("medication", "RO7082859", {"glofitamab"}),
    ("medication", "莫妥珠单抗", {"mosunetuzumab"}),
    ("medication", "注射用维泊妥珠单抗", {"polatuzumab-vedotin"}),
    ("medication", "奥妥珠单抗", {"obinutuzumab"}),
    ("medication", "注射用异环磷酰胺", {"ifosfamide"}),
    ("medication", "甲泼尼龙", {"methylprednisolone"}),
    ("medication", "ＣＤ３×ＣＤ２０双抗", {"cd3xcd20-bispecific-unspecified"}),
    ("medication", "CD3xCD20 bispecific antibody, trial drug 1", {"cd3xcd20-investigational-1"}),
    ("medication", "研究药物 NCT00000000", {"unknown-study-drug"}),
    ("medication", "ceftriaxone (CTX)", set()),
    ("procedure", "外周血单个核细胞采集", {"leukapheresis"}),
    ("procedure", "外周血造血干细胞采集", {"stem-cell-collection"}),
    ("procedure", "治疗性白细胞单采", {"therapeutic-leukapheresis"}),
    ("procedure", "血小板单采", {"other"}),
    ("condition", "非霍奇金淋巴瘤", {"non-hodgkin-lymphoma-unspecified"}),
    ("condition", "Non-Hodgkin's lymphoma", {"non-hodgkin-lymphoma-unspecified"}),
    ("condition", "弥漫性大B细胞淋巴瘤（GCB型）", {"dlbcl"}),
    ("condition", "原发中枢神经系统弥漫性大B细胞淋巴瘤", {"primary-cns-lymphoma"}),
    ("condition", "MCL sprain", set()),
    ("observation", "糖化血红蛋白", {"other"}),
    ("observation", "前白蛋白", {"other"}),
    ("observation", "白细胞介素-6", {"il-6"}),
    ("observation", "D-二聚体（FEU）", {"d-dimer"}),
    ("observation", "转铁蛋白", {"other"}),
    ("stage", "IV期B组", {"4"}),
    ("stage", "Ⅲ E+S", {"3"}),
    ("stage", "stage IVB, IPI 3", {"4"}),
    ("grade", "CRS 2级 (ASTCT 2019)", {"2"}),
    ("grade", "ICANS grade I", {"1"}),
    ("grade", "G2-3", {"3"}),
    ("response", "PET-CT: CMR", {"CR"}),
    ("response", "no evidence of progression", {"NE"}),
    ("body-site", "肝、骨髓", {"liver", "bone-marrow"}),
    ("body-site", "锁骨上淋巴结", {"lymph-node"}),
    ("negation", "无CRS", {"absent"}),
    ("negation", "rule out ICANS", {"suspected"}),
    ("negation", "CRS: none", {"absent"}),
    ("medication", "格菲妥单抗(CD3×CD20双抗)", {"glofitamab"}),
    ("medication", "Study drug: glofitamab", {"glofitamab"}),
    ("medication", "阿基仑赛注射液（CAR-T细胞）", {"axicabtagene-ciloleucel"}),
    ("medication", "tisagenlecleucel (CD19 CAR-T)", {"tisagenlecleucel"}),
    ("medication", "CD3 × CD20 bispecific antibody", {"cd3xcd20-bispecific-unspecified"}),
    ("medication", "CD20-CD3 双抗", {"cd3xcd20-bispecific-unspecified"}),
    ("medication", "CD3 × CD20 bispecific antibody, trial drug 1", {"cd3xcd20-investigational-1"}),
    ("medication", "CD3xCD20 bispecific antibody, trial drug 9", {"cd3xcd20-bispecific-unspecified"}),
    ("medication", "多西紫杉醇", {"docetaxel"}),
    ("medication", "长春碱酰胺", {"vindesine"}),
    ("medication", "德曲妥珠单抗", {"trastuzumab-deruxtecan"}),
    ("medication", "恩美曲妥珠单抗", {"trastuzumab-emtansine"}),
    ("medication", "阿托珠单抗", {"atezolizumab"}),
    ("medication", "甲泼尼松龙", {"methylprednisolone"}),
    ("procedure", "单采血小板输注", {"platelet-transfusion"}),
    ("procedure", "单采置管", {"other"}),
    ("procedure", "单采置管及单采", {"leukapheresis"}),
    ("procedure", "供者淋巴细胞采集", {"other"}),
    ("procedure", "CD34+细胞单采", {"stem-cell-collection"}),
    ("procedure", "Leukapheresis for CD34+ stem cells", {"stem-cell-collection"}),
    ("procedure", "Leukapheresis for CAR-T", {"leukapheresis"}),
    ("condition", "非霍奇金淋巴瘤 弥漫性大B细胞淋巴瘤 IV期", {"dlbcl"}),
    ("condition", "follicular lymphoma, rule out DLBCL", {"follicular-lymphoma"}),
    ("adverse-event", "CRS grade 1 (fever)", {"crs"}),
    ("adverse-event", "CRS 2级, 已排除感染", {"crs"}),
    ("adverse-event", "CRS grade 2, no ICANS", {"crs"}),
    ("adverse-event", "no ICANS, CRS grade 1", {"crs"}),
    ("adverse-event", "no CRS or ICANS", {"other"}),
    ("adverse-event", "CRS and ICANS", {"crs", "icans"}),
    ("response", "rule out PD", {"NE"}),
    ("response", "疑似PD", {"NE"}),
    ("response", "未达完全缓解", {"NE"}),
    ("response", "non-CR/non-PD", {"NE"}),
    ("response", "CR, no PD", {"CR"}),
    ("response", "no change, SD", {"SD"}),
    ("response", "PD-1 antibody", set()),
    ("grade", "Grade: 2", {"2"}),
    ("grade", "Grad 2", {"2"}),
    ("grade", "CTCAE 3", {"3"}),
    ("grade", "CTCAE 3.0 grade 2", {"2"}),
    ("grade", "CTCAE 5", set()),
    ("grade", "grade 2/3", {"3"}),
    ("grade", "<3级", {"2"}),
    ("grade", "dexamethasone 10 mg IV", set()),
    ("negation", "no CRS or ICANS", {"absent"}),
    ("negation", "CRS, no ICANS", {"absent", "affirmed"}),
    ("negation", "CRS：无", {"absent"}),
    ("negation", "CRS: no hypotension", {"affirmed"}),
    ("negation", "DLBCL family history", {"absent"}),
    ("negation", "DLBCL, CD5 negative", {"absent", "affirmed"}),
    ("negation", "CR, no evidence of disease", {"absent", "affirmed"}),
    ("negation", "CRS grade 1, no hypotension", {"affirmed"}),
]


@pytest.mark.parametrize(("name", "text", "expected"), TEXTS)
def test_texts_as_hospitals_write_them(name: str, text: str, expected: set[str]) -> None:
    assert translated(name, text) == expected


@pytest.mark.parametrize("name", ["condition", "response", "adverse-event"])
def test_what_a_text_may_be_about_is_not_denied_by_a_no_about_something_else(name: str) -> None:
    known = dict(phrases(MAPPINGS / "common/conceptmaps/negation.json"))
    table = MAPPINGS / "common/conceptmaps" / f"{name}.json"
    plainly = [phrase for phrase, equivalence in equivalences(table) if equivalence not in GIVES_WAY]
    assert len(plainly) > 50
    assert {phrase for phrase in plainly if phrase not in known} == set()


def test_maps_use_canonical_systems_only() -> None:
    aliases = tomllib.loads((MAPPINGS / "common/system-aliases.toml").read_text(encoding="utf-8"))
    others = [alias for names in aliases.values() for alias in names]
    used = {group["source"] for path in MAPS for group in read(path)["group"]}
    assert len(set(others)) == len(others)
    assert used.isdisjoint(others)
    assert set(others).isdisjoint(aliases)


def test_the_german_atc_copy_says_the_same_but_for_its_ambiguous_code() -> None:
    groups = {g["source"]: g for g in read(MAPPINGS / "common/conceptmaps/medication.json")["group"]}
    who = {e["code"]: e["target"][0] for e in groups["http://www.whocc.no/atc"]["element"]}
    german = {e["code"]: e["target"] for e in groups["http://fhir.de/CodeSystem/bfarm/atc"]["element"]}
    assert [one["code"] for one in german.pop("L01FX24")] == ["mosunetuzumab", "teclistamab"]
    assert who.pop("L01FX24")["equivalence"] == "inexact"
    assert who["L01FX25"]["code"] == "mosunetuzumab"
    assert {code: targets[0] for code, targets in german.items()} == who
    aliases = tomllib.loads((MAPPINGS / "common/system-aliases.toml").read_text(encoding="utf-8"))
    assert "http://fhir.de/CodeSystem/bfarm/atc" in aliases
    assert "http://fhir.de/CodeSystem/bfarm/atc" not in aliases["http://www.whocc.no/atc"]


def test_gene_and_virus_products_are_no_car_t() -> None:
    text = (MAPPINGS / "common/conceptmaps/medication.json").read_text(encoding="utf-8")
    assert not re.search(r'"L01XL(01|02|09|10|11)?"', text)


def test_unverified_codes_are_not_among_the_verified() -> None:
    for path in MAPPINGS.glob("common/unverified/conceptmaps/*.json"):
        verified = read(MAPPINGS / "common/conceptmaps" / path.name)["group"]
        known = {(group["source"], e["code"]) for group in verified for e in group["element"]}
        doubtful = {(group["source"], e["code"]) for group in read(path)["group"] for e in group["element"]}
        assert known.isdisjoint(doubtful)


def test_roles_of_the_study() -> None:
    def members(path: str) -> set[str]:
        included = read(MAPPINGS / path)["compose"]["include"]
        return {concept["code"] for include in included for concept in include["concept"]}

    study = "bsab-cart-dlbcl/valuesets"
    bsab = members(f"{study}/bispecific-antibody.json")
    lines = members("common/valuesets/systemic-anticancer-therapy.json")
    car_t = members("common/valuesets/car-t-product.json")
    assert members(f"{study}/large-b-cell-lymphoma.json") == {"dlbcl", "hgbl", "pmbl"}
    assert members(f"{study}/bsab-pretreatment.json") == {"obinutuzumab", "rituximab"}
    assert {"trastuzumab-deruxtecan", "atezolizumab"} <= lines
    assert members(f"{study}/lymphodepletion.json") == {"fludarabine", "cyclophosphamide", "bendamustine"}
    assert bsab.isdisjoint({"teclistamab", "talquetamab", "elranatamab", "obinutuzumab", "tafasitamab"})
    assert bsab | car_t <= lines
    assert lines.isdisjoint({"prednisone", "dexamethasone", "methylprednisolone", "tocilizumab"})


def test_every_bispecific_antibody_names_cd3_and_one_more_target() -> None:
    concepts = read(MAPPINGS / "common/codesystems/agent.json")["concept"]
    for concept in concepts:
        properties = concept["property"]
        targets = [p["valueCode"] for p in properties if p["code"] == "target"]
        if {"code": "class", "valueCode": "bispecific"} in properties:
            assert targets[0] == "CD3"
            assert len(targets) == 2


# ---------------------------------------------------------------------------------------------- grading

#  term code, highest grade a laboratory can decide, in 5.0 and in 6.0: written by hand from the published tables
GRADES = {
    "anemia": (3, 3),
    "neutrophil-count-decreased": (4, 4),
    "platelet-count-decreased": (4, 4),
    "white-blood-cell-decreased": (4, 4),
    "lymphocyte-count-decreased": (4, 1),
    "alt-increased": (4, 4),
    "ast-increased": (4, 4),
    "alp-increased": (4, 1),
    "ggt-increased": (4, 4),
    "bilirubin-increased": (4, 4),
    "creatinine-increased": (4, 4),
    "fibrinogen-decreased": (4, 4),
    "aptt-prolonged": (3, 3),
    "inr-increased": (3, 3),
    "hypoalbuminemia": (3, 3),
    "ldh-increased": (1, 1),
}
VERSIONS = {"5.0": "ctcae-v5.csv", "6.0": "ctcae-v6.csv"}


def clauses(version: str) -> list[dict[str, str]]:
    path = MAPPINGS / "common/grading" / VERSIONS[version]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_gradable_pair_of_term_and_grade_has_a_clause(version: str) -> None:
    index = list(VERSIONS).index(version)
    found = {(row["term_code"], int(row["grade"])) for row in clauses(version)}
    assert found == {(term, grade) for term, tops in GRADES.items() for grade in range(1, tops[index] + 1)}


@pytest.mark.parametrize("version", VERSIONS)
def test_clauses_are_made_of_known_words(version: str) -> None:
    terms, observables = codes_of(f"{CANON}/CodeSystem/adverse-event-term"), codes_of(f"{CANON}/CodeSystem/observable")
    units = tomllib.loads((MAPPINGS / "common/units.toml").read_text(encoding="utf-8"))
    for row in clauses(version):
        assert row["term_code"] in terms
        assert row["observable"] in observables
        assert row["direction"] in {"below", "above", "at_or_above", "fall_at_least", "transfused"}
        assert row["of"] in {"absolute", "LLN", "ULN", "baseline"}
        assert row["when_baseline"] in {"any", "normal", "abnormal", "below_normal"}
        assert (Decimal(row["limit"]) == 0) == (row["direction"] == "transfused")
        assert (row["direction"] == "transfused") <= ("transfusion indicated" in row["text"])
        table = units["tables"][units["analytes"][row["observable"]]["table"]]
        assert row["unit"] == (table["canonical"] if row["of"] == "absolute" else "")
        assert row["text"]
        assert re.fullmatch(r"(10\d{6})?", row["meddra"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_higher_grade_needs_a_more_extreme_value(version: str) -> None:
    ladders: dict[tuple[str, ...], list[tuple[int, Decimal, str]]] = {}
    for row in (row for row in clauses(version) if row["direction"] != "transfused"):
        falling = row["direction"] == "fall_at_least"
        key = (row["term_code"], row["of"], row["when_baseline"], str(falling))
        ladders.setdefault(key, []).append((int(row["grade"]), Decimal(row["limit"]), row["direction"]))
    for key, steps in ladders.items():
        ordered = sorted(steps)
        assert len({grade for grade, _, _ in ordered}) == len(ordered), key
        limits = [-limit if direction == "below" else limit for _, limit, direction in ordered]
        assert limits == sorted(set(limits)), key


def grade(version: str, term: str, value: str, **known: str) -> int:
    """The plain reading of the file, for a handful of values whose grade is known by hand."""
    worst, number = 0, Decimal(value)
    base = known.get("baseline")
    graded = [row for row in clauses(version) if row["term_code"] == term and row["direction"] != "transfused"]
    for row in graded:
        if row["of"] != "absolute" and row["of"] not in known:
            continue
        rises = row["direction"] in {"above", "at_or_above"}
        bound = known.get("ULN" if rises else "LLN")
        off = base is not None and bound is not None
        wrong = off and (Decimal(base) > Decimal(bound) if rises else Decimal(base) < Decimal(bound))
        low = base is not None and "LLN" in known and Decimal(base) < Decimal(known["LLN"])
        if not {"any": True, "normal": not wrong, "abnormal": wrong, "below_normal": low}[row["when_baseline"]]:
            continue
        of = Decimal(1) if row["of"] == "absolute" else Decimal(known[row["of"]])
        limit = Decimal(row["limit"])
        holds = {
            "below": number < limit * of,
            "above": number > limit * of,
            "at_or_above": number >= limit * of,
            "fall_at_least": number <= (1 - limit) * of,
        }[row["direction"]]
        worst = max(worst, int(row["grade"])) if holds else worst
    return worst


BY_HAND = [
    ("5.0", "neutrophil-count-decreased", "0.5", {"LLN": "1.8"}, 3),
    ("5.0", "neutrophil-count-decreased", "0.49", {"LLN": "1.8"}, 4),
    ("6.0", "neutrophil-count-decreased", "0.5", {"LLN": "1.8"}, 2),
    ("6.0", "neutrophil-count-decreased", "1.6", {"LLN": "1.8"}, 0),
    ("6.0", "neutrophil-count-decreased", "0.1", {}, 3),
    ("6.0", "neutrophil-count-decreased", "0.09", {}, 4),
    ("5.0", "anemia", "80", {"LLN": "130"}, 2),
    ("5.0", "anemia", "79", {"LLN": "130"}, 3),
    ("5.0", "anemia", "129", {"LLN": "130"}, 1),
    ("5.0", "platelet-count-decreased", "50", {"LLN": "125"}, 2),
    ("5.0", "platelet-count-decreased", "24", {"LLN": "125"}, 4),
    ("6.0", "platelet-count-decreased", "24", {"LLN": "125"}, 3),
    ("5.0", "lymphocyte-count-decreased", "0.1", {"LLN": "1.1"}, 4),
    ("6.0", "lymphocyte-count-decreased", "0.1", {"LLN": "1.1"}, 1),
    ("5.0", "alt-increased", "120", {"ULN": "50", "baseline": "35"}, 1),
    ("5.0", "alt-increased", "90", {"ULN": "50", "baseline": "70"}, 0),
    ("5.0", "alt-increased", "105", {"ULN": "50", "baseline": "70"}, 1),
    ("6.0", "alt-increased", "90", {"ULN": "50", "baseline": "70"}, 1),
    # As the table reads; that an unchanged abnormal baseline is no toxicity is the study's `require_rise`.
    ("6.0", "alt-increased", "70", {"ULN": "50", "baseline": "70"}, 1),
    ("6.0", "alt-increased", "141", {"ULN": "50", "baseline": "70"}, 3),
    ("6.0", "alp-increased", "130", {"ULN": "125", "baseline": "100"}, 1),
    ("6.0", "alp-increased", "130", {"ULN": "125", "baseline": "140"}, 0),
    ("5.0", "creatinine-increased", "80", {"ULN": "104", "LLN": "57", "baseline": "50"}, 2),
    ("6.0", "creatinine-increased", "80", {"ULN": "104", "LLN": "45", "baseline": "50"}, 0),
    ("6.0", "creatinine-increased", "80", {"ULN": "104", "LLN": "57", "baseline": "50"}, 2),
    ("5.0", "fibrinogen-decreased", "1.0", {"LLN": "2.0", "baseline": "3.1"}, 2),
    ("5.0", "fibrinogen-decreased", "0.99", {"LLN": "2.0", "baseline": "3.1"}, 3),
    ("5.0", "fibrinogen-decreased", "0.49", {"LLN": "1.0", "baseline": "3.1"}, 4),
    ("5.0", "fibrinogen-decreased", "0.8", {"LLN": "2.0", "baseline": "1.6"}, 3),
    ("5.0", "fibrinogen-decreased", "1.7", {"LLN": "2.0", "baseline": "1.8"}, 1),
    ("5.0", "inr-increased", "1.2", {}, 0),
    ("5.0", "inr-increased", "2.6", {}, 3),
    ("6.0", "hypoalbuminemia", "30", {"LLN": "40"}, 1),
]


@pytest.mark.parametrize(("version", "term", "value", "known", "expected"), BY_HAND)
def test_grades_worked_out_by_hand(version: str, term: str, value: str, known: dict[str, str], expected: int) -> None:
    assert grade(version, term, value, **known) == expected


def test_the_scale_of_depth_and_duration_gets_worse_with_both() -> None:
    with (MAPPINGS / "common/grading/icaht.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    steps: dict[tuple[str, str], list[tuple[Decimal, int, int]]] = {}
    for row in rows:
        steps.setdefault((row["term_code"], row["direction"]), []).append(
            (-Decimal(row["limit"]), int(row["least_days"]), int(row["grade"]))
        )
        assert int(row["first_day"]) < int(row["last_day"])
        assert row["verified"] in {"yes", "no"}
    for one in (pair for found in steps.values() for pair in itertools.product(found, found)):
        (depth, days, grade), (deeper, longer, worse) = one
        assert not (depth <= deeper and days <= longer) or grade <= worse


# ------------------------------------------------------------------------------------------------ units

UNITS = tomllib.loads((MAPPINGS / "common/units.toml").read_text(encoding="utf-8"))


def factor(observable: str, unit: str) -> Decimal:
    return Decimal(UNITS["tables"][UNITS["analytes"][observable]["table"]]["factors"][unit])


def test_every_laboratory_value_has_a_unit_and_a_range() -> None:
    system = read(MAPPINGS / "common/codesystems/observable.json")
    labs = {c["code"] for c in system["concept"] if c["property"][0]["valueCode"] == "lab"}
    assert set(UNITS["analytes"]) == labs | {"lesion-diameter"}
    for analyte in UNITS["analytes"].values():
        low, high = (Decimal(bound) for bound in analyte["plausible"])
        assert 0 <= low < high
        assert UNITS["tables"][analyte["table"]]["canonical"] in UNITS["tables"][analyte["table"]]["factors"]


@pytest.mark.parametrize("table", UNITS["tables"])
def test_one_spelling_has_one_factor(table: str) -> None:
    seen: dict[str, set[Decimal]] = {}
    for spelling, exact in UNITS["tables"][table]["factors"].items():
        key = unicodedata.normalize("NFKC", spelling).replace(" ", "")
        seen.setdefault(key, set()).add(Decimal(exact))
    assert {key: factors for key, factors in seen.items() if len(factors) > 1} == {}
    assert seen[UNITS["tables"][table]["canonical"]] == {Decimal(1)}


#  from first principles: powers of ten of the prefixes and of the volume
LITRE_PER_UL, LITRE_PER_DL, LITRE_PER_ML = Fraction(1, 10**6), Fraction(1, 10), Fraction(1, 1000)
FROM_FIRST_PRINCIPLES = [
    ("neutrophils", "/uL", 1 / LITRE_PER_UL / 10**9),
    ("neutrophils", "10*3/uL", 10**3 / LITRE_PER_UL / 10**9),
    ("platelets", "K/uL", 10**3 / LITRE_PER_UL / 10**9),
    ("platelets", "×10⁹/L", Fraction(1)),
    ("platelets", "/mm3", 1 / LITRE_PER_UL / 10**9),
    ("leukocytes", "10*6/L", Fraction(10**6, 10**9)),
    ("leukocytes", "/nl", Fraction(1)),
    ("leukocytes", "Tsd/µl", 10**3 / LITRE_PER_UL / 10**9),
    ("leukocytes", "X10*9/L", Fraction(1)),
    ("neutrophils", "cells/mcL", 1 / LITRE_PER_UL / 10**9),
    ("neutrophils", "/µl", 1 / LITRE_PER_UL / 10**9),
    ("platelets", "万/µL", 10**4 / LITRE_PER_UL / 10**9),
    ("d-dimer", "mg/lFEU", Fraction(1)),
    ("d-dimer-ddu", "ng/ml", Fraction(1, 10**6) / LITRE_PER_ML),
    ("hemoglobin", "g/100ml", 1 / LITRE_PER_DL),
    ("hemoglobin", "g/dL", 1 / LITRE_PER_DL),
    ("fibrinogen", "mg/dL", Fraction(1, 1000) / LITRE_PER_DL),
    ("albumin", "g/dL", 1 / LITRE_PER_DL),
    ("d-dimer", "ng/mL{FEU}", Fraction(1, 10**6) / LITRE_PER_ML),
    ("d-dimer", "ug/mL{FEU}", Fraction(1, 1000) / LITRE_PER_ML),
    ("ferritin", "ng/mL", Fraction(1, 1000) / LITRE_PER_ML),
    ("il-6", "pg/mL", Fraction(1, 1000) / LITRE_PER_ML),
    ("crp", "mg/dL", 1 / LITRE_PER_DL),
    ("alt", "ukat/L", Fraction(60)),
    ("alt", "nkat/L", Fraction(60, 1000)),
    ("lesion-diameter", "cm", Fraction(10)),
]


@pytest.mark.parametrize(("observable", "unit", "expected"), FROM_FIRST_PRINCIPLES)
def test_factors_agree_with_the_prefixes(observable: str, unit: str, expected: Fraction) -> None:
    assert Fraction(factor(observable, unit)) == expected


#  grams per mole; laboratories round bilirubin and creatinine to 17.1 and 88.4 and count haemoglobin per monomer
@pytest.mark.parametrize(
    ("observable", "unit", "grams_per_mole", "moles"),
    [
        ("bilirubin", "mg/dL", 584.66, True),
        ("creatinine", "mg/dL", 113.12, True),
        ("hemoglobin", "mmol/L", 16114.5, False),
    ],
)
def test_factors_of_substance_agree_with_the_molar_mass(
    observable: str, unit: str, grams_per_mole: float, moles: bool
) -> None:
    expected = 10_000 / grams_per_mole if moles else grams_per_mole / 1000
    assert float(factor(observable, unit)) == pytest.approx(expected, rel=1e-3)


def test_giga_per_litre_is_not_gram_per_litre() -> None:
    assert factor("neutrophils", "G/L") == 1
    assert "g/L" not in UNITS["tables"]["cell-count"]["factors"]
    assert "G/L" not in UNITS["tables"]["hemoglobin"]["factors"]


def test_the_two_units_of_d_dimer_never_meet() -> None:
    assert not [unit for unit in UNITS["tables"]["d-dimer-feu"]["factors"] if "DDU" in unit]
    assert not [unit for unit in UNITS["tables"]["d-dimer-ddu"]["factors"] if "FEU" in unit]
