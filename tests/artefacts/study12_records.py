"""Reads the records of the twelve in the plainest way there is, with no help of the adapter or the generator."""

import csv
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SITE = timezone(timedelta(hours=8))
WRONG = {"entered-in-error", "not-done", "cancelled", "planned", "preliminary"}


def rows(name):
    with (FIXTURES / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


STUDY = rows("study12")
OUTCOMES = {row["id"]: row for row in rows("study12_outcomes_cut2")}


def bundle(id):
    text = (FIXTURES / "study12" / f"{id}.json").read_text(encoding="utf-8")
    return [entry["resource"] for entry in json.loads(text, parse_float=Decimal)["entry"]]


def records(id, kind) -> Iterator[dict]:
    """The records of one type that hold, in the order of the file."""
    return (r for r in bundle(id) if r["resourceType"] == kind and r.get("status") not in WRONG)


def day(text):
    """The day at the site; a date without hour stays as it is, a month or a year has none."""
    if "T" in text:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(SITE).date()
    return date.fromisoformat(text) if len(text) == 10 else None


def when(record):
    for name in ("effective", "performed"):
        if f"{name}DateTime" in record:
            return day(record[f"{name}DateTime"])
        if f"{name}Period" in record:
            return day(record[f"{name}Period"]["start"])
    return day(record["period"]["end"]) if "period" in record else None


def words(concept):
    """Codes, displays and text of a concept in one string."""
    codings = concept.get("coding", [])
    return " ".join([*(c["code"] + " " + c.get("display", "") for c in codings), concept.get("text", "")])


def medication(record, all_records):
    if "medicationCodeableConcept" in record:
        return words(record["medicationCodeableConcept"])
    target = record["medicationReference"]["reference"]
    if target.startswith("#"):
        return words(record["contained"][0]["code"])
    return next(words(r["code"]) for r in all_records if f"Medication/{r['id']}" == target)


def is_bispecific(text):
    return any(name in text.casefold() for name in ("glofitamab", "格菲妥", "bispecific", "l01fx28"))


def observations(id, *codes):
    """(day, Observation) of every valid Observation with one of the codes."""
    for record in records(id, "Observation"):
        if any(coding["code"] in codes for coding in record["code"].get("coding", [])):
            yield when(record), record


FACTORS = {"/uL": "0.001", "g/dL": "10", "ng/mL{FEU}": "0.001", "cm": "10"}


def amount(record):
    """In 10*9/L, g/L, mg/L, mm, U/L."""
    quantity = record["valueQuantity"]
    unit = quantity["unit"]
    factor = "0.01" if unit == "mg/dL" else FACTORS.get(unit, "1")
    return Decimal(str(quantity["value"])) * Decimal(factor)


def lab(id, *codes, first=None, last=None):
    found = [(d, amount(o)) for d, o in observations(id, *codes)]
    return [(d, v) for d, v in found if (first is None or d >= first) and (last is None or d <= last)]


def in_window(row, *codes):
    start = infusion(row)
    return [value for _, value in lab(row["id"], *codes, first=start, last=start + timedelta(days=30))]


def infusion(row):
    return date.fromisoformat(row["infusion_date"])


def apheresis(row):
    return date.fromisoformat(row["apheresis_date"])


def doses(row):
    everything = bundle(row["id"])
    given = [r for r in records(row["id"], "MedicationAdministration") if is_bispecific(medication(r, everything))]
    return [(when(r), r) for r in given]
