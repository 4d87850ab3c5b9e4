"""A person's chart as an EHR sends it, in raw FHIR R4, and the verdict of the reference study on it.

`chart(...)` adds to some resources what every candidate of the study has: the Patient, the diagnosis, progression on
the bispecific antibody on 2024-02-12, the collection on 2024-03-04 and the infusion on 2024-04-01.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from mapping.hospital import CPT, ICD10CM, LOINC, PERSON, Json, concept, record, study

from fhir_adapter.cohort.finding import Exposures, Index, Lines, Span
from fhir_adapter.cohort.judgement import Excluded, Judgement
from fhir_adapter.mapping.assemble import Assembled, assemble
from fhir_adapter.rules.judge import judge

COLLECTED, INFUSED = "2024-03-04", "2024-04-01"


def resource(kind: str, name: str, **elements: Any) -> Json:
    """A resource about the person; its id is made of its name."""
    id = re.sub(r"[^A-Za-z0-9.]+", "-", name)[:64].strip("-")
    about = {"subject": {"reference": "Patient/p1"}}
    return {"resourceType": kind, "id": id, "meta": {"versionId": "1"}, **about, **elements}


def given(drug: str | Json, on: str = "", **elements: Any) -> Json:
    """A MedicationAdministration; `drug` is a text or a CodeableConcept, `on` a dateTime."""
    named = drug if isinstance(drug, dict) else {"text": drug}
    when = {"effectiveDateTime": on} if on else {}
    whole = {"status": "completed", "medicationCodeableConcept": named, **when, **elements}
    return resource("MedicationAdministration", f"adm {_key(whole)}", **whole)


def done(what: str | Json, on: str = "", **elements: Any) -> Json:
    """A Procedure; `what` is a text or a CodeableConcept."""
    named = what if isinstance(what, dict) else {"text": what}
    when = {"performedDateTime": on} if on else {}
    whole = {"status": "completed", "code": named, **when, **elements}
    return resource("Procedure", f"proc {_key(whole)}", **whole)


def collected(on: str = COLLECTED, **elements: Any) -> Json:
    return done(concept((CPT, "38225", "CAR-T therapy; harvesting of blood-derived T lymphocytes")), on, **elements)


def infused(on: str = INFUSED, **elements: Any) -> Json:
    return given("CD19 CAR-T cells", on, **elements)


def assessed(category: str, on: str) -> Json:
    code = {"CR": "LA28366-5", "PR": "LA28369-9", "SD": "LA28371-5", "PD": "LA28370-7"}[category]
    return resource(
        "Observation",
        f"resp {on}",
        status="final",
        code={"text": "Lugano response"},
        effectiveDateTime=on,
        valueCodeableConcept=concept((LOINC, code, category)),
    )


DIAGNOSIS = resource(
    "Condition",
    "dlbcl",
    clinicalStatus=concept(("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")),
    verificationStatus=concept(("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed")),
    code=concept((ICD10CM, "C83.30", "Diffuse large B-cell lymphoma, unspecified site")),
    onsetDateTime="2021-06-01",
)


def chart(*resources: Json, without: Iterable[str] = ()) -> list[Json]:
    """The resources and what every candidate has; `without` leaves out of that `collection`, `infusion` or `pd`."""
    usual = {"collection": collected(), "infusion": infused(), "pd": assessed("PD", "2024-02-12")}
    return [DIAGNOSIS, *resources, *(one for name, one in usual.items() if name not in without)]


def mapped(resources: Sequence[Json], shared: Sequence[Json] = (), base_url: str = "", **parameters: str) -> Assembled:
    """What the mappers see; `shared` are resources of nobody (Medication)."""
    folder = study(data_cut=parameters.pop("data_cut", "none"), **parameters)
    reader = folder.reader([record(one) for one in shared], base_url)
    return assemble("p1", ("p1",), map(record, (PERSON, *resources)), reader, folder.study.roles.car_t)


def judged(
    resources: Sequence[Json], shared: Sequence[Json] = (), base_url: str = "", **parameters: str
) -> Judgement | Excluded:
    """The whole judgement, or where the person left."""
    person = mapped(resources, shared, base_url, **parameters).subject
    assert person is not None
    return judge(person, study(data_cut=parameters.pop("data_cut", "none"), **parameters).study)


def member(*asked: Any, **named: Any) -> Judgement:
    found = judged(*asked, **named)
    assert isinstance(found, Judgement), found
    return found


def left(*asked: Any, **named: Any) -> str:
    """The reason for which the person is not in the cohort."""
    found = judged(*asked, **named)
    assert isinstance(found, Excluded), found
    return found.exit.reason


def exposed(one: Judgement) -> Exposures:
    assert one.exposure.value is not None
    return one.exposure.value


def anchors(one: Judgement) -> Index:
    assert one.index.value is not None
    return one.index.value


def washout(one: Judgement) -> int | tuple[int, int] | None:
    """The days if they are settled, else both ends; None when there is no washout."""
    value = one.washout.value
    if not isinstance(value, Span):
        return None
    return value.days if value.days is not None else (value.shortest, value.longest)


def lines(one: Judgement) -> list[tuple[str, ...]]:
    """The agents of every line before the collection, in order."""
    assert isinstance(one.lines.value, Lines)
    return [line.agents for line in one.lines.value.lines]


def doses(one: Judgement) -> dict[str, int]:
    """The number of doses by bispecific antibody."""
    return {each.agent: each.doses for each in exposed(one).exposures}


def says(finding: Any, words: str) -> bool:
    """Whether the sentence or a step of a finding says it."""
    return any(words in text for text in (finding.sentence, *(step.says for step in finding.steps)))


def _key(whole: Json) -> str:
    """Short, and different for different contents."""
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:12]
