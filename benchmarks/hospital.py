"""A generated hospital: a folder of NDJSON as a bulk export leaves it, of any size, the same bytes for the same seed.

    python benchmarks/hospital.py FOLDER --people 5800 --share 0.005 --seed 7

About 172 kB a person, in resources as large as real EHRs send them: 60 Observations of 2.1 kB, 12 MedicationAdministrations,
6 Conditions, 6 Procedures, one Patient. `--share` of the people are the invented patients of `fixtures/study12` under new
ids, so that the study finds a cohort; nobody else has had a bispecific antibody. `truth.json` names them.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

STUDY12 = Path(__file__).parents[1] / "fixtures" / "study12"
TYPES = (
    "Patient",
    "Condition",
    "MedicationAdministration",
    "Medication",
    "Procedure",
    "Observation",
    "AdverseEvent",
    "Encounter",
)
BASE = "https://hospital.example.org/fhir"
LABS = (
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "HGB", "g/dL", 7, 17, 12.0, 16.0),
    ("777-3", "Platelets [#/volume] in Blood by Automated count", "PLT", "10*3/uL", 20, 450, 150, 400),
    ("751-8", "Neutrophils [#/volume] in Blood by Automated count", "ANC", "10*3/uL", 0.2, 12, 1.8, 7.7),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "WBC", "10*3/uL", 0.5, 20, 4.5, 11.0),
    ("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "ALT", "U/L", 5, 300, 7, 56),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "CREAT", "mg/dL", 0.4, 4, 0.6, 1.3),
    ("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "NA", "mmol/L", 125, 150, 135, 145),
    ("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "K", "mmol/L", 2.5, 6.5, 3.5, 5.1),
    ("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "GLU", "mg/dL", 60, 350, 70, 99),
    ("1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma", "TBIL", "mg/dL", 0.1, 6, 0.1, 1.2),
)  # fmt: skip
DRUGS = (
    ("N02BE01", "paracetamol", "161", "acetaminophen 325 MG Oral Tablet", "mg"),
    ("A02BC01", "omeprazole", "7646", "omeprazole 20 MG Delayed Release Oral Capsule", "mg"),
    ("B01AB05", "enoxaparin", "67108", "enoxaparin sodium 100 MG/ML Injectable Solution", "mg"),
    ("H02AB02", "dexamethasone", "3264", "dexamethasone phosphate 4 MG/ML Injectable Solution", "mg"),
    ("C03CA01", "furosemide", "4603", "furosemide 10 MG/ML Injectable Solution", "mg"),
    ("J01DD04", "ceftriaxone", "2193", "ceftriaxone 1000 MG Injection", "mg"),
)
DISEASES = (("I10", "Essential (primary) hypertension"), ("E11.9", "Type 2 diabetes mellitus without complications"),
            ("J18.9", "Pneumonia, unspecified organism"), ("N18.3", "Chronic kidney disease, stage 3"))  # fmt: skip
PROCEDURES = (("71046", "Radiologic examination, chest; 2 views"), ("93000", "Electrocardiogram, routine"),
              ("36415", "Collection of venous blood by venipuncture"))  # fmt: skip

BYTES_A_PERSON, STUDYS_SHARE = 172_000, 0.005

Resource = dict[str, Any]
Dialect = Callable[[Resource], str]


def compact(resource: Resource) -> str:
    return json.dumps(resource, ensure_ascii=False, separators=(",", ":"))


def spaced(resource: Resource) -> str:
    return json.dumps(resource, ensure_ascii=True)


def escaped(resource: Resource) -> str:
    """As PHP and some Java libraries write it: every slash escaped."""
    return compact(resource).replace("/", "\\/")


DIALECTS: dict[str, Dialect] = {"compact": compact, "spaced": spaced, "escaped": escaped}


@contextmanager
def generated(megabytes: int) -> Iterator[Path]:
    """The folder of a hospital of about this size, half a per cent of it the study's people, for a `with` block."""
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-bench-") as work:
        folder = Path(work) / "hospital"
        write_hospital(folder, megabytes * 1_000_000 // BYTES_A_PERSON, STUDYS_SHARE)
        (folder / "truth.json").unlink()
        yield folder


def write_hospital(folder: Path, people: int, share: float, seed: int = 7, dialect: Dialect = compact) -> list[str]:
    """Write the export and return the ids of the study's people."""
    chance = random.Random(seed)
    stories = [json.loads(path.read_text(encoding="utf-8"))["entry"] for path in sorted(STUDY12.glob("SYN-*.json"))]
    shared = json.loads((STUDY12 / "shared.json").read_text(encoding="utf-8"))["entry"]
    every = max(1, round(1 / share)) if share else people + 1
    found: list[str] = []
    medications: set[str] = set()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        files = {type: opened.enter_context((folder / f"{type}.ndjson").open("w", encoding="utf-8")) for type in TYPES}
        for entry in shared:
            _write(files, entry["resource"], dialect, medications)
        for number in range(people):
            if number % every == every // 2:
                found.append(f"p{number:07d}")
                for resource in _told_again(stories[len(found) % len(stories)], found[-1]):
                    _write(files, resource, dialect, medications)
            else:
                for resource in _somebody(number, chance):
                    _write(files, resource, dialect, medications)
    (folder / "truth.json").write_text(json.dumps({"people": people, "cohort": found}), encoding="utf-8")
    return found


def _write(files: dict[str, TextIO], resource: Resource, dialect: Dialect, shared: set[str]) -> None:
    """Medications belong to nobody: stories that are told again bring the same ones, and one is enough."""
    if resource["resourceType"] == "Medication":
        if resource["id"] in shared:
            return
        shared.add(resource["id"])
    if resource["resourceType"] in files:
        files[resource["resourceType"]].write(dialect(resource) + "\n")


def _told_again(story: list[Resource], id: str) -> Iterator[Resource]:
    """One invented patient under another id."""
    before = next(entry["resource"]["id"] for entry in story if entry["resource"]["resourceType"] == "Patient")
    for entry in story:
        yield json.loads(json.dumps(entry["resource"]).replace(before, id))


def _somebody(number: int, chance: random.Random) -> Iterator[Resource]:
    id = f"p{number:07d}"
    yield _patient(id, chance)
    for place in range(6):
        yield _condition(id, place, chance)
        yield _procedure(id, place, chance)
    for place in range(12):
        yield _administration(id, place, chance)
    for place in range(60):
        yield _observation(id, place, chance)


def _common(type: str, id: str, place: int, profile: str) -> Resource:
    return {
        "resourceType": type,
        "id": f"{id}-{type[:2].lower()}{place}",
        "meta": {"versionId": "1", "lastUpdated": "2025-06-01T08:00:00.000Z", "profile": [f"{BASE}/StructureDefinition/{profile}"]},
        "identifier": [
            {"use": "official", "system": f"{BASE}/sid/{type.lower()}-accession", "value": f"{type[:3].upper()}-{id}-{place:05d}"},
            {"use": "secondary", "system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.798268", "value": f"{id}{place:06d}"},
        ],
    }  # fmt: skip


def _about(id: str) -> Resource:
    return {
        "subject": {"reference": f"Patient/{id}", "type": "Patient", "display": f"Person {id}"},
        "encounter": {
            "reference": f"Encounter/{id}-en",
            "identifier": {"use": "usual", "system": "urn:oid:1.2.840.114350.1.13.0.1.7.3.698084.8", "value": f"E{id}"},
            "display": "Hospital Encounter",
        },
    }


def _moment(chance: random.Random) -> str:
    return f"20{chance.randint(19, 24)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}T{chance.randint(0, 23):02d}:15:00+08:00"


def _patient(id: str, chance: random.Random) -> Resource:
    return {
        "resourceType": "Patient",
        "id": id,
        "meta": {"versionId": "1", "lastUpdated": "2025-06-01T08:00:00.000Z"},
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">Person {id}{" ." * 400}</div>'},
        "extension": [{"url": f"{BASE}/StructureDefinition/registration", "valueCode": "complete"}],
        "identifier": [{"use": "usual", "system": f"{BASE}/sid/mrn", "value": f"MRN-{id}-{place}"} for place in range(8)],
        "active": True,
        "name": [{"use": "official", "text": f"Person {id}", "family": "Person", "given": [id]}],
        "telecom": [{"system": "phone", "value": f"555-{place:04d}", "use": "home"} for place in range(4)],
        "gender": chance.choice(("male", "female")),
        "birthDate": f"19{chance.randint(30, 99)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}",
        "address": [{"use": "home", "line": [f"{place} Main Street"], "city": "Springfield", "country": "XX"} for place in range(3)],
    }  # fmt: skip


def _observation(id: str, place: int, chance: random.Random) -> Resource:
    code, display, local, unit, low, high, lower, upper = chance.choice(LABS)
    value, moment = round(chance.uniform(low, high), 1), _moment(chance)
    flag = "L" if value < lower else "H" if value > upper else "N"
    return {
        **_common("Observation", id, place, "observation-lab"),
        "basedOn": [{"reference": f"ServiceRequest/{id}-sr{place}", "display": "Laboratory order"}],
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory", "display": "Laboratory"}], "text": "Laboratory"},
            {"coding": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.10.798268.30", "code": "Lab", "display": "Lab"}], "text": "Lab"},
        ],
        "code": {
            "coding": [
                {"system": "http://loinc.org", "code": code, "display": display},
                {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.5.737384.0", "code": local, "display": local},
            ],
            "text": display,
        },
        **_about(id),
        "effectiveDateTime": moment,
        "issued": moment,
        "performer": [{"reference": "Practitioner/lab-7", "type": "Practitioner", "display": "Central Laboratory"}],
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
        "interpretation": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": flag}], "text": flag}],
        "specimen": {"reference": f"Specimen/{id}-sp{place}", "display": "Blood, venous"},
        "referenceRange": [
            {
                "low": {"value": lower, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
                "high": {"value": upper, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
                "text": f"{lower} - {upper} {unit}",
            }
        ],
    }  # fmt: skip


def _administration(id: str, place: int, chance: random.Random) -> Resource:
    atc, name, rxnorm, display, unit = chance.choice(DRUGS)
    moment = _moment(chance)
    return {
        **_common("MedicationAdministration", id, place, "medication-administration"),
        "status": "completed",
        "category": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/medication-admin-category", "code": "inpatient"}]},
        "medicationCodeableConcept": {
            "coding": [
                {"system": "http://www.whocc.no/atc", "code": atc, "display": name},
                {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": rxnorm, "display": display},
                {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.698288", "code": rxnorm, "display": name.upper()},
            ],
            "text": display,
        },
        "subject": _about(id)["subject"],
        "context": _about(id)["encounter"],
        "effectiveDateTime": moment,
        "performer": [{"actor": {"reference": "Practitioner/nurse-3", "display": "Ward Nurse"}}],
        "request": {"reference": f"MedicationRequest/{id}-mr{place}"},
        "dosage": {
            "text": f"{display}, once",
            "route": {"coding": [{"system": "http://snomed.info/sct", "code": "47625008", "display": "Intravenous route"}], "text": "intravenous"},
            "dose": {"value": chance.choice((1, 2, 4, 8, 20, 40)), "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
        },
    }  # fmt: skip


def _condition(id: str, place: int, chance: random.Random) -> Resource:
    code, display = chance.choice(DISEASES)
    return {
        **_common("Condition", id, place, "condition"),
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "problem-list-item"}]}],
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code, "display": display}], "text": display},
        **_about(id),
        "onsetDateTime": _moment(chance)[:10],
        "recordedDate": _moment(chance)[:10],
    }  # fmt: skip


def _procedure(id: str, place: int, chance: random.Random) -> Resource:
    code, display = chance.choice(PROCEDURES)
    return {
        **_common("Procedure", id, place, "procedure"),
        "status": "completed",
        "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": code, "display": display}], "text": display},
        **_about(id),
        "performedDateTime": _moment(chance),
        "performer": [{"actor": {"reference": "Practitioner/radiology-2", "display": "Radiology"}}],
    }  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--people", type=int, default=5_800)
    asked.add_argument("--share", type=float, default=STUDYS_SHARE)
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--dialect", choices=DIALECTS, default="compact")
    given = asked.parse_args()
    found = write_hospital(given.folder, given.people, given.share, given.seed, DIALECTS[given.dialect])
    size = sum(path.stat().st_size for path in given.folder.glob("*.ndjson"))
    print(f"{given.people} people, {len(found)} of them of the study, {size / 1e6:.0f} MB in {given.folder}")


if __name__ == "__main__":
    main()
