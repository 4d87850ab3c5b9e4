"""A patient written down as a clinician would: one line a record, `day | what`.

    2024-01-10 | glofitamab
    2024-03    | PD
    2024-05-02 | apheresis | failed

A day is as exact as the record (`2024`, `2024-03`, `2024-03-09`, a dateTime, or `?` when there is none). What may be:

    born / dlbcl, hgbl, ... (a disease) / infusion [PRODUCT] / apheresis [| failed] / death / visit
    any drug [| to DAY] [| ongoing] [| amount unknown] [| intolerance]
    CR, PR, SD, PD, IR, NE, responded-unspecified; in myeloma also sCR, VGPR, MR
    stage 4 [| condition] / ECOG 2 / Karnofsky 70 / lesion 75.1 / disease in bone
    autologous-hct, allogeneic-hct, radiotherapy
    CRS 2, ICANS 0, CRS ? (no grade), CRS 2-3 [| scale lee-2014]
    any laboratory test: platelets 50 (125-350), neutrophils <0.1, ldh 251 (-250), in the canonical unit
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from fhir_adapter.cohort import events
from fhir_adapter.cohort.finding import (
    AnyFinding,
    Bulk,
    Exposures,
    Failure,
    Finding,
    Index,
    IpiScore,
    Lines,
    Response,
    Score,
    Sites,
    Span,
    Toxicity,
)
from fhir_adapter.cohort.judgement import Excluded, Judgement
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import EVENT_FIELDS, Subject, in_order
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.mapping.study import StudyFolder, read_study
from fhir_adapter.rules import baseline, eligibility
from fhir_adapter.rules.exposure import exposure
from fhir_adapter.rules.failure import failure
from fhir_adapter.rules.index import index
from fhir_adapter.rules.ipi import ipi
from fhir_adapter.rules.ipi_relatives import ipi_relatives
from fhir_adapter.rules.judge import judge
from fhir_adapter.rules.lines import lines
from fhir_adapter.rules.response import response
from fhir_adapter.rules.toxicity import toxicities
from fhir_adapter.rules.washout import washout

_CATEGORIES = ("sCR", "CR", "VGPR", "PR", "MR", "SD", "PD", "IR", "NE", "responded-unspecified")
_THERAPIES = ("autologous-hct", "allogeneic-hct", "radiotherapy")
_LAB = re.compile(r"(?P<sign><=|>=|<|>)?(?P<value>[\d.]+)(?: \((?P<low>[\d.]*)-(?P<high>[\d.]*)\))?")
_LYMPHATIC = ("spleen", "lymph-node", "thymus", "tonsil", "waldeyer-ring", "appendix", "peyer-patch", "none")


@cache
def _folder(name: str = "bsab-cart-dlbcl") -> StudyFolder:
    return read_study(name)


@cache
def study(of: str = "bsab-cart-dlbcl", **parameters: object) -> Study:
    """A study, the reference study unless named, without a data cut and with some parameters changed."""
    reference = _folder(of).study
    settings = {**reference.parameters.model_dump(), "data_cut": None, **parameters}
    return reference.model_copy(update={"parameters": Parameters.model_validate(settings)})


def day(text: str) -> PartialDate | None:
    return None if text == "?" else PartialDate.parse(text)


def patient(table: str) -> Subject:
    """The person a table describes. The order of its lines does not matter."""
    rows = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines() if line.strip()]
    born = next((day(when) for when, what, *_ in rows if what == "born"), None)
    found: dict[str, list[events.Event]] = {name: [] for name in EVENT_FIELDS}
    seen: Counter[tuple[str, ...]] = Counter()
    for when, what, *notes in (row for row in rows if row[1] != "born"):
        seen[(when, what, *notes)] += 1
        source = events.Source(reference=f"Line/{what} {when} {seen[(when, what, *notes)]}", version="1")
        field, event = _event(what, notes, {"on": day(when), "source": source})
        found[field].append(event)
    return Subject(
        subject_id="P",
        patient_ids=("P",),
        birth=born,
        source=events.Source(reference="Patient/P", version="1"),
        **{name: in_order(some) for name, some in found.items()},
    )


def _event(what: str, notes: list[str], at: dict[str, Any]) -> tuple[str, events.Event]:
    name, _, rest = what.partition(" ")
    readers: dict[str, Callable[[], tuple[str, events.Event]]] = {
        "infusion": lambda: ("infusions", events.Infusion(**at, product=rest or "cd19-cart-investigational")),
        "apheresis": lambda: ("collections", events.Collection(**at, succeeded="failed" not in notes)),
        "death": lambda: ("deaths", events.Death(**at)),
        "visit": lambda: ("contacts", events.Contact(**at, kind="encounter")),
        "stage": lambda: ("stagings", events.Staging(**at, stage=int(rest), evidence=_evidence(notes))),
        "ECOG": lambda: ("performances", events.Performance(**at, ecog=int(rest))),
        "Karnofsky": lambda: ("karnofsky", events.Karnofsky(**at, percent=int(rest))),
        "lesion": lambda: ("lesions", events.Lesion(**at, longest_mm=Decimal(rest))),
        "disease": lambda: ("disease_sites", _site(rest.removeprefix("in "), at)),
        "CRS": lambda: ("adverse_events", _adverse_event("crs", rest, notes, at)),
        "ICANS": lambda: ("adverse_events", _adverse_event("icans", rest, notes, at)),
    }
    if name in readers:
        return readers[name]()
    if name in _CATEGORIES:
        return "assessments", events.Assessment(**at, category=name)
    if name in _THERAPIES:
        return "therapies", events.Therapy(**at, kind=name)
    if name in _folder().units.analytes:
        return "labs", _lab(name, rest, at)
    if name in _folder().study.agents:
        return "doses", _dose(name, notes, at)
    if name in _folder().study.labels:
        return "diagnoses", events.Diagnosis(**at, disease=name)
    raise ValueError(f"not a record: {what}")


def _evidence(notes: list[str]) -> Any:
    return "condition" if "condition" in notes else "observation"


def _dose(agent: str, notes: list[str], at: dict[str, Any]) -> events.Dose:
    ended = next((day(note.removeprefix("to ")) for note in notes if note.startswith("to ")), None)
    return events.Dose(
        **at,
        agent=agent,
        ended=ended,
        ongoing="ongoing" in notes,
        given="perhaps" if "amount unknown" in notes else "yes",
        intolerance="intolerance" in notes,
    )


def _site(name: str, at: dict[str, Any]) -> events.DiseaseSite:
    return events.DiseaseSite(**at, site=name, extranodal=name not in _LYMPHATIC)


def _adverse_event(term: str, grade: str, notes: list[str], at: dict[str, Any]) -> events.AdverseEvent:
    low, _, high = ("1", "", "5") if grade == "?" else grade.partition("-")
    scale = next((note.removeprefix("scale ") for note in notes if note.startswith("scale ")), "")
    return events.AdverseEvent(**at, term=term, grade_min=int(low), grade_max=int(high or low), scale=scale)


def _lab(observable: str, written: str, at: dict[str, Any]) -> events.Lab:
    found = _LAB.fullmatch(written)
    if not found:
        raise ValueError(f"not a laboratory value: {written}")
    parts = found.groupdict()
    return events.Lab(
        **at,
        observable=observable,
        value=Decimal(parts["value"]),
        comparator=parts["sign"] or "",
        unit=_folder().units.canonical(observable),
        lower_limit=Decimal(parts["low"]) if parts["low"] else None,
        upper_limit=Decimal(parts["high"]) if parts["high"] else None,
        as_reported=written,
    )


# ---------------------------------------------------------------------------------- one question about one patient


def anchors(person: Subject, **parameters: object) -> Index:
    found = index(person, study(**parameters))
    assert found.value is not None
    return found.value


def exposure_of(person: Subject, **parameters: object) -> Finding[Exposures]:
    return exposure(person, study(**parameters), anchors(person, **parameters))


def washout_of(person: Subject, **parameters: object) -> Finding[Span]:
    asked = study(**parameters)
    indexed = index(person, asked)
    assert indexed.value is not None
    return washout(indexed, exposure(person, asked, indexed.value), asked)


def failure_of(person: Subject, **parameters: object) -> Finding[Failure]:
    return failure(person, study(**parameters), anchors(person, **parameters))


def lines_of(person: Subject, **parameters: object) -> Finding[Lines]:
    return lines(person, study(**parameters), anchors(person, **parameters))


def age_of(person: Subject, **parameters: object) -> Finding[Span]:
    return baseline.age(person, study(**parameters), anchors(person, **parameters))


def sites_of(person: Subject, **parameters: object) -> Finding[Sites]:
    return baseline.sites(person, study(**parameters), anchors(person, **parameters))


def bulk_of(person: Subject, **parameters: object) -> Finding[Bulk]:
    return baseline.bulk(person, study(**parameters), anchors(person, **parameters))


def ipi_of(person: Subject, **parameters: object) -> Finding[IpiScore]:
    asked, known = study(**parameters), anchors(person, **parameters)
    return ipi(person, asked, known, baseline.age(person, asked, known), baseline.sites(person, asked, known))


def relatives_of(person: Subject, **parameters: object) -> dict[str, Finding[Score]]:
    """R-IPI, aaIPI and NCCN-IPI by rule."""
    asked, known = study(**parameters), anchors(person, **parameters)
    age, sites = baseline.age(person, asked, known), baseline.sites(person, asked, known)
    return {one.rule: one for one in ipi_relatives(person, asked, known, age, sites)}


def response_of(person: Subject, **parameters: object) -> Finding[Response]:
    return response(person, study(**parameters), anchors(person, **parameters))


def toxicity_of(code: str, person: Subject, **parameters: object) -> Toxicity | None:
    """The finding about one term; None when nobody assessed it."""
    found = toxicities(person, study(**parameters), anchors(person, **parameters))
    return next((one.value for one in found if one.value and one.value.code == code), None)


def grades_of(code: str, person: Subject, **parameters: object) -> tuple[int | None, int | None] | None:
    found = toxicity_of(code, person, **parameters)
    return (found.grade_min, found.grade_max) if found else None


def assessable_of(person: Subject, **parameters: object) -> AnyFinding:
    return eligibility.assessable(study(**parameters), anchors(person, **parameters))


def judged(person: Subject, **parameters: object) -> Judgement | Excluded:
    return judge(person, study(**parameters))


def left_at(person: Subject, **parameters: object) -> tuple[str, str] | None:
    """(step, reason) at which the person leaves the cohort; None for a person who belongs to it."""
    found = judge(person, study(**parameters))
    return (found.exit.step, found.exit.reason) if isinstance(found, Excluded) else None
