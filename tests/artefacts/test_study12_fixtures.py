"""The records of the twelve say what the tables say, worked out here without the adapter and the generator."""

import filecmp
import json
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal

import pytest
from fhir.resources.R4B import get_fhir_model_class
from study12_records import (
    FIXTURES,
    OUTCOMES,
    STUDY,
    amount,
    apheresis,
    bundle,
    day,
    doses,
    in_window,
    infusion,
    lab,
    medication,
    observations,
    records,
    rows,
    when,
    words,
)

people = pytest.mark.parametrize("row", STUDY, ids=[row["id"] for row in STUDY])


def test_the_generator_writes_the_files_that_are_checked_in(tmp_path):
    for folder in (tmp_path / "one", tmp_path / "two"):
        subprocess.run([sys.executable, FIXTURES / "generate.py", folder], check=True, capture_output=True)
        names = sorted(path.name for path in (FIXTURES / "study12").iterdir())
        assert sorted(path.name for path in folder.iterdir()) == names
        assert filecmp.cmpfiles(FIXTURES / "study12", folder, names, shallow=False) == (names, [], [])


@pytest.mark.parametrize("name", [*(row["id"] for row in STUDY), "shared"])
def test_every_resource_is_valid_and_every_reference_resolves_in_its_bundle(name):
    path = FIXTURES / "study12" / f"{name}.json"
    parsed = json.loads(path.read_text(encoding="utf-8"))
    assert parsed["type"] == "transaction"
    here = {entry["request"]["url"] for entry in parsed["entry"]}
    assert len(here) == len(parsed["entry"])
    for entry in parsed["entry"]:
        resource = entry["resource"]
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        assert resource["meta"]["versionId"] == "1"
        assert entry["request"] == {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
        assert set(references(resource)) <= here | {"#glofit"}


def references(node):
    if isinstance(node, dict):
        yield from ([node["reference"]] if isinstance(node.get("reference"), str) else [])
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def test_a_dose_is_in_two_bundles_letter_for_letter():
    shared = (FIXTURES / "study12" / "shared.json").read_text(encoding="utf-8")
    dose = "SYN-10-bsab-20241022"
    entry = next(part for part in shared.split("\n  {\n") if f'"id": "{dose}"' in part).rstrip(" ]},\n")
    assert entry in (FIXTURES / "study12" / "SYN-10.json").read_text(encoding="utf-8")


@people
def test_person(row):
    (patient,) = records(row["id"], "Patient")
    born, infused = date.fromisoformat(patient["birthDate"]), infusion(row)
    assert infused.year - born.year - ((infused.month, infused.day) < (born.month, born.day)) == int(row["age"])
    assert patient["gender"] == {"M": "male", "F": "female"}[row["sex"]]


@people
def test_doses_of_the_bispecific_antibody(row):
    given = doses(row)
    assert max(d for d, _ in given) == date.fromisoformat(row["bsab_last_dose_date"])
    amounts = [r["dosage"]["dose"]["value"] for _, r in sorted(given, key=lambda pair: (pair[0], pair[1]["id"]))]
    steps = [Decimal("2.5"), 4, 6] if row["id"] == "SYN-09" else [Decimal("2.5"), 10]
    assert amounts == steps + [30] * (len(amounts) - len(steps))


@people
def test_collection_lymphodepletion_and_infusion(row):
    collected = [
        when(r)
        for r in records(row["id"], "Procedure")
        if any(name in words(r["code"]) for name in ("MNC-COLLECT", "单采", "单个核", "0537T", "38225"))
        and "outcome" not in r
    ]
    assert min(collected) == apheresis(row)
    assert (max(collected) - min(collected)).days == (row["id"] == "SYN-05")
    everything = bundle(row["id"])
    products = {when(r) for r in records(row["id"], "MedicationAdministration") if "CAR-T" in medication(r, everything)}
    infused = {
        when(r)
        for r in records(row["id"], "Procedure")
        if any(c in words(r["code"]) for c in ("CART-INF", "CAR-T", "0540T", "38228"))
    }
    assert products | infused == {infusion(row)}
    named = [
        words(c)
        for r in everything
        for c in [*r.get("usedCode", []), r.get("medicationCodeableConcept", {}), r.get("code", {})]
        if r["resourceType"] in {"Medication", "Procedure", "MedicationAdministration"}
    ]
    dual = any("CART-1922" in name for name in named)
    assert dual == (row["car_target"] == "CD19/CD22")
    assert any("CART-19 " in name for name in named) != dual
    flu = {
        when(r)
        for r in records(row["id"], "MedicationAdministration")
        if any(n in medication(r, everything) for n in ("氟达拉滨", "fludarabine"))
    }
    assert flu == {infusion(row) - timedelta(days=n) for n in (5, 4, 3)}


@people
def test_lines_before_the_collection(row):
    everything = bundle(row["id"])
    dated = []
    for r in records(row["id"], "MedicationAdministration"):
        drug, given_on = medication(r, everything), when(r)
        aside = ("obinutuzumab", "奥妥珠", "泼尼松", "地塞米松", "prednisone", "dexamethasone")
        if given_on and given_on < apheresis(row) and not any(name in drug for name in aside):
            dated.append((given_on, drug))
    lines, agents, first, last = 0, set(), None, None
    for given_on, drug in sorted(dated):
        new = drug not in agents
        if last is None or (given_on - last).days > 180 or (new and (given_on - first).days > 28):
            lines, agents, first = lines + 1, set(), given_on
        agents.add(drug)
        last = given_on
    assert lines == int(row["prior_lines"])


RESPONSES = {"LA28366-5": "CR", "LA28369-9": "PR", "LA28371-5": "SD", "LA28370-7": "PD"} | {
    "完全缓解": "CR",
    "部分缓解": "PR",
    "疾病稳定": "SD",
    "疾病进展": "PD",
}


def responses(row):
    for d, record in observations(row["id"], "RESP"):
        value = record["valueCodeableConcept"]
        written = value["coding"][0]["code"] if "coding" in value else value["text"]
        yield d, RESPONSES.get(written, written)


@people
def test_responses_to_the_antibody_and_to_the_cells(row):
    first = min(d for d, _ in doses(row))
    to_antibody = sorted((d, c) for d, c in responses(row) if first < d <= apheresis(row))
    progressed = [d for d, c in to_antibody if c == "PD"]
    assert progressed == [date.fromisoformat(row["bsab_pd_date"])]
    assert min((c for _, c in to_antibody), key=("CR", "PR", "SD", "PD").index) == row["bsab_best_response"]
    to_cells = sorted((d.isoformat(), c) for d, c in responses(row) if d > infusion(row))
    assert to_cells == [(r["date"], r["response"]) for r in rows("study12_assessments") if r["id"] == row["id"]]


@people
def test_nadirs_and_peaks_from_day_0_to_day_30(row):
    assert min(in_window(row, "751-8", "LAB-ANC")) == Decimal(row["anc_nadir"])
    assert min(in_window(row, "718-7", "LAB-HGB")) == Decimal(row["hgb_nadir_g_l"])
    assert min(in_window(row, "777-3", "LAB-PLT")) == Decimal(row["plt_nadir"])
    assert max(in_window(row, "48065-7", "LAB-DD")) == Decimal(row["ddimer_peak_mg_l_feu"])
    assert min(in_window(row, "3255-7", "LAB-FIB")) == Decimal(row["fib_nadir_g_l"])
    for name, codes in {"alt": ("1742-6", "LAB-ALT"), "ast": ("1920-8", "LAB-AST")}.items():
        assert max(in_window(row, *codes)) == Decimal(row[f"{name}_peak"])
        before = lab(row["id"], *codes, last=infusion(row) - timedelta(days=6))
        assert max(before)[1] == Decimal(row[f"{name}_base"])


@people
def test_reference_ranges_are_those_of_the_laboratory(row):
    limits = {("1742-6", "LAB-ALT"): ("high", "alt_uln"), ("1920-8", "LAB-AST"): ("high", "ast_uln")} | {
        ("48065-7", "LAB-DD"): ("high", "ddimer_uln"),
        ("3255-7", "LAB-FIB"): ("low", "fib_lln"),
        ("14804-9", "LAB-LDH"): ("high", "ldh_uln"),
    }
    for codes, (end, column) in limits.items():
        for _, record in observations(row["id"], *codes):
            (written,) = record["referenceRange"]
            assert written[end]["unit"] == record["valueQuantity"]["unit"]
            assert amount({"valueQuantity": written[end]}) == Decimal(row[column])
    fibrinogen = lab(row["id"], "3255-7", "LAB-FIB", last=infusion(row) - timedelta(days=6))
    assert min(value for _, value in fibrinogen) >= Decimal(row["fib_lln"])


@people
def test_other_results_stay_inside_their_ranges(row):
    for codes in (
        ("1751-7", "LAB-ALB"),
        ("14682-9", "2160-0", "LAB-CREA"),
        ("14631-6", "1975-2", "LAB-TBIL"),
    ):
        for _, record in observations(row["id"], *codes):
            (written,) = record["referenceRange"]
            value = record["valueQuantity"]["value"]
            assert written.get("low", {"value": 0})["value"] <= value <= written.get("high", {"value": value})["value"]


def last_within(row, days, *codes):
    found = [(d, r) for d, r in observations(row["id"], *codes) if 0 <= (apheresis(row) - d).days <= days]
    return max(found, key=lambda pair: pair[0])[1]


NOT_EXTRANODAL = {"Spleen"}


@people
def test_the_disease_before_the_collection(row):
    assert last_within(row, 42, "89247-1")["valueInteger"] == int(row["ecog"])
    assert amount(last_within(row, 28, "14804-9", "LAB-LDH")) == Decimal(row["ldh"])
    near = [(d, r) for d, r in observations(row["id"], "33728-7", "LESION") if 0 <= (apheresis(row) - d).days <= 42]
    assert max(amount(r) for _, r in near) == Decimal(row["max_diameter_cm"]) * 10
    sites = {
        words(r["valueCodeableConcept"]).split(" ")[-1]
        for d, r in observations(row["id"], "ENS")
        if 0 <= (apheresis(row) - d).days <= 42
    }
    assert len(sites - NOT_EXTRANODAL) == int(row["extranodal_sites"])
    assert stage(row) == int(row["stage"])


def stage(row):
    staged = [r for _, r in observations(row["id"], "385388004", "21908-9")]
    (condition,) = (r for r in records(row["id"], "Condition") if r["id"].endswith("-lymphoma"))
    text = words(staged[0]["valueCodeableConcept"]) if staged else words(condition["stage"][0]["summary"])
    assert staged or 0 <= (apheresis(row) - date.fromisoformat(condition["recordedDate"])).days <= 42
    return 4 if "IV" in text else 3 if "III" in text else 0


@people
def test_crs_and_icans_after_the_cells(row):
    grades = {"crs": set(), "icans": set()}
    for event in records(row["id"], "AdverseEvent"):
        if 0 <= (day(event["date"]) - infusion(row)).days <= 30:
            term = "icans" if "neurotoxicity" in words(event["event"]) else "crs"
            grade = words(event["extension"][0]["valueCodeableConcept"])
            grades[term].add(int(grade[-1]))
    for term, form in (("crs", "CRSG"), ("icans", "ICANSG")):
        grades[term] |= {
            0 if r.get("valueString") == "无CRS" else r["valueInteger"] for _, r in observations(row["id"], form)
        }
        assert max(grades[term], default=0) == int(row[f"{term}_grade"])


@people
def test_death_or_last_contact(row):
    outcome = OUTCOMES[row["id"]]
    end = infusion(row) + timedelta(days=int(outcome["os_t"]))
    (patient,) = records(row["id"], "Patient")
    seen = max(
        when(r)
        for kind in ("Encounter", "Observation", "MedicationAdministration", "Procedure")
        for r in records(row["id"], kind)
        if when(r)
    )
    if outcome["os_e"] == "1":
        assert patient["deceasedDateTime"] == end.isoformat()
        assert end - timedelta(days=30) < seen < end
    else:
        assert "deceasedDateTime" not in patient
        assert seen == end


def test_nothing_derived_is_written():
    for path in (FIXTURES / "study12").iterdir():
        text = path.read_text(encoding="utf-8").casefold()
        assert not [word for word in ("ipi ", "bulky", "washout", "refractory", "relapsed", "难治") if word in text]


# One resource of each trap in fixtures/README.md, and what makes it one.
TRAPS = {
    "SYN-01-visit-20240820": {"status": "planned"},
    "SYN-02-bsab-20240306": {"status": "not-done"},
    "SYN-02-visit-20250710": {"status": "cancelled"},
    "SYN-03-bsab-20240313": {"effectiveDateTime": "2024-03-12T16:40:00Z"},
    "SYN-03-crs-20230803": {"date": "2023-08-03"},
    "SYN-04-rituximab-201905": {"effectiveDateTime": "2019-05"},
    "SYN-06-crs-form-20241026": {"status": "entered-in-error", "valueInteger": 4},
    "SYN-07-bsab-20240902": {"status": "entered-in-error"},
    "SYN-07-bsab-20240805": {"medicationReference": {"reference": "Medication/MED-GLOFITAMAB"}},
    "SYN-08-bsab-20240917": {"medicationReference": {"reference": "#glofit"}},
    "SYN-08-collection-20240926": {"outcome": {"text": "failed - insufficient cells"}},
    "SYN-08-lymphoma": {"onsetDateTime": "2020"},
    "SYN-09-bsab-20240715-a": {"status": "stopped"},
    "SYN-09-crs-form-20241207": {"valueString": "无CRS"},
    "SYN-10-plt-20241231": {"status": "corrected"},
    "SYN-10-plt-20241231-first": {"status": "entered-in-error"},
    "SYN-12-response-20250422": {"status": "entered-in-error"},
    "SYN-12-alt-20250303": {"status": "cancelled"},
}


@pytest.mark.parametrize("id", TRAPS)
def test_a_trap_is_planted(id):
    (record,) = (r for r in bundle(id[:6]) if r["id"] == id)
    assert {key: record[key] for key in TRAPS[id]} == TRAPS[id]
